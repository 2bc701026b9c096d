//! `serve`: the daemon.

use super::{Context, Failed};
use crate::config::{Machine, Named};
use crate::daemon::{Daemon, WorkLock};
use crate::store::configuration;
use std::net::SocketAddr;
use std::sync::Arc;

/// `serve`
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Where REST is served
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8025")]
    listen: SocketAddr,
    /// A command that transports of the kind sendmail may use, by NAME or PATH
    #[arg(long, value_name = "NAME=PATH")]
    allow_command: Vec<Named>,
    /// A folder that transports of the kind file may use, by NAME or PATH; over REST, Maildir accounts too
    #[arg(long, value_name = "NAME=PATH")]
    allow_folder: Vec<Named>,
}

impl Serve {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        let mut lock = WorkLock::acquire(context.data()).await?;
        lock.say_daemon()?;
        configuration::bind_secrets(context.store().await?, context.key()).await?;
        let daemon = Daemon {
            lock,
            spool: context.spool().await?.clone(),
            key: context.key().clone(),
            live: Arc::clone(context.live().await?),
            listen: self.listen,
            machine: Machine::new(self.allow_command, self.allow_folder),
        };
        let output = context.output();
        let ready = |address| {
            let url = format!("http://{address}");
            output.document(&serde_json::json!({ "url": url }), || format!("Postigo serves {url}\n"));
        };
        Ok(daemon.run(ready).await?)
    }
}
