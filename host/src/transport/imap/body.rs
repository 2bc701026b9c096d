//! The bytes of messages, fetched without marking them as seen: small ones in batches, large ones in ranges.

use super::connection::Connection;
use super::error::ImapError;
use super::listing::{Listed, uid_set};
use async_imap::imap_proto::{AttributeValue, RequestId, Response};
use std::collections::HashMap;

/// Above this many bytes a message is fetched in ranges of this size: no answer is larger than what it was asked for.
pub const RANGE: u64 = 1 << 20;

const DOING: &str = "fetch messages";

/// The bytes of messages, by UID.
pub type Bodies = HashMap<u32, Vec<u8>>;

/// Asks for the bytes of small messages; they are read by [`read_small`].
pub async fn ask_small(connection: &mut Connection, messages: &[Listed]) -> Result<RequestId, ImapError> {
    let set = uid_set(messages.iter().map(|message| message.uid));
    connection.send(DOING, &format!("UID FETCH {set} (UID BODY.PEEK[])")).await
}

/// The bytes of small messages that were asked for; those that the server lacks or does not give are missing.
pub async fn read_small(connection: &mut Connection, asked: &RequestId) -> Result<Bodies, ImapError> {
    let mut bodies = HashMap::new();
    connection
        .finish(DOING, asked, |response| {
            if let Some((uid, Some(body))) = read(response) {
                bodies.insert(uid, body.to_vec());
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
    /// It has so many bytes at least, more than it was listed with and more than are taken.
    TooLarge(u64),
}

/// The bytes of one message in ranges, at most about `greatest` of them.
///
/// A server may be wrong about the size (Exchange is), so a range that is shorter than asked for is the end, as is one that is not there.
pub async fn large(connection: &mut Connection, message: &Listed, greatest: u64) -> Result<InRanges, ImapError> {
    let mut whole = Vec::with_capacity(message.size.min(greatest) as usize);
    loop {
        let (uid, offset) = (message.uid, whole.len());
        let mut came = None;
        connection
            .command(DOING, &format!("UID FETCH {uid} (UID BODY.PEEK[]<{offset}.{RANGE}>)"), |response| {
                if let Some((of, body)) = read(response)
                    && of == uid
                {
                    came = Some(body.map(<[u8]>::len));
                    whole.extend_from_slice(body.unwrap_or_default());
                }
            })
            .await?;
        match came {
            None => return Ok(InRanges::Gone),
            Some(None) if whole.is_empty() => return Ok(InRanges::Gone),
            _ if whole.len() as u64 > greatest => return Ok(InRanges::TooLarge(whole.len() as u64)),
            Some(Some(length)) if length as u64 >= RANGE => {}
            Some(_) => return Ok(InRanges::Whole(whole)),
        }
    }
}

/// The header of a message, at most 64 KiB of it.
pub async fn header(connection: &mut Connection, message: &Listed) -> Result<Option<Vec<u8>>, ImapError> {
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
        let command = format!("UID FETCH {} (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])", uid_set(part.iter().copied()));
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

/// The UID and the bytes of a message that the server tells of; no bytes where it says NIL.
fn read<'a>(response: &'a Response<'_>) -> Option<(u32, Option<&'a [u8]>)> {
    let Response::Fetch(_, attributes) = response else { return None };
    let mut found = (None, None);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(uid) => found.0 = Some(*uid),
            AttributeValue::BodySection { section: None, data, .. } => found.1 = Some(data.as_deref()),
            _ => {}
        }
    }
    Some((found.0?, found.1?))
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
