//! What people changed of tickets, and who: rows that are written with the change.

use crate::store::StoreError;
use crate::store::sql::{Sql, Value};
use postigo_model::ticket::FieldDifference;
use sqlx::{AnyConnection, Row};

/// So many changes of a ticket are shown, the latest ones.
const SHOWN: i64 = 500;

/// A field of a ticket that somebody changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketChange {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// As a ticket is shown: `queue`, `state`.
    pub field: String,
    /// The value before; none: there was none.
    pub earlier: Option<String>,
    /// The value since; none: there is none.
    pub later: Option<String>,
}

/// Notes what somebody changed of a ticket, by its row id.
pub async fn note_change(
    connection: &mut AnyConnection,
    ticket: i64,
    differences: &[FieldDifference],
    actor: &str,
    at: i64,
) -> Result<(), StoreError> {
    if differences.is_empty() {
        return Ok(());
    }
    let row = |one: &FieldDifference| -> [Value; 6] {
        [ticket.into(), at.into(), actor.into(), one.field.into(), (&one.earlier).into(), (&one.later).into()]
    };
    let mut sql = Sql::new("INSERT INTO ticket_change (ticket_id, at, actor, field, earlier, later) VALUES ");
    sql.tuples(differences.iter().map(row)).execute(connection).await?;
    Ok(())
}

/// What people changed of a ticket, by its row id: the latest changes, the earliest of them first.
pub async fn changes(connection: &mut AnyConnection, ticket: i64) -> Result<Vec<TicketChange>, StoreError> {
    let mut sql = Sql::new("SELECT at, actor, field, earlier, later FROM ticket_change WHERE ticket_id = ");
    let rows = sql.bind(ticket).push(" ORDER BY id DESC LIMIT ").bind(SHOWN).all(connection).await?;
    let read = |row: &sqlx::any::AnyRow| {
        Ok(TicketChange {
            at: row.try_get(0)?,
            actor: row.try_get(1)?,
            field: row.try_get(2)?,
            earlier: row.try_get(3)?,
            later: row.try_get(4)?,
        })
    };
    rows.iter().rev().map(read).collect()
}
