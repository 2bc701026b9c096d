//! `queue`: where tickets lie.

use super::configured::{Column, List, Named};
use super::{Context, Failed};
use postigo_model::configured::Queue;

/// `queue …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the queues
    List(List),
    /// Show one with all its keys
    Show(Named),
}

const COLUMNS: [Column; 4] = [("QUEUE", "name"), ("FOLLOW-UP", "follow_up"), ("ADDRESS", "address"), ("VALID", "valid")];

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::List(list) => list.run::<Queue>(&COLUMNS, context).await,
            Self::Show(queue) => queue.show::<Queue>(context).await,
        }
    }
}
