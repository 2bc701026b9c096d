//! The one transaction that files messages: what their decisions bring about ([`effect`]), their communications, and
//! their own rows, or nothing of it.
//!
//! What several messages need is written by one statement each, whatever their number: statements, not bytes, are what
//! filing costs.

use super::effect;
use super::message::{FiledMessage, FilingInput};
use super::reports;
use crate::store::outgoing::AnswerOutcome;
use crate::store::spool::MessageEnding;
use crate::store::{StoreError, communications, spool};
use postigo_model::communication::{CommunicationRecord, LogEntry, MailFate, Priority};
use postigo_model::result::MessageStatus;
use postigo_model::spool::SpoolStatus;
use postigo_model::ticket::{AutoResponseStatus, FilingKind};
use sqlx::AnyConnection;

/// Files a message. [`StoreError::Fenced`] if its claim is no longer in force: then the caller's transaction must be
/// rolled back.
pub async fn file(connection: &mut AnyConnection, input: &FilingInput) -> Result<FiledMessage, StoreError> {
    let mut filed = file_all(connection, std::slice::from_ref(input)).await?;
    filed.pop().ok_or(StoreError::Stopped)
}

/// Files messages whose decisions do not depend on each other, all or none; what was filed has their order.
/// [`StoreError::Fenced`] if one claim is no longer in force: then the caller's transaction must be rolled back, and
/// each may be tried alone.
pub async fn file_all(connection: &mut AnyConnection, inputs: &[FilingInput]) -> Result<Vec<FiledMessage>, StoreError> {
    let mut filed = effect::write(connection, inputs).await?;
    let mut endings = Vec::with_capacity(inputs.len());
    let mut records = Vec::with_capacity(inputs.len());
    for (input, filed) in inputs.iter().zip(&mut filed) {
        let (status, spool_status) = match input.filing.kind {
            FilingKind::Rejected(_) => (MessageStatus::Rejected, SpoolStatus::Rejected),
            _ => (MessageStatus::Filed, SpoolStatus::Filed),
        };
        filed.result.status = status;
        let chain = input.communication.chain.as_ref();
        endings.push(MessageEnding::new(input.claim, spool_status, None, &filed.result, chain)?);
        let mut record = CommunicationRecord {
            spool_id: Some(input.claim.id),
            article_id: Some(filed.article_id),
            ticket_number: Some(filed.number.clone()),
            fate: Some(match input.filing.kind {
                FilingKind::NewTicket { .. } => MailFate::Filed,
                FilingKind::FollowUp(_) => MailFate::FollowUp,
                FilingKind::Rejected(_) => MailFate::Rejected,
            }),
            ..input.communication.clone()
        };
        tell_answer(&mut record, input, filed.answer.as_ref());
        if let Some(report) = &input.report {
            reports::mark(connection, report, &mut record, input.now).await?;
        }
        records.push(record);
    }
    communications::save_all(connection, &records).await?;
    spool::end_all(connection, &endings).await?;
    Ok(filed)
}

/// Says whether an automatic answer is due, and if not, by which rule: what the store has counted included.
fn tell_answer(record: &mut CommunicationRecord, input: &FilingInput, answer: Option<&AnswerOutcome>) {
    let occasion = input.filing.occasion.name();
    let full = |(address, count): &(String, i64)| {
        let per_day = input.auto_responses_per_day;
        format!(
            "{address} has had all automatic answers of this day (auto_responses_per_day = {per_day}; {count} were due)"
        )
    };
    let over: Vec<String> = answer.iter().flat_map(|answer| &answer.over_limit).map(full).collect();
    let told = match (&input.filing.auto_response, answer) {
        (Some(plan), Some(AnswerOutcome { status: AutoResponseStatus::Queued, over_limit })) => {
            let to = plan.to.iter().filter(|to| !over_limit.iter().any(|(address, _)| address == *to));
            let to = to.map(String::as_str).collect::<Vec<_>>().join(", ");
            let but = if over.is_empty() { String::new() } else { format!(" Not to all: {}.", over.join("; ")) };
            format!("An automatic answer ({occasion}) to {to} is due.{but}")
        }
        (Some(plan), _) => {
            let why = plan.suppressed.clone().unwrap_or_else(|| over.join("; "));
            format!("No automatic answer ({occasion}): {why}.")
        }
        (None, _) => {
            let queue = &input.filing.ticket.queue;
            format!("No automatic answer ({occasion}): the queue {queue} has none of this type.")
        }
    };
    let key = "auto-response".to_owned();
    record.entries.push(LogEntry { at: input.now, priority: Priority::Info, key, value: told });
}
