//! Names that lists are asked for: one that neither the configuration nor any row has is a mistake, and no empty list.

use super::{ServiceError, configured};
use crate::secret_key::SecretKey;
use crate::spool::{MessageFilter, Spool};
use crate::store::Store;
use crate::store::communications::{self, LogFilter};
use crate::store::tickets::{self, TicketFilter};
use postigo_model::spool::SpoolStatus;
use postigo_model::ticket::{LOCKS, StateType, states};

fn unknown(name: &'static str, what: &str, given: &str, hint: &str) -> ServiceError {
    ServiceError::Argument { name, sentence: format!("There is no {what} \"{given}\"; {hint}.") }
}

/// Of tickets: their queue, state, owner and lock. Who is their customer user may be anybody who never wrote.
pub async fn of_tickets(store: &Store, key: &SecretKey, filter: &TicketFilter) -> Result<(), ServiceError> {
    let TicketFilter { queue, state, owner, lock, .. } = filter;
    if let Some(name) = lock.as_ref().filter(|name| !LOCKS.contains(&name.as_str())) {
        return Err(unknown("lock", "lock", name, &format!("the locks are {}", LOCKS.join(", "))));
    }
    if queue.is_none() && state.is_none() && owner.is_none() {
        return Ok(());
    }
    let configuration = configured::load(store, key).await?;
    let is_any = async |filter: TicketFilter| -> Result<bool, ServiceError> {
        let filter = TicketFilter { limit: 1, ..filter };
        Ok(!tickets::list(&mut *store.read().await?, &filter).await?.is_empty())
    };
    if let Some(name) = queue.as_ref().filter(|name| !configuration.queues.contains_key(*name))
        && !is_any(TicketFilter { queue: Some(name.clone()), ..TicketFilter::default() }).await?
    {
        return Err(unknown("queue", "queue", name, "`postigo queue list` shows those that exist"));
    }
    if let Some(name) = state.as_ref().filter(|name| StateType::of(name).is_none())
        && !is_any(TicketFilter { state: Some(name.clone()), ..TicketFilter::default() }).await?
    {
        let names: Vec<&str> = states().collect();
        return Err(unknown("state", "state", name, &format!("the states are {}", names.join(", "))));
    }
    if let Some(name) = owner.as_ref().filter(|name| !name.is_empty() && !configuration.settings.agents.contains(*name))
        && !is_any(TicketFilter { owner: Some(name.clone()), ..TicketFilter::default() }).await?
    {
        return Err(unknown("owner", "agent", name, "the setting `agents` has their logins"));
    }
    Ok(())
}

/// Of messages in the spool: their account.
pub async fn of_messages(spool: &Spool, key: &SecretKey, filter: &MessageFilter) -> Result<(), ServiceError> {
    let Some(name) = &filter.account else { return Ok(()) };
    if configured::load(spool.store(), key).await?.accounts.contains_key(name) {
        return Ok(());
    }
    let any = MessageFilter {
        account: Some(name.clone()),
        status: SpoolStatus::ALL.to_vec(),
        limit: 1,
        ..MessageFilter::default()
    };
    if spool.list(&any).await?.is_empty() {
        return Err(unknown("account", "account", name, "`postigo account list` shows those that exist"));
    }
    Ok(())
}

/// Of the communication log: a ticket, a filter, the connection that brought messages, and an account or a transport.
pub async fn of_communications(store: &Store, key: &SecretKey, filter: &LogFilter) -> Result<(), ServiceError> {
    if let Some(number) = &filter.ticket
        && tickets::by_number(&mut *store.read().await?, number).await?.is_none()
    {
        return Err(unknown("ticket", "ticket", number, "give its number without the hook"));
    }
    if let Some(name) = &filter.filter
        && !configured::load(store, key).await?.filters.contains_key(name)
        && !communications::has_filter(&mut *store.read().await?, name).await?
    {
        return Err(unknown("filter", "filter", name, "`postigo filter list` shows those that exist"));
    }
    if let Some(id) = &filter.parent
        && !communications::is_there(&mut *store.read().await?, id).await?
    {
        return Err(unknown("parent", "communication", id, "`postigo log list` shows those that are in the log"));
    }
    let Some(name) = &filter.account else { return Ok(()) };
    let configuration = configured::load(store, key).await?;
    if configuration.accounts.contains_key(name) || configuration.transports.contains_key(name) {
        return Ok(());
    }
    if !communications::has_account_or_transport(&mut *store.read().await?, name).await? {
        let hint = "`postigo account list` and `postigo transport list` show those that exist";
        return Err(unknown("account", "account or transport", name, hint));
    }
    Ok(())
}
