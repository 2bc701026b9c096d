//! `template`: texts that agents write from.

use super::configured::{self, Change, Column, validity};
use super::{Failed, writing};
use postigo_model::configured::Template;
use serde_json::Value;
use std::path::PathBuf;

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

impl configured::Keys for Keys {
    type Thing = Template;
    const COLUMNS: &'static [Column] =
        &[("TEMPLATE", "name"), ("TYPE", "type"), ("QUEUES", "queues"), ("SUBJECT", "subject"), ("VALID", "valid")];

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
