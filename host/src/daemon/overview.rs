//! Keeps the overview's list of tasks that are broken now: it is read from the database, by commands and other hosts
//! too.

use crate::store::broken_tasks;
use crate::store::{Store, StoreError};
use postigo_supervision as supervision;
use postigo_supervision::{SupervisedTask, WorkKind};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Changes within this time are written together.
const TOGETHER: Duration = Duration::from_millis(100);
/// While the database is away it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(2);

/// Writes what is broken whenever that changes, until `stop`; then nothing of this host is.
pub async fn run(store: Store, host: String, stop: CancellationToken) {
    let supervised = SupervisedTask::new(WorkKind::Overview, "", stop.clone());
    let mut changes = supervision::changes();
    // What an earlier run of this host left is not so any more.
    changes.mark_changed();
    while !stop.is_cancelled() {
        let round = async {
            changes.mark_unchanged();
            broken_tasks::replace(&store, &host, supervision::broken()).await
        };
        match supervised.round(round).await {
            Ok(Ok(())) => next(&mut changes, &stop).await,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the tasks that are broken could not be written down for the overview; tried again");
                pause(AGAIN, &stop).await;
            }
            Err(_) => {}
        }
    }
    if let Err(error) = end(&store, &host).await {
        tracing::warn!(%error, "the overview goes on naming tasks of this host as broken until its next start");
    }
}

async fn end(store: &Store, host: &str) -> Result<(), StoreError> {
    broken_tasks::replace(store, host, Vec::new()).await
}

/// Waits for the next change, and for those that come with it. What breaks once is told of for a while: that has an end
/// as well.
async fn next(changes: &mut tokio::sync::watch::Receiver<()>, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        // The sender lives as long as the process.
        _ = tokio::time::timeout(Duration::from_mins(1), changes.changed()) => {}
    }
    pause(TOGETHER, stop).await;
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}
