//! Mail that is handed in, and messages in the spool: submitted, waited for, shown, sent the whole way again, dropped.

mod document;

pub use document::SpoolDocument;

use super::{ServiceError, configured, names};
use crate::secret_key::SecretKey;
use crate::spool::{MessageFilter, Spool, SpoolMessage};
use bytes::Bytes;
use postigo_model::actor::Actor;
use postigo_model::configured::Account;
use postigo_model::result::{MessageResult, MessageStatus};
use postigo_model::spool::{Arrival, SourceKey, SpoolStatus, TakenIn};
use postigo_model::timestamp::now;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// Another host may work on the account: the database is asked this often.
const ASKED: Duration = Duration::from_millis(250);

/// A mail that is handed in.
pub struct Submission {
    /// The account that it counts as fetched by.
    pub account: String,
    /// Its bytes.
    pub raw: Bytes,
    /// Who hands it in, as it is noted beside it.
    pub source: String,
    /// Whether that is an admin: a trusted account's mails decide by their own headers what becomes of them.
    pub is_admin: bool,
}

/// What became of a mail that was handed in.
pub enum Became {
    /// It was worked on.
    Done(MessageResult),
    /// This very mail had been handed in before, and that became of it.
    Before(MessageResult),
    /// It is durable, and not worked on yet.
    OnItsWay,
}

/// Hands a mail in: it is durable when this returns.
pub async fn submit(spool: &Spool, key: &SecretKey, submission: Submission) -> Result<TakenIn, ServiceError> {
    check(spool, key, &submission).await?;
    let Submission { account, raw, source, .. } = submission;
    let arrival = Arrival {
        account,
        key: SourceKey::Digest,
        source,
        received_at: now(),
        recipients: Vec::new(),
        communication: None,
        raw,
    };
    let taken_in = spool.take_in(vec![arrival]).await?;
    taken_in
        .first()
        .copied()
        .ok_or_else(|| ServiceError::Failed("the spool took a message in and did not say so".to_owned()))
}

async fn check(spool: &Spool, key: &SecretKey, submission: &Submission) -> Result<(), ServiceError> {
    let Submission { account: name, raw, is_admin, .. } = submission;
    let configuration = configured::load(spool.store(), key).await?;
    let account: &Account = configured::find(&configuration, name)?;
    if !account.valid.is_valid() {
        return Err(ServiceError::NotValid { what: "account".to_owned(), name: name.clone() });
    }
    if account.trusted && !is_admin {
        return Err(ServiceError::NotAllowed(format!(
            "The account \"{name}\" is trusted; only an admin may hand mail in for it."
        )));
    }
    let (size, most) = (raw.len(), configuration.settings.max_message_size);
    if size as u64 > most {
        return Err(ServiceError::TooLarge(format!(
            "The mail has {size} bytes; the setting `max_message_size` allows {most}."
        )));
    }
    Ok(())
}

/// What became of a mail that was handed in, waited for so long at most.
pub async fn wait(spool: &Spool, taken_in: TakenIn, patience: Duration) -> Result<Became, ServiceError> {
    let Some(ended) = ended(spool, taken_in.id(), patience).await? else { return Ok(Became::OnItsWay) };
    if spool.told_here(&[taken_in]).await?.is_empty() {
        return Ok(Became::Before(ended.duplicate(taken_in.id())));
    }
    Ok(Became::Done(ended.result))
}

async fn ended(spool: &Spool, id: i64, patience: Duration) -> Result<Option<EndedMessage>, ServiceError> {
    let mut changes = spool.changed();
    let end = Instant::now() + patience;
    loop {
        changes.mark_unchanged();
        if let Some(message) = spool.results(&[id]).await?.remove(&id) {
            return Ok(Some(message.into()));
        }
        let now = Instant::now();
        if now >= end {
            return Ok(None);
        }
        // A change, or the time to ask again, whichever comes first.
        let _ = tokio::time::timeout_at(end.min(now + ASKED), changes.changed()).await;
    }
}

/// What became of a message that is no longer on its way.
#[derive(Debug, Clone)]
pub struct EndedMessage {
    /// Its result; in the spool's words where there is none.
    pub result: MessageResult,
    /// Whether it was dropped after that.
    pub was_dropped: bool,
}

impl From<MessageResult> for EndedMessage {
    fn from(result: MessageResult) -> Self {
        Self { result, was_dropped: false }
    }
}

impl From<SpoolMessage> for EndedMessage {
    fn from(message: SpoolMessage) -> Self {
        let SpoolMessage { source, reason, result, status, .. } = message;
        let told = || MessageResult::held(&source, reason.unwrap_or_else(|| "It was dropped.".to_owned()));
        Self { result: result.unwrap_or_else(told), was_dropped: status == SpoolStatus::Dropped }
    }
}

impl EndedMessage {
    /// The result of a mail that was here before, as the message of this id: what that became.
    pub fn duplicate(self, id: i64) -> MessageResult {
        let Self { result: earlier, was_dropped } = self;
        let status = serde_json::json!(earlier.status);
        let is_filed =
            matches!(earlier.status, MessageStatus::Filed | MessageStatus::Rejected | MessageStatus::Duplicate);
        let stands = match status.as_str().filter(|_| !is_filed) {
            _ if was_dropped => Some("was dropped".to_owned()),
            status => status.map(|status| format!("is {status}")),
        };
        let told = |stands| format!("This message was here before and {stands}: see message {id} of the spool.");
        let warnings = stands.map(told).into_iter().collect();
        MessageResult { status: MessageStatus::Duplicate, auto_response: None, warnings, ..earlier }
    }
}

/// Messages in the order of their arrival.
pub async fn list(spool: &Spool, key: &SecretKey, filter: MessageFilter) -> Result<Vec<SpoolDocument>, ServiceError> {
    let found = spool.list(&filter).await?;
    if found.is_empty() {
        names::of_messages(spool, key, &filter).await?;
    }
    Ok(found.into_iter().map(SpoolDocument::from).collect())
}

/// A message of the spool, with what became of it.
pub async fn show(spool: &Spool, id: i64) -> Result<SpoolDocument, ServiceError> {
    let found = spool.show(id).await?.map(SpoolDocument::from);
    found.ok_or_else(|| ServiceError::Missing { what: "message".to_owned(), name: id.to_string() })
}

/// The received bytes of a message, unchanged.
pub async fn raw(spool: &Spool, id: i64) -> Result<Vec<u8>, ServiceError> {
    show(spool, id).await?;
    Ok(spool.raw(id).await?)
}

/// Sends held, failed or ignored messages the whole way again, noted as done by `by`; gives the accounts that have something to do by that.
pub async fn release(spool: &Spool, ids: Vec<i64>, by: &Actor) -> Result<BTreeSet<String>, ServiceError> {
    let mut accounts = BTreeSet::new();
    for id in &ids {
        accounts.extend(spool.show(*id).await?.map(|message| message.account));
    }
    spool.release(ids, by).await?;
    Ok(accounts)
}

/// Drops messages with their bytes, noted as done by `by`.
pub async fn drop(spool: &Spool, ids: Vec<i64>, by: &Actor) -> Result<(), ServiceError> {
    Ok(spool.drop(ids, by).await?)
}
