//! Tickets and articles as the command line and REST show them: the names of a message's result, times as RFC 3339.

use crate::store::outgoing::Delivery;
use crate::store::tickets::{Article, TicketChange};
use postigo_model::outgoing::{DeliveryFailure, DeliveryStatus};
use postigo_model::ticket::{ArticleAttachment, Ticket};
use postigo_model::timestamp::rfc3339;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use utoipa::ToSchema;

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Ticket)]
pub struct TicketDocument {
    /// Row id.
    pub ticket_id: i64,
    /// Number, without the hook.
    pub ticket_number: String,
    /// Title.
    pub title: String,
    /// Queue.
    pub queue: String,
    /// State.
    pub state: String,
    /// Priority.
    pub priority: String,
    /// Type.
    pub r#type: String,
    /// Service.
    #[schema(required)]
    pub service: Option<String>,
    /// Service level agreement.
    #[schema(required)]
    pub sla: Option<String>,
    /// `unlock`, `lock`, `tmp_lock`.
    pub lock: String,
    /// Login.
    #[schema(required)]
    pub owner: Option<String>,
    /// Login.
    #[schema(required)]
    pub responsible: Option<String>,
    /// Customer's number.
    #[schema(required)]
    pub customer_number: Option<String>,
    /// Customer user's login or address.
    #[schema(required)]
    pub customer_user: Option<String>,
    /// RFC 3339, UTC; null unless the state is a pending one.
    #[schema(format = DateTime, required)]
    pub pending_until: Option<String>,
    /// Values by field name.
    pub dynamic_fields: BTreeMap<String, Vec<String>>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub changed_at: String,
    /// The number of the ticket that stands for this one.
    #[schema(required)]
    pub merged_into: Option<String>,
}

impl From<Ticket> for TicketDocument {
    fn from(ticket: Ticket) -> Self {
        Self {
            ticket_id: ticket.id,
            ticket_number: ticket.number,
            title: ticket.title,
            queue: ticket.queue,
            state: ticket.state,
            priority: ticket.priority,
            r#type: ticket.r#type,
            service: ticket.service,
            sla: ticket.sla,
            lock: ticket.lock,
            owner: ticket.owner,
            responsible: ticket.responsible,
            customer_number: ticket.customer_number,
            customer_user: ticket.customer_user,
            pending_until: ticket.pending_until.map(rfc3339),
            dynamic_fields: ticket.dynamic_fields,
            created_at: rfc3339(ticket.created_at),
            changed_at: rfc3339(ticket.changed_at),
            merged_into: ticket.merged_into,
        }
    }
}

/// A ticket with its articles, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketWithArticles {
    /// The ticket.
    #[serde(flatten)]
    pub ticket: TicketDocument,
    /// Its articles.
    pub articles: Vec<ArticleSummary>,
    /// What people changed of it, the latest 500 changes, the earliest of them first. What mails changed is told by their
    /// communications, and what was changed before that was noted, by nobody.
    pub changes: Vec<TicketChangeDocument>,
}

/// A field of a ticket that somebody changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NotedTicketChange)]
pub struct TicketChangeDocument {
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who: `token 3 (anna)`, `command line (root)`.
    pub actor: String,
    /// `queue`, `state`, `owner`, `lock`, `merged_into`.
    pub field: String,
    /// The value before; null: there was none.
    #[schema(required)]
    pub earlier: Option<String>,
    /// The value since; null: there is none.
    #[schema(required)]
    pub later: Option<String>,
}

impl From<TicketChange> for TicketChangeDocument {
    fn from(change: TicketChange) -> Self {
        let TicketChange { at, actor, field, earlier, later } = change;
        Self { at: rfc3339(at), actor, field, earlier, later }
    }
}

impl TicketWithArticles {
    /// Puts both together.
    pub fn new(
        ticket: Ticket,
        articles: Vec<Article>,
        mut deliveries: BTreeMap<i64, Vec<Delivery>>,
        mut communications: HashMap<i64, Vec<String>>,
        changes: Vec<TicketChange>,
    ) -> Self {
        let summary = |article: Article| {
            let deliveries = deliveries.remove(&article.id).unwrap_or_default();
            let communications = communications.remove(&article.id).unwrap_or_default();
            ArticleDocument::new(article, deliveries, communications).summary
        };
        let changes = changes.into_iter().map(TicketChangeDocument::from).collect();
        Self { ticket: ticket.into(), articles: articles.into_iter().map(summary).collect(), changes }
    }
}

/// An article without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ArticleSummary {
    /// Row id.
    pub id: i64,
    /// Decoded From.
    pub from: String,
    /// Decoded To.
    pub to: String,
    /// Decoded Cc.
    pub cc: String,
    /// Decoded subject.
    pub subject: String,
    /// The Date header, RFC 3339, UTC; null where it cannot be read.
    #[schema(format = DateTime, required)]
    pub date: Option<String>,
    /// `agent`, `system`, `customer`.
    pub sender_type: String,
    /// Whether the customer sees it.
    pub visible_for_customer: bool,
    /// Whether the mail named the ticket by its number and nobody vouched for that. No reply goes to its addresses
    /// unless they are named.
    pub unvouched: bool,
    /// Whether the mail named the ticket by its number and its sender's address alone, which can be forged, vouched
    /// for that. No reply goes to an address that only such a mail brought unless it is named.
    pub vouched_by_address: bool,
    /// Message-ID with its angle brackets; empty where there is none.
    pub message_id: String,
    /// Attachments.
    pub attachments: Vec<ArticleAttachment>,
    /// When it was filed, RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// What became of a mail that we sent; null of one that was received, and of a note.
    #[schema(required)]
    pub delivery: Option<DeliveryDocument>,
    /// What the communication log says of its mail, oldest first, as far as that is kept: ids for
    /// `GET /communications/{id}`.
    pub communications: Vec<String>,
}

/// What became of a mail that we sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ArticleDelivery)]
pub struct DeliveryDocument {
    /// Its row id in the outgoing queue.
    pub outgoing_id: i64,
    /// The worst of its recipients' statuses.
    pub status: DeliveryStatus,
    /// Its recipients.
    pub recipients: Vec<RecipientDocument>,
}

/// What became of a mail for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ArticleRecipient)]
pub struct RecipientDocument {
    /// Bare address.
    pub address: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Whether a failure is for good; null where nothing failed.
    #[schema(required)]
    pub failure: Option<DeliveryFailure>,
    /// The words of the server or of the delivery report; empty where there are none.
    pub detail: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub changed_at: String,
}

impl DeliveryDocument {
    fn new(outgoing_id: i64, deliveries: Vec<Delivery>) -> Option<Self> {
        const WORST_FIRST: [DeliveryStatus; 5] = [
            DeliveryStatus::Failed,
            DeliveryStatus::Uncertain,
            DeliveryStatus::Delayed,
            DeliveryStatus::Waiting,
            DeliveryStatus::Sent,
        ];
        let has = |status: &DeliveryStatus| deliveries.iter().any(|delivery| delivery.status == *status);
        let status = WORST_FIRST.into_iter().find(has).unwrap_or(DeliveryStatus::Delivered);
        let recipient = |delivery: Delivery| RecipientDocument {
            address: delivery.recipient,
            status: delivery.status,
            failure: delivery.failure,
            detail: delivery.detail,
            changed_at: rfc3339(delivery.changed_at),
        };
        (outgoing_id != 0).then(|| Self {
            outgoing_id,
            status,
            recipients: deliveries.into_iter().map(recipient).collect(),
        })
    }
}

/// An article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Article)]
pub struct ArticleDocument {
    /// What a list of articles shows.
    #[serde(flatten)]
    pub summary: ArticleSummary,
    /// Row id of its ticket.
    pub ticket_id: i64,
    /// Decoded Reply-To.
    pub reply_to: String,
    /// In-Reply-To.
    pub in_reply_to: String,
    /// References.
    pub references: String,
    /// The text, its first 2 MiB.
    pub body: String,
    /// Whether the mail's text is longer than `body`; the raw message has all of it.
    pub body_truncated: bool,
    /// Free fields and other dynamic fields of the article.
    pub dynamic_fields: BTreeMap<String, Vec<String>>,
}

impl ArticleDocument {
    /// An article; `deliveries` are those of one that we sent, `communications` what the log has of it.
    pub fn new(article: Article, deliveries: Vec<Delivery>, communications: Vec<String>) -> Self {
        let content = article.content;
        Self {
            summary: ArticleSummary {
                id: article.id,
                from: content.from,
                to: content.to,
                cc: content.cc,
                subject: content.subject,
                date: content.date.map(rfc3339),
                sender_type: content.sender_type.name().to_owned(),
                visible_for_customer: content.visible_for_customer,
                unvouched: content.unvouched,
                vouched_by_address: content.vouched_by_address,
                message_id: content.message_id,
                attachments: content.attachments,
                created_at: rfc3339(article.created_at),
                delivery: DeliveryDocument::new(article.outgoing_id, deliveries),
                communications,
            },
            ticket_id: article.ticket_id,
            reply_to: content.reply_to,
            in_reply_to: content.in_reply_to,
            references: content.references,
            body: content.body,
            body_truncated: content.body_truncated,
            dynamic_fields: content.dynamic_fields,
        }
    }
}
