//! What people change of a ticket, and what else that brings about, in one transaction.

use super::answer::{is_of_customer, plan_removal};
use crate::store::outgoing::{self, DueResponse};
use crate::store::tickets::{articles, by_number, held_by_number, merge_into, note_change, standing_for, update};
use crate::store::{Store, StoreError, WriteWork};
use postigo_model::actor::Actor;
use postigo_model::configured::Configuration;
use postigo_model::ticket::{AutoResponseStatus, REMOVED, Ticket, TicketEdit};
use postigo_model::timestamp::now;
use sqlx::AnyConnection;

/// A change, who makes it, and the configuration that says what else it brings about: the customer of a ticket that is
/// removed is told so.
#[derive(Debug, Clone)]
pub struct TicketUpdate {
    /// What is changed. It was checked ([`TicketEdit::check`]).
    pub edit: TicketEdit,
    /// Who changes it: noted with each field that has another value since.
    pub actor: Actor,
    /// The configuration as it is.
    pub configuration: Configuration,
}

/// Changes a ticket, merging included, all or nothing, and gives it as it is afterwards.
pub async fn edit(store: &Store, number: String, change: TicketUpdate) -> Result<Ticket, StoreError> {
    let work: WriteWork<(String, TicketUpdate), Ticket> =
        |(number, change), connection| Box::pin(carry_out(connection, number, change));
    store.write((number, change), work).await
}

/// [`edit`] within a transaction.
pub(super) async fn carry_out(
    connection: &mut AnyConnection,
    number: &str,
    change: &TicketUpdate,
) -> Result<Ticket, StoreError> {
    let TicketUpdate { edit, actor, configuration } = change;
    let before = held_by_number(connection, number).await?.ok_or_else(|| missing(number))?;
    let removes = edit.state.as_deref() == Some(REMOVED) && edit.merge_into.is_none() && before.state != REMOVED;
    let ticket = update(connection, number, edit).await?.ok_or_else(|| missing(number))?;
    if removes {
        tell_removal(connection, &ticket, configuration).await?;
    }
    let after = match &edit.merge_into {
        Some(target) => merge(connection, number, target).await?,
        None => ticket,
    };
    let differences = before.differences(&after);
    note_change(connection, before.id, &differences, &actor.to_string(), now()).await?;
    Ok(after)
}

/// The automatic answer to the customer's last mail, of the kind `remove`, where the queue has one.
async fn tell_removal(
    connection: &mut AnyConnection,
    ticket: &Ticket,
    configuration: &Configuration,
) -> Result<(), StoreError> {
    let articles = articles(connection, ticket.id).await?;
    let Some(last) = articles.iter().rev().find(|article| is_of_customer(&article.content, configuration)) else {
        return Ok(());
    };
    if let Some(plan) = plan_removal(configuration, ticket, &last.content) {
        let per_day = configuration.settings.auto_responses_per_day;
        let due = DueResponse { plan: &plan, ticket_id: ticket.id, article_id: last.id, now: now(), per_day };
        let outcome = outgoing::answer_all(connection, &[due]).await?.pop();
        if outcome.is_none_or(|outcome| outcome.status == AutoResponseStatus::Suppressed) {
            // The mail was filed long ago: its communication leads to this row.
            let had_all = || {
                let to = plan.to.join(", ");
                format!("{to} has had all automatic answers of this day (auto_responses_per_day = {per_day})")
            };
            let why = plan.suppressed.clone().unwrap_or_else(had_all);
            outgoing::note_unsent(connection, &due, &format!("No automatic answer (remove): {why}.")).await?;
        }
    }
    Ok(())
}

fn missing(number: &str) -> StoreError {
    StoreError::NotFound(format!("There is no ticket {number}."))
}

/// Merges a ticket into another (or into what that was merged into): its articles move, its state is `merged`,
/// follow-ups go to the target. Gives the merged one.
async fn merge(connection: &mut AnyConnection, number: &str, into: &str) -> Result<Ticket, StoreError> {
    let ticket = by_number(connection, number).await?.ok_or_else(|| missing(number))?;
    let named = by_number(connection, into).await?.ok_or_else(|| missing(into))?;
    if let Some(target) = &ticket.merged_into {
        return Err(StoreError::Conflict(format!(
            "Ticket {number} was merged into {target} before. Nothing was changed."
        )));
    }
    let target = standing_for(connection, named, "").await?;
    if target.id == ticket.id {
        return Err(StoreError::Conflict(format!(
            "Ticket {number} cannot be merged into itself. Nothing was changed."
        )));
    }
    merge_into(connection, ticket.id, target.id).await?.ok_or_else(|| missing(number))
}
