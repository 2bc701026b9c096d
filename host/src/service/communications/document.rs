//! Communications as the command line and REST show them.

use crate::store::broken_tasks::BrokenTask;
use crate::store::communications::{Overview, ShownCommunication};
use crate::store::outgoing::OutgoingMail;
use postigo_model::communication::{
    CommunicationKind, CommunicationRecord, CommunicationStatus, Direction, LogEntry, MailFate, Priority,
};
use postigo_model::outgoing::OutgoingStatus;
use postigo_model::timestamp::rfc3339;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A communication, without its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CommunicationSummary {
    /// UUID, version 7: rises with time.
    pub id: String,
    /// The connection's communication that brought the message.
    #[schema(required)]
    pub parent: Option<String>,
    /// Account name; of outgoing mail the transport's.
    pub account: String,
    /// The account's protocol, or `ingest`, `rest`; the transport's kind.
    pub transport: String,
    /// Which way the mail goes.
    pub direction: Direction,
    /// Connection or message.
    pub kind: CommunicationKind,
    /// What became of it.
    pub status: CommunicationStatus,
    /// The highest priority among its entries.
    pub priority: Priority,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// RFC 3339, UTC; null while it runs.
    #[schema(format = DateTime, required)]
    pub ended_at: Option<String>,
    /// The message's row in the spool.
    #[schema(required)]
    pub spool_id: Option<i64>,
    /// The article that the message became, or was made from.
    #[schema(required)]
    pub article_id: Option<i64>,
    /// The number of its ticket, without the hook, as it was then.
    #[schema(required)]
    pub ticket_number: Option<String>,
    /// What became of the mail, in one word; null for a connection, and while it runs.
    #[schema(required)]
    pub fate: Option<MailFate>,
    /// How many fetches of a day (UTC) that brought nothing this row stands for; 1 for any other communication.
    pub fetches: i64,
    /// When the last of them began, RFC 3339, UTC; null for any other communication.
    #[schema(format = DateTime, required)]
    pub last_at: Option<String>,
    /// From, or the envelope's sender where the header was not read; at most 400 bytes, as the three below. All four are
    /// empty for a connection.
    pub sender: String,
    /// To, or the envelope's recipients.
    pub recipients: String,
    /// Subject.
    pub subject: String,
    /// Message-ID, with its angle brackets.
    pub message_id: String,
}

/// An entry of a communication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EntryDocument {
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub at: String,
    /// How much it matters.
    pub priority: Priority,
    /// What wrote it: `transport.imap`, `chain`, `filter:10 Invoices`.
    pub key: String,
    /// A sentence.
    pub value: String,
}

/// A communication with its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CommunicationObject {
    /// What a list shows.
    #[serde(flatten)]
    pub summary: CommunicationSummary,
    /// Its entries of the chosen priority and above, in their order.
    pub entries: Vec<EntryDocument>,
}

/// A communication with its entries, and with those of the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Communication)]
pub struct CommunicationDocument {
    /// The one that was asked for.
    #[serde(flatten)]
    pub communication: CommunicationObject,
    /// The connection that brought a message, or the messages that a connection brought (at most 1,000), in their
    /// order. `GET /communications?parent=ID` lists all of these.
    pub related: Vec<CommunicationObject>,
    /// How many there are.
    pub related_count: i64,
    /// The automatic answers to the mail, as far as they have come; those that were decided later than it was filed
    /// included.
    pub answers: Vec<AnswerDocument>,
}

/// An automatic answer to a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MailAnswer)]
pub struct AnswerDocument {
    /// The outgoing mail's row id.
    pub outgoing_id: i64,
    /// Its occasion: `reply`, `follow-up`, `reject`, `reply-new-ticket`, `remove`.
    pub occasion: String,
    /// The configured answer's name; null before it is composed, as it may be that of another language.
    #[schema(required)]
    pub response: Option<String>,
    /// How far it has come.
    pub status: OutgoingStatus,
    /// Envelope recipients.
    pub recipients: Vec<String>,
    /// Why it is not sent, or what went wrong last, a sentence; null: nothing.
    #[schema(required)]
    pub error: Option<String>,
}

impl From<OutgoingMail> for AnswerDocument {
    fn from(mail: OutgoingMail) -> Self {
        Self {
            outgoing_id: mail.id,
            occasion: mail.occasion,
            response: Some(mail.response).filter(|_| !mail.message_id.is_empty()),
            status: mail.status,
            recipients: mail.recipients,
            error: Some(mail.error).filter(|error| !error.is_empty()),
        }
    }
}

/// The four figures of the communication log.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = LogOverview)]
pub struct OverviewDocument {
    /// How each account does.
    pub accounts: BTreeMap<String, AccountOverview>,
    /// How each transport does.
    pub transports: BTreeMap<String, AccountOverview>,
    /// How many communications have which status.
    pub statuses: BTreeMap<String, i64>,
    /// How many run.
    pub active: i64,
    /// Mean milliseconds from start to end, of messages and fetches that ended; connections that wait for the next mail do
    /// not count.
    #[schema(required)]
    pub mean_milliseconds: Option<f64>,
    /// Tasks of the daemons that are broken now, the last first, whatever the span of time.
    pub broken_tasks: Vec<BrokenTaskDocument>,
}

/// A task of a daemon that panicked or ended, and has not shown since that it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BrokenTask)]
pub struct BrokenTaskDocument {
    /// Id of the data folder whose daemon it is a task of.
    pub host: String,
    /// Its kind: `fetch`, `filing`, …
    pub task: String,
    /// What it is for: an account, an endpoint; empty: there is one of its kind.
    pub of: String,
    /// What happened, a sentence.
    pub why: String,
    /// How often, without a good round in between.
    pub times: i64,
    /// When last, RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub at: String,
    /// When it goes on, RFC 3339, UTC; null: it was done once, and others like it go on.
    #[schema(format = DateTime, required)]
    pub again_at: Option<String>,
}

/// How an account or transport does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccountOverview {
    /// Of the last communication that ended; of an account, of a connection where there was one. `processing` where none
    /// has ended.
    pub status: CommunicationStatus,
    /// When that one started, RFC 3339, UTC.
    #[schema(format = DateTime, required)]
    pub last: Option<String>,
    /// Communications.
    pub communications: i64,
    /// Those that failed.
    pub failed: i64,
}

impl From<CommunicationRecord> for CommunicationSummary {
    fn from(record: CommunicationRecord) -> Self {
        Self {
            id: record.id,
            parent: record.parent,
            account: record.account,
            transport: record.protocol,
            direction: record.direction,
            kind: record.kind,
            status: record.status,
            priority: record.priority,
            started_at: rfc3339(record.started_at),
            ended_at: record.ended_at.map(rfc3339),
            spool_id: record.spool_id,
            article_id: record.article_id,
            ticket_number: record.ticket_number,
            fate: record.fate,
            fetches: record.empty_fetches.map_or(1, |fetches| fetches.count),
            last_at: record.empty_fetches.map(|fetches| rfc3339(fetches.last_at)),
            sender: record.heading.sender,
            recipients: record.heading.recipients,
            subject: record.heading.subject,
            message_id: record.heading.message_id,
        }
    }
}

impl From<LogEntry> for EntryDocument {
    fn from(entry: LogEntry) -> Self {
        Self { at: rfc3339(entry.at), priority: entry.priority, key: entry.key, value: entry.value }
    }
}

impl From<CommunicationRecord> for CommunicationObject {
    fn from(mut record: CommunicationRecord) -> Self {
        let entries = std::mem::take(&mut record.entries).into_iter().map(EntryDocument::from).collect();
        Self { summary: record.into(), entries }
    }
}

impl From<ShownCommunication> for CommunicationDocument {
    fn from(shown: ShownCommunication) -> Self {
        Self {
            communication: shown.communication.into(),
            related_count: shown.related_count,
            related: shown.related.into_iter().map(CommunicationObject::from).collect(),
            answers: Vec::new(),
        }
    }
}

impl From<BrokenTask> for BrokenTaskDocument {
    fn from(broken: BrokenTask) -> Self {
        let BrokenTask { host, task, of, why, times, at, again_at } = broken;
        Self { host, task, of, why, times, at: rfc3339(at), again_at: again_at.map(rfc3339) }
    }
}

impl From<Overview> for OverviewDocument {
    fn from(overview: Overview) -> Self {
        let account = |account: crate::store::communications::AccountStatus| AccountOverview {
            status: account.status,
            last: (account.last > 0).then(|| rfc3339(account.last)),
            communications: account.communications,
            failed: account.failed,
        };
        let all = |all: BTreeMap<_, _>| all.into_iter().map(|(name, status)| (name, account(status))).collect();
        Self {
            accounts: all(overview.accounts),
            transports: all(overview.transports),
            statuses: overview.statuses,
            active: overview.active,
            mean_milliseconds: overview.mean_milliseconds,
            broken_tasks: overview.broken_tasks.into_iter().map(BrokenTaskDocument::from).collect(),
        }
    }
}
