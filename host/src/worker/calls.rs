//! Calls accounts to their messages: one look at the spool for all of them, however many wait for nothing.

use crate::spool::Spool;
use postigo_supervision::back_off;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Other processes put messages into the spool too: it is looked into at least this often.
const LOOKED_INTO: Duration = Duration::from_millis(500);
/// The longest pause while the database does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Who waits to be called, by account.
#[derive(Debug, Default)]
pub struct CallQueue(Mutex<BTreeMap<String, Arc<Notify>>>);

impl CallQueue {
    /// Where an account hears its calls. One that came while nobody listened is heard later.
    pub fn of(&self, account: &str) -> Arc<Notify> {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(account.to_owned()).or_default())
    }

    /// Calls whenever messages wait, until it is dropped; `looked` hears of each look that succeeded.
    pub async fn keep(&self, spool: &Spool, looked: &(dyn Fn() + Sync)) {
        let mut changes = spool.changed();
        let mut failures = 0;
        loop {
            changes.mark_unchanged();
            match spool.accounts_with_work().await {
                Ok(accounts) => {
                    failures = 0;
                    self.call(&accounts);
                    looked();
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, "the spool could not be looked into for messages that wait; tried again");
                    tokio::time::sleep(back_off::after_failures(failures, LOOKED_INTO, LONGEST_PAUSE)).await;
                    continue;
                }
            }
            // Nobody sends for ever: a spool that is gone is looked into at its interval.
            let _ = tokio::time::timeout(LOOKED_INTO, changes.changed()).await;
        }
    }

    fn call(&self, accounts: &[String]) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|_, call| Arc::strong_count(call) > 1);
        accounts.iter().filter_map(|account| calls.get(account)).for_each(|call| call.notify_one());
    }
}
