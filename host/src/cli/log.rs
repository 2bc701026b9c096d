//! `log`: the communication log.

use super::{Context, Failed};

/// `log …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Account status, communication status, what is active, mean processing time
    Overview {
        /// From this time on: RFC 3339, or how long ago (`24h`)
        #[arg(long)]
        since: Option<String>,
    },
    /// List communications
    List(List),
    /// Show a communication with its objects and entries
    Show {
        /// Its id
        id: String,
        /// Only entries of this priority and above: debug, info, notice, warning, error
        #[arg(long)]
        priority: Option<String>,
    },
}

/// `log list`
#[derive(Debug, clap::Args)]
pub struct List {
    /// From this time on: RFC 3339, or how long ago (`24h`)
    #[arg(long)]
    since: Option<String>,
    /// Until this time
    #[arg(long)]
    until: Option<String>,
    /// Only of this account
    #[arg(long)]
    account: Option<String>,
    /// processing, successful, warning or failed
    #[arg(long)]
    status: Option<String>,
    /// Only with entries of this priority and above
    #[arg(long)]
    priority: Option<String>,
    /// Only with this text
    #[arg(long)]
    search: Option<String>,
    /// newest (default), oldest, longest
    #[arg(long)]
    sort: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Command {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
