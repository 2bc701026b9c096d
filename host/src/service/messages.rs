//! Mail that is handed in, and messages in the spool: submitted, waited for, shown, sent the whole way again, dropped.

use super::Refused;
use crate::secret_key::SecretKey;
use crate::spool::{Spool, SpoolMessage};
use crate::store::configuration;
use bytes::Bytes;
use postigo_model::result::{MessageResult, Status};
use postigo_model::spool::{Arrival, SourceKey, TakenIn};
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
pub async fn submit(spool: &Spool, key: &SecretKey, submission: Submission) -> Result<TakenIn, Refused> {
    check(spool, key, &submission).await?;
    let Submission { account, raw, source, .. } = submission;
    let arrival = Arrival { account, key: SourceKey::Digest, source, received_at: now(), recipients: Vec::new(), communication: None, raw };
    let taken_in = spool.take_in(vec![arrival]).await?;
    taken_in.first().copied().ok_or_else(|| Refused::Failed("the spool took a message in and did not say so".to_owned()))
}

async fn check(spool: &Spool, key: &SecretKey, submission: &Submission) -> Result<(), Refused> {
    let Submission { account: name, raw, is_admin, .. } = submission;
    let configuration = configuration::load(spool.store(), key).await?;
    let what = || "account".to_owned();
    let Some(account) = configuration.accounts.get(name) else {
        return Err(Refused::Missing { what: what(), name: name.clone() });
    };
    if !account.valid.is_valid() {
        return Err(Refused::NotValid { what: what(), name: name.clone() });
    }
    if account.trusted && !is_admin {
        return Err(Refused::NotAllowed(format!("The account \"{name}\" is trusted; only an admin may hand mail in for it.")));
    }
    let (size, most) = (raw.len(), configuration.settings.max_message_size);
    if size as u64 > most {
        return Err(Refused::TooLarge(format!("The mail has {size} bytes; the setting `max_message_size` allows {most}.")));
    }
    Ok(())
}

/// What became of a mail that was handed in, waited for so long at most.
pub async fn wait(spool: &Spool, taken_in: TakenIn, patience: Duration) -> Result<Became, Refused> {
    let Some(result) = result(spool, taken_in.id(), patience).await? else { return Ok(Became::OnItsWay) };
    if spool.told_here(&[taken_in]).await?.is_empty() {
        return Ok(Became::Before(MessageResult { status: Status::Duplicate, ..result }));
    }
    Ok(Became::Done(result))
}

async fn result(spool: &Spool, id: i64, patience: Duration) -> Result<Option<MessageResult>, Refused> {
    let mut changes = spool.changed();
    let end = Instant::now() + patience;
    loop {
        changes.mark_unchanged();
        if let Some(message) = spool.results(&[id]).await?.remove(&id) {
            // A message that was dropped has no result; then it is what the spool says.
            let told = || MessageResult { source: message.source, error: message.reason, ..MessageResult::default() };
            return Ok(Some(message.result.unwrap_or_else(told)));
        }
        let now = Instant::now();
        if now >= end {
            return Ok(None);
        }
        // A change, or the time to ask again, whichever comes first.
        let _ = tokio::time::timeout_at(end.min(now + ASKED), changes.changed()).await;
    }
}

/// A message of the spool, with what became of it.
pub async fn show(spool: &Spool, id: i64) -> Result<SpoolMessage, Refused> {
    spool.show(id).await?.ok_or_else(|| Refused::Missing { what: "message".to_owned(), name: id.to_string() })
}

/// Sends held, failed or ignored messages the whole way again; gives the accounts that have something to do by that.
pub async fn release(spool: &Spool, ids: Vec<i64>) -> Result<BTreeSet<String>, Refused> {
    let mut accounts = BTreeSet::new();
    for id in &ids {
        accounts.extend(spool.show(*id).await?.map(|message| message.account));
    }
    spool.release(ids).await?;
    Ok(accounts)
}

/// Drops messages with their bytes.
pub async fn drop(spool: &Spool, ids: Vec<i64>) -> Result<(), Refused> {
    Ok(spool.drop(ids).await?)
}
