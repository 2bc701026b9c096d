//! Fetching over IMAP (RFC 3501), with UIDPLUS (RFC 4315) and MOVE (RFC 6851) where the server has them.
//!
//! A run lists the folder, tells the server of what an earlier run made durable but did not get to tell, fetches what
//! is not known, and tells the server of each batch only after the spool's commit. While one batch is stored the next
//! is fetched.

mod after;
mod answer;
mod answer_stream;
mod aside;
mod body;
mod connection;
mod date_time;
mod error;
mod folder;
mod gather;
mod idle;
mod listing;
mod memory;
mod odd;
mod oversize;
mod place;
mod progress;
mod run;
mod sign_in;
mod twins;

pub use connection::{Connection, SelectedFolder};
pub use error::ImapError;
pub use memory::MailboxMemory;
pub use run::{fetch, probe};

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
