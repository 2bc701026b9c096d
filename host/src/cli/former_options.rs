//! The options that `template set` and `auto-response set` had before they took `KEY=VALUE`; scripts have them.

use super::key_values::Changes;
use super::{CommandError, writing};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use postigo_model::configured::form::ConfiguredKind;
use postigo_model::configured::{AutoResponse, Template};
use serde_json::Value;
use std::path::PathBuf;

/// The options of a kind; what is left out stays.
#[derive(Debug)]
pub enum FormerOptions {
    /// Those of templates.
    Template(OfTemplate),
    /// Those of automatic answers.
    AutoResponse(OfAutoResponse),
}

/// `template set --queue …`
#[derive(Debug, clap::Args)]
pub struct OfTemplate {
    #[arg(long, hide = true)]
    queue: Vec<String>,
    #[arg(long, hide = true, conflicts_with = "queue")]
    all_queues: bool,
    #[arg(long, hide = true)]
    comment: Option<String>,
    #[arg(long, hide = true, value_parser = validity)]
    valid: Option<Value>,
    #[command(flatten)]
    text: FormerText,
}

/// `auto-response set --queue …`
#[derive(Debug, clap::Args)]
pub struct OfAutoResponse {
    #[arg(long, hide = true)]
    queue: Option<String>,
    #[arg(long, hide = true)]
    language: Option<String>,
    #[command(flatten)]
    text: FormerText,
}

/// What both have.
#[derive(Debug, clap::Args)]
struct FormerText {
    #[arg(long, hide = true)]
    r#type: Option<String>,
    #[arg(long, hide = true)]
    subject: Option<String>,
    #[arg(long, hide = true)]
    body_file: Option<PathBuf>,
}

impl FormerOptions {
    /// Adds the options of a kind, by its command, to its `set`, where it has any.
    pub fn augment(kind: &str, set: Command) -> Command {
        match kind {
            _ if kind == Template::ABOUT.command => OfTemplate::augment_args(set),
            _ if kind == AutoResponse::ABOUT.command => OfAutoResponse::augment_args(set),
            _ => set,
        }
    }

    /// Those of a kind, by its command; none where it never had any.
    pub fn of(kind: &str, set: &ArgMatches) -> Result<Option<Self>, clap::Error> {
        Ok(match kind {
            _ if kind == Template::ABOUT.command => Some(Self::Template(OfTemplate::from_arg_matches(set)?)),
            _ if kind == AutoResponse::ABOUT.command => {
                Some(Self::AutoResponse(OfAutoResponse::from_arg_matches(set)?))
            }
            _ => None,
        })
    }

    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Template(OfTemplate { queue, all_queues, comment, valid, text }) => {
                queue.is_empty() && !all_queues && comment.is_none() && valid.is_none() && text.is_empty()
            }
            Self::AutoResponse(OfAutoResponse { queue, language, text }) => {
                queue.is_none() && language.is_none() && text.is_empty()
            }
        }
    }

    /// Adds what is given to changes of the kind.
    pub fn add_to(self, changes: Changes) -> Result<Changes, CommandError> {
        match self {
            Self::Template(OfTemplate { queue, all_queues, comment, valid, text }) => {
                let queues = (all_queues || !queue.is_empty()).then_some(queue);
                text.add_to(changes.key("queues", queues).key("comment", comment).key("valid", valid))
            }
            Self::AutoResponse(OfAutoResponse { queue, language, text }) => {
                text.add_to(changes.key("queue", queue).key("language", language))
            }
        }
    }
}

impl FormerText {
    fn is_empty(&self) -> bool {
        self.r#type.is_none() && self.subject.is_none() && self.body_file.is_none()
    }

    fn add_to(self, changes: Changes) -> Result<Changes, CommandError> {
        let body = self.body_file.as_deref().map(writing::text).transpose()?;
        Ok(changes.key("type", self.r#type).key("subject", self.subject).key("body", body))
    }
}

fn validity(text: &str) -> Result<Value, String> {
    match text {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        "temporarily-invalid" => Ok(Value::from(text)),
        _ => Err("it must be true, false or temporarily-invalid".to_owned()),
    }
}
