//! Filing: the second follow-up check, the decision, and all rows of a message; several messages in one transaction, in
//! their order.

use super::evaluate::EvaluatedMessage;
use super::report;
use crate::commlog::Communication;
use crate::filing;
use crate::filing::follow_up_search;
use crate::filing::{Batch, FilingInput};
use crate::filing::{Circumstances, CustomerLookup, CustomerQuery};
use crate::store::spool::{self, MessageEnding};
use crate::store::{Store, StoreError, customers, tickets};
use postigo_mail::delivery_report;
use postigo_model::communication::{MailFate, Priority};
use postigo_model::configured::CustomerUser;
use postigo_model::mailbox::Mailbox;
use postigo_model::result::{MessageResult, MessageStatus};
use postigo_model::spool::{ClaimedMessage, SpoolStatus};
use postigo_model::ticket::Filing;
use postigo_model::ticket::FollowedTicket;
use postigo_model::ticket::TicketMatch;
use sqlx::AnyConnection;
use std::collections::HashMap;
use std::sync::Arc;

/// A message that the chain has seen and that waits for its turn.
pub struct Ready {
    /// The message.
    pub claimed: Arc<ClaimedMessage>,
    /// What the chain made of it.
    pub evaluated: EvaluatedMessage,
    /// Whether its chain may still run again because of mail filed meanwhile.
    pub may_run_again: bool,
}

/// What became of a message in the transaction.
pub enum FilingResult {
    /// It is filed, ignored or held.
    Ended(Box<MessageResult>),
    /// A filter read which ticket it follows up, and by mail filed meanwhile that is another one, or changed: its chain
    /// must run again. Nothing was done.
    Again(Option<Box<FollowedTicket>>),
}

/// Files messages in their order, in one transaction: all of them, or those before the first whose chain must run
/// again.
pub async fn file(store: &Store, messages: Vec<Arc<Ready>>) -> Result<Vec<FilingResult>, StoreError> {
    for message in &messages {
        match message.evaluated.setup.note_plan(store).await {
            Err(error) if !error.is_temporary() => {
                tracing::warn!(%error, "the log cannot say by which version of the plan a message was judged");
            }
            noted => noted?,
        }
    }
    store.write(messages, |messages, connection| Box::pin(file_in_order(connection, messages))).await
}

async fn file_in_order(
    connection: &mut AnyConnection,
    messages: &[Arc<Ready>],
) -> Result<Vec<FilingResult>, StoreError> {
    let customers = Customers::of(connection, messages.iter().map(|message| &message.evaluated)).await?;
    let mut batch = Batch::default();
    let mut steps = Vec::with_capacity(messages.len());
    for message in messages {
        steps.push(file_one(connection, &mut batch, &customers, message).await?);
        if matches!(steps.last(), Some(Some(FilingResult::Again(_)))) {
            break;
        }
    }
    let mut written = batch.finish(connection).await?.into_iter();
    let filed = |step: Option<FilingResult>| {
        step.or_else(|| written.next().map(|filed| FilingResult::Ended(Box::new(filed.result))))
    };
    Ok(steps.into_iter().map_while(filed).collect())
}

/// Decides what a message becomes; none: it is gathered, and written with those that were gathered before it.
async fn file_one(
    connection: &mut AnyConnection,
    batch: &mut Batch,
    customers: &Customers,
    message: &Ready,
) -> Result<Option<FilingResult>, StoreError> {
    let EvaluatedMessage { setup, run, search, seen, .. } = &message.evaluated;
    let mut communication = report::communication(&message.claimed, &message.evaluated);
    let result = report::result(&message.claimed.source, Some(&communication), &message.evaluated);
    if let Some(filter) = run.held_by.and_then(|position| setup.plan.filters().get(position)) {
        let reason = report::held_by(filter);
        report::not_read(&mut communication, &result);
        communication.entry(Priority::Error, "worker", format!("The message is held: {reason}"));
        communication.came_to(MailFate::Held);
        let result = MessageResult { status: MessageStatus::Held, error: Some(reason.clone()), ..result };
        return end(connection, message, SpoolStatus::Held, Some(reason), result, communication).await.map(Some);
    }
    if filing::is_ignored(&run.mail) {
        report::not_read(&mut communication, &result);
        communication.entry(
            Priority::Info,
            "worker",
            "Ignored, as X-OTOBO-Ignore says; the message stays in the spool's history.",
        );
        communication.came_to(MailFate::Ignored);
        let result = MessageResult { status: MessageStatus::Ignored, ..result };
        return end(connection, message, SpoolStatus::Ignored, None, result, communication).await.map(Some);
    }
    let second = follow_up_search(&run.mail, &setup.configuration);
    let found = batch.find_follow_up(connection, &second).await?;
    if message.may_run_again && run.mail.ticket_was_read() {
        let by_first_check =
            if second == *search { found.clone() } else { batch.find_follow_up(connection, search).await? };
        let now = by_first_check.follow_up.map(|found| found.ticket.followed());
        if now != *seen {
            return Ok(Some(FilingResult::Again(now.map(Box::new))));
        }
    }
    let filing = decide(connection, customers, &message.evaluated, found).await?;
    report::filing(&mut communication, &filing);
    batch.push(FilingInput {
        claim: message.claimed.claim,
        mail: Some(run.mail.message().raw().clone()),
        result: report::with_filing(result, &filing),
        filing,
        communication: communication.finish(false),
        report: delivery_report(run.mail.message()),
        number_generator: setup.configuration.settings.number_generator,
        auto_responses_per_day: setup.configuration.settings.auto_responses_per_day,
        now: postigo_model::timestamp::now(),
    });
    Ok(None)
}

/// What a message becomes, from what the store knows now.
pub async fn decide(
    connection: &mut AnyConnection,
    customers: &Customers,
    evaluated: &EvaluatedMessage,
    found: TicketMatch,
) -> Result<Filing, StoreError> {
    let EvaluatedMessage { setup, run, .. } = evaluated;
    let internal_mails = match &found.follow_up {
        Some(found) => tickets::internal_mails(connection, found.ticket.id).await?,
        None => Vec::new(),
    };
    let circumstances = Circumstances {
        configuration: &setup.configuration,
        found: &found,
        customers: &customers.lookup(&filing::customer_query(&run.mail), found.follow_up.is_some()),
        internal_mails: &internal_mails,
        now: postigo_model::timestamp::now(),
    };
    Ok(filing::decide(&run.mail, &circumstances))
}

/// The customer users that the messages of one transaction may be from.
pub struct Customers {
    by_login: HashMap<String, CustomerUser>,
    by_sender: HashMap<Mailbox, CustomerUser>,
}

impl Customers {
    /// Asks the store for them.
    pub async fn of(
        connection: &mut AnyConnection,
        messages: impl Iterator<Item = &EvaluatedMessage>,
    ) -> Result<Self, StoreError> {
        let (mut logins, mut senders) = (Vec::new(), Vec::new());
        for evaluated in messages {
            let CustomerQuery { login, sender } = filing::customer_query(&evaluated.run.mail);
            logins.extend(login);
            senders.extend(sender.map(|sender| Mailbox::of(&sender)));
        }
        Ok(Self {
            by_login: customers::with_logins(connection, logins).await?,
            by_sender: customers::with_emails(connection, senders).await?,
        })
    }

    /// `follows_up`: then it counts who sent the mail, whatever login it names: the ticket's customer never answers
    /// internal mails.
    fn lookup(&self, query: &CustomerQuery, follows_up: bool) -> CustomerLookup {
        let by_login = query.login.as_ref().and_then(|login| self.by_login.get(login)).cloned();
        let sender = query.sender.as_ref().filter(|_| query.login.is_none() || follows_up);
        CustomerLookup {
            by_sender: sender.and_then(|sender| self.by_sender.get(&Mailbox::of(sender))).cloned(),
            by_login,
        }
    }
}

async fn end(
    connection: &mut AnyConnection,
    message: &Ready,
    status: SpoolStatus,
    reason: Option<String>,
    result: MessageResult,
    communication: Communication,
) -> Result<FilingResult, StoreError> {
    let communication = communication.finish(status == SpoolStatus::Held);
    let ending = MessageEnding::new(message.claimed.claim, status, reason, &result, communication.chain.as_ref())?;
    spool::end(connection, &ending, &communication).await?;
    Ok(FilingResult::Ended(Box::new(result)))
}
