//! A job until its end: worked on by the daemon, or here where none runs.

use super::shown::{print, told};
use crate::cli::output::printable;
use crate::cli::{CommandError, Context};
use crate::inbound::lmtp::host_name;
use crate::jobs::{JobTools, KINDS, NOTED, Pace, RunEnd, Runner};
use crate::service::jobs::{self, JobDocument};
use crate::store::leases::Host;
use crate::worker::{WorkLock, is_daemon_running};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use postigo_model::job::{JobProgress, JobStatus};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// So often is looked how far the job is, and whether it is to be worked on here.
const LOOKED: Duration = Duration::from_millis(200);

/// Whether a command waits for the end of what it asks for.
#[derive(Debug, clap::Args)]
pub struct Following {
    /// Only ask for it and print the job: a daemon works on it, or `postigo job run`
    #[arg(long)]
    background: bool,
}

impl Following {
    /// Follows the job that was asked for, or says which it is.
    pub async fn run(&self, id: i64, context: &Context) -> Result<(), CommandError> {
        if !self.background {
            return follow(id, context).await;
        }
        print(&jobs::show(context.store().await?, id).await?, context)
    }
}

/// Waits for a job's end, works on it where nobody else does, and prints what came of it.
pub async fn follow(id: i64, context: &Context) -> Result<(), CommandError> {
    let store = context.store().await?;
    let stop = CancellationToken::new();
    let interrupted = stop.clone();
    let listening = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupted.cancel();
        }
    });
    let line = progress_line(context);
    let followed = loop {
        let job = jobs::show(store, id).await.map_err(|refused| told(refused, id))?;
        if job.status.has_ended() {
            break Ok(job);
        }
        show(&line, &job.progress);
        if stop.is_cancelled() {
            break Err(CommandError::because(left(&job, is_daemon_running(context.data()))));
        }
        if !is_daemon_running(context.data())
            && let Some(run) =
                runner(context).await?.run_next(Some(id), &stop, &|_, progress| show(&line, progress)).await?
            && run.end == RunEnd::Lost
        {
            line.suspend(|| eprintln!("Another host works on the job {id} now."));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOKED) => {}
            () = stop.cancelled() => {}
        }
    };
    listening.abort();
    line.finish_and_clear();
    let job = followed?;
    print(&job, context)?;
    match job.status {
        JobStatus::Failed => {
            Err(CommandError::because(format!("The job {id} failed: {}", job.error.unwrap_or_default())))
        }
        JobStatus::Cancelled => Err(CommandError::because(format!("The job {id} was cancelled."))),
        _ => Ok(()),
    }
}

/// What becomes of a job that is not waited for any more: a sentence.
fn left(job: &JobDocument, is_daemon_running: bool) -> String {
    let JobDocument { id, status, .. } = job;
    let how = match (status, &job.host_name) {
        (JobStatus::Running, Some(host)) if job.cancel_asked => {
            format!("{host} works on it, and ends it within a second")
        }
        (JobStatus::Running, Some(host)) => format!("{host} works on it"),
        _ if is_daemon_running => "a daemon takes it up".to_owned(),
        _ => format!("`postigo job run {id}` goes on with it, as does the next daemon"),
    };
    format!("The job {id} is {status} and has not ended: {how}.")
}

async fn runner(context: &Context) -> Result<Runner, CommandError> {
    let data = context.data();
    let host = match WorkLock::folder_id(data) {
        Some(id) => Host::new(id),
        // No process has worked here yet: the first one makes the folder's id.
        None => WorkLock::acquire(data).await?.host().clone(),
    };
    let tools = JobTools {
        spool: context.spool().await?.clone(),
        live: Arc::clone(context.live().await?),
        host,
        // This process works on no other messages.
        budget: Arc::default(),
    };
    Ok(Runner { tools, host_name: host_name().to_owned(), kinds: &KINDS, pace: Pace::Alone, noted: NOTED })
}

/// How far the job is, on one line of a terminal.
fn progress_line(context: &Context) -> ProgressBar {
    let target = if context.json() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let line = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} of {len}, {msg}, {elapsed}") {
        line.set_style(style);
    }
    line
}

fn show(line: &ProgressBar, progress: &JobProgress) {
    let whole = |count: i64| u64::try_from(count).unwrap_or_default();
    if let Some(total) = progress.total {
        line.set_length(whole(total));
    }
    line.set_position(whole(progress.done));
    line.set_message(printable(&progress.note));
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::job::Job;

    #[test]
    fn who_stops_waiting_is_told_who_goes_on() {
        let job = |status: JobStatus, cancel_asked: bool| {
            JobDocument::from(Job {
                id: 7,
                kind: "replay".into(),
                status,
                asked: serde_json::Value::Null,
                asked_by: "a test".into(),
                asked_at: 0,
                begun_at: None,
                ended_at: None,
                progress: JobProgress::default(),
                cancel_asked,
                host: Some("one".into()),
                host_name: Some("one.example".into()),
                result: None,
                error: None,
            })
        };
        let running = left(&job(JobStatus::Running, false), true);
        assert_eq!(running, "The job 7 is running and has not ended: one.example works on it.");
        assert_eq!(left(&job(JobStatus::Running, false), false), running, "whether or not a daemon runs here");
        assert!(left(&job(JobStatus::Running, true), false).ends_with("works on it, and ends it within a second."));
        assert!(left(&job(JobStatus::Waiting, false), true).ends_with("a daemon takes it up."));
        assert!(left(&job(JobStatus::Waiting, false), false).contains("`postigo job run 7` goes on with it"));
    }
}
