//! Why nothing can be listened on.

use postigo_model::configured::Endpoint;
use std::io;

/// Why a listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The port is taken, or not ours to take; the socket's folder is not there.
    #[error("{endpoint} cannot be listened on: {reason}. Name another host or port, or end what uses it.")]
    Bind {
        /// Address or path.
        endpoint: Endpoint,
        /// Why.
        reason: io::Error,
    },
    /// A file that is no socket is in the way.
    #[error("{0} is there and is no socket: it is not replaced. Name another path, or remove it.")]
    InTheWay(Endpoint),
    /// The certificate or its key.
    #[error("The account's tls.{key} names {path}, which cannot be used: {reason}")]
    Certificate {
        /// `certificate` or `key`.
        key: &'static str,
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Somebody listens who is no mail server.
    #[error("{endpoint} is listened on, but whoever does so does not greet as a mail server: {reason}.")]
    Stranger {
        /// Address or path.
        endpoint: Endpoint,
        /// What came.
        reason: String,
    },
}
