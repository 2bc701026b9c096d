//! Files the messages of the accounts that this daemon holds, account by account.

use super::shares::HeldAccounts;
use crate::spool::leases::{Host, Lease};
use crate::worker::{DoneMessage, Worker};
use postigo_supervision as supervision;
use postigo_supervision::back_off;
use postigo_supervision::{Break, SupervisedTask, WorkKind};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The longest pause of what breaks here: mail waits meanwhile.
const LONGEST_REST: Duration = Duration::from_secs(15);

/// Works until `stop`; what is under way is ended still. `done` hears of each message that ended.
pub async fn run<D>(
    worker: Arc<Worker>,
    host: Host,
    mut held: watch::Receiver<HeldAccounts>,
    done: D,
    stop: CancellationToken,
) where
    D: Fn(DoneMessage) + Clone + Send + Sync + 'static,
{
    let calling = {
        let worker = Arc::clone(&worker);
        let supervised = SupervisedTask::new(WorkKind::Calls, "", stop.clone()).resting_at_most(LONGEST_REST);
        // It calls until it is dropped.
        let (calls, stop) = (supervised.keep(move || call(Arc::clone(&worker))), stop.clone());
        tokio::spawn(async move { stop.run_until_cancelled(calls).await })
    };
    let supervised = SupervisedTask::new(WorkKind::Filings, "", stop.clone()).resting_at_most(LONGEST_REST);
    let mut tasks: BTreeMap<String, (CancellationToken, JoinHandle<()>)> = BTreeMap::new();
    let mut ending: Vec<JoinHandle<()>> = Vec::new();
    while !stop.is_cancelled() {
        let adapt = async {
            let now_held = held.borrow_and_update().clone();
            for (_, (stopped, task)) in tasks.extract_if(.., |name, _| !now_held.contains(name)) {
                stopped.cancel();
                ending.push(task);
            }
            for name in now_held.iter() {
                tasks.entry(name.clone()).or_insert_with(|| {
                    let (lease, stopped) = (Lease { account: name.clone(), host: host.clone() }, stop.child_token());
                    (stopped.clone(), tokio::spawn(work(Arc::clone(&worker), lease, done.clone(), stopped)))
                });
            }
            ending.retain(|task| !task.is_finished());
        };
        if supervised.round(adapt).await.is_err() {
            continue;
        }
        tokio::select! {
            biased;
            // At the end who says what is held may be gone first; that is no fault.
            () = stop.cancelled() => {}
            changed = held.changed() => if changed.is_err() && !stop.is_cancelled() {
                // Nobody says any more what is held: what is, stays.
                supervised.rest(&Break::Ended).await;
            },
        }
    }
    ending.extend(tasks.into_values().map(|(_, task)| task));
    for task in ending {
        // A task that panicked has told so.
        let _ = task.await;
    }
    let _ = calling.await;
}

async fn call(worker: Arc<Worker>) {
    worker.call_accounts(&|| supervision::well(WorkKind::Calls, "")).await;
}

/// One account. A database that is away, a message that is an obstacle, or a panic is met with a pause.
async fn work(worker: Arc<Worker>, lease: Lease, done: impl Fn(DoneMessage) + Sync, stop: CancellationToken) {
    let account = lease.account.as_str();
    let supervised = SupervisedTask::new(WorkKind::Filing, account, stop.clone()).resting_at_most(LONGEST_REST);
    let mut failures = 0;
    while !stop.is_cancelled() {
        let mut count = |ended: DoneMessage| {
            done(ended);
            supervision::well(WorkKind::Filing, account);
        };
        match supervised.run(worker.run(&lease, &stop, &mut count)).await {
            Ok(Ok(())) => failures = 0,
            Ok(Err(error)) => {
                failures += 1;
                tracing::warn!(account, %error, "work on an account's messages was interrupted");
            }
            // What was under way is given back, and begun anew.
            Err(panic) => supervised.rest(&Break::Panicked(panic)).await,
        }
        if failures > 0 {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(back_off::after_failures(failures, Duration::from_millis(500), LONGEST_REST)) => {}
            }
        }
    }
    supervision::well(WorkKind::Filing, account);
}
