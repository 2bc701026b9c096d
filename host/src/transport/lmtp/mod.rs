//! LMTP (RFC 2033) and SMTP (RFC 5321) intake: mail that other servers bring.
//!
//! A listener waits at an [`Endpoint`] for the accounts that name it. What it takes is in the spool, durable, before 250 is answered; what the spool
//! cannot take now is left with the client by a temporary answer. SMTP is for trusted relays: nobody signs in, nothing is relayed.

mod bind;
mod error;
mod probe;
mod tls;

pub use error::ListenError;
pub use probe::probe;

use crate::config::Endpoint;
