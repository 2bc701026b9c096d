//! Composing: what goes out, as bytes and as the article that it is in its ticket.
//!
//! Automatic answers that filing decided are composed by the daemon's loop ([`run`]); what agents write, pass on or send back is
//! composed when they ask ([`Desk`]). Either way one transaction writes the article and the outgoing mail, and
//! [`crate::outbound`] sends it.

mod addressee;
mod compose;
mod facts;
mod subject;
mod tags;

pub use addressee::Addressee;
