//! What lies in a folder, and what is to be done with each message of it.

use super::connection::Connection;
use super::date_time::internal_date;
use super::error::ImapError;
use async_imap::imap_proto::{AttributeValue, Response};
use std::collections::HashMap;

/// A message on the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedMessage {
    /// UID.
    pub uid: u32,
    /// RFC822.SIZE, bytes; 0: the server does not tell it.
    pub size: u64,
    /// INTERNALDATE, milliseconds since the epoch; 0: there is none that can be read.
    pub internal_date: i64,
    /// `\Deleted` is set.
    pub deleted: bool,
    /// `\Seen` is set.
    pub seen: bool,
}

/// What the spool knows of a UID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownUid {
    /// Bytes.
    pub size: u64,
    /// INTERNALDATE, milliseconds since the epoch.
    pub internal_date: i64,
}

/// What is to be done in a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FolderPlan {
    /// Not known yet.
    pub fetch: Vec<ListedMessage>,
    /// Durable here since an earlier run that did not get to tell the server: told now, not fetched.
    pub finish: Vec<ListedMessage>,
    /// Above the greatest size.
    pub oversize: Vec<ListedMessage>,
    /// Marked as deleted by others before they were fetched: theirs, left alone.
    pub marked_by_others: usize,
    /// Known UIDs whose size or date is another: other messages, fetched.
    pub changed: usize,
}

/// Lists the open folder from a UID on, by rising UID.
pub async fn list(connection: &mut Connection, from: u32) -> Result<Vec<ListedMessage>, ImapError> {
    let mut listed = list_set(connection, &format!("{}:*", from.max(1))).await?;
    // `*` is the last message, even where its UID is below the first one asked for.
    listed.retain(|message| message.uid >= from);
    Ok(listed)
}

/// Lists those messages of a set that are in the open folder, by rising UID.
pub async fn list_set(connection: &mut Connection, set: &str) -> Result<Vec<ListedMessage>, ImapError> {
    let mut listed: Vec<ListedMessage> = Vec::new();
    if connection.exists() == 0 {
        return Ok(listed);
    }
    connection
        .command("list the folder", &format!("UID FETCH {set} (UID RFC822.SIZE INTERNALDATE FLAGS)"), |response| {
            if let Response::Fetch(_, attributes) = response {
                listed.extend(read(attributes));
            }
        })
        .await?;
    listed.sort_unstable_by_key(|message| message.uid);
    // A server may tell of flags once more on its own accord.
    listed.dedup_by_key(|message| message.uid);
    Ok(listed)
}

fn read(attributes: &[AttributeValue<'_>]) -> Option<ListedMessage> {
    let (mut uid, mut size, mut date, mut has_date) = (None, None, 0, false);
    let (mut deleted, mut seen) = (false, false);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(value) => uid = Some(*value),
            AttributeValue::Rfc822Size(value) => size = Some(u64::from(*value)),
            AttributeValue::InternalDate(text) => (date, has_date) = (internal_date(text).unwrap_or(0), true),
            AttributeValue::Flags(flags) => {
                deleted = flags.iter().any(|flag| flag.eq_ignore_ascii_case("\\Deleted"));
                seen = flags.iter().any(|flag| flag.eq_ignore_ascii_case("\\Seen"));
            }
            _ => {}
        }
    }
    // What a server tells of flags on its own accord has neither size nor date.
    if size.is_none() && !has_date {
        return None;
    }
    Some(ListedMessage { uid: uid?, size: size.unwrap_or(0), internal_date: date, deleted, seen })
}

impl ListedMessage {
    /// Whether its size is one that can be reckoned with.
    pub fn is_sized(&self) -> bool {
        self.size > 0
    }
}

impl FolderPlan {
    /// Sorts what is listed by what is remembered. `seen_is_told`: `\Seen` tells that the server was told (`after_fetch
    /// = "seen"`).
    pub fn new(listed: &[ListedMessage], remembered: &HashMap<u32, KnownUid>, greatest: u64) -> Self {
        let mut plan = Self::default();
        for message in listed {
            match remembered.get(&message.uid) {
                Some(known)
                    if (known.size == message.size || !message.is_sized())
                        && known.internal_date == message.internal_date =>
                {
                    plan.finish.push(*message);
                }
                Some(_) => {
                    plan.changed += 1;
                    plan.sort_new(message, greatest);
                }
                None => plan.sort_new(message, greatest),
            }
        }
        plan
    }

    fn sort_new(&mut self, message: &ListedMessage, greatest: u64) {
        if message.deleted {
            self.marked_by_others += 1;
        } else if message.size > greatest {
            self.oversize.push(*message);
        } else {
            self.fetch.push(*message);
        }
    }
}

/// Cuts what is to be fetched into batches of at most `count` messages and about `bytes` bytes; a message above `bytes`
/// is alone, and so is one whose size nobody knows.
pub fn batches(messages: &[ListedMessage], count: usize, bytes: u64) -> Vec<&[ListedMessage]> {
    let mut cut = Vec::new();
    let mut rest = messages;
    while !rest.is_empty() {
        let mut sum = 0;
        let fits = rest
            .iter()
            .take(count)
            .take_while(|message| {
                sum += message.size;
                sum <= bytes && message.is_sized()
            })
            .count()
            .max(1);
        let (batch, after) = rest.split_at(fits.min(rest.len()));
        cut.push(batch);
        rest = after;
    }
    cut
}

/// UIDs as a sequence set (RFC 3501 section 9): `1:50,53`.
pub fn uid_set(uids: impl IntoIterator<Item = u32>) -> String {
    let mut uids: Vec<u32> = uids.into_iter().collect();
    uids.sort_unstable();
    uids.dedup();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for uid in uids {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == uid => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    let texts: Vec<String> = ranges
        .into_iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}:{last}") })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(uid: u32, size: u64) -> ListedMessage {
        ListedMessage { uid, size, internal_date: 1_000, deleted: false, seen: false }
    }

    #[test]
    fn a_known_uid_is_finished_only_where_size_and_date_are_the_same() {
        let remembered = [
            (1, KnownUid { size: 10, internal_date: 1_000 }),
            (2, KnownUid { size: 11, internal_date: 1_000 }),
            (3, KnownUid { size: 10, internal_date: 0 }),
        ];
        let plan =
            FolderPlan::new(&[listed(1, 10), listed(2, 10), listed(3, 10), listed(4, 10)], &remembered.into(), 100);
        assert_eq!(plan.finish, [listed(1, 10)]);
        assert_eq!(plan.fetch, [listed(2, 10), listed(3, 10), listed(4, 10)]);
        assert_eq!(plan.changed, 2);
    }

    #[test]
    fn mail_that_others_marked_as_deleted_is_theirs_but_our_own_marks_are_finished() {
        let ours = ListedMessage { deleted: true, ..listed(1, 10) };
        let theirs = ListedMessage { deleted: true, ..listed(2, 10) };
        let plan = FolderPlan::new(&[ours, theirs], &[(1, KnownUid { size: 10, internal_date: 1_000 })].into(), 100);
        assert_eq!((plan.finish.as_slice(), plan.fetch.len(), plan.marked_by_others), ([ours].as_slice(), 0, 1));
    }

    #[test]
    fn the_greatest_size_is_still_fetched() {
        let plan = FolderPlan::new(&[listed(1, 100), listed(2, 101)], &HashMap::new(), 100);
        assert_eq!((plan.fetch, plan.oversize), (vec![listed(1, 100)], vec![listed(2, 101)]));
    }

    #[test]
    fn batches_keep_to_count_and_bytes_and_lose_none() {
        let messages: Vec<_> = [5, 5, 50, 5, 5, 5].into_iter().zip(1..).map(|(size, uid)| listed(uid, size)).collect();
        let cut: Vec<Vec<u32>> =
            batches(&messages, 2, 20).iter().map(|batch| batch.iter().map(|message| message.uid).collect()).collect();
        assert_eq!(cut, [vec![1, 2], vec![3], vec![4, 5], vec![6]]);
    }

    #[test]
    fn a_message_whose_size_nobody_knows_is_a_batch_of_its_own() {
        let messages: Vec<_> = [0, 5, 5, 0, 0, 5].into_iter().zip(1..).map(|(size, uid)| listed(uid, size)).collect();
        let cut: Vec<Vec<u32>> =
            batches(&messages, 9, 20).iter().map(|batch| batch.iter().map(|message| message.uid).collect()).collect();
        assert_eq!(cut, [vec![1], vec![2, 3], vec![4], vec![5], vec![6]]);
    }

    #[test]
    fn uid_sets_are_short() {
        assert_eq!(uid_set([7, 1, 2, 3, 9, 8, 3]), "1:3,7:9");
        assert_eq!(uid_set([u32::MAX]), u32::MAX.to_string());
    }
}
