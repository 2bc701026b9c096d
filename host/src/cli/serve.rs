//! `serve`: the daemon.

use super::{CommandError, Context};
use crate::daemon::{Clients, Daemon};
use crate::http;
use crate::machine::{Machine, NamedPath};
use crate::store::configuration;
use crate::worker::WorkLock;
use postigo_model::configured::units::parse_size;
use postigo_net::listen::ConnectionLimits;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A filter may have so much by default.
const LEAST_GUEST_MEMORY: u64 = 64 << 20;

/// `serve`
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Where REST is served
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8025")]
    listen: SocketAddr,
    /// A command that transports of the kind sendmail may use, by NAME or PATH
    #[arg(long, value_name = "NAME=PATH")]
    allow_command: Vec<NamedPath>,
    /// A folder that transports of the kind file may use, by NAME or PATH; over REST, Maildir accounts too
    #[arg(long, value_name = "NAME=PATH")]
    allow_folder: Vec<NamedPath>,
    /// A name under which a proxy passes requests on to a loopback address; once for each. Without a token, no others
    /// are answered there
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// The most clients of each listener (REST, LMTP, SMTP) at once; fewer where the process may open few files
    #[arg(long, value_name = "COUNT", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// The most of them from one address; for this machine, Unix sockets and relays that `networks` names one by one
    /// there is none
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    connections_per_address: u32,
    /// A client of REST that brings no whole request head within this time, the first or the next, is gone
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    head_timeout: u32,
    /// A client of LMTP or SMTP that says no whole command within this time is told goodbye (RFC 5321: 5 minutes)
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    command_timeout: u32,
    /// The memory that all filters together may hold, such as "1 GiB"; a message waits for room
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1 GiB")]
    guest_memory: u64,
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text)
        .filter(|bytes| *bytes >= LEAST_GUEST_MEMORY)
        .ok_or_else(|| "a size of 64 MiB or more, such as \"1 GiB\"".to_owned())
}

impl Serve {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        context.set_guest_memory(self.guest_memory);
        context.tell_new_folder();
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
            clients: Clients {
                most: ConnectionLimits {
                    connections: self.connections as usize,
                    per_address: self.connections_per_address as usize,
                },
                head: Duration::from_secs(self.head_timeout.into()),
                command: Duration::from_secs(self.command_timeout.into()),
                hosts: self.host,
            },
        };
        let output = context.output();
        let ready = |address| {
            let url = format!("http://{address}");
            output.document(&serde_json::json!({ "url": url }), || format!("Postigo serves {url}\n"));
        };
        Ok(daemon.run(http::keep_serving, ready).await?)
    }
}
