//! `account`: where mail comes from.

use super::{Context, Failed};

/// `account …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the accounts
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Connect and sign in, say what the server said, leave the mailbox alone
    Test {
        /// The account's name
        name: String,
    },
}

impl Command {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
