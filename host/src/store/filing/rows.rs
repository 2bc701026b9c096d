//! The rows of tickets and articles.

use super::{FilingInput, json};
use crate::store::indexed::indexed;
use crate::store::sql::{Sql, Value, pieces};
use crate::store::{StoreError, numbers};
use postigo_model::ticket::{FilingKind, Ticket};
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeMap, HashMap};

/// Makes or changes the ticket of each message; gives row id and number of each.
pub async fn tickets(connection: &mut AnyConnection, inputs: &[FilingInput]) -> Result<Vec<(i64, String)>, StoreError> {
    let new: Vec<&FilingInput> = inputs.iter().filter(|input| matches!(input.filing.kind, FilingKind::NewTicket { .. })).collect();
    let mut made = new_tickets(connection, &new).await?.into_iter();
    let mut tickets = Vec::with_capacity(inputs.len());
    let mut links: Vec<[Value; 2]> = Vec::new();
    let mut fields: Vec<[Value; 3]> = Vec::new();
    for input in inputs {
        let ticket = &input.filing.ticket;
        match &input.filing.kind {
            FilingKind::NewTicket { linked_to } => {
                let (id, number) = made.next().ok_or(StoreError::Stopped)?;
                links.extend(linked_to.map(|other| [id.into(), other.into()]));
                fields.extend(field_rows(id, &ticket.dynamic_fields));
                tickets.push((id, number));
            }
            kind => {
                if matches!(kind, FilingKind::FollowUp(_)) {
                    change_ticket(connection, ticket, input.now).await?;
                    fields.extend(field_rows(ticket.id, &ticket.dynamic_fields));
                }
                tickets.push((ticket.id, ticket.number.clone()));
            }
        }
    }
    insert(connection, "INSERT INTO ticket_link (ticket_id, other_id) VALUES ", &links).await?;
    insert(connection, "INSERT INTO ticket_field (ticket_id, field, value) VALUES ", &fields).await?;
    Ok(tickets)
}

async fn insert<const N: usize>(connection: &mut AnyConnection, text: &str, rows: &[[Value; N]]) -> Result<(), StoreError> {
    for piece in pieces(rows) {
        Sql::new(text).tuples(piece.iter().cloned()).execute(connection).await?;
    }
    Ok(())
}

fn field_rows(ticket_id: i64, fields: &BTreeMap<String, Vec<String>>) -> impl Iterator<Item = [Value; 3]> {
    fields.iter().flat_map(move |(field, values)| values.iter().map(move |value| [ticket_id.into(), field.into(), indexed(value).into()]))
}

const INSERT_TICKETS: &str = "INSERT INTO ticket (number, title, queue, state, priority, type, service, sla, lock_state, owner, responsible, customer_number, customer_user, pending_until, dynamic_fields, created_at, changed_at) VALUES ";

/// Inserts tickets under the next free numbers.
async fn new_tickets(connection: &mut AnyConnection, inputs: &[&FilingInput]) -> Result<Vec<(i64, String)>, StoreError> {
    let mut made: Vec<Option<(i64, String)>> = vec![None; inputs.len()];
    // A number can be taken already where another generator was in use before, or by chance: then the next one is tried.
    for _ in 0..1_000 {
        let open: Vec<usize> = (0..made.len()).filter(|place| made[*place].is_none()).collect();
        let Some(first) = open.first().and_then(|place| inputs.get(*place)) else {
            return Ok(made.into_iter().flatten().collect());
        };
        let numbers = numbers::take(connection, first.number_generator, first.now, open.len()).await?;
        let numbered: Vec<(usize, String)> = open.into_iter().zip(numbers).collect();
        let mut ids = HashMap::new();
        for piece in pieces(&numbered) {
            let mut sql = Sql::new(INSERT_TICKETS);
            let mut rows = Vec::with_capacity(piece.len());
            for (place, number) in piece {
                rows.push(ticket_row(number, &inputs[*place].filing.ticket, inputs[*place].now)?);
            }
            sql.tuples(rows).push(" ON CONFLICT (number) DO NOTHING RETURNING number, id");
            for row in sql.all(connection).await? {
                ids.insert(row.try_get::<String, _>(0)?, row.try_get::<i64, _>(1)?);
            }
        }
        for (place, number) in numbered {
            made[place] = ids.remove(&number).map(|id| (id, number));
        }
    }
    Err(StoreError::Conflict("No free ticket number was found in 1,000 tries: choose another number generator.".into()))
}

/// Inserts a ticket under the number that it has, with its dynamic fields; gives its row id, or none where the number is taken.
pub async fn insert_ticket(connection: &mut AnyConnection, ticket: &Ticket, now: i64) -> Result<Option<i64>, StoreError> {
    let mut sql = Sql::new(INSERT_TICKETS);
    let row = sql
        .tuple(ticket_row(&ticket.number, ticket, now)?)
        .push(" ON CONFLICT (number) DO NOTHING RETURNING id")
        .optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let id = row.try_get(0)?;
    let fields: Vec<[Value; 3]> = field_rows(id, &ticket.dynamic_fields).collect();
    insert(connection, "INSERT INTO ticket_field (ticket_id, field, value) VALUES ", &fields).await?;
    Ok(Some(id))
}

fn ticket_row(number: &str, ticket: &Ticket, now: i64) -> Result<[Value; 17], StoreError> {
    Ok([
        number.into(),
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
        now.into(),
        now.into(),
    ])
}

/// A follow-up's changes.
async fn change_ticket(connection: &mut AnyConnection, ticket: &Ticket, now: i64) -> Result<(), StoreError> {
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
    sql.push(", pending_until = ").bind(ticket.pending_until).push(", dynamic_fields = ").bind(json(&ticket.dynamic_fields)?);
    sql.push(", changed_at = ").bind(now).push(" WHERE id = ").bind(ticket.id);
    if sql.execute(connection).await? == 0 {
        return Err(StoreError::NotFound(format!("Ticket {} is gone.", ticket.number)));
    }
    if !ticket.dynamic_fields.is_empty() {
        Sql::new("DELETE FROM ticket_field WHERE ticket_id = ").bind(ticket.id).execute(connection).await?;
    }
    Ok(())
}

/// Inserts the article of each message; gives their row ids.
pub async fn articles(connection: &mut AnyConnection, inputs: &[FilingInput], tickets: &[(i64, String)]) -> Result<Vec<i64>, StoreError> {
    let mut rows: Vec<[Value; 8]> = Vec::with_capacity(inputs.len());
    for (input, (ticket_id, _)) in inputs.iter().zip(tickets) {
        let article = &input.filing.article;
        rows.push([
            (*ticket_id).into(),
            input.spool_id.into(),
            input.now.into(),
            (&article.sender_type).into(),
            article.visible_for_customer.into(),
            indexed(&article.message_id).into(),
            (!article.vouches()).into(),
            json(article)?.into(),
        ]);
    }
    let mut ids = HashMap::new();
    for piece in pieces(&rows) {
        let mut sql = Sql::new(
            "INSERT INTO article (ticket_id, spool_id, created_at, sender_type, visible_for_customer, message_id, unvouched, detail) VALUES ",
        );
        for row in sql.tuples(piece.iter().cloned()).push(" RETURNING spool_id, id").all(connection).await? {
            ids.insert(row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?);
        }
    }
    inputs.iter().map(|input| ids.get(&input.spool_id).copied().ok_or(StoreError::Fenced)).collect()
}
