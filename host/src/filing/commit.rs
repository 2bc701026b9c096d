//! The one transaction that files messages: what their decisions bring about ([`effect`]), their communications, and
//! their own rows, or nothing of it.
//!
//! What several messages need is written by one statement each, whatever their number: statements, not bytes, are what
//! filing costs.

use super::effect;
use super::message::{FiledMessage, FilingInput};
use super::reports;
use crate::store::spool::MessageEnding;
use crate::store::{StoreError, communications, spool};
use postigo_model::communication::{CommunicationRecord, LogEntry, Priority};
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
        endings.push(MessageEnding::new(input.claim, spool_status, None, &filed.result)?);
        let mut record = CommunicationRecord {
            spool_id: Some(input.claim.id),
            article_id: Some(filed.article_id),
            ..input.communication.clone()
        };
        record.entries.extend(held_back(input, filed.auto_response));
        if let Some(report) = &input.report {
            reports::mark(connection, report, &mut record, input.now).await?;
        }
        records.push(record);
    }
    communications::save_all(connection, &records).await?;
    spool::end_all(connection, &endings).await?;
    Ok(filed)
}

/// That an answer which was due is not sent: the only limit that filing itself counts is the day's.
fn held_back(input: &FilingInput, answer: Option<AutoResponseStatus>) -> Option<LogEntry> {
    let plan = input.filing.auto_response.as_ref()?;
    if plan.suppressed.is_some() || answer != Some(AutoResponseStatus::Suppressed) {
        return None;
    }
    let told = format!(
        "Automatic answer \"{}\" is suppressed after all: {} has had all automatic answers of this day (auto_responses_per_day)",
        plan.name,
        plan.to.join(", ")
    );
    Some(LogEntry { at: input.now, priority: Priority::Info, key: "auto-response".to_owned(), value: told })
}
