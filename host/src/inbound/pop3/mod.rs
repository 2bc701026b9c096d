//! Fetching over POP3 (RFC 1939), with CAPA and PIPELINING (RFC 2449), STLS (RFC 2595) and AUTH (RFC 5034) where the
//! server has them.
//!
//! A run is one session after another. Each lists the mailbox, fetches some of what is to be fetched, marks as deleted
//! what is durable, and ends with QUIT, by which alone the server deletes. Whatever a lost session leaves on the server
//! is compared by its bytes the next time, filed no second time, and then deleted.

mod answer;
mod bytes_key;
mod connection;
mod error;
mod fetching;
#[cfg(test)]
mod fuzz;
mod listing;
mod listing_lines;
mod opening;
mod oversize;
mod run;
mod session;
mod sign_in;
#[cfg(test)]
mod tests;
mod text;

pub use error::Pop3Error;
pub use run::{fetch, probe};

/// What is remembered of an account's mailbox between two runs, by the messages' unique-ids, else their sizes.
pub type Memory = super::experience::Experience<String>;
