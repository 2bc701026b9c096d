//! The communication log's words: what one communication was about, what became of it, and its entries.

use crate::plan_version::ChainTrace;
use crate::text::{beginning, on_one_line};
use serde::{Deserialize, Serialize};

/// How much an entry matters, in rising order.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// For those who look closely.
    #[default]
    Debug,
    /// The usual course.
    Info,
    /// Worth knowing.
    Notice,
    /// Something was not as it should be, and was dealt with.
    Warning,
    /// Something failed.
    Error,
}

/// What became of a communication.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommunicationStatus {
    /// It still runs, or its host ended before it did.
    #[default]
    Processing,
    /// Done.
    Successful,
    /// Done, with entries of priority warning or above.
    Warning,
    /// Not done.
    Failed,
}

/// What a communication is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommunicationKind {
    /// A connection to a server, or a run over a folder.
    Connection,
    /// A message.
    #[default]
    Message,
}

/// Which way the mail goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into the helpdesk.
    #[default]
    Incoming,
    /// Out of it.
    Outgoing,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// How much it matters.
    pub priority: Priority,
    /// What wrote it: `transport.imap`, `chain`, `filter:10 Invoices`.
    pub key: String,
    /// A sentence.
    pub value: String,
}

/// What became of a mail, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MailFate {
    /// It became a new ticket.
    Filed,
    /// It was added to a ticket.
    FollowUp,
    /// It is kept with a ticket that stays closed.
    Rejected,
    /// X-OTOBO-Ignore dropped it; it stays in the spool.
    Ignored,
    /// It waits for an admin.
    Held,
    /// It waits for its next try.
    Waiting,
    /// It was not taken in, and is not on its server any more, or never was.
    Refused,
    /// It was not taken in, and stays on its server.
    Left,
    /// It went out.
    Sent,
    /// It may have gone out.
    Uncertain,
    /// It did not go out, and is not tried again.
    Failed,
    /// It was to go out, and was never sent.
    Cancelled,
}

/// A field of a [`MailHeading`] has so many bytes at most.
const LONGEST_FIELD: usize = 400;

/// What a list says of a mail. Each on one line, decoded, at most 400 bytes; empty where the mail has none, or nobody
/// could read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailHeading {
    /// From, or the envelope's sender where the header was not read.
    pub sender: String,
    /// To, or the envelope's recipients where the header was not read.
    pub recipients: String,
    /// Subject.
    pub subject: String,
    /// Message-ID, with its angle brackets.
    pub message_id: String,
}

impl MailHeading {
    /// Of these values.
    pub fn new(sender: &str, recipients: &str, subject: &str, message_id: &str) -> Self {
        let cut = |text: &str| beginning(&on_one_line(beginning(text, 4 * LONGEST_FIELD)), LONGEST_FIELD).to_owned();
        Self { sender: cut(sender), recipients: cut(recipients), subject: cut(subject), message_id: cut(message_id) }
    }

    /// What there is of it, in the order of a list.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("From", self.sender.as_str()),
            ("To", self.recipients.as_str()),
            ("Subject", self.subject.as_str()),
            ("Message-ID", self.message_id.as_str()),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty())
    }
}

impl std::fmt::Display for MailHeading {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fields: Vec<String> = self.fields().map(|(name, value)| format!("{name}: {value}")).collect();
        formatter.write_str(&fields.join("; "))
    }
}

/// The fetches of an account and a day (UTC) that brought nothing and met nothing worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmptyFetches {
    /// How many.
    pub count: i64,
    /// When the last one began, milliseconds since the epoch.
    pub last_at: i64,
}

/// A communication as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommunicationRecord {
    /// UUID, version 7: rises with time.
    pub id: String,
    /// The connection's communication that brought the message.
    pub parent: Option<String>,
    /// Account name; of outgoing mail the transport's.
    pub account: String,
    /// The account's protocol, or `ingest`, `rest`; of outgoing mail the transport's kind. Shown and stored as
    /// `transport`, the peer's word for it.
    pub protocol: String,
    /// Which way the mail goes.
    pub direction: Direction,
    /// Connection or message.
    pub kind: CommunicationKind,
    /// What became of it.
    pub status: CommunicationStatus,
    /// Milliseconds since the epoch.
    pub started_at: i64,
    /// Milliseconds since the epoch; none while it runs.
    pub ended_at: Option<i64>,
    /// The highest priority among its entries.
    pub priority: Priority,
    /// The message's row in the spool.
    pub spool_id: Option<i64>,
    /// The article that the message became, or was made from.
    pub article_id: Option<i64>,
    /// Which mail it is about; all empty for a connection.
    pub heading: MailHeading,
    /// The number of its ticket, without the hook, as it was then.
    pub ticket_number: Option<String>,
    /// What became of the mail; none for a connection, and while it runs.
    pub fate: Option<MailFate>,
    /// Of an account's fetches that brought nothing, how many of a day this row stands for, and when the last began
    /// (milliseconds since the epoch); none: it stands for itself. Read, and written by the store alone.
    pub empty_fetches: Option<EmptyFetches>,
    /// The filters that matched, changed something or failed. Written, and not read back.
    pub filters: Vec<String>,
    /// In small letters, what a search looks through: addresses, subject, Message-ID.
    pub search: String,
    /// In their order. Those of filters that did not match or were not run are left out where `chain` says which.
    pub entries: Vec<LogEntry>,
    /// Of a message that went through a chain: what its entries leave out.
    pub chain: Option<ChainTrace>,
}

macro_rules! names {
    ($type:ident, $what:literal, $($variant:ident = $name:literal),+) => {
        impl $type {
            /// Its name, as stored and shown.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    other => Err(format!(concat!("\"{}\" is no ", $what, "; there are: {}."), other, [$($name),+].join(", "))),
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.name())
            }
        }
    };
}

names!(Priority, "priority", Debug = "debug", Info = "info", Notice = "notice", Warning = "warning", Error = "error");
names!(
    CommunicationStatus,
    "communication status",
    Processing = "processing",
    Successful = "successful",
    Warning = "warning",
    Failed = "failed"
);
names!(Direction, "direction", Incoming = "incoming", Outgoing = "outgoing");
names!(
    MailFate,
    "fate of a mail",
    Filed = "filed",
    FollowUp = "follow-up",
    Rejected = "rejected",
    Ignored = "ignored",
    Held = "held",
    Waiting = "waiting",
    Refused = "refused",
    Left = "left",
    Sent = "sent",
    Uncertain = "uncertain",
    Failed = "failed",
    Cancelled = "cancelled"
);
names!(CommunicationKind, "kind of communication", Connection = "connection", Message = "message");
