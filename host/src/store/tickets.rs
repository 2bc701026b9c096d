//! Tickets and articles as they are found, listed and changed. How they come to be is in [`crate::filing`].

mod articles;
mod change;
mod content;
mod history;
mod openings;
mod rows;
mod vouching;

pub use articles::{Article, add_article, article, article_heads, articles, internal_mail, internal_mails};
pub use change::{merge_into, update};
pub(super) use content::{need_no_mails, read_written};
pub use history::{TicketChange, changes, note_change};
pub use openings::{OpeningPage, TicketOpening, changes_of, openings};
pub use rows::{
    NumberedTicket, ReceivedArticle, change_ticket, index_fields, insert_numbered, insert_received, insert_ticket,
    link, touch,
};

use super::indexed::indexed;
use super::sql::{Sql, contains_pattern, pieces};
use super::{Engine, StoreError};
use postigo_model::configured::UnvouchedNumbers;
use postigo_model::ticket::{
    FollowUpCandidate, FollowUpSearch, FoundTicket, StateType, Ticket, TicketMatch, VouchedBy, WhyFollowUp, states,
};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// The states in which an external number finds a ticket.
fn open_states() -> impl Iterator<Item = &'static str> {
    states().filter(|state| {
        StateType::of(state).is_some_and(|state_type| !state_type.is_done() && state_type != StateType::Merged)
    })
}

const COLUMNS: &str = "ticket.id, ticket.number, ticket.title, ticket.queue, ticket.state, ticket.priority, ticket.type, ticket.service, ticket.sla, \
     ticket.lock_state, ticket.owner, ticket.responsible, ticket.customer_number, ticket.customer_user, ticket.pending_until, ticket.dynamic_fields, \
     ticket.created_at, ticket.changed_at, target.number";
const TABLES: &str = "ticket LEFT JOIN ticket target ON target.id = ticket.merged_into";

fn select() -> Sql {
    Sql::new(format!("SELECT {COLUMNS} FROM {TABLES} WHERE "))
}

fn read(row: &AnyRow) -> Result<Ticket, StoreError> {
    let fields: &str = row.try_get(15)?;
    Ok(Ticket {
        id: row.try_get(0)?,
        number: row.try_get(1)?,
        title: row.try_get(2)?,
        queue: row.try_get(3)?,
        state: row.try_get(4)?,
        priority: row.try_get(5)?,
        r#type: row.try_get(6)?,
        service: row.try_get(7)?,
        sla: row.try_get(8)?,
        lock: row.try_get(9)?,
        owner: row.try_get(10)?,
        responsible: row.try_get(11)?,
        customer_number: row.try_get(12)?,
        customer_user: row.try_get(13)?,
        pending_until: row.try_get(14)?,
        dynamic_fields: serde_json::from_str(fields)
            .map_err(|error| StoreError::Corrupt { what: "ticket", reason: error.to_string() })?,
        created_at: row.try_get(16)?,
        changed_at: row.try_get(17)?,
        merged_into: row.try_get(18)?,
    })
}

/// The ticket with this number (without the hook); a merged one is given as itself.
pub async fn by_number(connection: &mut AnyConnection, number: &str) -> Result<Option<Ticket>, StoreError> {
    select().push("ticket.number = ").bind(number).optional(connection).await?.as_ref().map(read).transpose()
}

/// The ticket with this number, which stays as it is until the transaction ends, but for what that changes.
pub async fn held_by_number(connection: &mut AnyConnection, number: &str) -> Result<Option<Ticket>, StoreError> {
    let lock = lock(connection);
    let mut sql = select();
    sql.push("ticket.number = ").bind(number).push(lock).optional(connection).await?.as_ref().map(read).transpose()
}

/// What a statement that reads a ticket ends with, so that nobody else changes it until the transaction ends.
fn lock(connection: &AnyConnection) -> &'static str {
    match Engine::of(connection) {
        // There is one writer.
        Engine::Sqlite => "",
        Engine::Postgres => " FOR UPDATE OF ticket",
    }
}

/// The ticket with this row id.
pub async fn by_id(connection: &mut AnyConnection, id: i64) -> Result<Option<Ticket>, StoreError> {
    select().push("ticket.id = ").bind(id).optional(connection).await?.as_ref().map(read).transpose()
}

/// The ticket that stands for this one: itself, or what it was merged into.
pub async fn standing_for(
    connection: &mut AnyConnection,
    mut ticket: Ticket,
    lock: &'static str,
) -> Result<Ticket, StoreError> {
    // Merging never makes a ring; the bound is for rows from elsewhere.
    for _ in 0..32 {
        let Some(target) = &ticket.merged_into else { break };
        match select().push("ticket.number = ").bind(target).push(lock).optional(connection).await? {
            Some(row) => ticket = read(&row)?,
            None => break,
        }
    }
    Ok(ticket)
}

/// The first of the candidates that an existing ticket answers to, merged ones followed to their targets, and who
/// vouches for it.
pub async fn find_follow_up(
    connection: &mut AnyConnection,
    search: &FollowUpSearch,
) -> Result<TicketMatch, StoreError> {
    find(connection, search, "", false).await
}

/// [`find_follow_up`] within the transaction that files: the ticket stays as it is until the end, so that two mails
/// that follow it up at once do not undo each other's changes.
pub async fn find_to_follow_up(
    connection: &mut AnyConnection,
    search: &FollowUpSearch,
) -> Result<TicketMatch, StoreError> {
    let lock = lock(connection);
    find(connection, search, lock, true).await
}

async fn find(
    connection: &mut AnyConnection,
    search: &FollowUpSearch,
    lock: &'static str,
    keep: bool,
) -> Result<TicketMatch, StoreError> {
    let unknown = unknown_ids(connection, &search.candidates).await?;
    let mut found = TicketMatch::default();
    for candidate in &search.candidates {
        let mut sql = select();
        let why = match candidate {
            FollowUpCandidate::MessageId(_, id) if unknown.contains(id.as_str()) => continue,
            FollowUpCandidate::MessageId(why, id) => {
                sql.push("ticket.id = (SELECT ticket_id FROM article WHERE message_id <> '' AND message_id = ")
                    .bind(indexed(id));
                sql.push(" ORDER BY id DESC LIMIT 1)");
                *why
            }
            FollowUpCandidate::Number(why, number) => {
                sql.push("ticket.number = ").bind(number);
                *why
            }
            FollowUpCandidate::ExternalNumber { field, value } => {
                sql.push("ticket.id = (SELECT MAX(ticket_field.ticket_id) FROM ticket_field JOIN ticket open_ticket ON open_ticket.id = ticket_field.ticket_id");
                sql.push(" WHERE ticket_field.field = ")
                    .bind(field)
                    .push(" AND ticket_field.value = ")
                    .bind(indexed(value));
                sql.push(" AND open_ticket.state IN ").list(open_states()).push(")");
                WhyFollowUp::ExternalNumber
            }
        };
        if let Some(row) = sql.push(lock).optional(connection).await? {
            let ticket = standing_for(connection, read(&row)?, lock).await?;
            let vouched = vouching::vouched(connection, &ticket, search, candidate, keep).await?;
            let one = FoundTicket { ticket, why, vouched };
            if vouched != VouchedBy::ByNobody || search.unvouched != UnvouchedNumbers::NewTicket {
                return Ok(TicketMatch { follow_up: Some(one), ..found });
            }
            found.passed_over.push(one);
        }
    }
    Ok(found)
}

/// The Message-IDs among the candidates that no article has. One statement for all of them, since most mails refer to
/// many and none is here.
async fn unknown_ids<'c>(
    connection: &mut AnyConnection,
    candidates: &'c [FollowUpCandidate],
) -> Result<HashSet<&'c str>, StoreError> {
    let mut ids: HashSet<&str> = candidates
        .iter()
        .filter_map(|candidate| match candidate {
            FollowUpCandidate::MessageId(_, id) => Some(id.as_str()),
            _ => None,
        })
        .collect();
    if ids.len() < 2 {
        return Ok(HashSet::new());
    }
    let all: HashMap<Cow<'_, str>, &str> = ids.iter().map(|id| (indexed(id), *id)).collect();
    let stored: Vec<&str> = all.keys().map(AsRef::as_ref).collect();
    for piece in pieces(&stored) {
        let mut sql = Sql::new("SELECT message_id FROM article WHERE message_id <> '' AND message_id IN ");
        for row in sql.list(piece.iter().copied()).all(connection).await? {
            if let Some(id) = all.get(row.try_get::<&str, _>(0)?) {
                ids.remove(id);
            }
        }
    }
    Ok(ids)
}

/// Which tickets a list has.
#[derive(Debug, Clone, Default)]
pub struct TicketFilter {
    /// In this queue.
    pub queue: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Of this owner.
    pub owner: Option<String>,
    /// With this lock.
    pub lock: Option<String>,
    /// Of this customer user.
    pub customer_user: Option<String>,
    /// With this text in number or title, case ignored.
    pub search: Option<String>,
    /// Changed at or after this time, milliseconds since the epoch: the list goes from the ticket that was changed first
    /// to the one that was changed last.
    pub changed_since: Option<i64>,
    /// Past the ticket that was changed at this time and has this number, where the list goes by changes.
    pub past: Option<(i64, String)>,
    /// Before the ticket with this row id, where the list goes from the newest to the oldest.
    pub before: Option<i64>,
    /// So many at most.
    pub limit: i64,
}

/// Tickets in their order.
#[derive(Debug, Default)]
pub struct TicketPage {
    /// The rows.
    pub rows: Vec<Ticket>,
    /// Where the time was up: what lies past this ticket was not looked at. None: there are enough rows, or no more.
    pub searched_to: Option<SearchedTickets>,
}

/// How far tickets were looked at, from the newest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchedTickets {
    /// Row id; [`TicketFilter::before`] of the next page.
    pub id: i64,
    /// When the ticket of that id, or the next one, was made; milliseconds since the epoch.
    pub created_at: i64,
}

/// So many row ids are looked at in one step.
const AT_ONCE: i64 = 10_000;

/// The tickets that are asked for and are found within this time, newest first; all of them, by their last changes, where
/// it is those since a time.
pub async fn page(
    connection: &mut AnyConnection,
    filter: &TicketFilter,
    budget: Duration,
) -> Result<TicketPage, StoreError> {
    let TicketFilter { queue, state, owner, lock, customer_user, search, .. } = filter;
    let asks = [queue, state, owner, lock, customer_user, search].into_iter().any(Option::is_some);
    if !asks || filter.changed_since.is_some() {
        return Ok(TicketPage { rows: list(connection, filter).await?, searched_to: None });
    }
    let begun = Instant::now();
    let last = Sql::new("SELECT MAX(id) FROM ticket").one(connection).await?;
    let end = last.try_get::<Option<i64>, _>(0)?.unwrap_or_default().saturating_add(1);
    let mut before = filter.before.map_or(end, |before| before.min(end));
    let mut rows = Vec::new();
    loop {
        let wanted = filter.limit - rows.len() as i64;
        let from = before.saturating_sub(AT_ONCE).max(0);
        let piece = TicketFilter { before: Some(before), limit: wanted, ..filter.clone() };
        rows.extend(list_from(connection, &piece, Some(from)).await?);
        before = from;
        if from == 0 || rows.len() as i64 >= filter.limit {
            return Ok(TicketPage { rows, searched_to: None });
        }
        if begun.elapsed() >= budget {
            let mut sql = Sql::new("SELECT created_at FROM ticket WHERE id >= ");
            let row = sql.bind(before).push(" ORDER BY id LIMIT 1").optional(connection).await?;
            let created_at = row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
            return Ok(TicketPage { rows, searched_to: Some(SearchedTickets { id: before, created_at }) });
        }
    }
}

/// Tickets, newest first; by their last changes where it is those since a time.
pub async fn list(connection: &mut AnyConnection, filter: &TicketFilter) -> Result<Vec<Ticket>, StoreError> {
    list_from(connection, filter, None).await
}

async fn list_from(
    connection: &mut AnyConnection,
    filter: &TicketFilter,
    from: Option<i64>,
) -> Result<Vec<Ticket>, StoreError> {
    let mut sql = select();
    sql.push("1 = 1");
    let equal = [
        ("queue", &filter.queue),
        ("state", &filter.state),
        ("owner", &filter.owner),
        ("lock_state", &filter.lock),
        ("customer_user", &filter.customer_user),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            sql.push(" AND ticket.").push(column).push(" = ").bind(value);
        }
    }
    if let Some(text) = &filter.search {
        let pattern = contains_pattern(&text.to_lowercase());
        sql.push(" AND (LOWER(ticket.title) LIKE ")
            .bind(&pattern)
            .push(" ESCAPE '\\' OR ticket.number LIKE ")
            .bind(&pattern)
            .push(" ESCAPE '\\')");
    }
    if let Some(before) = filter.before {
        sql.push(" AND ticket.id < ").bind(before);
    }
    if let Some(from) = from {
        sql.push(" AND ticket.id >= ").bind(from);
    }
    if let Some((changed_at, number)) = &filter.past {
        sql.push(" AND (ticket.changed_at, ticket.number) > (").bind(*changed_at).push(", ").bind(number).push(")");
    }
    if let Some(since) = filter.changed_since {
        sql.push(" AND ticket.changed_at >= ").bind(since).push(" ORDER BY ticket.changed_at, ticket.number");
    } else {
        sql.push(" ORDER BY ticket.id DESC");
    }
    sql.push(" LIMIT ").bind(filter.limit);
    sql.all(connection).await?.iter().map(read).collect()
}
