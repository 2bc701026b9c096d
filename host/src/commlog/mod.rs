//! The communication log: what happened to a connection or a message, entry by entry, for the people who must find out.
//!
//! A [`Communication`] collects entries in memory and becomes one packed row
//! ([`Record`](postigo_model::communication::CommunicationRecord)): a message's is written by the transaction that files it, a
//! connection's while it runs, whenever its owner says so. A message's communication names the connection's as its
//! parent, so that each can be shown with the other.

mod builder;
mod chain_entries;
mod shown_wait;

pub use builder::Communication;
pub use chain_entries::{add_left_out, entry_key, say_missing};
pub use postigo_model::timestamp::now;
pub use shown_wait::{ShownWait, save};
