//! Looks for jobs and works on one at a time, beside the mail.

use crate::jobs::Runner;
use postigo_supervision::{SupervisedTask, WorkKind};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// So often is looked for jobs.
const LOOKED: Duration = Duration::from_secs(1);
/// While the database is away it is looked again after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// Works until `stop`; a job that is under way then waits for whoever goes on with it.
pub async fn run(runner: Runner, stop: CancellationToken) {
    let round = || async {
        match runner.run_next(None, &stop, &|_, _| {}).await {
            Ok(Some(_)) => Duration::ZERO,
            Ok(None) => LOOKED,
            Err(error) => {
                tracing::warn!(%error, "jobs could not be looked for, or their end not written; tried again");
                AGAIN
            }
        }
    };
    SupervisedTask::new(WorkKind::Jobs, "", stop.clone()).resting_at_most(Duration::from_secs(15)).repeat(round).await;
}
