//! LMTP (RFC 2033) and SMTP (RFC 5321) intake: mail that other servers bring.
//!
//! A [`Listener`] waits at an [`Endpoint`](postigo_model::configured::Endpoint) for the accounts that name it. What it takes is in the spool, durable, before 250 is answered; what the spool
//! cannot take now is left with the client by a temporary answer. SMTP is for trusted relays: nobody signs in, nothing is relayed.

mod bind;
mod command;
mod data;
mod error;
mod journal;
mod listener;
mod message;
mod probe;
mod recipients;
mod reply;
mod session;
mod sink;
mod tls;
mod trace;
mod transaction;
mod wire;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use bind::Bound;
pub use error::ListenError;
pub use listener::Listener;
pub use probe::probe;
pub use recipients::Policy;
pub use session::Limits;
pub use sink::{Sink, SpoolSink};

use postigo_model::configured::Protocol;

/// What is spoken: the commands are the same but for the greeting, the answers to a message differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// An answer for each recipient.
    Lmtp,
    /// One answer.
    Smtp,
}

impl Dialect {
    /// That of an account's protocol.
    pub fn of(protocol: Protocol) -> Self {
        if protocol == Protocol::Smtp { Self::Smtp } else { Self::Lmtp }
    }

    /// As accounts name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lmtp => Protocol::Lmtp.name(),
            Self::Smtp => Protocol::Smtp.name(),
        }
    }

    /// In the first line that a client reads.
    fn greeting(self) -> &'static str {
        match self {
            Self::Lmtp => "LMTP",
            Self::Smtp => "ESMTP",
        }
    }
}
