//! A server that Postigo connects to, for fetching as for sending, and when the connection is put under TLS.

use super::Tls;
use std::time::Duration;

/// When a connection to a server is put under TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Clear,
    /// Before the first word (RFC 8314: implicit TLS).
    Implicit,
    /// After a few words in clear, always: STARTTLS, or POP3's STLS.
    StartTls,
}

/// A server, and how it is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server<'a> {
    /// Its name or address.
    pub host: &'a str,
    /// Its port: the configured one, or the usual one of protocol and TLS mode.
    pub port: u16,
    /// When TLS begins.
    pub tls_mode: TlsMode,
    /// How TLS is done.
    pub tls: &'a Tls,
    /// Login; may be empty where nothing is signed in to.
    pub user: &'a str,
    /// Of every read and write; a second at least.
    pub timeout: Duration,
}

/// The longest wait that a number of seconds in the configuration stands for.
pub(super) fn timeout(seconds: u64) -> Duration {
    Duration::from_secs(seconds.max(1))
}
