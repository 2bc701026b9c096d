//! Sending: takes composed mails from the outgoing queue, chooses a transport for each, tries, and records what became of every recipient.

mod kind;

pub use kind::{DeliveryStatus, OutgoingKind, OutgoingStatus};
