//! Fetching over IMAP (RFC 3501), with UIDPLUS (RFC 4315) and MOVE (RFC 6851) where the server has them.

mod connection;
mod error;
mod folder;
mod listing;

pub use connection::{Connection, Selected};
pub use error::ImapError;
