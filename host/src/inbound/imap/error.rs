//! Why a fetch from an IMAP server failed.

use super::answer_stream::UnreadableAnswer;
use async_imap::error::{Error as Protocol, ParseError};
use postigo_net::ConnectError;
use postigo_net::redaction::Redactor;
use postigo_net::words::said;
use postigo_supervision::{Panic, WorkKind, caught};
use std::io;

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
    /// An answer that is needed cannot be read.
    #[error(
        "The connection was given up while the server was to {doing}: what it says is no IMAP that can be read: {text}"
    )]
    Unreadable {
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
            Protocol::No(text) | Protocol::Bad(text) => Self::refused(doing, &plain(&text), redactor),
            Protocol::Io(error) => Self::broken(doing, &error, redactor),
            // Their own texts have bytes as numbers in them.
            Protocol::Parse(ParseError::Invalid(bytes) | ParseError::DataNotUtf8(bytes, _)) => {
                Self::unreadable(doing, &String::from_utf8_lossy(&bytes), redactor)
            }
            Protocol::Parse(ParseError::Authentication(words, _)) => Self::unreadable(doing, &plain(&words), redactor),
            other => Self::Lost { doing, text: said(&other.to_string(), redactor) },
        }
    }

    fn unreadable(doing: &'static str, words: &str, redactor: &Redactor) -> Self {
        let words = words.trim_matches(|letter: char| letter.is_control() || letter.is_whitespace());
        Self::Unreadable { doing, text: said(words, redactor) }
    }

    fn broken(doing: &'static str, error: &io::Error, redactor: &Redactor) -> Self {
        if let Some(unreadable) = error.get_ref().and_then(|inner| inner.downcast_ref::<UnreadableAnswer>()) {
            return Self::unreadable(doing, &unreadable.to_string(), redactor);
        }
        let told = error.to_string();
        // async-imap shows first the bytes that were left, as numbers, and then all of them, as text.
        match told.split_once(" during parsing of ") {
            Some((_, words)) => Self::unreadable(doing, &unescaped(words), redactor),
            None => Self::Lost { doing, text: said(&told, redactor) },
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

/// The server's words in what the library makes of a refusal: `code: None, info: Some("no")`.
pub fn plain(text: &str) -> String {
    match text.split_once("info: ").map(|(_, info)| info) {
        Some("None") => "no reason".to_owned(),
        Some(info) => {
            let info = info.strip_prefix("Some(").and_then(|info| info.strip_suffix(')')).unwrap_or(info);
            unescaped(info)
        }
        None => text.to_owned(),
    }
}

/// A text that was shown as Rust's debug form has it, as it was.
fn unescaped(shown: &str) -> String {
    let Some(inner) = shown.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) else {
        return shown.to_owned();
    };
    let (mut text, mut letters) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        match letters.next() {
            Some('n' | 'r' | 't' | '0') => text.push('\n'),
            Some('u') => {
                let code: String = letters.by_ref().skip(1).take_while(|letter| *letter != '}').collect();
                text.push(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32).unwrap_or(' '));
            }
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_the_servers_words_and_no_debug_text() {
        for (words, code) in [("[AUTHENTICATIONFAILED] \"no\" \\ gr\u{fc}n", None::<u8>), ("no", Some(1))] {
            let text = format!("code: {code:?}, info: {:?}", Some(words));
            assert_eq!(plain(&text), words);
        }
        assert_eq!(plain("code: None, info: None"), "no reason");
        assert_eq!(plain("as it is"), "as it is");
        assert_eq!(unescaped(&format!("{:?}", "a\u{1}\u{200b}\r\n")), "a\u{1}\u{200b}\n\n");
    }

    #[test]
    fn no_error_shows_bytes_as_numbers() {
        let answer = String::from_utf8_lossy(b"* gr\xfcn \x01\r\n");
        let bytes = b"\x01\r\n".as_slice();
        let texts = [
            Protocol::Io(io::Error::other(format!("Error(Error {{ input: {bytes:?} }}) during parsing of {answer:?}"))),
            Protocol::Parse(ParseError::Invalid(b"* gr\xfcn \x01\r\n".to_vec())),
            Protocol::Parse(ParseError::DataNotUtf8(
                b"* gr\xfcn \x01\r\n".to_vec(),
                String::from_utf8(vec![0xff]).unwrap_err().utf8_error(),
            )),
        ]
        .map(|error| ImapError::during("list the folder", error, &Redactor::default()).to_string());
        for text in texts {
            assert!(text.ends_with("is no IMAP that can be read: * gr\u{fffd}n"), "{text}");
        }
    }
}
