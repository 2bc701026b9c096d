//! Tickets with the mails that opened them, and what people changed of them: what classifiers learn from.

use super::{COLUMNS, TABLES, Ticket, read};
use crate::store::StoreError;
use crate::store::sql::{Sql, pieces};
use sqlx::{AnyConnection, Row};
use std::collections::HashMap;

/// A ticket that a mail opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketOpening {
    /// As it is now.
    pub ticket: Ticket,
    /// Where the bytes of its first mail are: row id of the spool.
    pub spool_id: i64,
    /// That mail's Message-ID with its angle brackets; empty where it has none.
    pub message_id: String,
}

/// A page of tickets from the newest on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpeningPage {
    /// Those that a mail opened.
    pub openings: Vec<TicketOpening>,
    /// Row id of the last ticket that was looked at, and when it was made; none: there is no other.
    pub last: Option<(i64, i64)>,
}

/// The tickets before this row id, the newest first, at most so many of them: those that a mail opened. A merged one has no mail of
/// its own any more.
pub async fn openings(connection: &mut AnyConnection, before: i64, limit: i64) -> Result<OpeningPage, StoreError> {
    let mut sql = Sql::new(format!(
        "SELECT {COLUMNS}, opening.spool_id, opening.message_id FROM {TABLES} LEFT JOIN article opening \
         ON opening.id = (SELECT MIN(article.id) FROM article WHERE article.ticket_id = ticket.id) WHERE ticket.id < "
    ));
    let rows = sql.bind(before).push(" ORDER BY ticket.id DESC LIMIT ").bind(limit).all(connection).await?;
    let mut page = OpeningPage::default();
    for row in &rows {
        let ticket = read(row)?;
        page.last = Some((ticket.id, ticket.created_at));
        if let Some(spool_id) = row.try_get::<Option<i64>, _>(19)?.filter(|spool_id| *spool_id != 0) {
            let message_id = row.try_get::<Option<String>, _>(20)?.unwrap_or_default();
            page.openings.push(TicketOpening { ticket, spool_id, message_id });
        }
    }
    Ok(page)
}

/// What people changed of these tickets, by row id, in the order of time: field and value since.
pub async fn changes_of(
    connection: &mut AnyConnection,
    tickets: &[i64],
) -> Result<HashMap<i64, Vec<(String, Option<String>)>>, StoreError> {
    let mut changes: HashMap<i64, Vec<(String, Option<String>)>> = HashMap::new();
    for piece in pieces(tickets) {
        let mut sql = Sql::new("SELECT ticket_id, field, later FROM ticket_change WHERE ticket_id IN ");
        for row in sql.list(piece.iter().copied()).push(" ORDER BY id").all(connection).await? {
            changes.entry(row.try_get(0)?).or_default().push((row.try_get(1)?, row.try_get(2)?));
        }
    }
    Ok(changes)
}
