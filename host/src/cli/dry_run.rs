//! `filter test` and `chain test`: dry runs without any side effect.

use super::{Context, Failed};

/// `filter test`
#[derive(Debug, clap::Args)]
pub struct FilterTest {
    /// The filter's name
    name: String,
    /// Raw messages, mbox files, Maildirs, or `-`
    #[arg(required = true, value_name = "MAIL")]
    mails: Vec<String>,
}

/// `chain …`
#[derive(Debug, clap::Subcommand)]
pub enum ChainCommand {
    /// Run the whole chain over mails and print every filter's outcome, changes and time
    Test {
        /// Raw messages, mbox files, Maildirs, or `-`
        #[arg(required = true, value_name = "MAIL")]
        mails: Vec<String>,
        /// As if a trusted account had brought them
        #[arg(long)]
        trusted: bool,
        /// As if this account had brought them
        #[arg(long, value_name = "NAME", default_value = "local")]
        account: String,
    },
}

impl FilterTest {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}

impl ChainCommand {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
