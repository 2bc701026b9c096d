//! A message of which is decided what it becomes, and what was made of it.

use crate::store::outgoing::AnswerOutcome;
use bytes::Bytes;
use postigo_mail::DeliveryReport;
use postigo_model::claim::Claim;
use postigo_model::communication::CommunicationRecord;
use postigo_model::configured::NumberGenerator;
use postigo_model::result::MessageResult;
use postigo_model::ticket::Filing;

/// A message that is to be filed.
#[derive(Debug, Clone)]
pub struct FilingInput {
    /// The right to file it: if it is no longer in force, nothing is filed.
    pub claim: Claim,
    /// Its bytes as they came in, where they are at hand: what the article says is kept over them.
    pub mail: Option<Bytes>,
    /// What it becomes.
    pub filing: Filing,
    /// What its source is told; status, numbers and the automatic answer are filled in here.
    pub result: MessageResult,
    /// Its communication, finished; the rows' ids are filled in here.
    pub communication: CommunicationRecord,
    /// What the message reports of a mail that we sent, if it is a delivery report.
    pub report: Option<DeliveryReport>,
    /// How the number of a new ticket is made.
    pub number_generator: NumberGenerator,
    /// Automatic answers that an address gets within a day.
    pub auto_responses_per_day: u32,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// What was filed.
#[derive(Debug, Clone, PartialEq)]
pub struct FiledMessage {
    /// The ticket's row id.
    pub ticket_id: i64,
    /// The ticket's number, without the hook.
    pub number: String,
    /// The article's row id.
    pub article_id: i64,
    /// What became of an automatic answer; none where the queue has none.
    pub answer: Option<AnswerOutcome>,
    /// What the source is told.
    pub result: MessageResult,
}
