//! `config`: the configuration file.

use super::{Context, Failed};
use std::path::PathBuf;

/// `config …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Name every mistake of a file, change nothing
    Check {
        /// The file
        file: PathBuf,
    },
    /// Create and update what a file names, all or nothing
    Apply {
        /// The file
        file: PathBuf,
        /// Also remove filters, and make addresses and accounts invalid, that the file does not name
        #[arg(long)]
        prune: bool,
    },
    /// Print the configuration as a file, without its secrets
    Export,
}

impl Command {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
