//! `spool`: messages that wait, are held, failed or were ignored.

use super::{Context, Failed};

/// `spool …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List messages of the spool
    List {
        /// Only of this status: waiting, held, failed, ignored
        #[arg(long)]
        status: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Show a message
    Show {
        /// Its id
        id: i64,
        /// Print the received bytes, unchanged
        #[arg(long)]
        raw: bool,
    },
    /// Let messages go the whole way again
    Release {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<i64>,
    },
    /// Drop messages for good
    Drop {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<i64>,
    },
}

impl Command {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
