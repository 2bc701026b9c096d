//! A fetch now: whoever holds the account is asked for it, here or on another host. The database is all that the hosts
//! share.

use super::Refused;
use crate::spool::leases;
use crate::store::{Store, fetch_requests};
use postigo_model::configured::Account;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How long it is waited for the end of the fetch.
#[derive(Debug, Clone, Copy)]
pub enum Patience {
    /// So long at most, whether anybody holds the account or comes to.
    AtMost(Duration),
    /// As long as somebody holds the account.
    WhileHeld,
}

impl Patience {
    /// How often it is looked whether the fetch has ended.
    fn looks_every(self) -> Duration {
        match self {
            Self::AtMost(_) => Duration::from_millis(250),
            Self::WhileHeld => Duration::from_millis(50),
        }
    }
}

/// What came of asking.
#[derive(Debug)]
pub enum Answer {
    /// The fetch has ended: what it says of itself.
    Ended(Value),
    /// It goes on, or begins later.
    GoesOn,
    /// Nobody holds the account, or does any more.
    NobodyHolds,
}

/// Asks for a fetch of a valid account's mail now, and waits for its end.
pub async fn ask(store: &Store, account: &Account, patience: Patience) -> Result<Answer, Refused> {
    let name = &account.name;
    if !account.valid.is_valid() {
        return Err(Refused::NotValid { what: "account".to_owned(), name: name.clone() });
    }
    if nobody_holds(store, name, patience).await? {
        return Ok(Answer::NobodyHolds);
    }
    let request = fetch_requests::ask(store, name).await?;
    let begun = Instant::now();
    let answer = loop {
        if let Patience::AtMost(patience) = patience
            && begun.elapsed() >= patience
        {
            // Whoever answers it later finds it.
            return Ok(Answer::GoesOn);
        }
        if let Some(answer) = fetch_requests::answered(store, request).await? {
            break Answer::Ended(answer);
        }
        if nobody_holds(store, name, patience).await? {
            break Answer::NobodyHolds;
        }
        tokio::time::sleep(patience.looks_every()).await;
    };
    fetch_requests::forget(store, request).await?;
    Ok(answer)
}

async fn nobody_holds(store: &Store, account: &str, patience: Patience) -> Result<bool, Refused> {
    match patience {
        Patience::AtMost(_) => Ok(false),
        Patience::WhileHeld => Ok(leases::holder(store, account).await?.is_none()),
    }
}
