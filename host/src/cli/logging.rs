//! What the program says of its own work, on standard error.

use crate::printable::LogWriter;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// At `trace` the IMAP library writes every command that it sends, passwords too: it is never asked to.
const NEVER_CHATTY: [&str; 2] = ["async_imap=warn", "imap_proto=warn"];

/// Starts it: the daemon tells what it does, a command only what is wrong. `POSTIGO_LOG` chooses otherwise, by module:
/// `info,postigo::transport=debug`.
pub fn start(daemon: bool) {
    let usual = if daemon { "info,sqlx=warn" } else { "warn" };
    let filter = EnvFilter::try_from_env("POSTIGO_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let filter = NEVER_CHATTY.iter().filter_map(|directive| directive.parse().ok()).fold(filter, EnvFilter::add_directive);
    let lines = tracing_subscriber::fmt().with_writer(|| LogWriter(std::io::stderr())).with_env_filter(filter).with_target(false);
    // Only the first start counts; a second one, in tests, changes nothing.
    let _ =
        if daemon { lines.with_ansi(std::io::stderr().is_terminal()).try_init() } else { lines.without_time().with_ansi(false).try_init() };
}
