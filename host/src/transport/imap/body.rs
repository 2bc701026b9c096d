//! The bytes of messages, fetched without marking them as seen: small ones in batches, large ones in ranges.

use super::connection::Connection;
use super::error::ImapError;
use super::listing::{Listed, uid_set};
use async_imap::imap_proto::{AttributeValue, Response};
use std::collections::HashMap;

/// Above this many bytes a message is fetched in ranges of this size: no answer is larger than what it was asked for.
pub const RANGE: u64 = 1 << 20;

const DOING: &str = "fetch messages";

/// The bytes of small messages, by UID; those that the server lacks or does not give are missing.
pub async fn small(connection: &mut Connection, messages: &[Listed]) -> Result<HashMap<u32, Vec<u8>>, ImapError> {
    let set = uid_set(messages.iter().map(|message| message.uid));
    let mut bodies = HashMap::with_capacity(messages.len());
    connection
        .command(DOING, &format!("UID FETCH {set} (UID BODY.PEEK[])"), |response| {
            if let Some((uid, body)) = read(response) {
                bodies.insert(uid, body.to_vec());
            }
        })
        .await?;
    Ok(bodies)
}

/// The bytes of one message in ranges, at most `greatest` of them; none where the server has no such message any more.
///
/// A server may be wrong about the size, so a range that is shorter than asked for is the end.
pub async fn large(connection: &mut Connection, message: &Listed, greatest: u64) -> Result<Option<Vec<u8>>, ImapError> {
    let mut whole = Vec::with_capacity(message.size.min(greatest) as usize);
    loop {
        let (uid, offset) = (message.uid, whole.len());
        let mut came = None;
        connection
            .command(DOING, &format!("UID FETCH {uid} (UID BODY.PEEK[]<{offset}.{RANGE}>)"), |response| {
                if let Some((of, body)) = read(response)
                    && of == uid
                {
                    came = Some(body.len());
                    whole.extend_from_slice(body);
                }
            })
            .await?;
        match came {
            None => return Ok(None),
            Some(length) if (length as u64) < RANGE => return Ok(Some(whole)),
            Some(_) if whole.len() as u64 > greatest => return Ok(None),
            Some(_) => {}
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

fn read<'a>(response: &'a Response<'_>) -> Option<(u32, &'a [u8])> {
    let Response::Fetch(_, attributes) = response else { return None };
    let mut found = (None, None);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(uid) => found.0 = Some(*uid),
            AttributeValue::BodySection { section: None, data: Some(data), .. } => found.1 = Some(data.as_ref()),
            _ => {}
        }
    }
    Some((found.0?, found.1?))
}
