//! `filter`: the chain's filters and their components.

use super::{Context, Failed, dry_run};
use std::path::PathBuf;

/// `filter …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the filters in the order in which they run
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Show a filter
    Show {
        /// Its name
        name: String,
    },
    /// Let a filter run
    Enable {
        /// Its name
        name: String,
    },
    /// Keep a filter but do not run it
    Disable {
        /// Its name
        name: String,
    },
    /// Upload a component: a core module or a component of the filter world
    Upload {
        /// The `.wasm` file
        file: PathBuf,
    },
    /// Delete a filter
    Delete {
        /// Its name
        name: String,
    },
    /// Run one filter over mails without any side effect
    Test(dry_run::FilterTest),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::Test(test) => test.run(context).await,
            _ => Err(Failed::because("This command is not part of this build.")),
        }
    }
}
