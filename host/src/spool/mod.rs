//! The spool: where a message is durable before its source is told, and waits until it is filed.
//!
//! Its rows also remember what was taken in before, so that a second fetch of the same message does nothing.

mod handle;
mod key;
pub mod leases;
mod telling;

pub use crate::store::spool::{
    KnownMessage, MOST_FAILURES, MessageClaims, MessageEnding, MessageFailure, MessageFilter, SpoolMessage, SuspectRule,
};
pub use handle::Spool;
pub use leases::{Host, Lease};
