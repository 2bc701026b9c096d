//! Folder names on the wire: modified UTF-7 (RFC 3501 section 5.1.3) as a quoted string.

use super::error::ImapError;
use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// A folder name, given in UTF-8, as a quoted string for a command.
pub fn quoted(folder: &str) -> Result<String, ImapError> {
    if folder.contains(['\r', '\n', '\0']) {
        return Err(ImapError::FolderName(folder.to_owned()));
    }
    let name = encoded(folder).replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{name}\""))
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

    #[test]
    fn names_are_encoded_as_the_rfc_does() {
        // The example of RFC 3501 section 5.1.3.
        assert_eq!(quoted("~peter/mail/台北/日本語").unwrap(), "\"~peter/mail/&U,BTFw-/&ZeVnLIqe-\"");
        assert_eq!(quoted("Entwürfe & mehr").unwrap(), "\"Entw&APw-rfe &- mehr\"");
        assert_eq!(quoted("a\"b\\c").unwrap(), "\"a\\\"b\\\\c\"");
    }

    #[test]
    fn a_name_cannot_end_the_command() {
        assert!(quoted("INBOX\"\r\nA1 DELETE x").is_err());
    }
}
