//! Messages of the spool as the command line and REST show them.

use crate::spool::SpoolMessage;
use postigo_model::result::MessageResult;
use postigo_model::spool::SpoolStatus;
use postigo_model::timestamp::rfc3339;
use serde::Serialize;
use utoipa::ToSchema;

/// A message of the spool.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = SpoolMessage)]
pub struct SpoolDocument {
    /// Row id.
    pub id: i64,
    /// Account name.
    pub account: String,
    /// Where it came from.
    pub source: String,
    /// Where it stands.
    pub status: SpoolStatus,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub received_at: String,
    /// RFC 3339, UTC; null while it is on its way.
    #[schema(format = DateTime, required)]
    pub ended_at: Option<String>,
    /// Bytes.
    pub size: i64,
    /// Tries so far.
    pub tries: i64,
    /// Why it is where it is, a sentence.
    #[schema(required)]
    pub reason: Option<String>,
    /// When somebody released or dropped it last, RFC 3339, UTC; null where nobody did.
    #[schema(format = DateTime, required)]
    pub handled_at: Option<String>,
    /// Who did; null where nobody did, and where it was not noted.
    #[schema(required)]
    pub handled_by: Option<String>,
    /// What became of it, once something did. A list leaves out what has more than 64 KiB; the message shown by itself
    /// has it.
    #[schema(required)]
    pub result: Option<MessageResult>,
}

impl From<SpoolMessage> for SpoolDocument {
    fn from(message: SpoolMessage) -> Self {
        Self {
            id: message.id,
            account: message.account,
            source: message.source,
            status: message.status,
            received_at: rfc3339(message.received_at),
            ended_at: message.ended_at.map(rfc3339),
            size: message.size,
            tries: message.tries,
            reason: message.reason,
            handled_at: message.handled_at.map(rfc3339),
            handled_by: message.handled_by,
            result: message.result,
        }
    }
}
