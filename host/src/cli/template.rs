//! `template`: texts that agents write from.

use super::configured::{Change, Column, List, Named, validity};
use super::{Context, Failed, writing};
use crate::config::Template;
use serde_json::Value;
use std::path::PathBuf;

/// `template …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the templates
    List(List),
    /// Show one with all its keys
    Show(Named),
    /// Change a template, or make a new one
    Set(Set),
    /// Delete a template
    Delete(Named),
}

/// `template set`
#[derive(Debug, clap::Args)]
pub struct Set {
    #[command(flatten)]
    template: Named,
    #[command(flatten)]
    keys: Keys,
}

/// What is set; what is left out stays as it was, and of a new template has its default.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Keys {
    /// What it is for: answer, forward or create
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// The queue that it is for; several times for several
    #[arg(long, value_name = "NAME")]
    queue: Vec<String>,
    /// It is for all queues
    #[arg(long, conflicts_with = "queue")]
    all_queues: bool,
    /// Its subject, with tags; empty: the mail's own
    #[arg(long)]
    subject: Option<String>,
    /// Its text, with tags, a file; `-`: standard input
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,
    /// For admins
    #[arg(long)]
    comment: Option<String>,
    /// true, false or temporarily-invalid
    #[arg(long, value_parser = validity)]
    valid: Option<Value>,
}

const COLUMNS: [Column; 5] = [("TEMPLATE", "name"), ("TYPE", "type"), ("QUEUES", "queues"), ("SUBJECT", "subject"), ("VALID", "valid")];

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::List(list) => list.run::<Template>(&COLUMNS, context).await,
            Self::Show(template) => template.show::<Template>(context).await,
            Self::Set(Set { template, keys }) => template.set::<Template>(keys.change()?, context).await,
            Self::Delete(template) => template.delete::<Template>(context).await,
        }
    }
}

impl Keys {
    fn change(self) -> Result<Change, Failed> {
        let queues = (self.all_queues || !self.queue.is_empty()).then_some(self.queue);
        Ok(Change::default()
            .key("type", self.r#type)
            .key("queues", queues)
            .key("subject", self.subject)
            .key("body", self.body_file.as_deref().map(writing::text).transpose()?)
            .key("comment", self.comment)
            .key("valid", self.valid))
    }
}
