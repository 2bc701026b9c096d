//! A fetch now: whoever holds the account is asked for it, here or on another host. The database is all that the hosts
//! share.

use super::ServiceError;
use crate::spool::leases;
use crate::store::{Store, fetch_requests};
use postigo_model::configured::Account;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How long it is waited for the end of the fetch.
#[derive(Debug, Clone, Copy)]
pub enum FetchWait {
    /// So long at most, whether anybody holds the account or comes to.
    AtMost(Duration),
    /// As long as somebody holds the account.
    WhileHeld,
}

impl FetchWait {
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
pub enum FetchAnswer {
    /// The fetch has ended: what it says of itself.
    Ended(Value),
    /// It goes on, or begins later.
    GoesOn,
    /// Nobody holds the account, or does any more.
    NobodyHolds,
}

/// Asks for a fetch of a valid account's mail now, and waits for its end.
pub async fn ask(store: &Store, account: &Account, patience: FetchWait) -> Result<FetchAnswer, ServiceError> {
    let name = &account.name;
    if !account.valid.is_valid() {
        return Err(ServiceError::NotValid { what: "account".to_owned(), name: name.clone() });
    }
    if nobody_holds(store, name, patience).await? {
        return Ok(FetchAnswer::NobodyHolds);
    }
    let request = fetch_requests::ask(store, name).await?;
    let begun = Instant::now();
    let answer = loop {
        if let FetchWait::AtMost(patience) = patience
            && begun.elapsed() >= patience
        {
            // Whoever answers it later finds it.
            return Ok(FetchAnswer::GoesOn);
        }
        if let Some(answer) = fetch_requests::answered(store, request).await? {
            break FetchAnswer::Ended(answer);
        }
        if nobody_holds(store, name, patience).await? {
            break FetchAnswer::NobodyHolds;
        }
        tokio::time::sleep(patience.looks_every()).await;
    };
    fetch_requests::forget(store, request).await?;
    Ok(answer)
}

async fn nobody_holds(store: &Store, account: &str, patience: FetchWait) -> Result<bool, ServiceError> {
    match patience {
        FetchWait::AtMost(_) => Ok(false),
        FetchWait::WhileHeld => Ok(leases::holder(store, account).await?.is_none()),
    }
}
