//! Tickets and articles: as they are stored, and as a mail is to be filed.

mod difference;
mod edit;
mod field;
mod search;
mod undelivered;
mod vocabulary;

pub use difference::FieldDifference;
pub use edit::TicketEdit;
pub use field::TicketField;
pub use search::{FollowUpSearch, FoundTicket, TicketMatch, VouchedBy};
pub use vocabulary::{
    DEFAULT_PRIORITY, LOCKS, LONGEST_TITLE, PRIORITIES, REMOVED, SenderType, StateType, cut_title, states,
};

use crate::configured::AutoResponseType;
use crate::mailbox::Mailbox;
use crate::text::beginning;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Row id; 0 before it is filed.
    pub id: i64,
    /// Without the hook; empty before it is filed.
    pub number: String,
    /// At most 191 characters.
    pub title: String,
    /// Queue name.
    pub queue: String,
    /// State name.
    pub state: String,
    /// Priority name.
    pub priority: String,
    /// Type name.
    pub r#type: String,
    /// Service.
    pub service: Option<String>,
    /// Service level agreement.
    pub sla: Option<String>,
    /// `unlock`, `lock`, `tmp_lock`.
    pub lock: String,
    /// Login.
    pub owner: Option<String>,
    /// Login.
    pub responsible: Option<String>,
    /// Customer's number.
    pub customer_number: Option<String>,
    /// Customer user's login or address.
    pub customer_user: Option<String>,
    /// Milliseconds since the epoch; only while the state is a pending one.
    pub pending_until: Option<i64>,
    /// Values by field name.
    pub dynamic_fields: BTreeMap<String, Vec<String>>,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// Milliseconds since the epoch.
    pub changed_at: i64,
    /// The number of the ticket that stands for this one.
    pub merged_into: Option<String>,
}

/// The ticket that a mail follows up, as the filters see it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedTicket {
    /// The ticket number without the hook.
    pub number: String,
    /// The title.
    pub title: String,
    /// The queue's name.
    pub queue: String,
    /// The state's name.
    pub state: String,
    /// The state's type.
    pub state_type: String,
    /// The priority's name.
    pub priority: String,
    /// The type's name.
    pub r#type: String,
    /// The service's name.
    pub service: String,
    /// The service level agreement's name.
    pub sla: String,
    /// `unlock`, `lock`, `tmp_lock`.
    pub lock: String,
    /// The owner's login; empty where nobody owns it.
    pub owner: String,
    /// The login of the responsible agent; empty where there is none.
    pub responsible: String,
    /// The customer's number; empty where there is none.
    pub customer_number: String,
    /// The customer user's login; empty where there is none.
    pub customer_user: String,
    /// Milliseconds since the epoch.
    pub created_at: i64,
}

impl Ticket {
    /// The ticket as filters see it.
    pub fn followed(&self) -> FollowedTicket {
        FollowedTicket {
            number: self.number.clone(),
            title: self.title.clone(),
            queue: self.queue.clone(),
            state: self.state.clone(),
            state_type: StateType::of(&self.state).map(StateType::name).unwrap_or_default().to_owned(),
            priority: self.priority.clone(),
            r#type: self.r#type.clone(),
            service: self.service.clone().unwrap_or_default(),
            sla: self.sla.clone().unwrap_or_default(),
            lock: self.lock.clone(),
            owner: self.owner.clone().unwrap_or_default(),
            responsible: self.responsible.clone().unwrap_or_default(),
            customer_number: self.customer_number.clone().unwrap_or_default(),
            customer_user: self.customer_user.clone().unwrap_or_default(),
            created_at: self.created_at,
        }
    }
}

/// An article has so many bytes of a mail's text at most. What is longer is no letter but a file, and would be copied a
/// handful of times on its way into a row; the raw message has all of it.
pub const LARGEST_BODY: usize = 2 << 20;

/// What an article has of a text: as much as fits ([`LARGEST_BODY`]), and whether there is more.
pub fn beginning_of(text: &str) -> (String, bool) {
    let beginning = beginning(text, LARGEST_BODY);
    (beginning.to_owned(), beginning.len() < text.len())
}

/// An article that is to be filed. Its raw bytes are those of the message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that is said of an article")]
pub struct NewArticle {
    /// `agent`, `system`, `customer`.
    pub sender_type: SenderType,
    /// Whether the customer sees it.
    pub visible_for_customer: bool,
    /// Decoded From.
    pub from: String,
    /// Decoded To.
    pub to: String,
    /// Decoded Cc.
    pub cc: String,
    /// Decoded Reply-To.
    pub reply_to: String,
    /// Decoded subject.
    pub subject: String,
    /// Message-ID with its angle brackets; empty where there is none.
    pub message_id: String,
    /// In-Reply-To.
    pub in_reply_to: String,
    /// References.
    pub references: String,
    /// The Date header as milliseconds since the epoch, if it can be read.
    pub date: Option<i64>,
    /// The text body: its first [`LARGEST_BODY`] bytes.
    pub body: String,
    /// Whether the mail's text goes on after what `body` has; all of it is in the raw message.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub body_truncated: bool,
    /// Name, media type and size of the attachments.
    pub attachments: Vec<ArticleAttachment>,
    /// Free fields and other dynamic fields of the article.
    pub dynamic_fields: BTreeMap<String, Vec<String>>,
    /// Whether the mail named the ticket and nobody vouched for that: its addresses are nobody's of this ticket.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unvouched: bool,
    /// Whether the address of its sender alone vouched for the mail being of the ticket: its other addresses are
    /// nobody's of this ticket.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vouched_by_address: bool,
}

impl NewArticle {
    /// Whether its addresses are people of the ticket for standing in it, and its Message-ID vouches for who refers to
    /// it.
    pub fn vouches(&self) -> bool {
        !self.unvouched && !self.vouched_by_address
    }
}

/// An attachment of an article; its bytes are in the raw message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ArticleAttachment {
    /// File name; may be empty.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Bytes after decoding.
    pub size: u64,
}

/// Which follow-up check found the ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhyFollowUp {
    /// A delivery report.
    Bounce,
    /// The subject's number.
    Subject,
    /// In-Reply-To, References.
    References,
    /// A number in the body.
    Body,
    /// A number in an attachment.
    Attachment,
    /// A number in the raw mail.
    Raw,
    /// Another system's number.
    ExternalNumber,
}

/// What a follow-up check looks for in the store; asked in order, the first that exists wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FollowUpCandidate {
    /// A stored Message-ID, with its angle brackets.
    MessageId(WhyFollowUp, String),
    /// A ticket number.
    Number(WhyFollowUp, String),
    /// An open ticket with this value in this dynamic field.
    ExternalNumber {
        /// The field's name.
        field: String,
        /// The value.
        value: String,
    },
}

/// What to do with the automatic answer of an occasion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AutoResponseStatus {
    /// Its row was written.
    Queued,
    /// Loop, daily limit, refused address, closed ticket.
    Suppressed,
}

/// What a mail becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filing {
    /// New ticket, follow-up, or refused follow-up.
    pub kind: FilingKind,
    /// The ticket as it is afterwards; id 0 and no number for a new one.
    pub ticket: Ticket,
    /// The article.
    pub article: NewArticle,
    /// What decided the queue: `header`, `filter:NAME`, `account`, `address:ADDR`, `default`, `follow-up`.
    pub queue_by: String,
    /// Sentences that name the header and the value.
    pub warnings: Vec<String>,
    /// The occasion of an automatic answer, whether or not the queue has one.
    pub occasion: AutoResponseType,
    /// Whom an automatic answer would go to; none where the queue has no answer for the occasion.
    pub auto_response: Option<AutoResponsePlan>,
}

/// How a mail is filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilingKind {
    /// A new ticket, linked to an older one where it would have followed up a closed one.
    NewTicket {
        /// Row id of the older ticket.
        linked_to: Option<i64>,
    },
    /// An article of an existing ticket.
    FollowUp(WhyFollowUp),
    /// An article of a ticket that stays closed.
    Rejected(WhyFollowUp),
}

/// An automatic answer that is due unless a limit that the store counts says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoResponsePlan {
    /// The occasion.
    pub occasion: AutoResponseType,
    /// The name of a configured response of this occasion; that of the customer's language is chosen when it is
    /// composed.
    pub name: String,
    /// Recipients (bare addresses) that are not refused; empty means suppressed.
    pub to: Vec<String>,
    /// Every address asked for, counted against the daily limit, refused ones too.
    pub counted: Vec<String>,
    /// Why it is suppressed already, if it is.
    pub suppressed: Option<String>,
}

/// A mail of the ticket that an agent sent and customers don't see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InternalMail {
    /// The mailboxes of To and Cc.
    pub recipients: Vec<Mailbox>,
    /// Its Message-ID, brackets kept; empty where there is none.
    pub message_id: String,
}
