//! `article`: what a ticket consists of.

use super::{Context, Failed};

/// `article …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show an article
    Show {
        /// The article's id
        id: i64,
        /// Print the received bytes, unchanged
        #[arg(long)]
        raw: bool,
    },
}

impl Command {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
