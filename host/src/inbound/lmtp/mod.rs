//! LMTP (RFC 2033) and SMTP (RFC 5321) intake: mail that other servers bring.
//!
//! A [`Listener`] waits at an [`Endpoint`](postigo_model::configured::Endpoint) for the accounts that name it. What it
//! takes is in the spool, durable, before 250 is answered; what the spool cannot take now is left with the client by a
//! temporary answer. SMTP is for trusted relays: nobody signs in, nothing is relayed.

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

pub use bind::BoundSocket;
pub use error::ListenError;
pub use listener::Listener;
pub use probe::probe;
pub use recipients::Policy;
pub use session::SessionLimits;
pub use sink::{Sink, SpoolSink};
pub use trace::host_name;
