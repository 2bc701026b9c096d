//! What became of a message: the JSON object that `ingest`, `fetch`, REST and the spool show.

use crate::guest::FailureKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What became of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    /// New ticket or follow-up.
    Filed,
    /// `X-OTOBO-Ignore`.
    Ignored,
    /// A follow-up that the queue refuses.
    Rejected,
    /// A filter with `on_failure = "hold"` failed, or three tries did.
    Held,
    /// This very message of this account was filed before.
    Duplicate,
    /// Nothing could be stored.
    #[default]
    Failed,
}

/// One JSON object a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct MessageResult {
    /// Where it came from: `box.mbox#3`.
    pub source: String,
    /// Message-ID header.
    pub message_id: Option<String>,
    /// Id of its communication.
    pub communication: Option<String>,
    /// What became of it.
    pub status: MessageStatus,
    /// Whether it followed up a ticket.
    pub follow_up: bool,
    /// Which check found the ticket.
    pub why_follow_up: Option<crate::ticket::WhyFollowUp>,
    /// The ticket as it is afterwards: number …
    pub ticket_number: Option<String>,
    /// … row id …
    pub ticket_id: Option<i64>,
    /// The article's row id.
    pub article_id: Option<i64>,
    /// Queue.
    pub queue: Option<String>,
    /// What decided the queue.
    pub queue_by: Option<String>,
    /// State.
    pub state: Option<String>,
    /// Priority.
    pub priority: Option<String>,
    /// Type.
    pub r#type: Option<String>,
    /// Service.
    pub service: Option<String>,
    /// Service level agreement.
    pub sla: Option<String>,
    /// Lock.
    pub lock: Option<String>,
    /// Owner.
    pub owner: Option<String>,
    /// Responsible.
    pub responsible: Option<String>,
    /// Customer's number.
    pub customer_number: Option<String>,
    /// Customer user.
    pub customer_user: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Sender type of the article.
    pub sender_type: Option<String>,
    /// Whether the customer sees the article.
    pub visible_for_customer: Option<bool>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub pending_until: Option<String>,
    /// Dynamic fields, lists only.
    pub dynamic_fields: BTreeMap<String, Vec<String>>,
    /// `X-OTOBO-*` in force after the chain; a string, or a list for a `multiple` dynamic field.
    pub headers: BTreeMap<String, Value>,
    /// `queued`, `suppressed`, null.
    pub auto_response: Option<crate::ticket::AutoResponseStatus>,
    /// Every valid filter in the order of the chain.
    pub filters: Vec<FilterResult>,
    /// Sentences that name the header and the value.
    pub warnings: Vec<String>,
    /// Why it failed or is held, a sentence.
    pub error: Option<String>,
}

impl MessageResult {
    /// The result of a message that waits for an admin, with the reason, a sentence.
    pub fn held(source: &str, reason: String) -> Self {
        Self { source: source.to_owned(), status: MessageStatus::Held, error: Some(reason), ..Self::default() }
    }
}

/// What a filter did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FilterResult {
    /// Its name.
    pub name: String,
    /// What came of it.
    pub outcome: FilterOutcome,
    /// Whether the chain ended here.
    pub stopped: bool,
    /// What it set.
    pub changes: Vec<HeaderChange>,
    /// Microseconds, all that it took: its own time, the host's for it, and waiting for a processor.
    pub micros: u64,
    /// Why it failed.
    pub error: Option<FilterError>,
    /// In a dry run the component that ran: a shipped one's name, or `name@version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// In a dry run what the filter says of its own finding: of `match`, which condition held, which failed, and the value
    /// that was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What came of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FilterOutcome {
    /// It matched.
    Matched,
    /// It did not.
    NotMatched,
    /// It failed; its failure policy followed.
    Failed,
    /// Its breaker is open.
    Suspended,
    /// The chain had stopped.
    NotRun,
}

/// A header that a filter set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HeaderChange {
    /// Canonical name.
    pub header: String,
    /// Value.
    pub value: String,
}

/// Why a filter failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FilterError {
    /// Which limit or rule.
    pub kind: FailureKind,
    /// A sentence.
    pub message: String,
}
