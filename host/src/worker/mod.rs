//! Takes messages from the spool through parsing, chain and decision to filing.
//!
//! Chains run side by side; filing keeps an account's order of arrival, several messages in one transaction. A message
//! that cannot be worked on is tried again, then held; the others go on. What was under way at an unclean end of a host
//! is worked on in processes of its own ([`alone`]).

mod account;
pub mod alone;
mod attend;
mod budget;
mod calls;
mod dry_run;
mod evaluate;
mod filing;
mod in_hand;
mod live;
mod lock;
mod noted_plan;
mod reading;
mod report;

#[cfg(test)]
mod alone_tests;
#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod tests;

pub use account::DoneMessage;
pub use attend::Attendant;
pub use budget::{WorkerBudget, memory_of};
pub use dry_run::{DryRun, DryRunResult, LoggedLine, NoFilter, dry_run, with_filter, with_filters};
pub use evaluate::EvaluateError;
pub use in_hand::MessagesInHand;
pub use live::{Live, LiveConfiguration};
pub use lock::{LockError, WorkLock, is_daemon_running};

use crate::spool::{Lease, Spool};
use crate::store::StoreError;
use alone::ChildProcess;
use calls::CallQueue;
use evaluate::AloneWorker;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Works on the messages of accounts whose lease this host holds.
pub struct Worker {
    spool: Spool,
    live: Arc<Live>,
    calls: CallQueue,
    room: Arc<WorkerBudget>,
    alone: Arc<AloneWorker>,
    in_hand: MessagesInHand,
}

impl Worker {
    /// A worker over this spool.
    pub fn new(spool: Spool, live: Arc<Live>) -> Self {
        let alone = Arc::new(AloneWorker::of(ChildProcess::new(live.sandbox().options())));
        Self {
            spool,
            live,
            calls: CallQueue::default(),
            room: Arc::default(),
            alone,
            in_hand: MessagesInHand::default(),
        }
    }

    /// With other processes for messages that are worked on alone, and little patience with them.
    #[cfg(test)]
    fn with_processes(self, processes: impl alone::MessageProcess + 'static) -> Self {
        let mut alone = AloneWorker::of(processes);
        alone.patience = std::time::Duration::from_millis(200);
        Self { alone: Arc::new(alone), ..self }
    }

    /// Noting in this set what it has claimed and not told the end of.
    #[must_use]
    pub fn noting(self, in_hand: MessagesInHand) -> Self {
        Self { in_hand, ..self }
    }

    /// The memory of the messages that it works on. Whoever works on messages beside it holds of the same.
    pub fn budget(&self) -> &Arc<WorkerBudget> {
        &self.room
    }

    /// What it works by.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Works on an account's messages until none waits, or until `stop`: then what is under way is ended still. `done`
    /// hears of each message that ended. Gives their number. After an error what was under way stays claimed until
    /// the lease is acquired again.
    pub async fn run_until_empty(
        &self,
        lease: &Lease,
        stop: &CancellationToken,
        done: &mut (dyn FnMut(DoneMessage) + Send),
    ) -> Result<u64, StoreError> {
        let Self { spool, live, room, alone, in_hand, .. } = self;
        account::AccountRun::new((spool, live), (room, in_hand), alone, lease, stop).until_empty(done).await
    }

    /// Works on an account's messages, whenever [`Self::call_accounts`] calls, until `stop`, or until an error: the
    /// database is away when it is asked for messages, say. May be called again then; what was under way is begun
    /// anew.
    pub async fn run(
        &self,
        lease: &Lease,
        stop: &CancellationToken,
        done: &mut (dyn FnMut(DoneMessage) + Send),
    ) -> Result<(), StoreError> {
        let call = self.calls.of(&lease.account);
        self.spool.give_back(lease).await?;
        while !stop.is_cancelled() {
            self.run_until_empty(lease, stop, done).await?;
            tokio::select! {
                () = call.notified() => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Calls every [`Self::run`] whose account has messages waiting, until it is dropped; `looked` hears of each look
    /// at the spool.
    pub async fn call_accounts(&self, looked: &(dyn Fn() + Sync)) {
        self.calls.keep(&self.spool, looked).await;
    }
}
