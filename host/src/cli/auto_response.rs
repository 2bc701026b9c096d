//! `auto-response`: automatic answers of queues.

use super::configured::{Change, Column, List, Named};
use super::{Context, Failed, writing};
use crate::config::AutoResponse;
use std::path::PathBuf;

/// `auto-response …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the automatic answers
    List(List),
    /// Show one with all its keys
    Show(Named),
    /// Change an automatic answer, or make a new one
    Set(Set),
    /// Delete an automatic answer
    Delete(Named),
}

/// `auto-response set`
#[derive(Debug, clap::Args)]
pub struct Set {
    #[command(flatten)]
    answer: Named,
    #[command(flatten)]
    keys: Keys,
}

/// What is set; what is left out stays as it was, and of a new answer has its default.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Keys {
    /// Its occasion: reply, follow-up, reject, reply-new-ticket or remove
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// The queue whose answer it is; a new one must have it
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// The language it is written in (`de`, `pt-BR`); empty: for everybody who gets no other
    #[arg(long)]
    language: Option<String>,
    /// Its subject, with tags
    #[arg(long)]
    subject: Option<String>,
    /// Its text, with tags, a file; `-`: standard input
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
}

const COLUMNS: [Column; 5] =
    [("AUTO-RESPONSE", "name"), ("TYPE", "type"), ("QUEUE", "queue"), ("LANGUAGE", "language"), ("SUBJECT", "subject")];

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::List(list) => list.run::<AutoResponse>(&COLUMNS, context).await,
            Self::Show(answer) => answer.show::<AutoResponse>(context).await,
            Self::Set(Set { answer, keys }) => answer.set::<AutoResponse>(keys.change()?, context).await,
            Self::Delete(answer) => answer.delete::<AutoResponse>(context).await,
        }
    }
}

impl Keys {
    fn change(self) -> Result<Change, Failed> {
        Ok(Change::default()
            .key("type", self.r#type)
            .key("queue", self.queue)
            .key("language", self.language)
            .key("subject", self.subject)
            .key("body", self.body_file.as_deref().map(writing::text).transpose()?))
    }
}
