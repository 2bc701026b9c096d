//! Outgoing mails as the command line and REST show them.

use crate::store::outgoing::{Delivery, OutgoingMail};
use postigo_model::outgoing::{DeliveryFailure, DeliveryStatus, OutgoingKind, OutgoingStatus};
use postigo_model::timestamp::rfc3339;
use serde::Serialize;
use utoipa::ToSchema;

/// An outgoing mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OutgoingMail)]
pub struct OutgoingDocument {
    /// Row id.
    pub id: i64,
    /// What it is.
    pub kind: OutgoingKind,
    /// How far it has come.
    pub status: OutgoingStatus,
    /// The ticket's number, without the hook.
    #[schema(required)]
    pub ticket_number: Option<String>,
    /// Envelope sender; empty: the null sender.
    pub sender: String,
    /// Envelope recipients.
    pub recipients: Vec<String>,
    /// The queue that it is sent from.
    pub queue: String,
    /// With its angle brackets; empty before it is composed.
    pub message_id: String,
    /// Bytes.
    pub size: i64,
    /// The transport that was chosen for it.
    #[schema(required)]
    pub transport: Option<String>,
    /// Tries so far.
    pub tries: i64,
    /// Of these, those whose answer was lost: each may have reached the recipients.
    pub uncertain_tries: i64,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Not tried before, RFC 3339, UTC; null: at once, or not at all.
    #[schema(format = DateTime, required)]
    pub next_try_at: Option<String>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub changed_at: String,
    /// When somebody had it tried again or cancelled it last, RFC 3339, UTC; null where nobody did.
    #[schema(format = DateTime, required)]
    pub handled_at: Option<String>,
    /// Who did; null where nobody did, and where it was not noted.
    #[schema(required)]
    pub handled_by: Option<String>,
    /// What went wrong last, a sentence; null: nothing.
    #[schema(required)]
    pub error: Option<String>,
}

/// An outgoing mail with what became of it for each recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OutgoingWithDeliveries {
    /// The mail.
    #[serde(flatten)]
    pub mail: OutgoingDocument,
    /// By recipient; empty before it is composed.
    pub deliveries: Vec<MailDeliveryDocument>,
}

/// What became of a mail for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct MailDeliveryDocument {
    /// Bare address.
    pub recipient: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Whether a failure is for good; null where nothing failed.
    #[schema(required)]
    pub failure: Option<DeliveryFailure>,
    /// The server's words; empty where there are none.
    pub detail: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub changed_at: String,
}

impl From<OutgoingMail> for OutgoingDocument {
    fn from(mail: OutgoingMail) -> Self {
        Self {
            id: mail.id,
            kind: mail.kind,
            status: mail.status,
            ticket_number: mail.ticket_number,
            sender: mail.sender,
            recipients: mail.recipients,
            queue: mail.queue,
            message_id: mail.message_id,
            size: mail.size,
            transport: mail.transport,
            tries: mail.tries,
            uncertain_tries: mail.uncertain_tries,
            created_at: rfc3339(mail.created_at),
            next_try_at: (mail.status == OutgoingStatus::Waiting && mail.next_try_at > 0)
                .then(|| rfc3339(mail.next_try_at)),
            changed_at: rfc3339(mail.changed_at),
            handled_at: mail.handled_at.map(rfc3339),
            handled_by: mail.handled_by,
            error: Some(mail.error).filter(|error| !error.is_empty()),
        }
    }
}

impl From<Delivery> for MailDeliveryDocument {
    fn from(delivery: Delivery) -> Self {
        Self {
            recipient: delivery.recipient,
            status: delivery.status,
            failure: delivery.failure,
            detail: delivery.detail,
            changed_at: rfc3339(delivery.changed_at),
        }
    }
}

impl From<(OutgoingMail, Vec<Delivery>)> for OutgoingWithDeliveries {
    fn from((mail, deliveries): (OutgoingMail, Vec<Delivery>)) -> Self {
        Self { mail: mail.into(), deliveries: deliveries.into_iter().map(MailDeliveryDocument::from).collect() }
    }
}
