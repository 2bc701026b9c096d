//! Seeing to it that stored messages come to their end without a daemon: commands do the work of an account themselves.
//!
//! Where a daemon works on the data folder, another command does, or another host holds the account, nothing is done
//! here.

use super::{DoneMessage, Live, MessagesInHand, Worker};
use crate::spool::Spool;
use crate::spool::leases::{self, Host};
use crate::store::{Store, StoreError};
use crate::worker::{LockError, WorkLock};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// So often is it tried to get hold of the account.
const TRIED: Duration = Duration::from_millis(50);

/// Works on one account for a command, whenever nobody else does.
pub struct Attendant {
    /// The data folder.
    pub data: PathBuf,
    /// The spool.
    pub spool: Spool,
    /// Account name.
    pub account: String,
    /// Has what was claimed here until `done` has heard of it.
    pub in_hand: MessagesInHand,
}

impl Attendant {
    /// Works until `finished`. `live` is asked for when it is this process that must work; `done` hears of each message
    /// that ended here.
    pub async fn attend<F, E>(
        &self,
        live: impl Fn() -> F,
        finished: &CancellationToken,
        done: &mut (dyn FnMut(DoneMessage) + Send),
    ) -> Result<(), E>
    where
        F: Future<Output = Result<Arc<Live>, E>>,
        E: From<LockError> + From<StoreError>,
    {
        while !finished.is_cancelled() {
            if let Some(lock) = WorkLock::try_acquire(&self.data)? {
                match Box::pin(self.work(lock.host(), live().await?, finished, done)).await {
                    Err(error) if error.is_temporary() => {
                        tracing::warn!(%error, "work was interrupted; it is tried again");
                    }
                    worked => worked?,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(TRIED) => {}
                () = finished.cancelled() => {}
            }
        }
        Ok(())
    }

    async fn work(
        &self,
        host: &Host,
        live: Arc<Live>,
        finished: &CancellationToken,
        done: &mut (dyn FnMut(DoneMessage) + Send),
    ) -> Result<(), StoreError> {
        let (store, account) = (self.spool.store(), std::slice::from_ref(&self.account));
        let Some(lease) = leases::acquire(store, host, account).await?.pop() else { return Ok(()) };
        let worker = Worker::new(self.spool.clone(), live).noting(self.in_hand.clone());
        let worked = tokio::select! {
            worked = worker.run(&lease, finished, done) => worked,
            () = worker.call_accounts(&|| ()) => Ok(()),
            lost = renew(store, host) => lost,
        };
        leases::release(store, host, account).await?;
        worked
    }
}

/// Renews the lease for as long as it is held.
async fn renew(store: &Store, host: &Host) -> Result<(), StoreError> {
    loop {
        tokio::time::sleep(leases::RENEWED).await;
        if leases::renew(store, host).await?.is_empty() {
            return Ok(());
        }
    }
}
