//! `ingest`: messages from files.

use super::{Context, Failed};

/// `ingest`
#[derive(Debug, clap::Args)]
pub struct Ingest {
    /// The account that the messages count as fetched by
    #[arg(long, value_name = "NAME", default_value = "local")]
    account: String,
    /// Raw messages, mbox files, Maildirs, or `-` for one raw message on standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
}

impl Ingest {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
