//! `filter`: the chain's filters and their components.

use super::configured::{NamedThing, ThingList, ThingSet, missing, tell_warnings, told, with_warnings};
use super::output::{lines, printable, word};
use super::rows::FoundRows;
use super::versions::{ThingShow, VersionCommand};
use super::{CommandError, Context, component, dry_run, upgrade};
use crate::chain;
use crate::service::answers::{self, ClassifierOutlook};
use crate::service::versions::Attributed;
use crate::service::{configured, filters};
use crate::store::spool;
use postigo_model::configured::form::{ConfiguredKind as _, write};
use postigo_model::configured::{Configuration, Filter, Validity};
use postigo_model::result::FilterOutcome;
use postigo_model::timestamp::rfc3339;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::PathBuf;

/// So many messages are looked at to say what a filter did lately.
const LATEST: i64 = 500;

/// `filter …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the filters in the order in which they run, with how many of the last 500 messages each matched
    List(ThingList),
    /// Show a filter, or as a version of it has it
    #[command(disable_version_flag = true)]
    Show(ThingShow),
    /// Change keys of a filter, or make a new one: component=match, settings.when='[ … ]', limits.time=100ms
    Set(ThingSet),
    /// Let a filter run
    Enable {
        /// Its name
        name: String,
    },
    /// Keep a filter but do not run it
    Disable {
        /// Its name
        name: String,
    },
    /// Upload a component; the same as `component upload`
    Upload {
        /// The `.wasm` file
        file: PathBuf,
    },
    /// List the components that filters can be made of; the same as `component list`
    Components {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Have the filters of an uploaded component run another version of it: all of them, or none where one cannot
    Upgrade(upgrade::FilterUpgrade),
    /// Go back to what a filter, and those that came along with it, ran before
    Rollback(upgrade::Rollback),
    /// Delete a filter
    Delete(NamedThing),
    #[command(flatten)]
    Version(VersionCommand),
    /// Run one filter over mails without any side effect
    Test(dry_run::FilterTest),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::List(wish) => list(&wish, context).await,
            Self::Show(ThingShow { thing: NamedThing { name }, version: None }) => show(&name, context).await,
            Self::Show(earlier) => earlier.run::<Filter>(context).await,
            Self::Version(command) => command.run::<Filter>(context).await,
            Self::Set(set) => set.run::<Filter>(context).await,
            Self::Enable { name } => set_validity(&name, Validity::Valid, context).await,
            Self::Disable { name } => set_validity(&name, Validity::Invalid, context).await,
            Self::Upload { file } => component::upload(&file, context).await,
            Self::Components { limit } => component::list(limit, context).await,
            Self::Upgrade(upgrade) => upgrade.run(context).await,
            Self::Rollback(rollback) => rollback.run(context).await,
            Self::Delete(filter) => filter.delete::<Filter>(context).await,
            Self::Test(test) => test.run(context).await,
        }
    }
}

async fn list(wish: &ThingList, context: &Context) -> Result<(), CommandError> {
    let configuration = context.configuration().await?;
    let matches = latest_matches(context).await?;
    let found: HashSet<String> =
        configured::list::<Filter>(&configuration, wish.search.as_deref()).map(|(name, _)| name).collect();
    let filters = configuration.filters.values().zip(1..).filter(|(filter, _)| found.contains(&filter.name));
    let attributed = Attributed::of(context.store().await?, Filter::KIND, None).await?;
    let documents = filters.map(|(filter, place)| document((filter, place), &configuration, &matches, &attributed));
    let filters = FoundRows::of(documents, wish.limit);
    context.output().list(
        &["#", "FILTER", "COMPONENT", "STOP", "ON FAILURE", "VALID", "MATCHED", "LAST MATCH", "COMMENT"],
        &filters.rows,
        |filter| {
            let keys = [
                "order",
                "name",
                "component",
                "stop_after_match",
                "on_failure",
                "valid",
                "matched",
                "last_match",
                "comment",
            ];
            keys.map(|key| word(filter, key)).to_vec()
        },
    );
    filters.tell_more(context);
    Ok(())
}

/// By filter, how many of the latest messages it matched, and when it did last.
async fn latest_matches(context: &Context) -> Result<HashMap<String, (usize, i64)>, CommandError> {
    let mut matches: HashMap<String, (usize, i64)> = HashMap::new();
    let messages = spool::latest(&mut *context.store().await?.read().await?, LATEST).await?;
    for message in messages {
        let at = message.ended_at.unwrap_or(message.received_at);
        let filters = message.result.into_iter().flat_map(|result| result.filters);
        for filter in filters.filter(|filter| filter.outcome == FilterOutcome::Matched) {
            let (count, last) = matches.entry(filter.name).or_default();
            *count += 1;
            *last = at.max(*last);
        }
    }
    Ok(matches)
}

/// A filter with its place in the order of names, and what it did lately.
fn document(
    (filter, place): (&Filter, usize),
    configuration: &Configuration,
    matches: &HashMap<String, (usize, i64)>,
    attributed: &Attributed,
) -> Value {
    let matched = matches.get(&filter.name);
    let model = configuration.models.get(&filter.name).map(|model| &*model.digest);
    let mut fields = write(filter);
    fields.insert("order".to_owned(), place.into());
    fields.insert("revision".to_owned(), chain::revision(filter, model).into());
    fields.insert("matched".to_owned(), matched.map_or(0, |(count, _)| *count).into());
    fields.insert("last_match".to_owned(), matched.map_or(Value::Null, |(_, at)| Value::String(rfc3339(*at))));
    attributed.add_to(&filter.name, &mut fields);
    Value::Object(fields)
}

async fn show(name: &str, context: &Context) -> Result<(), CommandError> {
    let configuration = context.configuration().await?;
    let found = configuration.filters.values().zip(1..).find(|(filter, _)| filter.name == name);
    let (filter, place) = found.ok_or_else(|| CommandError::because(missing::<Filter>(name)))?;
    let attributed = Attributed::of(context.store().await?, Filter::KIND, Some(&[name])).await?;
    // What would follow from answers is known once the chain is prepared, which takes its time.
    let has_answers = filter.mode.is_some() || !filter.answer.is_empty();
    let filter = document((filter, place), &configuration, &latest_matches(context).await?, &attributed);
    let history = filters::history(context.store().await?, context.key(), name).await?;
    let ran = history.iter().map(|ran| {
        let since = ran.since.as_deref().unwrap_or("before that");
        let by = if ran.actor.is_empty() { String::new() } else { format!(", by {}", printable(&ran.actor)) };
        format!("  {since}: {}{by}\n", ran.component)
    });
    let text: String = ran.collect();
    let mut document = filter.clone();
    document["history"] = json!(history);
    let outlook = if has_answers {
        answers::outlook(&context.live().await?.current(), name).map_err(told::<Filter>)?
    } else {
        None
    };
    if let Some(outlook) = &outlook {
        document["answers"] = json!(outlook);
    }
    context.output().document(&document, || {
        let shown = lines(&filter);
        let ran = if text.is_empty() { String::new() } else { format!("\nWhat it ran, the latest first:\n{text}") };
        format!("{shown}{ran}{}", outlook.as_ref().map(followed).unwrap_or_default())
    });
    Ok(())
}

/// What would follow from a classifier's answers, label by label.
fn followed(outlook: &ClassifierOutlook) -> String {
    let mut text = format!("\nWhat follows from its answers ({}):\n", outlook.mode.name());
    // Writing to a string does not fail.
    for mapped in &outlook.mapped {
        let (question, header) = (printable(&mapped.question), printable(&mapped.header));
        let missing = if mapped.is_asked { "" } else { ": the classifier has no such question" };
        let _ = writeln!(text, "  {question} → {header}{missing}");
        for label in &mapped.labels {
            let (name, value) = (printable(&label.label), printable(&label.value));
            let _ = match &label.nothing_since {
                Some(why) => writeln!(text, "    {name:?}: nothing: {}", printable(why)),
                None => writeln!(text, "    {name:?}: {value:?} from {} on", label.threshold),
            };
        }
    }
    for question in &outlook.unmapped {
        let _ = writeln!(text, "  {}: nothing follows", printable(question));
    }
    text
}

async fn set_validity(name: &str, valid: Validity, context: &Context) -> Result<(), CommandError> {
    let saved = filters::set_validity(context.editor().await?, name, valid).await.map_err(told::<Filter>)?;
    let word = if valid.is_valid() { "enabled" } else { "disabled" };
    let document = with_warnings(json!({ "name": name, "valid": valid.is_valid() }), &saved.warnings);
    context.output().document(&document, || format!("The filter {name:?} is {word}.\n"));
    tell_warnings(&saved.warnings, context);
    Ok(())
}
