//! `serve`: the daemon.

use super::{Context, Failed};
use std::net::SocketAddr;

/// `serve`
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Where REST is served
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8025")]
    listen: SocketAddr,
}

impl Serve {
    pub(super) async fn run(self, _context: &Context) -> Result<(), Failed> {
        Err(Failed::because("This command is not part of this build."))
    }
}
