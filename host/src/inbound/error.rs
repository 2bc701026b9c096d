//! Why a fetch ended before its end.

use super::imap::ImapError;
use super::lmtp::ListenError;
use super::pop3::Pop3Error;
use super::read_error::ReadError;
use crate::oauth2::OAuth2Error;
use crate::store::StoreError;
use postigo_supervision::Panic;
use std::io;
use std::path::PathBuf;

/// Why a fetch ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The IMAP server, or the way to it.
    #[error(transparent)]
    Imap(#[from] ImapError),
    /// A listener's address or socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The POP3 server, or the way to it.
    #[error(transparent)]
    Pop3(#[from] Pop3Error),
    /// No access token.
    #[error(transparent)]
    OAuth2(#[from] OAuth2Error),
    /// The files.
    #[error(transparent)]
    Files(#[from] ReadError),
    /// A file that was taken in cannot be removed, moved or renamed.
    #[error("{} was taken in but cannot be {doing}: {reason}. It is known and will not be filed again.", path.display())]
    Told {
        /// The file.
        path: PathBuf,
        /// A participle.
        doing: &'static str,
        /// Why.
        reason: io::Error,
    },
    /// The code that fetches broke.
    #[error(
        "The fetch panicked: {0}. What is stored is known and not filed again. This is a fault of Postigo: please report it."
    )]
    Panicked(#[from] Panic),
    /// The fetch was to end, and came to no good place in time.
    #[error(
        "The fetch was to end and did not in time, so it was broken off. What is stored is known; the next fetch goes on."
    )]
    BrokenOff,
    /// Nothing can be stored; the source was told nothing.
    #[error("Messages could not be stored, so the source was told nothing: {0}")]
    Store(#[from] StoreError),
}
