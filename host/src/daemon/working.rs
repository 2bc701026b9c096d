//! Files the messages of the accounts that this daemon holds, account by account.

use super::shares::Held;
use crate::metrics::Metrics;
use crate::pause;
use crate::store::leases::{Host, Lease};
use crate::worker::{Done, Worker};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Works until `stop`; what is under way is ended still.
pub async fn run(worker: Arc<Worker>, host: Host, mut held: watch::Receiver<Held>, metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut tasks: BTreeMap<String, (CancellationToken, JoinHandle<()>)> = BTreeMap::new();
    let mut ending: Vec<JoinHandle<()>> = Vec::new();
    let mut calling = std::pin::pin!(worker.call_accounts());
    while !stop.is_cancelled() {
        let now_held = held.borrow_and_update().clone();
        let lost: Vec<String> = tasks.keys().filter(|name| !now_held.contains(*name)).cloned().collect();
        for (stopped, task) in lost.iter().filter_map(|name| tasks.remove(name)) {
            stopped.cancel();
            ending.push(task);
        }
        for name in now_held.iter() {
            tasks.entry(name.clone()).or_insert_with(|| {
                let (lease, stopped) = (Lease { account: name.clone(), host: host.clone() }, stop.child_token());
                (stopped.clone(), tokio::spawn(work(Arc::clone(&worker), lease, Arc::clone(&metrics), stopped)))
            });
        }
        ending.retain(|task| !task.is_finished());
        tokio::select! {
            () = stop.cancelled() => {}
            changed = held.changed() => if changed.is_err() { break },
            () = &mut calling => {}
        }
    }
    for (_, task) in tasks.into_values() {
        ending.push(task);
    }
    for task in ending {
        let _ = task.await;
    }
}

/// One account. A database that is away, or a message that is an obstacle, is met with a pause.
async fn work(worker: Arc<Worker>, lease: Lease, metrics: Arc<Metrics>, stop: CancellationToken) {
    let mut failures = 0;
    while !stop.is_cancelled() {
        let mut count = |done: Done| metrics.message_done(&done.result);
        match worker.run(&lease, &stop, &mut count).await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                tracing::warn!(account = lease.account, %error, "work on an account's messages was interrupted");
            }
        }
        if failures > 0 {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause::after_failures(failures, Duration::from_millis(500), Duration::from_secs(15))) => {}
            }
        }
    }
}
