//! `queue`: where tickets lie.

use super::{Context, Failed};

/// `queue …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the queues
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
}

impl Command {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
