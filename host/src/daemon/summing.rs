//! Sums up the communication log, so that the overview of any span of time reads few rows.

use crate::store::communications::Summing;
use crate::store::{Store, StoreError};
use postigo_supervision::{SupervisedTask, WorkKind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// So often it is looked whether there is something to be summed up.
const EVERY: Duration = Duration::from_secs(15);

/// Goes on until `stop`.
pub async fn run(store: Store, stop: CancellationToken) {
    let summing = Mutex::new(Summing::default());
    let failures = AtomicU32::new(0);
    let round = || async {
        let begun = Instant::now();
        match all(&store, &mut *summing.lock().await, &stop).await {
            Ok(()) => failures.store(0, Ordering::Relaxed),
            Err(error) => {
                if failures.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(%error, "the communication log could not be summed up; its overview is right, and slower, until it can be");
                }
            }
        }
        // However much there is to be done, most of the time is others'.
        EVERY.max(4 * begun.elapsed())
    };
    SupervisedTask::new(WorkKind::Sums, "", stop.clone()).repeat(round).await;
}

/// Takes all steps that there are to be taken, each as far from the next as it took.
async fn all(store: &Store, summing: &mut Summing, stop: &CancellationToken) -> Result<(), StoreError> {
    while !stop.is_cancelled() {
        let begun = Instant::now();
        if !summing.step(store).await? {
            break;
        }
        tokio::time::sleep(begun.elapsed()).await;
    }
    Ok(())
}
