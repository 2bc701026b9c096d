//! `serve`: the daemon.

use super::{Context, Failed};
use crate::daemon::{Daemon, WorkLock};
use std::net::SocketAddr;
use std::sync::Arc;

/// `serve`
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Where REST is served
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8025")]
    listen: SocketAddr,
}

impl Serve {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        let mut lock = WorkLock::acquire(context.data()).await?;
        lock.say_daemon()?;
        let daemon = Daemon {
            lock,
            spool: context.spool().await?.clone(),
            key: context.key().clone(),
            live: Arc::clone(context.live().await?),
            listen: self.listen,
        };
        let output = context.output();
        let ready = |address| {
            let url = format!("http://{address}");
            output.document(&serde_json::json!({ "url": url }), || format!("Postigo serves {url}\n"));
        };
        Ok(daemon.run(ready).await?)
    }
}
