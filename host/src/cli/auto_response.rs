//! `auto-response`: automatic answers of queues.

use super::configured::{self, Change, Column};
use super::{Failed, writing};
use postigo_model::configured::AutoResponse;
use std::path::PathBuf;

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

impl configured::Keys for Keys {
    type Thing = AutoResponse;
    const COLUMNS: &'static [Column] =
        &[("AUTO-RESPONSE", "name"), ("TYPE", "type"), ("QUEUE", "queue"), ("LANGUAGE", "language"), ("SUBJECT", "subject")];

    fn change(self) -> Result<Change, Failed> {
        Ok(Change::default()
            .key("type", self.r#type)
            .key("queue", self.queue)
            .key("language", self.language)
            .key("subject", self.subject)
            .key("body", self.body_file.as_deref().map(writing::text).transpose()?))
    }
}
