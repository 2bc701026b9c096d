//! A row of the spool, as it comes and as it is known.

use crate::store::StoreError;
use postigo_model::spool::{SpoolStatus, TakenIn};
use sqlx::Row;
use sqlx::any::AnyRow;

/// After so many tries that failed on it a message is held.
pub const MOST_FAILURES: i64 = 3;

/// A message on its way into the spool.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// Account name.
    pub account: String,
    /// Unique among all messages.
    pub key: String,
    /// See the table.
    pub epoch: String,
    /// Digest of account, recipients and bytes.
    pub digest: Vec<u8>,
    /// Whether equal digests mean the same message.
    pub comparable: bool,
    /// Digest of account and bytes, where a client may bring the message again for some of its recipients.
    pub content: Option<Vec<u8>>,
    /// For people.
    pub source: String,
    /// The connection's communication that brought it.
    pub communication: Option<String>,
    /// Milliseconds since the epoch.
    pub received_at: i64,
    /// IMAP's INTERNALDATE.
    pub internal_date: Option<i64>,
    /// JSON array.
    pub recipients: String,
    /// Bytes.
    pub size: i64,
    /// The bytes in their row, or the name of their object.
    pub raw: RawPlace,
}

/// Where the received bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawPlace {
    /// In the database.
    Row(Vec<u8>),
    /// In the database, packed ([`crate::store::packing::unpack_mail`]).
    Packed(Vec<u8>),
    /// In the object store, under this name.
    Object(String),
    /// Nowhere any more: dropped, or older than `raw_retention`.
    Gone,
}

/// What is known of a stored message, to be compared with what a source says before its key is acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMessage {
    /// Row id.
    pub id: i64,
    /// Where it stands.
    pub status: SpoolStatus,
    /// Bytes.
    pub size: i64,
    /// IMAP's INTERNALDATE.
    pub internal_date: Option<i64>,
    /// SHA-256 of account, recipients and bytes.
    pub digest: Vec<u8>,
}

impl KnownMessage {
    /// What a source is told that brings it again.
    pub(super) fn taken_in(&self) -> TakenIn {
        match self.status {
            SpoolStatus::Waiting | SpoolStatus::Claimed => TakenIn::Adopted(self.id),
            _ => TakenIn::Known(self.id),
        }
    }
}

/// Reads id, status, size, INTERNALDATE and digest.
pub(super) fn read_known(row: &AnyRow) -> Result<KnownMessage, StoreError> {
    Ok(KnownMessage {
        id: row.try_get(0)?,
        status: read_status(row, 1)?,
        size: row.try_get(2)?,
        internal_date: row.try_get(3)?,
        digest: row.try_get(4)?,
    })
}

/// Reads the status in a column.
pub(super) fn read_status(row: &AnyRow, column: usize) -> Result<SpoolStatus, StoreError> {
    let name: &str = row.try_get(column)?;
    name.parse().map_err(|reason| StoreError::Corrupt { what: "spool row", reason })
}
