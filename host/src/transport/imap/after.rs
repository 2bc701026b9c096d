//! What the server is told once messages are durable here: delete, move, mark as seen, or nothing.

use super::connection::Connection;
use super::error::ImapError;
use super::folder::quoted;
use super::listing::uid_set;
use crate::commlog::Priority;
use crate::config::AfterFetch;
use crate::transport::intake::Intake;
use async_imap::imap_proto::{MailboxDatum, NameAttribute, Response};

const KEY: &str = "transport.imap.after-fetch";

/// How this server is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Nothing is told.
    Keep,
    /// `\Seen` is set.
    Seen,
    /// `\Deleted` is set and exactly these UIDs are expunged (UIDPLUS): what others marked stays.
    Expunge,
    /// `\Deleted` is set, and that is all: a plain EXPUNGE would remove what others marked.
    Mark,
    /// Moved to a folder, quoted for the wire, by MOVE, which touches nothing else.
    Move(String),
    /// Copied to a folder, then the originals are removed as far as the server can.
    Copy {
        /// The folder, quoted for the wire.
        folder: String,
        /// Whether the originals can be expunged by UID.
        expunge: bool,
    },
}

impl After {
    /// Chooses by what the account wishes and the server can, and makes the folder where one is needed.
    pub async fn choose(connection: &mut Connection, wish: &AfterFetch, intake: &mut Intake) -> Result<Self, ImapError> {
        let expunge = connection.has("UIDPLUS");
        let moves = connection.has("MOVE");
        let after = match wish {
            AfterFetch::Keep => Self::Keep,
            AfterFetch::Seen => Self::Seen,
            AfterFetch::Delete if expunge => Self::Expunge,
            AfterFetch::Delete if moves => {
                let trash = trash_folder(connection).await?;
                let sentence = format!(
                    "The server has no UIDPLUS: fetched messages are moved to {trash}, since a plain EXPUNGE would remove what others marked."
                );
                intake.note(Priority::Notice, KEY, sentence);
                Self::Move(trash)
            }
            AfterFetch::Delete => {
                let sentence = "The server has neither UIDPLUS nor MOVE: fetched messages are marked as deleted and left, since a plain EXPUNGE would remove what others marked.";
                intake.note(Priority::Notice, KEY, sentence);
                Self::Mark
            }
            AfterFetch::Move(folder) if moves => Self::Move(quoted(folder)?),
            AfterFetch::Move(folder) => {
                if !expunge {
                    let sentence = "The server has neither MOVE nor UIDPLUS: fetched messages are copied, and the originals marked as deleted and left.";
                    intake.note(Priority::Notice, KEY, sentence);
                }
                Self::Copy { folder: quoted(folder)?, expunge }
            }
        };
        if let Self::Move(folder) | Self::Copy { folder, .. } = &after {
            make_folder(connection, folder).await?;
        }
        Ok(after)
    }

    /// Whether a message in this state has been told of already.
    pub fn is_done(&self, deleted: bool, seen: bool) -> bool {
        match self {
            Self::Keep => true,
            Self::Seen => seen,
            Self::Mark | Self::Copy { expunge: false, .. } => deleted,
            _ => false,
        }
    }

    /// Tells the server of messages that are durable here; gives how many.
    pub async fn tell(&self, connection: &mut Connection, uids: &[u32]) -> Result<u64, ImapError> {
        for part in uids.chunks(500) {
            self.tell_part(connection, &uid_set(part.iter().copied())).await?;
        }
        Ok(if *self == Self::Keep { 0 } else { uids.len() as u64 })
    }

    async fn tell_part(&self, connection: &mut Connection, set: &str) -> Result<(), ImapError> {
        match self {
            Self::Keep => Ok(()),
            Self::Seen => store(connection, set, "\\Seen").await,
            Self::Mark => store(connection, set, "\\Deleted").await,
            Self::Expunge => {
                store(connection, set, "\\Deleted").await?;
                expunge(connection, set).await
            }
            Self::Move(folder) => {
                let command = format!("UID MOVE {set} {folder}");
                connection.command("move the fetched messages", &command, |_| ()).await
            }
            Self::Copy { folder, expunge: can } => {
                let command = format!("UID COPY {set} {folder}");
                connection.command("copy the fetched messages", &command, |_| ()).await?;
                store(connection, set, "\\Deleted").await?;
                if *can { expunge(connection, set).await } else { Ok(()) }
            }
        }
    }
}

async fn store(connection: &mut Connection, set: &str, flag: &str) -> Result<(), ImapError> {
    connection.command("mark the fetched messages", &format!("UID STORE {set} +FLAGS.SILENT ({flag})"), |_| ()).await
}

async fn expunge(connection: &mut Connection, set: &str) -> Result<(), ImapError> {
    connection.command("remove the fetched messages", &format!("UID EXPUNGE {set}"), |_| ()).await
}

/// The folder with the special use `\Trash` (RFC 6154), else `Trash`; quoted for the wire.
async fn trash_folder(connection: &mut Connection) -> Result<String, ImapError> {
    let mut found = None;
    connection
        .command("list the folders", "LIST \"\" \"*\"", |response| {
            if let Response::MailboxData(MailboxDatum::List(list)) = response
                && list.name_attributes.iter().any(|attribute| matches!(attribute, NameAttribute::Trash))
            {
                // As the server wrote it: encoded already.
                found.get_or_insert_with(|| format!("\"{}\"", list.name.replace('\\', "\\\\").replace('"', "\\\"")));
            }
        })
        .await?;
    Ok(found.unwrap_or_else(|| "\"Trash\"".to_owned()))
}

/// Creates a folder unless it is there.
async fn make_folder(connection: &mut Connection, name: &str) -> Result<(), ImapError> {
    let mut there = false;
    connection
        .command("look for the folder", &format!("LIST \"\" {name}"), |response| {
            there |= matches!(response, Response::MailboxData(MailboxDatum::List { .. }));
        })
        .await?;
    if there {
        return Ok(());
    }
    connection.command("create the folder for fetched messages", &format!("CREATE {name}"), |_| ()).await
}
