//! A message on its way in: as a source hands it over, as the spool keeps it, and as a worker claims it.

use crate::claim::Claim;
use crate::configured::ConfigurationVersion;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpoolStatus {
    /// To be worked on.
    Waiting,
    /// A host works on it.
    Claimed,
    /// It is an article.
    Filed,
    /// It is an article of a ticket that stayed closed.
    Rejected,
    /// A filter said so, by `X-OTOBO-Ignore`.
    Ignored,
    /// It waits for an admin: a filter with `on_failure = "hold"` failed, or its tries are used up.
    Held,
    /// It could not be worked on.
    Failed,
    /// An admin dropped it.
    Dropped,
}

impl SpoolStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Claimed,
        Self::Filed,
        Self::Rejected,
        Self::Ignored,
        Self::Held,
        Self::Failed,
        Self::Dropped,
    ];

    /// Its name, as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Claimed => "claimed",
            Self::Filed => "filed",
            Self::Rejected => "rejected",
            Self::Ignored => "ignored",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

impl std::str::FromStr for SpoolStatus {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|status| status.name() == name);
        found.ok_or_else(|| {
            format!("\"{name}\" is no status of a message; there are: {}.", Self::ALL.map(Self::name).join(", "))
        })
    }
}

impl std::fmt::Display for SpoolStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

/// What makes a second fetch of the same message a no-op.
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
    /// The same, of the bytes after the first so many: before them is what this host wrote itself (trace headers),
    /// which differs each time.
    DigestAfter(usize),
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
    /// Id of the connection's communication that brought it.
    pub communication: Option<String>,
    /// The bytes.
    pub raw: Bytes,
}

/// What became of an arrival; whatever it is, it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenIn {
    /// Stored now, under this row id.
    New(i64),
    /// Stored before, not filed yet: it will be.
    Adopted(i64),
    /// Filed, ignored, held or dropped before, or in the same batch.
    Known(i64),
}

/// A message that this host works on. Its bytes are read apart: there may be no memory for those of all that were
/// claimed.
#[derive(Debug, Clone)]
pub struct ClaimedMessage {
    /// The right to file it.
    pub claim: Claim,
    /// Tries counted so far, this one included. How they ended says nothing of the message.
    pub tries: u32,
    /// How many of them failed on it, while the process that works went on.
    pub failures: u32,
    /// Whether it was claimed when a process ended uncleanly: it is worked on in a process of its own.
    pub suspect: bool,
    /// Whether it was put off before, until there was time for it.
    pub put_off: bool,
    /// Where it came from, for people.
    pub source: String,
    /// Account name.
    pub account: String,
    /// Id of the connection's communication that brought it.
    pub communication: Option<String>,
    /// Milliseconds since the epoch.
    pub received_at: i64,
    /// Envelope recipients, if the source told them.
    pub recipients: Vec<String>,
    /// Its bytes.
    pub size: u64,
    /// The version of the configuration when it was claimed: whoever works on it works by this one, or a later.
    pub configuration: ConfigurationVersion,
}

impl TakenIn {
    /// The message's row id.
    pub fn id(&self) -> i64 {
        match self {
            Self::New(id) | Self::Adopted(id) | Self::Known(id) => *id,
        }
    }
}
