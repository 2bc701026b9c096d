//! Many accounts on one daemon, of which some hang, some refuse, and some have a wrong password.

use super::dovecot::{Dovecot, Options, PASSWORD};
use super::gate::Gate;
use super::ports::free_port;
use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How many accounts of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// With mailboxes on a server that works.
    pub healthy: usize,
    /// On a server that takes connections and says nothing.
    pub hanging: usize,
    /// Where nobody listens.
    pub refusing: usize,
    /// On the server that works, with a wrong password.
    pub locked_out: usize,
}

/// The accounts, and the server that hangs.
pub struct Crowd {
    sizes: Sizes,
    interval: Duration,
    hanging: u16,
    refusing: u16,
}

impl Crowd {
    /// Accounts that are fetched from at this interval.
    ///
    /// # Panics
    /// If no port is free.
    pub fn new(sizes: Sizes, interval: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let hanging = listener.local_addr().expect("a port").port();
        std::thread::spawn(move || {
            // Kept, so that they stay open.
            let mut taken: Vec<TcpStream> = Vec::new();
            taken.extend(listener.incoming().flatten());
        });
        Self { sizes, interval, hanging, refusing: free_port() }
    }

    /// The names of the accounts that work; each is its own user.
    pub fn healthy(&self) -> Vec<String> {
        names("healthy", self.sizes.healthy)
    }

    /// All accounts, as configuration.
    pub fn configuration(&self, server: &Dovecot) -> String {
        let groups = [
            ("healthy", self.sizes.healthy, server.imap, PASSWORD),
            ("hanging", self.sizes.hanging, self.hanging, PASSWORD),
            ("refusing", self.sizes.refusing, self.refusing, PASSWORD),
            ("locked-out", self.sizes.locked_out, server.imap, "wrong"),
        ];
        let mut toml = String::new();
        for (kind, count, port, password) in groups {
            for name in names(kind, count) {
                let _ = write!(
                    toml,
                    "[[account]]\nname = \"{name}\"\nprotocol = \"imap\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{name}\"\n\
                     password = \"{password}\"\nidle = false\ninterval = \"{}s\"\n",
                    self.interval.as_secs()
                );
            }
        }
        toml
    }

    /// How much later than the interval after the one before each fetch of a healthy account began, without each
    /// account's first; sorted.
    ///
    /// # Panics
    /// If the log cannot be read.
    pub fn lateness(&self, gate: &Gate) -> Vec<Duration> {
        let mut all = Vec::new();
        for name in self.healthy() {
            let mut begun: Vec<OffsetDateTime> = gate
                .json(&["log", "list", "--account", &name, "--limit", "100000"])
                .iter()
                .filter(|communication| communication["kind"] == "connection")
                .filter_map(|communication| moment(communication["started_at"].as_str()?))
                .collect();
            begun.sort_unstable();
            let late = begun
                .windows(2)
                .skip(1)
                .map(|pair| Duration::try_from(pair[1] - pair[0] - self.interval).unwrap_or_default());
            all.extend(late);
        }
        all.sort_unstable();
        all
    }
}

/// A server that does not let all clients of an address wait when one of them had a wrong password: ours have one
/// address.
pub fn server() -> Option<Dovecot> {
    let more = "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n".to_owned();
    Dovecot::with(Options { more, ..Options::default() })
}

/// The value that this part of a hundred of sorted values does not exceed.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

fn names(kind: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{kind}{number}")).collect()
}

fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}
