//! `queue`: where tickets lie.

use super::output::word;
use super::{Context, Failed};
use crate::config::form::write;
use serde_json::Value;

/// `queue …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the queues
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        let Self::List { limit } = self;
        let configuration = context.configuration().await?;
        let queues = configuration.queues.values().take(limit.unwrap_or(usize::MAX));
        let queues: Vec<Value> = queues.map(|queue| Value::Object(write(queue))).collect();
        context.output().list(&["QUEUE", "FOLLOW-UP", "ADDRESS", "VALID"], &queues, |queue| {
            ["name", "follow_up", "address", "valid"].map(|key| word(queue, key)).to_vec()
        });
        Ok(())
    }
}
