//! Why a fetch from an IMAP server failed.

use async_imap::error::Error as Protocol;
use postigo_net::ConnectError;
use postigo_net::redaction::Redactor;
use postigo_net::words::said;
use postigo_supervision::{Panic, WorkKind, caught};

/// Why a fetch from an IMAP server failed.
#[derive(Debug, thiserror::Error)]
pub enum ImapError {
    /// No stream to the server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// `imap+starttls` on a server without it.
    #[error("The server does not start TLS ({0}). Use protocol imaps, or imap where a connection in clear is meant.")]
    NoStartTls(String),
    /// The server takes no password on this connection (RFC 3501: LOGINDISABLED).
    #[error(
        "The server takes no password on this connection (LOGINDISABLED); it probably wants TLS. Use protocol imaps or imap+starttls."
    )]
    SignInDisabled,
    /// User or password is wrong.
    #[error(
        "The server did not let {user} in: {text}. Check user and password, or sign in anew where a token is used."
    )]
    SignIn {
        /// Login.
        user: String,
        /// The server's words.
        text: String,
    },
    /// The folder is not there.
    #[error("The folder {folder} cannot be opened: {text}. Check the account's folder.")]
    Folder {
        /// As configured.
        folder: String,
        /// The server's words.
        text: String,
    },
    /// No folder has this special use (RFC 6154).
    #[error("The server names no folder for the use {0}. Name a folder instead.")]
    NoSpecialUse(String),
    /// The server has no UIDs.
    #[error(
        "The server tells no UIDVALIDITY for the folder {0}; without it no message can be known again, so none is fetched."
    )]
    NoUids(String),
    /// A folder's name with a line break or a NUL in it.
    #[error("The folder name {0:?} holds a line break or a NUL.")]
    FolderName(String),
    /// The server answered NO or BAD.
    #[error("The server refused to {doing}: {text}")]
    Refused {
        /// An infinitive.
        doing: &'static str,
        /// The server's words.
        text: String,
    },
    /// The library that reads the server's answers broke on one.
    #[error(
        "The connection was given up while the server was to {doing}: its answer broke the code that reads it ({panic}). Please report it, with the server's name."
    )]
    Unread {
        /// An infinitive.
        doing: &'static str,
        /// Where.
        panic: Panic,
    },
    /// The connection ended.
    #[error("The connection was lost while the server was to {doing}: {text}")]
    Lost {
        /// An infinitive.
        doing: &'static str,
        /// What happened.
        text: String,
    },
}

impl ImapError {
    /// An error of the library while the server was to do something; `redactor` is the stream's, here and below.
    pub fn during(doing: &'static str, error: Protocol, redactor: &Redactor) -> Self {
        match error {
            Protocol::No(text) | Protocol::Bad(text) => Self::refused(doing, &text, redactor),
            other => {
                let told = other.to_string();
                // async-imap shows first the bytes that were left, as numbers, and then all of them, as text.
                let text = match told.split_once(" during parsing of ") {
                    Some((_, words)) => format!("what it says is no IMAP: {words}"),
                    None => told,
                };
                Self::Lost { doing, text: said(&text, redactor) }
            }
        }
    }

    /// The server said no.
    pub fn refused(doing: &'static str, text: &str, redactor: &Redactor) -> Self {
        Self::Refused { doing, text: said(text, redactor) }
    }

    /// The server said goodbye.
    pub fn left(doing: &'static str, text: &str, redactor: &Redactor) -> Self {
        Self::Lost { doing, text: said(text, redactor) }
    }

    /// The connection is of no more use, in our own words.
    pub fn closed(doing: &'static str, text: &'static str) -> Self {
        Self::Lost { doing, text: text.to_owned() }
    }
}

/// Has the library read what the server answers: it panics on some answers, and then the connection is of no more use.
pub async fn unbroken<F: Future>(account: &str, doing: &'static str, reading: F) -> Result<F::Output, ImapError> {
    caught(WorkKind::Fetch, account, reading).await.map_err(|panic| ImapError::Unread { doing, panic })
}
