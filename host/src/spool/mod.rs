//! The spool: where a message is durable before its source is told, and waits until it is filed.

use std::sync::Arc;

/// What makes a second fetch of the same message a no-op (design §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKey {
    /// IMAP: identity of the mailbox (a new one whenever host, user or folder changes), UIDVALIDITY, UID.
    Imap {
        /// Row id of the mailbox identity.
        mailbox: i64,
        /// UIDVALIDITY.
        uid_validity: u32,
        /// UID.
        uid: u32,
        /// INTERNALDATE, milliseconds since the epoch.
        internal_date: i64,
    },
    /// POP3: account and UIDL.
    Uidl(String),
    /// A Maildir's unique file name.
    File(String),
    /// Digest of bytes and envelope; only counts for mails with a Message-ID or Received header.
    Digest,
}

/// A message as a source hands it over.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Account name.
    pub account: String,
    /// Its key.
    pub key: SourceKey,
    /// Where it came from, for people: `box.mbox#3`, `INBOX/17`.
    pub source: String,
    /// Milliseconds since the epoch.
    pub received_at: i64,
    /// Envelope recipients, if the source tells them.
    pub recipients: Vec<String>,
    /// The bytes.
    pub raw: Arc<[u8]>,
}

/// What became of an arrival; whatever it is, it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenIn {
    /// Stored now.
    New(i64),
    /// Stored before, not filed yet: it will be.
    Adopted(i64),
    /// Filed, ignored or held before.
    Known(i64),
}

/// A message that this host works on.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Row id.
    pub id: i64,
    /// The claim's token: filing happens only while it is still the row's.
    pub claim: i64,
    /// Tries counted so far, this one included.
    pub tries: u32,
    /// The message as it arrived.
    pub arrival: Arrival,
}
