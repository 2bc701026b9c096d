//! What the server is told once messages are durable here: delete, move, mark as seen, or nothing.

use super::connection::Connection;
use super::error::ImapError;
use super::folder;
use super::listing::uid_set;
use super::place::MailFolder;
use crate::inbound::intake::Intake;
use postigo_model::communication::Priority;
use postigo_model::configured::AfterFetch;

const KEY: &str = "transport.imap.after-fetch";

/// How this server is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DoneSign {
    /// Nothing is told.
    Keep,
    /// `\Seen` is set.
    Seen,
    /// `\Deleted` is set and exactly these UIDs are expunged (UIDPLUS): what others marked stays.
    Expunge,
    /// `\Deleted` is set, and that is all: a plain EXPUNGE would remove what others marked.
    Mark,
    /// Moved to a folder by MOVE, which touches nothing else.
    Move(MailFolder),
    /// Copied to a folder, then the originals are removed as far as the server can.
    Copy {
        /// The folder.
        folder: MailFolder,
        /// Whether the originals can be expunged by UID.
        expunge: bool,
    },
}

impl DoneSign {
    /// Chooses by what the account wishes and the server can, and makes the folder where one is needed.
    pub async fn choose(
        connection: &mut Connection,
        wish: &AfterFetch,
        intake: &mut Intake,
    ) -> Result<Self, ImapError> {
        let expunge = connection.has("UIDPLUS");
        match wish {
            AfterFetch::Keep => Ok(Self::Keep),
            AfterFetch::Seen => Ok(Self::Seen),
            AfterFetch::Delete if expunge => Ok(Self::Expunge),
            AfterFetch::Delete if connection.has("MOVE") => {
                let trash = match folder::special(connection, "\\Trash").await? {
                    Some(trash) => trash,
                    None => folder::find_or_make(connection, "Trash").await?,
                };
                let sentence = format!(
                    "The server has no UIDPLUS: fetched messages are moved to {}, since a plain EXPUNGE would remove what others marked.",
                    trash.shown()
                );
                intake.note(Priority::Notice, KEY, sentence);
                Ok(Self::Move(trash))
            }
            AfterFetch::Delete => {
                let sentence = "The server has neither UIDPLUS nor MOVE: fetched messages are marked as deleted and left, since a plain EXPUNGE would remove what others marked.";
                intake.note(Priority::Notice, KEY, sentence);
                Ok(Self::Mark)
            }
            AfterFetch::Move(folder) => {
                let folder = folder::find_or_make(connection, folder).await?;
                let after = Self::into_folder(connection, folder);
                if matches!(after, Self::Copy { expunge: false, .. }) {
                    let sentence = "The server has neither MOVE nor UIDPLUS: fetched messages are copied, and the originals marked as deleted and left.";
                    intake.note(Priority::Notice, KEY, sentence);
                }
                Ok(after)
            }
        }
    }

    /// The best way that the server has of moving messages into a folder.
    pub fn into_folder(connection: &Connection, folder: MailFolder) -> Self {
        if connection.has("MOVE") {
            Self::Move(folder)
        } else {
            Self::Copy { folder, expunge: connection.has("UIDPLUS") }
        }
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
            Self::Copy { folder, .. } => {
                let command = format!("UID COPY {set} {folder}");
                connection.command("copy the fetched messages", &command, |_| ()).await?;
                self.remove_copied(connection, set).await
            }
        }
    }

    /// Removes originals whose copies are in their folder.
    pub async fn remove_copied(&self, connection: &mut Connection, set: &str) -> Result<(), ImapError> {
        store(connection, set, "\\Deleted").await?;
        if matches!(self, Self::Copy { expunge: true, .. }) { expunge(connection, set).await } else { Ok(()) }
    }
}

async fn store(connection: &mut Connection, set: &str, flag: &str) -> Result<(), ImapError> {
    connection.command("mark the fetched messages", &format!("UID STORE {set} +FLAGS.SILENT ({flag})"), |_| ()).await
}

async fn expunge(connection: &mut Connection, set: &str) -> Result<(), ImapError> {
    connection.command("remove the fetched messages", &format!("UID EXPUNGE {set}"), |_| ()).await
}
