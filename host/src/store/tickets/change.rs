//! What people change of a ticket.

use super::{articles, by_number, standing_for};
use crate::store::outgoing::{self, Due};
use crate::store::sql::Sql;
use crate::store::{Store, StoreError, Work};
use crate::ticket::{TicketEdit, is_of_customer, plan_removal};
use postigo_model::configured::Configuration;
use postigo_model::ticket::Ticket;
use postigo_model::timestamp::now;
use sqlx::AnyConnection;

/// The state of a removed ticket.
const REMOVED: &str = "removed";

/// A change, and the configuration that says what else it brings about: the customer of a ticket that is removed is told so.
#[derive(Debug, Clone)]
pub struct Change {
    /// What is changed. It was checked ([`TicketEdit::check`]).
    pub edit: TicketEdit,
    /// The configuration as it is.
    pub configuration: Configuration,
}

/// Changes a ticket, merging included, all or nothing, and gives it as it is afterwards.
pub async fn edit(store: &Store, number: String, change: Change) -> Result<Ticket, StoreError> {
    let work: Work<(String, Change), Ticket> = |(number, change), connection| Box::pin(carry_out(connection, number, change));
    store.write((number, change), work).await
}

/// [`edit`] within a transaction.
pub async fn carry_out(connection: &mut AnyConnection, number: &str, change: &Change) -> Result<Ticket, StoreError> {
    let Change { edit, configuration } = change;
    let removes = edit.state.as_deref() == Some(REMOVED) && edit.merge_into.is_none() && is_kept(connection, number).await?;
    let ticket = update(connection, number, edit).await?;
    if removes {
        tell_removal(connection, &ticket, configuration).await?;
    }
    match &edit.merge_into {
        Some(target) => merge(connection, number, target).await,
        None => Ok(ticket),
    }
}

/// Whether there is such a ticket that is not removed. It writes nothing new, but holds the ticket until the commit: of two that remove it at once one
/// finds it removed.
async fn is_kept(connection: &mut AnyConnection, number: &str) -> Result<bool, StoreError> {
    let mut sql = Sql::new("UPDATE ticket SET changed_at = changed_at WHERE number = ");
    Ok(sql.bind(number).push(" AND state <> ").bind(REMOVED).execute(connection).await? > 0)
}

/// The automatic answer to the customer's last mail, of the kind `remove`, where the queue has one.
async fn tell_removal(connection: &mut AnyConnection, ticket: &Ticket, configuration: &Configuration) -> Result<(), StoreError> {
    let articles = articles(connection, ticket.id).await?;
    let Some(last) = articles.iter().rev().find(|article| is_of_customer(&article.content, configuration)) else { return Ok(()) };
    if let Some(plan) = plan_removal(configuration, ticket, &last.content) {
        let per_day = configuration.settings.auto_responses_per_day;
        outgoing::answer_all(connection, &[Due { plan: &plan, ticket_id: ticket.id, article_id: last.id, now: now(), per_day }]).await?;
    }
    Ok(())
}

fn missing(number: &str) -> StoreError {
    StoreError::NotFound(format!("There is no ticket {number}."))
}

/// Changes a ticket and gives it as it is afterwards.
async fn update(connection: &mut AnyConnection, number: &str, change: &TicketEdit) -> Result<Ticket, StoreError> {
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
        return Err(missing(number));
    }
    by_number(connection, number).await?.ok_or_else(|| missing(number))
}

/// Merges a ticket into another (or into what that was merged into): its articles move, its state is `merged`, follow-ups go to the target. Gives the merged one.
async fn merge(connection: &mut AnyConnection, number: &str, into: &str) -> Result<Ticket, StoreError> {
    let ticket = by_number(connection, number).await?.ok_or_else(|| missing(number))?;
    let named = by_number(connection, into).await?.ok_or_else(|| missing(into))?;
    if let Some(target) = &ticket.merged_into {
        return Err(StoreError::Conflict(format!("Ticket {number} was merged into {target} before. Nothing was changed.")));
    }
    let target = standing_for(connection, named, "").await?;
    if target.id == ticket.id {
        return Err(StoreError::Conflict(format!("Ticket {number} cannot be merged into itself. Nothing was changed.")));
    }
    let mut sql = Sql::new("UPDATE ticket SET state = 'merged', pending_until = NULL, lock_state = 'unlock', merged_into = ");
    sql.bind(target.id).push(", changed_at = ").bind(now()).push(" WHERE id = ").bind(ticket.id).execute(connection).await?;
    Sql::new("UPDATE article SET ticket_id = ").bind(target.id).push(" WHERE ticket_id = ").bind(ticket.id).execute(connection).await?;
    // The people of its new articles are to be read.
    Sql::new("UPDATE ticket SET correspondents_to = 0, changed_at = ")
        .bind(now())
        .push(" WHERE id = ")
        .bind(target.id)
        .execute(connection)
        .await?;
    by_number(connection, number).await?.ok_or_else(|| missing(number))
}
