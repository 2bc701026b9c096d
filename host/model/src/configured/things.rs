//! The configured things, under the names that the configuration file and the REST API use.

use super::{AnswerMapping, ClassifierMode};
use crate::guest::Grant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Whether a configured thing is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Validity {
    /// In use (`true`).
    #[default]
    Valid,
    /// Kept but not in use (`false`).
    Invalid,
    /// Not in use for now (`"temporarily-invalid"`).
    TemporarilyInvalid,
}

/// What becomes of a follow-up to a closed ticket (OTOBO: follow-up option of the queue).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FollowUpOption {
    /// It opens the ticket again.
    #[default]
    Possible,
    /// The article is kept, the ticket stays closed.
    Reject,
    /// It becomes a new ticket.
    NewTicket,
}

/// A follow-up check, in the order in which they always run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FollowUpCheck {
    /// A delivery report that names a stored Message-ID.
    Bounce,
    /// The number after the hook in the subject.
    Subject,
    /// In-Reply-To and References.
    References,
    /// The number in the body.
    Body,
    /// The number in attachments.
    Attachment,
    /// The number anywhere in the raw mail.
    Raw,
    /// Another system's number in a dynamic field; on wherever `external_number_field` is set.
    ExternalNumber,
}

/// What becomes of a mail above `max_message_size`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Oversize {
    /// It stays on the server; the log says so.
    #[default]
    Leave,
    /// It is deleted on the server; the log says so.
    DeleteAndLog,
    /// Its sender is answered.
    Refuse,
}

/// How ticket numbers are made (OTOBO: `Ticket::NumberGenerator`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NumberGenerator {
    /// Date, counter, check digit.
    #[default]
    DateChecksum,
    /// Date and counter.
    Date,
    /// A counter.
    AutoIncrement,
    /// Ten random digits.
    Random,
    /// Date and sixteen digits that nobody can guess. Not among the peer's.
    Unguessable,
}

/// What becomes of a mail that names a ticket by its number, where nobody vouches for that: it refers to none of the
/// ticket's mails, and who sent it is in none of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnvouchedNumbers {
    /// It follows the ticket up: whoever names a number may.
    Accept,
    /// It follows the ticket up; its article is marked, and there is a warning.
    #[default]
    Mark,
    /// As [`Self::Mark`], and customers do not see the article.
    Internal,
    /// It becomes a new ticket, as if there were no such number.
    NewTicket,
}

/// The display name that agents' mail goes out under (OTOBO: `Ticket::DefineEmailFrom`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DefineEmailFrom {
    /// That of the system address: `Support <support@example.org>`.
    #[default]
    SystemAddressName,
    /// The agent's, and that of the system address: `anna via Support <support@example.org>`.
    AgentNameSystemAddressName,
    /// The agent's: `anna <support@example.org>`.
    AgentName,
}

/// The general settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Queue where nothing else decides.
    pub default_queue: String,
    /// `Ticket#`.
    pub ticket_hook: String,
    /// Between hook and number; empty by default.
    pub ticket_hook_divider: String,
    /// How ticket numbers are made.
    pub number_generator: NumberGenerator,
    /// Seconds between two fetches of an account that names no interval.
    pub poll_interval: u64,
    /// Sorted.
    pub follow_up_checks: Vec<FollowUpCheck>,
    /// What becomes of follow-ups that nobody vouches for.
    pub unvouched_numbers: UnvouchedNumbers,
    /// What agents' mail is called in From.
    pub define_email_from: DefineEmailFrom,
    /// Ticket types; the first is the default.
    pub types: Vec<String>,
    /// Services.
    pub services: Vec<String>,
    /// Service level agreements.
    pub slas: Vec<String>,
    /// Logins of agents.
    pub agents: Vec<String>,
    /// Bytes.
    pub max_message_size: u64,
    /// What becomes of larger ones.
    pub oversize: Oversize,
    /// So many messages may wait in the spool; beyond, listeners take no more for now. 0: no limit.
    pub spool_limit: u32,
    /// Bytes of an uploaded component.
    pub max_component_size: u64,
    /// A dynamic field; empty: off.
    pub external_number_field: String,
    /// Seconds that a communication is kept, by outcome (`successful`, `failed`).
    pub log_retention: BTreeMap<String, u64>,
    /// Seconds that received bytes are kept; 0: as long as their ticket.
    pub raw_retention: u64,
    /// Seconds that it is kept in full what became of a message of the spool; 0: for good.
    pub spool_retention: u64,
    /// So many versions of each configured thing are kept, 20 at least.
    pub kept_versions: u32,
    /// Seconds that a job is kept after its end, with its result; 0: for good.
    pub job_retention: u64,
    /// Automatic answers to one address within a day.
    pub auto_responses_per_day: u32,
    /// Automatic answers to all addresses within an hour; 0: no limit.
    pub auto_responses_per_hour: u32,
    /// Addresses that get no automatic answers, case ignored; `*` stands for anything (OTOBO:
    /// `SendNoAutoResponseRegExp`).
    pub auto_responses_refused: Vec<String>,
    /// Seconds after which an automatic answer that could not be composed yet is not sent any more; 0: it always is.
    pub auto_responses_max_age: u64,
    /// Names of hosts (authserv-ids, RFC 8601) whose Authentication-Results are believed.
    pub authentication_results_from: Vec<String>,
    /// How outgoing mail is tried again.
    pub outbound: Retries,
}

/// How the pauses between two tries of an outgoing mail grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Retry {
    /// Each is twice the one before.
    #[default]
    Growing,
    /// Attempt × increment (OTOBO: `MailQueue::IncrementAttemptDelayInMinutes`).
    Linear,
}

/// How outgoing mail is tried again after a temporary failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// How the pauses grow.
    pub retry: Retry,
    /// Seconds of the first pause.
    pub retry_increment: u64,
    /// Seconds of the longest pause.
    pub retry_longest: u64,
    /// Seconds after which a mail is given up (RFC 5321, section 4.5.4.1: 4 to 5 days).
    pub retry_for: u64,
    /// So many tries at most (OTOBO: `MailQueue::ItemMaxAttempts`); 0: as many as the time allows.
    pub attempts: u32,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            retry_increment: 60,
            retry_longest: 4 * 3_600,
            retry_for: 5 * 86_400,
            attempts: 0,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_queue: "Raw".into(),
            ticket_hook: "Ticket#".into(),
            ticket_hook_divider: String::new(),
            number_generator: NumberGenerator::default(),
            poll_interval: 600,
            follow_up_checks: vec![FollowUpCheck::Bounce, FollowUpCheck::Subject, FollowUpCheck::References],
            unvouched_numbers: UnvouchedNumbers::default(),
            define_email_from: DefineEmailFrom::default(),
            types: vec!["Unclassified".into()],
            services: Vec::new(),
            slas: Vec::new(),
            agents: Vec::new(),
            max_message_size: 32 << 20,
            oversize: Oversize::default(),
            spool_limit: 0,
            max_component_size: 32 << 20,
            external_number_field: String::new(),
            log_retention: [("successful".to_owned(), 7 * 86_400), ("failed".to_owned(), 30 * 86_400)].into(),
            raw_retention: 0,
            spool_retention: 90 * 86_400,
            kept_versions: 100,
            job_retention: 30 * 86_400,
            auto_responses_per_day: 40,
            auto_responses_per_hour: 1_000,
            auto_responses_refused: ["*MAILER-DAEMON@*.*", "*postmaster@*.*", "*abuse@*.*"].map(str::to_owned).into(),
            auto_responses_max_age: 2 * 86_400,
            authentication_results_from: Vec::new(),
            outbound: Retries::default(),
        }
    }
}

/// A queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// Unique.
    pub name: String,
    /// For tickets that are closed.
    pub follow_up: FollowUpOption,
    /// Whether a follow-up locks a ticket that was closed.
    pub follow_up_lock: bool,
    /// The system address it sends from.
    pub address: Option<String>,
    /// Template.
    pub salutation: String,
    /// Template.
    pub signature: String,
    /// What belongs here, for people and for classifiers.
    pub description: String,
    /// Words that mails which belong here often have, for people and for classifiers.
    pub keywords: Vec<String>,
    /// For admins.
    pub comment: String,
    /// In use?
    pub valid: Validity,
}

/// An address of the helpdesk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemAddress {
    /// Unique, case ignored.
    pub address: String,
    /// For the From header.
    pub display_name: String,
    /// The queue that mail to it is dispatched to.
    pub queue: String,
    /// In use?
    pub valid: Validity,
    /// For admins.
    pub comment: String,
}

/// A dynamic field of tickets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicField {
    /// Unique.
    pub name: String,
    /// Whether it takes several values.
    pub multiple: bool,
}

/// A customer user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerUser {
    /// Unique.
    pub login: String,
    /// Looked up by sender address, case ignored.
    pub email: String,
    /// The customer's number.
    pub customer_number: String,
    /// For templates.
    pub first_name: String,
    /// For templates.
    pub last_name: String,
    /// The language that automatic answers are chosen by: `de`, `pt-BR`; empty: not known.
    pub language: String,
}

/// The occasion of an automatic answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AutoResponseType {
    /// A new ticket.
    #[default]
    Reply,
    /// A follow-up.
    FollowUp,
    /// A follow-up that the queue refuses.
    Reject,
    /// A follow-up that became a new ticket.
    ReplyNewTicket,
    /// A removed ticket.
    Remove,
}

impl AutoResponseType {
    /// Its word in files, rows and sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::FollowUp => "follow-up",
            Self::Reject => "reject",
            Self::ReplyNewTicket => "reply-new-ticket",
            Self::Remove => "remove",
        }
    }
}

/// An automatic answer of a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AutoResponse {
    /// Unique.
    pub name: String,
    /// Its occasion (`type` in the file).
    pub occasion: AutoResponseType,
    /// Its queue.
    pub queue: String,
    /// The language it is written in (`de`, `pt-BR`): of several answers for one occasion of a queue the customer gets
    /// his; empty: for everybody else.
    pub language: String,
    /// Template.
    pub subject: String,
    /// Template.
    pub body: String,
}

/// What a template for agents is for (OTOBO: template type).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateType {
    /// Replies, and mails of an existing ticket.
    #[default]
    Answer,
    /// Forwarded articles.
    Forward,
    /// New tickets.
    Create,
}

/// A text that agents write from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    /// Unique.
    pub name: String,
    /// What it is for (`type` in the file).
    pub purpose: TemplateType,
    /// The queues that it is for; empty: all.
    pub queues: Vec<String>,
    /// Template; empty: the subject that the mail would have without it.
    pub subject: String,
    /// Template.
    pub body: String,
    /// For admins.
    pub comment: String,
    /// In use?
    pub valid: Validity,
}

/// What becomes of a mail when a filter fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailurePolicy {
    /// The chain goes on.
    #[default]
    Skip,
    /// The mail waits in the spool for an admin.
    Hold,
    /// The chain stops, the mail is filed.
    Stop,
}

/// A postmaster filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Unique; filters run in byte order of their names.
    pub name: String,
    /// As it is shown once it is settled: the name of a shipped component, `name@version` of an uploaded one (its
    /// digest, after `sha256:`, where another has the same). Before that as it was written.
    pub component: String,
    /// SHA-256 of the uploaded component that was meant when `component` was settled, hexadecimal; none for a shipped
    /// one.
    pub digest: Option<String>,
    /// Whether a match ends the chain.
    pub stop_after_match: bool,
    /// What a failure does.
    pub on_failure: FailurePolicy,
    /// In use?
    pub valid: Validity,
    /// For admins.
    pub comment: String,
    /// None: a shipped component has what it asks for, an uploaded one nothing.
    pub grants: Option<Vec<Grant>>,
    /// Limits.
    pub limits: crate::guest::GuestLimits,
    /// Of a classifier, how far its answers go; none: as by default.
    pub mode: Option<ClassifierMode>,
    /// Of a classifier, whether it is asked about follow-ups, too.
    pub follow_ups: bool,
    /// Of a classifier, so many pieces of the mail that spoke for an answer are kept with it.
    pub evidence: u32,
    /// Of a classifier, what follows from its answers.
    pub answer: Vec<AnswerMapping>,
    /// What the component's schema says; an object.
    pub settings: serde_json::Value,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            name: String::new(),
            component: String::new(),
            digest: None,
            stop_after_match: false,
            on_failure: FailurePolicy::default(),
            valid: Validity::default(),
            comment: String::new(),
            grants: None,
            limits: crate::guest::GuestLimits::default(),
            mode: None,
            follow_ups: false,
            evidence: 0,
            answer: Vec::new(),
            settings: serde_json::Value::Object(serde_json::Map::new()),
        }
    }
}
