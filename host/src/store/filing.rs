//! The one transaction that makes a message a ticket or follow-up: ticket, article, automatic answer, communication, and the message's own row, or nothing of it.

use super::outgoing::{self, Occasion};
use super::sql::{Sql, Value};
use super::{StoreError, communications, numbers, spool};
use crate::commlog::Record;
use crate::config::NumberGenerator;
use crate::spool::SpoolStatus;
use crate::ticket::{AutoResponseStatus, Filing, FilingKind, NewArticle, Ticket};
use crate::worker::{MessageResult, Status};
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

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
    let filing = &input.filing;
    let (ticket_id, number) = match &filing.kind {
        FilingKind::NewTicket { linked_to } => {
            let (id, number) = new_ticket(connection, input).await?;
            if let Some(other) = linked_to {
                let mut sql = Sql::new("INSERT INTO ticket_link (ticket_id, other_id) VALUES ");
                sql.tuple::<2>([id.into(), (*other).into()]).execute(connection).await?;
            }
            insert_fields(connection, id, &filing.ticket.dynamic_fields).await?;
            (id, number)
        }
        FilingKind::FollowUp(_) => {
            change_ticket(connection, &filing.ticket, input.now).await?;
            (filing.ticket.id, filing.ticket.number.clone())
        }
        FilingKind::Rejected(_) => (filing.ticket.id, filing.ticket.number.clone()),
    };
    let article_id = insert_article(connection, ticket_id, input).await?;
    let occasion = Occasion { ticket_id, article_id, now: input.now, per_day: input.auto_responses_per_day };
    let auto_response = match &filing.auto_response {
        Some(plan) => Some(outgoing::answer(connection, plan, occasion).await?),
        None => None,
    };
    let (status, spool_status) = match filing.kind {
        FilingKind::Rejected(_) => (Status::Rejected, SpoolStatus::Rejected),
        _ => (Status::Filed, SpoolStatus::Filed),
    };
    let result = MessageResult {
        status,
        ticket_number: Some(number.clone()),
        ticket_id: Some(ticket_id),
        article_id: Some(article_id),
        auto_response,
        ..input.result.clone()
    };
    let record = Record { spool_id: Some(input.spool_id), article_id: Some(article_id), ..input.communication.clone() };
    communications::save(connection, &record).await?;
    spool::finish(connection, (input.spool_id, input.claim), spool_status, None, &json(&result)?).await?;
    Ok(Filed { ticket_id, number, article_id, auto_response, result })
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt { what: "message", reason: error.to_string() })
}

/// Inserts a ticket under the next free number.
async fn new_ticket(connection: &mut AnyConnection, input: &FilingInput) -> Result<(i64, String), StoreError> {
    let ticket = &input.filing.ticket;
    // A number can be taken already where another generator was in use before, or by chance: then the next one is tried.
    for _ in 0..1_000 {
        let number = numbers::next_number(connection, input.number_generator, input.now).await?;
        let mut sql = Sql::new(
            "INSERT INTO ticket (number, title, queue, state, priority, type, service, sla, lock_state, owner, responsible, customer_number, customer_user, pending_until, dynamic_fields, created_at, changed_at) VALUES ",
        );
        sql.tuple::<17>([
            (&number).into(),
            (&ticket.title).into(),
            (&ticket.queue).into(),
            (&ticket.state).into(),
            (&ticket.priority).into(),
            (&ticket.r#type).into(),
            (&ticket.service).into(),
            (&ticket.sla).into(),
            (&ticket.lock).into(),
            (&ticket.owner).into(),
            (&ticket.responsible).into(),
            (&ticket.customer_number).into(),
            (&ticket.customer_user).into(),
            ticket.pending_until.into(),
            json(&ticket.dynamic_fields)?.into(),
            input.now.into(),
            input.now.into(),
        ]);
        sql.push(" ON CONFLICT (number) DO NOTHING RETURNING id");
        if let Some(row) = sql.optional(connection).await? {
            return Ok((row.try_get(0)?, number));
        }
    }
    Err(StoreError::Conflict("No free ticket number was found in 1,000 tries: choose another number generator.".into()))
}

async fn insert_fields(connection: &mut AnyConnection, ticket_id: i64, fields: &BTreeMap<String, Vec<String>>) -> Result<(), StoreError> {
    let rows: Vec<[Value; 3]> =
        fields.iter().flat_map(|(field, values)| values.iter().map(move |value| [ticket_id.into(), field.into(), value.into()])).collect();
    for piece in super::sql::pieces(&rows) {
        let mut sql = Sql::new("INSERT INTO ticket_field (ticket_id, field, value) VALUES ");
        for (place, row) in piece.iter().enumerate() {
            sql.push(if place == 0 { "" } else { ", " }).tuple(row.clone());
        }
        sql.execute(connection).await?;
    }
    Ok(())
}

/// A follow-up's changes. Where it was merged meanwhile, the article still goes to the ticket that was decided on.
async fn change_ticket(connection: &mut AnyConnection, ticket: &Ticket, now: i64) -> Result<(), StoreError> {
    let fields = json(&ticket.dynamic_fields)?;
    let mut sql = Sql::new("UPDATE ticket SET title = ");
    sql.bind(&ticket.title).push(", queue = ").bind(&ticket.queue).push(", state = ").bind(&ticket.state);
    sql.push(", priority = ").bind(&ticket.priority).push(", type = ").bind(&ticket.r#type);
    sql.push(", service = ").bind(&ticket.service).push(", sla = ").bind(&ticket.sla);
    sql.push(", lock_state = ")
        .bind(&ticket.lock)
        .push(", owner = ")
        .bind(&ticket.owner)
        .push(", responsible = ")
        .bind(&ticket.responsible);
    sql.push(", customer_number = ").bind(&ticket.customer_number).push(", customer_user = ").bind(&ticket.customer_user);
    sql.push(", pending_until = ").bind(ticket.pending_until).push(", dynamic_fields = ").bind(&fields).push(", changed_at = ").bind(now);
    if sql.push(" WHERE id = ").bind(ticket.id).execute(connection).await? == 0 {
        return Err(StoreError::NotFound(format!("Ticket {} is gone.", ticket.number)));
    }
    if !ticket.dynamic_fields.is_empty() {
        Sql::new("DELETE FROM ticket_field WHERE ticket_id = ").bind(ticket.id).execute(connection).await?;
        insert_fields(connection, ticket.id, &ticket.dynamic_fields).await?;
    }
    Ok(())
}

async fn insert_article(connection: &mut AnyConnection, ticket_id: i64, input: &FilingInput) -> Result<i64, StoreError> {
    let article: &NewArticle = &input.filing.article;
    let mut sql =
        Sql::new("INSERT INTO article (ticket_id, spool_id, created_at, sender_type, visible_for_customer, message_id, detail) VALUES ");
    sql.tuple::<7>([
        ticket_id.into(),
        input.spool_id.into(),
        input.now.into(),
        (&article.sender_type).into(),
        article.visible_for_customer.into(),
        (&article.message_id).into(),
        json(article)?.into(),
    ]);
    Ok(sql.push(" RETURNING id").one(connection).await?.try_get(0)?)
}
