//! `fetch`: one fetch now.

use super::{Context, Failed};

/// `fetch`
#[derive(Debug, clap::Args)]
pub struct Fetch {
    /// Only this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
}

impl Fetch {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
