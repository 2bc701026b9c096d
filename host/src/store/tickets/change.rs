//! What people change of a ticket, statement by statement; which change means what is in [`crate::filing`].

use super::{by_id, by_number};
use crate::store::StoreError;
use crate::store::sql::Sql;
use postigo_model::ticket::{Ticket, TicketEdit};
use postigo_model::timestamp::now;
use sqlx::AnyConnection;

/// Changes a ticket and gives it as it is afterwards; none where there is no such ticket.
pub async fn update(
    connection: &mut AnyConnection,
    number: &str,
    change: &TicketEdit,
) -> Result<Option<Ticket>, StoreError> {
    let mut sql = Sql::new("UPDATE ticket SET changed_at = ");
    sql.bind(now());
    let columns = [("state", &change.state), ("queue", &change.queue), ("lock_state", &change.lock)];
    for (column, value) in columns {
        if let Some(value) = value {
            sql.push(", ").push(column).push(" = ").bind(value);
        }
    }
    if let Some(owner) = &change.owner {
        sql.push(", owner = ").bind((!owner.is_empty()).then(|| owner.clone()));
    }
    if change.state.as_ref().is_some_and(|state| !state.starts_with("pending")) {
        sql.push(", pending_until = NULL");
    }
    if sql.push(" WHERE number = ").bind(number).execute(connection).await? == 0 {
        return Ok(None);
    }
    by_number(connection, number).await
}

/// Lets another ticket stand for this one, by row ids: its articles move, its state is `merged`. Gives it as it is
/// afterwards.
pub async fn merge_into(
    connection: &mut AnyConnection,
    ticket: i64,
    target: i64,
) -> Result<Option<Ticket>, StoreError> {
    let mut sql =
        Sql::new("UPDATE ticket SET state = 'merged', pending_until = NULL, lock_state = 'unlock', merged_into = ");
    sql.bind(target).push(", changed_at = ").bind(now()).push(" WHERE id = ").bind(ticket).execute(connection).await?;
    Sql::new("UPDATE article SET ticket_id = ")
        .bind(target)
        .push(" WHERE ticket_id = ")
        .bind(ticket)
        .execute(connection)
        .await?;
    // The people of its new articles are to be read.
    Sql::new("UPDATE ticket SET correspondents_to = 0, changed_at = ")
        .bind(now())
        .push(" WHERE id = ")
        .bind(target)
        .execute(connection)
        .await?;
    by_id(connection, ticket).await
}
