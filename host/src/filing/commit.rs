//! The one transaction that makes messages tickets or follow-ups: ticket, article, automatic answer, communication, and the message's own row, or nothing of it.
//!
//! What several messages need is written by one statement each, whatever their number: statements, not bytes, are what filing costs.

use super::numbers::{self, Unnumbered};
use super::reports;
use crate::store::outgoing::{self, Due};
use crate::store::spool::Finished;
use crate::store::tickets::{ReceivedArticle, change_ticket, index_fields, insert_received, link};
use crate::store::{StoreError, communications, json, spool};
use postigo_mail::DeliveryReport;
use postigo_model::communication::{Entry, Priority, Record};
use postigo_model::configured::NumberGenerator;
use postigo_model::result::{MessageResult, Status};
use postigo_model::spool::SpoolStatus;
use postigo_model::ticket::{AutoResponseStatus, Filing, FilingKind};
use sqlx::AnyConnection;

/// A message that is to be filed.
#[derive(Debug, Clone)]
pub struct FilingInput {
    /// Its row in the spool.
    pub spool_id: i64,
    /// The claim's token: if it is no longer in force, nothing is filed.
    pub claim: i64,
    /// What it becomes.
    pub filing: Filing,
    /// What its source is told; status, numbers and the automatic answer are filled in here.
    pub result: MessageResult,
    /// Its communication, finished; the rows' ids are filled in here.
    pub communication: Record,
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
pub struct Filed {
    /// The ticket's row id.
    pub ticket_id: i64,
    /// The ticket's number, without the hook.
    pub number: String,
    /// The article's row id.
    pub article_id: i64,
    /// Whether an automatic answer goes out; none where the queue has none.
    pub auto_response: Option<AutoResponseStatus>,
    /// What the source is told.
    pub result: MessageResult,
}

/// Files a message. [`StoreError::Fenced`] if its claim is no longer in force: then the caller's transaction must be rolled back.
pub async fn file(connection: &mut AnyConnection, input: &FilingInput) -> Result<Filed, StoreError> {
    let mut filed = file_all(connection, std::slice::from_ref(input)).await?;
    filed.pop().ok_or(StoreError::Stopped)
}

/// Files messages whose decisions do not depend on each other, all or none; what was filed has their order. [`StoreError::Fenced`] if one claim is no longer in
/// force: then the caller's transaction must be rolled back, and each may be tried alone.
pub async fn file_all(connection: &mut AnyConnection, inputs: &[FilingInput]) -> Result<Vec<Filed>, StoreError> {
    let tickets = tickets(connection, inputs).await?;
    let articles: Vec<ReceivedArticle<'_>> = inputs
        .iter()
        .zip(&tickets)
        .map(|(input, (ticket_id, _))| ReceivedArticle {
            ticket_id: *ticket_id,
            spool_id: input.spool_id,
            article: &input.filing.article,
            now: input.now,
        })
        .collect();
    let articles = insert_received(connection, &articles).await?;
    let mut filed: Vec<Filed> = Vec::with_capacity(inputs.len());
    for ((input, (ticket_id, number)), article_id) in inputs.iter().zip(tickets).zip(articles) {
        filed.push(Filed { ticket_id, number, article_id, auto_response: None, result: input.result.clone() });
    }
    answer(connection, inputs, &mut filed).await?;
    let mut finished = Vec::with_capacity(inputs.len());
    let mut records = Vec::with_capacity(inputs.len());
    for (input, filed) in inputs.iter().zip(&mut filed) {
        let (status, spool_status) = match input.filing.kind {
            FilingKind::Rejected(_) => (Status::Rejected, SpoolStatus::Rejected),
            _ => (Status::Filed, SpoolStatus::Filed),
        };
        let result = &mut filed.result;
        result.status = status;
        result.ticket_number = Some(filed.number.clone());
        result.ticket_id = Some(filed.ticket_id);
        result.article_id = Some(filed.article_id);
        result.auto_response = filed.auto_response;
        finished.push(Finished {
            id: input.spool_id,
            claim: input.claim,
            status: spool_status,
            reason: String::new(),
            result: json("message", result)?,
        });
        let mut record = Record { spool_id: Some(input.spool_id), article_id: Some(filed.article_id), ..input.communication.clone() };
        record.entries.extend(held_back(input, filed.auto_response));
        if let Some(report) = &input.report {
            reports::mark(connection, report, &mut record, input.now).await?;
        }
        records.push(record);
    }
    communications::save_all(connection, &records).await?;
    spool::finish_all(connection, &finished).await?;
    Ok(filed)
}

/// Makes or changes the ticket of each message; gives row id and number of each.
async fn tickets(connection: &mut AnyConnection, inputs: &[FilingInput]) -> Result<Vec<(i64, String)>, StoreError> {
    let new = inputs.iter().filter(|input| matches!(input.filing.kind, FilingKind::NewTicket { .. }));
    let new: Vec<Unnumbered<'_>> =
        new.map(|input| Unnumbered { generator: input.number_generator, ticket: &input.filing.ticket, now: input.now }).collect();
    let mut made = numbers::insert(connection, &new).await?.into_iter();
    let mut tickets = Vec::with_capacity(inputs.len());
    let mut links = Vec::new();
    let mut fields = Vec::new();
    for input in inputs {
        let ticket = &input.filing.ticket;
        match &input.filing.kind {
            FilingKind::NewTicket { linked_to } => {
                let (id, number) = made.next().ok_or(StoreError::Stopped)?;
                links.extend(linked_to.map(|other| (id, other)));
                fields.push((id, ticket));
                tickets.push((id, number));
            }
            kind => {
                if matches!(kind, FilingKind::FollowUp(_)) {
                    change_ticket(connection, ticket, input.now).await?;
                    fields.push((ticket.id, ticket));
                }
                tickets.push((ticket.id, ticket.number.clone()));
            }
        }
    }
    link(connection, &links).await?;
    index_fields(connection, &fields).await?;
    Ok(tickets)
}

async fn answer(connection: &mut AnyConnection, inputs: &[FilingInput], filed: &mut [Filed]) -> Result<(), StoreError> {
    let mut places = Vec::new();
    let mut due = Vec::new();
    for (place, (input, filed)) in inputs.iter().zip(filed.iter()).enumerate() {
        if let Some(plan) = &input.filing.auto_response {
            places.push(place);
            let (ticket_id, article_id) = (filed.ticket_id, filed.article_id);
            due.push(Due { plan, ticket_id, article_id, now: input.now, per_day: input.auto_responses_per_day });
        }
    }
    let answers = outgoing::answer_all(connection, &due).await?;
    for (place, answer) in places.into_iter().zip(answers) {
        if let Some(filed) = filed.get_mut(place) {
            filed.auto_response = Some(answer);
        }
    }
    Ok(())
}

/// That an answer which was due is not sent: the only limit that filing itself counts is the day's.
fn held_back(input: &FilingInput, answer: Option<AutoResponseStatus>) -> Option<Entry> {
    let plan = input.filing.auto_response.as_ref()?;
    if plan.suppressed.is_some() || answer != Some(AutoResponseStatus::Suppressed) {
        return None;
    }
    let told = format!(
        "Automatic answer \"{}\" is suppressed after all: {} has had all automatic answers of this day (auto_responses_per_day)",
        plan.name,
        plan.to.join(", ")
    );
    Some(Entry { at: input.now, priority: Priority::Info, key: "auto-response".to_owned(), value: told })
}
