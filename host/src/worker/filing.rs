//! Filing: the second follow-up check, the decision, and all rows of a message; several messages in one transaction, in their order.

use super::evaluate::Evaluated;
use super::{MessageResult, Status, report};
use crate::commlog::{Communication, Priority};
use crate::mail::FollowedTicket;
use crate::spool::{Claimed, SpoolStatus};
use crate::store::filing::{self, FilingInput};
use crate::store::spool::{self, Ending};
use crate::store::{Store, StoreError, customers, tickets};
use crate::ticket::{self, Circumstances, CustomerLookup, Filing, Ticket, WhyFollowUp};
use sqlx::AnyConnection;
use std::sync::Arc;

/// A message that the chain has seen and that waits for its turn.
pub struct Ready {
    /// The message.
    pub claimed: Arc<Claimed>,
    /// What the chain made of it.
    pub evaluated: Evaluated,
    /// Whether its chain may still run again because of mail filed meanwhile.
    pub may_run_again: bool,
}

/// What became of a message in the transaction.
pub enum Filed {
    /// It is filed, ignored or held.
    Ended(Box<MessageResult>),
    /// By mail filed meanwhile it follows up another ticket than its filters saw: its chain must run again. Nothing was done.
    Again(Option<FollowedTicket>),
}

/// Files messages in their order, in one transaction: all of them, or those before the first whose chain must run again.
pub async fn file(store: &Store, messages: Vec<Arc<Ready>>) -> Result<Vec<Filed>, StoreError> {
    store
        .write(messages, |messages, connection| {
            Box::pin(async move {
                let mut filed = Vec::with_capacity(messages.len());
                for message in messages {
                    filed.push(file_one(connection, message).await?);
                    if matches!(filed.last(), Some(Filed::Again(_))) {
                        break;
                    }
                }
                Ok(filed)
            })
        })
        .await
}

async fn file_one(connection: &mut AnyConnection, message: &Ready) -> Result<Filed, StoreError> {
    let Evaluated { setup, run, candidates, seen, .. } = &message.evaluated;
    let mut communication = report::communication(&message.claimed, &message.evaluated);
    let result = report::result(&message.claimed.source, Some(&communication), &message.evaluated);
    if let Some(filter) = run.held_by.and_then(|position| setup.plan.filters().get(position)) {
        let reason = report::held_by(filter);
        communication.entry(Priority::Error, "worker", format!("The message is held: {reason}"));
        let result = MessageResult { status: Status::Held, error: Some(reason.clone()), ..result };
        return end(connection, message, SpoolStatus::Held, Some(reason), result, communication).await;
    }
    if ticket::is_ignored(&run.mail) {
        communication.entry(Priority::Info, "worker", "Ignored, as X-OTOBO-Ignore says; the message stays in the spool's history.");
        let result = MessageResult { status: Status::Ignored, ..result };
        return end(connection, message, SpoolStatus::Ignored, None, result, communication).await;
    }
    let second = ticket::follow_up_candidates(&run.mail, &setup.configuration.settings);
    let found = tickets::find_follow_up(connection, &second).await?;
    if message.may_run_again && !setup.plan.filters().is_empty() {
        let by_first_check = if second == *candidates { found.clone() } else { tickets::find_follow_up(connection, candidates).await? };
        let now = by_first_check.map(|(ticket, _)| ticket.followed());
        if now != *seen {
            return Ok(Filed::Again(now));
        }
    }
    let filing = decide(connection, &message.evaluated, found).await?;
    report::filing(&mut communication, &filing);
    let input = FilingInput {
        spool_id: message.claimed.id,
        claim: message.claimed.claim,
        result: report::with_filing(result, &filing),
        filing,
        communication: communication.finish(false),
        number_generator: setup.configuration.settings.number_generator,
        auto_responses_per_day: setup.configuration.settings.auto_responses_per_day,
        now: crate::commlog::now(),
    };
    let filed = filing::file(connection, &input).await?;
    Ok(Filed::Ended(Box::new(filed.result)))
}

/// What a message becomes, from what the store knows now.
pub async fn decide(
    connection: &mut AnyConnection,
    evaluated: &Evaluated,
    found: Option<(Ticket, WhyFollowUp)>,
) -> Result<Filing, StoreError> {
    let Evaluated { setup, run, .. } = evaluated;
    let query = ticket::customer_query(&run.mail);
    let mut customers = CustomerLookup::default();
    if let Some(login) = &query.login {
        customers.by_login = customers::by_login(connection, login).await?;
    }
    // Who sent it is asked of a follow-up too: the ticket's customer never answers internal mails.
    if let Some(sender) = query.sender.as_ref().filter(|_| query.login.is_none() || found.is_some()) {
        customers.by_sender = customers::by_email(connection, sender).await?;
    }
    let internal_mails = match &found {
        Some((ticket, _)) => tickets::internal_mails(connection, ticket.id).await?,
        None => Vec::new(),
    };
    let circumstances = Circumstances {
        configuration: &setup.configuration,
        follow_up: found.as_ref().map(|(ticket, why)| (ticket, *why)),
        customers: &customers,
        internal_mails: &internal_mails,
        now: crate::commlog::now(),
    };
    Ok(ticket::decide(&run.mail, &circumstances))
}

async fn end(
    connection: &mut AnyConnection,
    message: &Ready,
    status: SpoolStatus,
    reason: Option<String>,
    result: MessageResult,
    communication: Communication,
) -> Result<Filed, StoreError> {
    let communication = communication.finish(status == SpoolStatus::Held);
    let ending = Ending { id: message.claimed.id, claim: message.claimed.claim, status, reason, result, communication };
    spool::end(connection, &ending).await?;
    Ok(Filed::Ended(Box::new(ending.result)))
}
