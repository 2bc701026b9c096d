//! What the program says of its own work, on standard error.

use crate::cli::printable::LogWriter;
use std::io::IsTerminal as _;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// At `trace` the IMAP library writes every command that it sends, passwords too, and every answer: it is never asked
/// to, whatever `POSTIGO_LOG` says of it or of its modules.
fn is_for_the_log(metadata: &Metadata<'_>) -> bool {
    let is_chatty = ["async_imap", "imap_proto"].iter().any(|library| metadata.target().starts_with(library));
    !is_chatty || *metadata.level() <= Level::WARN
}

/// Starts it: the daemon tells what it does, a command only what is wrong. `POSTIGO_LOG` chooses otherwise, by module:
/// `info,postigo::inbound=debug`.
pub fn start(daemon: bool) {
    let usual = if daemon { "info,sqlx=warn" } else { "warn" };
    let filter = EnvFilter::try_from_env("POSTIGO_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let lines = tracing_subscriber::fmt()
        .with_writer(|| LogWriter(std::io::stderr()))
        .with_env_filter(filter)
        .with_target(false);
    let words = filter_fn(is_for_the_log);
    // Only the first start counts; a second one, in tests, changes nothing.
    let _ = if daemon {
        lines.with_ansi(std::io::stderr().is_terminal()).finish().with(words).try_init()
    } else {
        lines.without_time().with_ansi(false).finish().with(words).try_init()
    };
}
