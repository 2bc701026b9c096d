//! A folder's name, as it is written on the wire (modified UTF-7, RFC 3501 section 5.1.3) and as people read it.

use super::error::ImapError;
use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use postigo_net::redaction::Redactor;
use postigo_net::words::said;
use std::fmt;

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// A folder of a server. It is written as a quoted string for a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailFolder {
    /// On the wire, encoded, without quotes.
    name: String,
    /// For people.
    shown: String,
}

impl MailFolder {
    /// A folder by its name in UTF-8, just as it is.
    pub fn named(folder: &str) -> Result<Self, ImapError> {
        if folder.contains(['\r', '\n', '\0']) {
            return Err(ImapError::FolderName(folder.to_owned()));
        }
        Ok(Self { name: encoded(folder), shown: folder.to_owned() })
    }

    /// A folder as a server's list names it: people are shown it as they are shown a server's other words.
    pub fn listed(name: &str, redactor: &Redactor) -> Self {
        let plain = plain(name);
        Self { shown: said(&plain, redactor), name: plain }
    }

    /// Whether a server's list means it by this name.
    pub fn is_listed_as(&self, name: &str) -> bool {
        plain(name) == self.name
    }

    /// Its name for people.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Display for MailFolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.name.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// What a quoted string says: the parser leaves its backslashes where they are.
pub fn plain(quoted: &str) -> String {
    let mut plain = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    plain
}

fn encoded(folder: &str) -> String {
    let mut out = String::with_capacity(folder.len());
    let mut shifted: Vec<u8> = Vec::new();
    for letter in folder.chars() {
        if matches!(letter, ' '..='~') {
            unshift(&mut shifted, &mut out);
            out.push(letter);
            if letter == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(letter.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    unshift(&mut shifted, &mut out);
    out
}

fn unshift(shifted: &mut Vec<u8>, out: &mut String) {
    if !shifted.is_empty() {
        out.push('&');
        out.push_str(&BASE64.encode(&shifted));
        out.push('-');
        shifted.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(folder: &str) -> String {
        MailFolder::named(folder).unwrap().to_string()
    }

    #[test]
    fn names_are_encoded_as_the_rfc_does() {
        // The example of RFC 3501 section 5.1.3.
        assert_eq!(quoted("~peter/mail/台北/日本語"), "\"~peter/mail/&U,BTFw-/&ZeVnLIqe-\"");
        assert_eq!(quoted("Entwürfe & mehr"), "\"Entw&APw-rfe &- mehr\"");
        assert_eq!(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
    }

    #[test]
    fn a_listed_name_is_written_as_the_server_wrote_it() {
        assert_eq!(MailFolder::listed("a\\\"b\\\\c", &Redactor::default()).to_string(), quoted("a\"b\\c"));
        assert_eq!(
            MailFolder::listed("Entw&APw-rfe", &Redactor::default()),
            MailFolder { shown: "Entw&APw-rfe".into(), ..MailFolder::named("Entwürfe").unwrap() }
        );
    }

    #[test]
    fn a_name_cannot_end_the_command() {
        assert!(MailFolder::named("INBOX\"\r\nA1 DELETE x").is_err());
    }
}
