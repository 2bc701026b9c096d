//! `token`: tokens for the REST API.

use super::{Context, Failed};

/// `token …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a token and show it, once
    Create {
        /// admin, author, agent or reader
        #[arg(long)]
        role: String,
    },
}

impl Command {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
