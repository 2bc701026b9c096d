//! Messages that may be in a folder already, because the connection was lost while they were put there.
//!
//! COPY and APPEND have no key that would make a second one a no-op: what is there is told by size, date and
//! Message-ID.

use super::body;
use super::connection::Connection;
use super::error::ImapError;
use super::listing::{ListedMessage, list};
use super::place::MailFolder;
use std::collections::{HashMap, HashSet};

/// What tells a message in another folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Likeness {
    /// Bytes.
    pub size: u64,
    /// INTERNALDATE, milliseconds since the epoch, whole seconds.
    pub date: i64,
    /// Message-ID, or empty.
    pub message_id: Vec<u8>,
}

/// What tells these messages of the open folder elsewhere.
pub async fn likenesses(connection: &mut Connection, messages: &[ListedMessage]) -> Result<Vec<Likeness>, ImapError> {
    let uids: Vec<u32> = messages.iter().map(|message| message.uid).collect();
    let mut message_ids = body::message_ids(connection, &uids).await?;
    let alike = |message: &ListedMessage| Likeness {
        size: message.size,
        date: message.internal_date,
        message_id: message_ids.remove(&message.uid).unwrap_or_default(),
    };
    Ok(messages.iter().map(alike).collect())
}

/// Which of these have a twin in a folder, each twin counted once. Another folder is open afterwards.
pub async fn find(
    connection: &mut Connection,
    place: &MailFolder,
    wanted: &[Likeness],
) -> Result<Vec<bool>, ImapError> {
    connection.open_place("EXAMINE", place).await?;
    let rough: HashSet<(u64, i64)> = wanted.iter().map(|one| (one.size, one.date)).collect();
    let mut there = list(connection, 1).await?;
    there.retain(|message| rough.contains(&(message.size, message.internal_date)));
    let mut twins: HashMap<Likeness, usize> = HashMap::new();
    for likeness in likenesses(connection, &there).await? {
        *twins.entry(likeness).or_default() += 1;
    }
    let found = wanted.iter().map(|one| match twins.get_mut(one) {
        // By its date alone nothing is known again.
        Some(left) if *left > 0 && (one.size > 0 || !one.message_id.is_empty()) => {
            *left -= 1;
            true
        }
        _ => false,
    });
    Ok(found.collect())
}
