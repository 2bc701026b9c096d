//! Folders by their configured names: which one is meant, and how it is opened or made.

use super::connection::{Connection, SelectedFolder};
use super::error::ImapError;
use super::place::{MailFolder, plain};
use async_imap::imap_proto::{MailboxDatum, NameAttribute, Response};

impl Connection {
    /// Selects a folder, named in UTF-8.
    pub async fn select(&mut self, folder: &str) -> Result<SelectedFolder, ImapError> {
        self.open_folder("SELECT", folder).await
    }

    /// Looks at a folder without changing anything in it.
    pub async fn examine(&mut self, folder: &str) -> Result<SelectedFolder, ImapError> {
        self.open_folder("EXAMINE", folder).await
    }

    async fn open_folder(&mut self, verb: &str, folder: &str) -> Result<SelectedFolder, ImapError> {
        let place = find(self, folder).await?;
        self.open_place(verb, &place).await.map_err(|error| match error {
            ImapError::Refused { text, .. } => ImapError::Folder { folder: folder.to_owned(), text },
            other => other,
        })
    }
}

/// The folder that a configured name means: the one of a special use (`\Junk`, RFC 6154), else the one of that name,
/// else the one of that name in the user's own namespace (`INBOX.Failed`), with the server's own delimiter. Where there
/// is none, the name as it is.
pub async fn find(connection: &mut Connection, folder: &str) -> Result<MailFolder, ImapError> {
    match existing(connection, folder).await? {
        Some(place) => Ok(place),
        // The server says what is wrong with it when it is opened.
        None => MailFolder::named(folder),
    }
}

/// As [`find`]; where there is none, it is made.
pub async fn find_or_make(connection: &mut Connection, folder: &str) -> Result<MailFolder, ImapError> {
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

async fn existing(connection: &mut Connection, folder: &str) -> Result<Option<MailFolder>, ImapError> {
    if folder.starts_with('\\') {
        return special(connection, folder).await?.map(Some).ok_or_else(|| ImapError::NoSpecialUse(folder.to_owned()));
    }
    if folder.eq_ignore_ascii_case("INBOX") {
        return MailFolder::named(folder).map(Some);
    }
    for place in candidates(connection, folder).await? {
        if is_there(connection, &place).await? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The folder of a special use, if the server has one.
pub async fn special(connection: &mut Connection, wanted: &str) -> Result<Option<MailFolder>, ImapError> {
    let extended = connection.has("LIST-EXTENDED") && connection.has("SPECIAL-USE");
    let command = if extended { "LIST \"\" \"*\" RETURN (SPECIAL-USE)" } else { "LIST \"\" \"*\"" };
    let (mut found, redactor) = (None, connection.redactor().clone());
    connection
        .command("list the folders", command, |response| {
            if let Response::MailboxData(MailboxDatum::List(list)) = response
                && list.name_attributes.iter().any(|attribute| use_of(attribute).eq_ignore_ascii_case(wanted))
            {
                found.get_or_insert_with(|| MailFolder::listed(&list.name, &redactor));
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

async fn is_there(connection: &mut Connection, place: &MailFolder) -> Result<bool, ImapError> {
    let mut there = false;
    connection
        .command("look for a folder", &format!("LIST \"\" {place}"), |response| {
            if let Response::MailboxData(MailboxDatum::List(list)) = response {
                // A name with `*` or `%` finds others too.
                let same = place.is_listed_as(&list.name);
                there |= same && !list.name_attributes.contains(&NameAttribute::NoSelect);
            }
        })
        .await?;
    Ok(there)
}

/// What a name may mean, the likeliest first.
async fn candidates(connection: &mut Connection, folder: &str) -> Result<Vec<MailFolder>, ImapError> {
    let delimiter = delimiter(connection).await?;
    spellings(folder, &delimiter).iter().map(|name| MailFolder::named(name)).collect()
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
                // One letter (RFC 3501 section 7.2.2): more would be a server's words, which become part of a folder's
                // name.
                delimiter =
                    list.delimiter.as_deref().map(plain).filter(|text| text.chars().count() == 1).unwrap_or_default();
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

    #[test]
    fn a_name_is_looked_for_as_it_is_then_as_the_server_may_call_it() {
        assert_eq!(spellings("Failed", "."), ["Failed", "INBOX.Failed"]);
        assert_eq!(spellings("a/b", "."), ["a/b", "a.b", "INBOX.a/b", "INBOX.a.b"]);
        assert_eq!(spellings("inbox.Failed", "."), ["inbox.Failed"]);
        assert_eq!(spellings("Failed", ""), ["Failed"]);
    }
}
