//! The bytes of messages, fetched without marking them as seen: small ones in batches, in ranges those that are large or
//! of a size that nobody knows.

use super::connection::Connection;
use super::error::ImapError;
use super::listing::{ListedMessage, uid_set};
use async_imap::imap_proto::{AttributeValue, RequestId, Response};
use std::collections::HashMap;

/// Above this many bytes a message is fetched in ranges of this size: no answer is larger than what it was asked for.
pub const RANGE: u64 = 1 << 20;

const DOING: &str = "fetch messages";

/// The bytes of messages, by UID.
pub type Bodies = HashMap<u32, Vec<u8>>;

/// Asks for the bytes of small messages; they are read by [`read_small`].
pub async fn ask_small(connection: &mut Connection, messages: &[ListedMessage]) -> Result<RequestId, ImapError> {
    let set = uid_set(messages.iter().map(|message| message.uid));
    connection.send(DOING, &format!("UID FETCH {set} (UID BODY.PEEK[])")).await
}

/// The bytes of small messages that were asked for; those that the server lacks or does not give are missing, and so are
/// those that would make it more than `most` bytes, since a server may list its messages as smaller than they are. No
/// bytes are what servers give of a message that another client has removed (RFC 2180 section 4.1.3): those are none.
pub async fn read_small(connection: &mut Connection, asked: &RequestId, most: u64) -> Result<Bodies, ImapError> {
    let (mut bodies, mut left) = (HashMap::new(), most);
    connection
        .finish(DOING, asked, |response| {
            if let Some(BodyFacts { uid, bytes: Some(bytes), .. }) = read(response)
                && !bytes.is_empty()
                && let Some(after) = left.checked_sub(bytes.len() as u64)
            {
                left = after;
                bodies.insert(uid, bytes.to_vec());
            }
        })
        .await?;
    Ok(bodies)
}

/// What came of asking for one message in ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InRanges {
    /// All its bytes.
    Whole(Vec<u8>),
    /// The server has no such message any more.
    Gone,
    /// It has so many bytes at least, more than are taken.
    TooLarge(u64),
}

/// The bytes of one message in ranges, at most about `greatest` of them.
///
/// A server may list another size than a message has (Exchange does) or none, give less than it is asked for, or lose
/// the message meanwhile (RFC 2180 section 4.1): it is whole where no more comes and either it has the listed size, or the
/// message is there still.
pub async fn in_ranges(
    connection: &mut Connection,
    message: &ListedMessage,
    greatest: u64,
) -> Result<InRanges, ImapError> {
    if !message.is_sized() {
        return unsized_in_ranges(connection, message.uid, greatest).await;
    }
    let mut whole = Vec::with_capacity(message.size.min(greatest) as usize);
    loop {
        let offset = whole.len() as u64;
        let Some(came) = range(connection, message.uid, offset, RANGE, &mut whole).await? else {
            return Ok(InRanges::Gone);
        };
        let length = whole.len() as u64;
        if length > greatest {
            return Ok(InRanges::TooLarge(length));
        }
        if came > 0 && (came >= RANGE || length != message.size) {
            continue;
        }
        let is_there = length == message.size
            || (length > 0 && range(connection, message.uid, 0, 1, &mut Vec::new()).await? > Some(0));
        return Ok(if is_there { InRanges::Whole(whole) } else { InRanges::Gone });
    }
}

/// The same of a message whose size nobody knows. Each range but the first begins with the last byte that came: where
/// that comes alone, the message ends there; where it does not come, the message is there no more.
async fn unsized_in_ranges(connection: &mut Connection, uid: u32, greatest: u64) -> Result<InRanges, ImapError> {
    let mut whole: Vec<u8> = Vec::new();
    loop {
        let before = whole.len();
        let again = whole.pop();
        let offset = whole.len() as u64;
        let Some(came) = range(connection, uid, offset, RANGE, &mut whole).await? else {
            return Ok(InRanges::Gone);
        };
        let length = whole.len() as u64;
        if length > greatest {
            return Ok(InRanges::TooLarge(length));
        }
        if came == 0 && again.is_some() {
            return Ok(InRanges::Gone);
        }
        if whole.len() <= before {
            return Ok(InRanges::Whole(whole));
        }
    }
}

/// Adds a range of a message's bytes; how many came, none where the server says nothing of the message, gives another
/// range, or says NIL to its beginning. What it says beyond one answer, or beyond what it was asked for, is passed over.
async fn range(
    connection: &mut Connection,
    uid: u32,
    offset: u64,
    length: u64,
    whole: &mut Vec<u8>,
) -> Result<Option<u64>, ImapError> {
    let mut came = None;
    connection
        .command(DOING, &format!("UID FETCH {uid} (UID BODY.PEEK[]<{offset}.{length}>)"), |response| {
            if let Some(BodyFacts { uid: of, origin, bytes }) = read(response)
                && of == uid
                && u64::from(origin.unwrap_or(0)) == offset
                && (offset > 0 || bytes.is_some())
                && came.is_none()
            {
                let bytes = bytes.unwrap_or_default();
                let bytes = bytes.get(..length as usize).unwrap_or(bytes);
                came = Some(bytes.len() as u64);
                whole.extend_from_slice(bytes);
            }
        })
        .await?;
    Ok(came)
}

/// The header of a message, at most 64 KiB of it.
pub async fn header(connection: &mut Connection, message: &ListedMessage) -> Result<Option<Vec<u8>>, ImapError> {
    let mut header = None;
    connection
        .command("fetch a header", &format!("UID FETCH {} (UID BODY.PEEK[HEADER]<0.65536>)", message.uid), |response| {
            if let Response::Fetch(_, attributes) = response {
                for attribute in attributes {
                    if let AttributeValue::BodySection { data: Some(data), .. } = attribute {
                        header = Some(data.to_vec());
                    }
                }
            }
        })
        .await?;
    Ok(header)
}

/// The Message-IDs of messages, by UID; an empty one where a message has none.
pub async fn message_ids(connection: &mut Connection, uids: &[u32]) -> Result<Bodies, ImapError> {
    let mut found = HashMap::new();
    for part in uids.chunks(500) {
        let command =
            format!("UID FETCH {} (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])", uid_set(part.iter().copied()));
        connection
            .command("tell Message-IDs", &command, |response| {
                let Response::Fetch(_, attributes) = response else { return };
                let mut uid = None;
                let mut header: &[u8] = &[];
                for attribute in attributes {
                    match attribute {
                        AttributeValue::Uid(value) => uid = Some(*value),
                        AttributeValue::BodySection { data: Some(data), .. } => header = data.as_ref(),
                        _ => {}
                    }
                }
                if let Some(uid) = uid {
                    found.insert(uid, message_id(header));
                }
            })
            .await?;
    }
    Ok(found)
}

/// The value of the first Message-ID field, without white space; empty where there is none.
pub fn message_id(raw: &[u8]) -> Vec<u8> {
    let mut value: Option<Vec<u8>> = None;
    for line in raw.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let folded = line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        match &mut value {
            Some(value) if folded => value.extend_from_slice(line),
            Some(_) => break,
            None if line.is_empty() => break,
            None => {
                let mut parts = line.splitn(2, |byte| *byte == b':');
                let name = parts.next().unwrap_or_default().trim_ascii_end();
                value = parts.next().filter(|_| name.eq_ignore_ascii_case(b"Message-ID")).map(<[u8]>::to_vec);
            }
        }
    }
    let mut value = value.unwrap_or_default();
    value.retain(|byte| !byte.is_ascii_whitespace());
    value
}

/// What a server tells of a message's bytes.
struct BodyFacts<'a> {
    uid: u32,
    /// Where a range begins.
    origin: Option<u32>,
    /// None where it says NIL.
    bytes: Option<&'a [u8]>,
}

fn read<'a>(response: &'a Response<'_>) -> Option<BodyFacts<'a>> {
    let Response::Fetch(_, attributes) = response else { return None };
    let (mut uid, mut body) = (None, None);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(value) => uid = Some(*value),
            AttributeValue::BodySection { section: None, index, data } => body = Some((*index, data.as_deref())),
            _ => {}
        }
    }
    let (origin, bytes) = body?;
    Some(BodyFacts { uid: uid?, origin, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_found_in_the_header_alone_however_it_is_folded() {
        assert_eq!(message_id(b"Subject: a\r\nMESSAGE-ID:\r\n <a@b>\r\nTo: c\r\n\r\n"), b"<a@b>");
        assert_eq!(message_id(b"message-id : <a@b>\n\n"), b"<a@b>");
        assert_eq!(message_id(b"Subject: a\r\n\r\nMessage-ID: <a@b>\r\n"), b"");
        assert_eq!(message_id(b""), b"");
    }
}
