//! The options that `template set` and `auto-response set` had before they took `KEY=VALUE`; scripts have them.

use super::key_values::Changes;
use super::{Failed, writing};
use postigo_model::configured::keys::Key;
use std::path::PathBuf;

/// `--subject …`; what is left out stays.
#[derive(Debug, Default, clap::Args)]
pub struct FormerOptions {
    #[arg(long, hide = true)]
    r#type: Option<String>,
    #[arg(long, hide = true)]
    queue: Vec<String>,
    #[arg(long, hide = true, conflicts_with = "queue")]
    all_queues: bool,
    #[arg(long, hide = true)]
    language: Option<String>,
    #[arg(long, hide = true)]
    subject: Option<String>,
    #[arg(long, hide = true)]
    body_file: Option<PathBuf>,
    #[arg(long, hide = true)]
    comment: Option<String>,
    #[arg(long, hide = true)]
    valid: Option<String>,
}

impl FormerOptions {
    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        let Self { r#type, queue, all_queues, language, subject, body_file, comment, valid } = self;
        let texts = [r#type, language, subject, comment, valid];
        queue.is_empty() && !all_queues && body_file.is_none() && texts.iter().all(|text| text.is_none())
    }

    /// Adds what is given to the changes of a kind that has these keys.
    pub fn add_to(self, changes: Changes, keys: &[Key]) -> Result<Changes, Failed> {
        let has = |name: &str| keys.iter().any(|key| key.name == name);
        let queues =
            has("queues").then(|| (self.all_queues || !self.queue.is_empty()).then(|| self.queue.clone())).flatten();
        let queue = self.queue.into_iter().next_back().filter(|_| !has("queues"));
        let valid =
            self.valid.map(|valid| valid.parse().map_or(serde_json::Value::String(valid), serde_json::Value::Bool));
        Ok(changes
            .key("type", self.r#type)
            .key("queues", queues)
            .key("queue", queue)
            .key("language", self.language)
            .key("subject", self.subject)
            .key("body", self.body_file.as_deref().map(writing::text).transpose()?)
            .key("comment", self.comment)
            .key("valid", valid))
    }
}
