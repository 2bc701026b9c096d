//! `ticket`: what was filed.

use super::{Context, Failed};

/// `ticket …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List tickets, the newest first
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Only of this queue
        #[arg(long)]
        queue: Option<String>,
        /// Only in this state
        #[arg(long)]
        state: Option<String>,
    },
    /// Show a ticket and its articles
    Show {
        /// The ticket's number
        number: String,
    },
    /// Change a ticket
    Update(Update),
}

/// `ticket update`
#[derive(Debug, clap::Args)]
pub struct Update {
    /// The ticket's number
    number: String,
    /// Its new state
    #[arg(long)]
    state: Option<String>,
    /// Its new queue
    #[arg(long)]
    queue: Option<String>,
    /// Its new owner, a login; empty: nobody
    #[arg(long)]
    owner: Option<String>,
    /// lock, unlock or tmp_lock
    #[arg(long)]
    lock: Option<String>,
    /// Merge it into this ticket
    #[arg(long, value_name = "NUMBER")]
    merge_into: Option<String>,
}

impl Command {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
