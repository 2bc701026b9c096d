//! What tells whether a message is the same as one before.

use crate::store::spool::UIDL_EPOCH;
use postigo_model::hexadecimal::hexadecimal;
use postigo_model::spool::{Arrival, SourceKey};
use sha2::{Digest, Sha256};

/// The key of a message, as it is stored: unique among all messages.
pub fn stored_key(account: &str, key: &SourceKey, digest: &[u8], comparable: bool) -> String {
    match key {
        SourceKey::Imap { mailbox, uid_validity, uid, .. } => format!("imap/{mailbox}/{uid_validity}/{uid}"),
        SourceKey::Uidl(uidl) => format!("{}{uidl}", uidl_prefix(account)),
        SourceKey::File(name) => format!("file/{account}/{name}"),
        SourceKey::Digest | SourceKey::DigestAfter(_) if comparable => format!("digest/{}", hexadecimal(digest)),
        // Without Message-ID and Received, equal bytes may well be two messages: a form that was sent twice.
        SourceKey::Digest | SourceKey::DigestAfter(_) => format!("new/{}", uuid::Uuid::now_v7()),
    }
}

/// How the stored keys of an account's UIDLs begin.
pub fn uidl_prefix(account: &str) -> String {
    format!("uidl/{account}/")
}

/// Among messages of one epoch the source's keys tell which are the same; across epochs the digest does.
pub fn epoch(key: &SourceKey) -> String {
    match key {
        SourceKey::Imap { mailbox, uid_validity, .. } => format!("imap/{mailbox}/{uid_validity}"),
        SourceKey::Uidl(_) => UIDL_EPOCH.into(),
        SourceKey::File(_) => "file".into(),
        SourceKey::Digest | SourceKey::DigestAfter(_) => String::new(),
    }
}

/// SHA-256 of account, recipients and bytes as received.
pub fn digest(arrival: &Arrival) -> Vec<u8> {
    hashed(std::iter::once(&arrival.account).chain(&arrival.recipients), as_received(arrival))
}

/// SHA-256 of account and bytes as received, whoever they are for.
pub fn content_digest(arrival: &Arrival) -> Vec<u8> {
    hashed(std::iter::once(&arrival.account), as_received(arrival))
}

fn hashed<'t>(envelope: impl Iterator<Item = &'t String>, bytes: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    for text in envelope {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.update(u64::MAX.to_le_bytes());
    hash.update(bytes);
    hash.finalize().to_vec()
}

/// The bytes of a message as its source gave them, without what this host put before them.
pub fn as_received(arrival: &Arrival) -> &[u8] {
    match arrival.key {
        SourceKey::DigestAfter(own) => arrival.raw.get(own..).unwrap_or_default(),
        _ => &arrival.raw,
    }
}

/// Whether the message has a Message-ID or Received header, so that equal bytes mean the same message.
pub fn comparable(raw: &[u8]) -> bool {
    for line in raw.split(|byte| *byte == b'\n') {
        if line.is_empty() || line == b"\r" {
            return false;
        }
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii_end();
        let named = name.len() < line.len()
            && (name.eq_ignore_ascii_case(b"Message-ID") || name.eq_ignore_ascii_case(b"Received"));
        if named {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_make_a_message_comparable() {
        assert!(comparable(b"Subject: a\r\nMESSAGE-ID : <a@b>\r\n\r\n"));
        assert!(comparable(b"Received: from x\n\n"));
        assert!(!comparable(b"Subject: a\r\n\r\nMessage-ID: <a@b>\r\n"));
        assert!(!comparable(b"Message-ID"));
        assert!(!comparable(b""));
    }

    #[test]
    fn the_digest_keeps_envelope_and_bytes_apart() {
        let arrival = |account: &str, recipients: &[&str], raw: &[u8]| {
            digest(&Arrival {
                account: account.into(),
                key: SourceKey::Digest,
                source: String::new(),
                received_at: 0,
                recipients: recipients.iter().map(|text| (*text).to_owned()).collect(),
                communication: None,
                raw: raw.to_vec().into(),
            })
        };
        assert_eq!(arrival("a", &["b"], b"c"), arrival("a", &["b"], b"c"));
        assert_ne!(arrival("a", &["b"], b"c"), arrival("a", &[], b"bc"));
        assert_ne!(arrival("a", &["b", "c"], b""), arrival("a", &["bc"], b""));
        assert_ne!(arrival("a", &[], b"c"), arrival("b", &[], b"c"));
    }

    #[test]
    fn what_this_host_wrote_makes_no_difference() {
        let arrival = |own: &str, received: &str| Arrival {
            account: "a".into(),
            key: SourceKey::DigestAfter(own.len()),
            source: String::new(),
            received_at: 0,
            recipients: Vec::new(),
            communication: None,
            raw: format!("{own}{received}").into_bytes().into(),
        };
        let (first, again) = (
            arrival("Received: at 10\r\n", "Subject: x\r\n\r\n"),
            arrival("Received: at 11\r\n", "Subject: x\r\n\r\n"),
        );
        assert_eq!(digest(&first), digest(&again));
        assert!(!comparable(as_received(&first)), "its only Received header is our own");
        assert_ne!(digest(&first), digest(&arrival("Received: at 10\r\n", "Subject: y\r\n\r\n")));
    }
}
