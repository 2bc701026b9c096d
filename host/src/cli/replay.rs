//! `replay`: what stored mails would become now.

use super::job::Following;
use super::{CommandError, Context, command_error, moment};
use crate::config::ConfigurationFile;
use crate::service::ServiceError;
use crate::service::jobs::{self, MOST_REPLAYED, USUAL_REPLAY};
use postigo_files::regular_file::read_at_most;
use postigo_model::configured::Filter;
use postigo_model::configured::form::{ConfigurationMistake, ConfiguredKind as _};
use postigo_model::job::ReplayOrder;
use serde_json::Value;
use std::path::PathBuf;

/// A file of filters has at most so many bytes.
const LARGEST_FILE: u64 = 8 << 20;

/// `replay`
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// Mails received from this time on: `2026-11-29 10:44`, a date, RFC 3339, or how long ago (`24h`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Only those that went into this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Try at most so many, the latest first; at most 1,000,000 messages are looked at for them
    #[arg(long, value_name = "N", default_value_t = USUAL_REPLAY, value_parser = clap::value_parser!(i64).range(1..=MOST_REPLAYED))]
    limit: i64,
    /// With this filter alone, whether it is valid or not; may be given again
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// With the filters of this configuration file in the place of those of the same name, or beside them; nothing of it
    /// is saved
    #[arg(long, value_name = "FILE")]
    filter: Option<PathBuf>,
    #[command(flatten)]
    following: Following,
}

impl Replay {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let file = self.filter.as_ref().map(FilterFile::read).transpose()?;
        let order = ReplayOrder {
            since: moment::read_as_rfc3339("since", self.since.as_deref())?,
            until: moment::read_as_rfc3339("until", self.until.as_deref())?,
            account: self.account,
            queue: self.queue,
            limit: self.limit,
            only: self.only,
            filters: file.as_ref().map(FilterFile::filters).unwrap_or_default(),
        };
        let asked = jobs::replay(context.editor().await?, order).await;
        let id = asked.map_err(|refused| match (refused, &file) {
            (ServiceError::Mistakes(mistakes), Some(file)) => {
                let (of_file, others): (Vec<_>, Vec<_>) =
                    mistakes.into_iter().partition(|mistake| mistake.breach.place.starts_with("/filters/"));
                let placed = |mistake: crate::service::ThingMistake| ConfigurationMistake {
                    pointer: mistake.breach.place.replacen("/filters/", "/filter/", 1),
                    sentence: mistake.breach.sentence,
                };
                let mut told = file.tell(&of_file.into_iter().map(placed).collect::<Vec<_>>());
                if !others.is_empty() {
                    let others = command_error::of_options(ServiceError::Mistakes(others), str::to_owned);
                    told.extend(others.sentences().iter().cloned());
                }
                CommandError::lines(told)
            }
            (refused, _) => command_error::of_options(refused, str::to_owned),
        })?;
        self.following.run(id, context).await
    }
}

/// A configuration file that has filters alone.
struct FilterFile {
    path: String,
    file: ConfigurationFile,
}

impl FilterFile {
    fn read(path: &PathBuf) -> Result<Self, CommandError> {
        let shown = path.display().to_string();
        let unreadable = |reason: String| CommandError::from(ServiceError::Unreadable { path: shown.clone(), reason });
        let read = std::fs::File::open(path).and_then(|file| read_at_most(file, LARGEST_FILE));
        let bytes = read.map_err(|error| unreadable(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|error| unreadable(format!("it is not UTF-8 ({error})")))?;
        let given = Self { path: shown.clone(), file: ConfigurationFile::parse(&text) };
        let others = given.file.root.keys().filter(|key| *key != Filter::KIND).map(|key| ConfigurationMistake {
            pointer: format!("/{key}"),
            sentence: "a replay takes filters alone: [[filter]].".to_owned(),
        });
        let mut mistakes: Vec<ConfigurationMistake> = others.collect();
        if !given.file.root.get(Filter::KIND).is_some_and(Value::is_array) && mistakes.is_empty() {
            let sentence = "there is no filter: write [[filter]].".to_owned();
            mistakes.push(ConfigurationMistake { pointer: String::new(), sentence });
        }
        if mistakes.is_empty() && given.file.problems.is_empty() {
            return Ok(given);
        }
        Err(CommandError::lines(given.tell(&mistakes)))
    }

    fn filters(&self) -> Vec<Value> {
        self.file.root.get(Filter::KIND).and_then(Value::as_array).cloned().unwrap_or_default()
    }

    fn tell(&self, mistakes: &[ConfigurationMistake]) -> Vec<String> {
        self.file.tell(&self.path, mistakes)
    }
}
