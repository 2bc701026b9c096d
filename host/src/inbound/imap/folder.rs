//! Folders: which one a configured name means, and how it is written on the wire (modified UTF-7, RFC 3501 section 5.1.3).

use super::connection::Connection;
use super::error::ImapError;
use async_imap::imap_proto::{MailboxDatum, NameAttribute, Response};
use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use postigo_net::redaction::Redactor;
use postigo_net::words::said;
use std::fmt;

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// A folder of a server. It is written as a quoted string for a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// On the wire, encoded, without quotes.
    name: String,
    /// For people.
    shown: String,
}

impl Place {
    /// A folder by its name in UTF-8, just as it is.
    pub fn named(folder: &str) -> Result<Self, ImapError> {
        if folder.contains(['\r', '\n', '\0']) {
            return Err(ImapError::FolderName(folder.to_owned()));
        }
        Ok(Self { name: encoded(folder), shown: folder.to_owned() })
    }

    /// A folder as a server's list names it: people are shown it as they are shown a server's other words.
    fn listed(name: &str, redactor: &Redactor) -> Self {
        let plain = plain(name);
        Self { shown: said(&plain, redactor), name: plain }
    }

    /// Its name for people.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.name.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// What a quoted string says: the parser leaves its backslashes where they are.
fn plain(quoted: &str) -> String {
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

/// The folder that a configured name means: the one of a special use (`\Junk`, RFC 6154), else the one of that name, else the one of that
/// name in the user's own namespace (`INBOX.Failed`), with the server's own delimiter. Where there is none, the name as it is.
pub async fn find(connection: &mut Connection, folder: &str) -> Result<Place, ImapError> {
    match existing(connection, folder).await? {
        Some(place) => Ok(place),
        // The server says what is wrong with it when it is opened.
        None => Place::named(folder),
    }
}

/// As [`find`]; where there is none, it is made.
pub async fn find_or_make(connection: &mut Connection, folder: &str) -> Result<Place, ImapError> {
    if let Some(place) = existing(connection, folder).await? {
        return Ok(place);
    }
    let mut refused = None;
    for place in candidates(connection, folder).await? {
        match connection.command("create a folder", &format!("CREATE {place}"), |_| ()).await {
            Ok(()) => return Ok(place),
            Err(error @ ImapError::Refused { .. }) => {
                refused.get_or_insert(error);
            }
            Err(other) => return Err(other),
        }
    }
    Err(refused.unwrap_or_else(|| ImapError::FolderName(folder.to_owned())))
}

async fn existing(connection: &mut Connection, folder: &str) -> Result<Option<Place>, ImapError> {
    if folder.starts_with('\\') {
        return special(connection, folder).await?.map(Some).ok_or_else(|| ImapError::NoSpecialUse(folder.to_owned()));
    }
    if folder.eq_ignore_ascii_case("INBOX") {
        return Place::named(folder).map(Some);
    }
    for place in candidates(connection, folder).await? {
        if is_there(connection, &place).await? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The folder of a special use, if the server has one.
pub async fn special(connection: &mut Connection, wanted: &str) -> Result<Option<Place>, ImapError> {
    let extended = connection.has("LIST-EXTENDED") && connection.has("SPECIAL-USE");
    let command = if extended { "LIST \"\" \"*\" RETURN (SPECIAL-USE)" } else { "LIST \"\" \"*\"" };
    let (mut found, redactor) = (None, connection.redactor().clone());
    connection
        .command("list the folders", command, |response| {
            if let Response::MailboxData(MailboxDatum::List(list)) = response
                && list.name_attributes.iter().any(|attribute| use_of(attribute).eq_ignore_ascii_case(wanted))
            {
                found.get_or_insert_with(|| Place::listed(&list.name, &redactor));
            }
        })
        .await?;
    Ok(found)
}

fn use_of<'a>(attribute: &'a NameAttribute<'_>) -> &'a str {
    match attribute {
        NameAttribute::All => "\\All",
        NameAttribute::Archive => "\\Archive",
        NameAttribute::Drafts => "\\Drafts",
        NameAttribute::Flagged => "\\Flagged",
        NameAttribute::Junk => "\\Junk",
        NameAttribute::Sent => "\\Sent",
        NameAttribute::Trash => "\\Trash",
        NameAttribute::Extension(name) => name,
        _ => "",
    }
}

async fn is_there(connection: &mut Connection, place: &Place) -> Result<bool, ImapError> {
    let mut there = false;
    connection
        .command("look for a folder", &format!("LIST \"\" {place}"), |response| {
            if let Response::MailboxData(MailboxDatum::List(list)) = response {
                // A name with `*` or `%` finds others too.
                let same = plain(&list.name) == place.name;
                there |= same && !list.name_attributes.contains(&NameAttribute::NoSelect);
            }
        })
        .await?;
    Ok(there)
}

/// What a name may mean, the likeliest first.
async fn candidates(connection: &mut Connection, folder: &str) -> Result<Vec<Place>, ImapError> {
    let delimiter = delimiter(connection).await?;
    spellings(folder, &delimiter).iter().map(|name| Place::named(name)).collect()
}

/// What stands between the levels of a folder's name, asked for once a connection; empty where folders have no levels.
async fn delimiter(connection: &mut Connection) -> Result<String, ImapError> {
    if let Some(known) = &connection.delimiter {
        return Ok(known.clone());
    }
    let mut delimiter = String::new();
    connection
        .command("tell the delimiter of folders", "LIST \"\" \"\"", |response| {
            if let Response::MailboxData(MailboxDatum::List(list)) = response {
                // One letter (RFC 3501 section 7.2.2): more would be a server's words, which become part of a folder's name.
                delimiter = list.delimiter.as_deref().map(plain).filter(|text| text.chars().count() == 1).unwrap_or_default();
            }
        })
        .await?;
    connection.delimiter = Some(delimiter.clone());
    Ok(delimiter)
}

fn spellings(folder: &str, delimiter: &str) -> Vec<String> {
    let mut names = vec![folder.to_owned()];
    if delimiter.is_empty() {
        return names;
    }
    if delimiter != "/" && folder.contains('/') {
        names.push(folder.replace('/', delimiter));
    }
    let below = format!("INBOX{delimiter}");
    let own: Vec<String> = names.iter().map(|name| format!("{below}{name}")).collect();
    if !folder.get(..below.len()).is_some_and(|start| start.eq_ignore_ascii_case(&below)) {
        names.extend(own);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(folder: &str) -> String {
        Place::named(folder).unwrap().to_string()
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
        assert_eq!(Place::listed("a\\\"b\\\\c", &Redactor::default()).to_string(), quoted("a\"b\\c"));
        assert_eq!(
            Place::listed("Entw&APw-rfe", &Redactor::default()),
            Place { shown: "Entw&APw-rfe".into(), ..Place::named("Entwürfe").unwrap() }
        );
    }

    #[test]
    fn a_name_cannot_end_the_command() {
        assert!(Place::named("INBOX\"\r\nA1 DELETE x").is_err());
    }

    #[test]
    fn a_name_is_looked_for_as_it_is_then_as_the_server_may_call_it() {
        assert_eq!(spellings("Failed", "."), ["Failed", "INBOX.Failed"]);
        assert_eq!(spellings("a/b", "."), ["a/b", "a.b", "INBOX.a/b", "INBOX.a.b"]);
        assert_eq!(spellings("inbox.Failed", "."), ["inbox.Failed"]);
        assert_eq!(spellings("Failed", ""), ["Failed"]);
    }
}
