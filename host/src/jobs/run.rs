//! One job from its claim to its end on this host.
//!
//! While a step is under way, the row is looked at twice a second (does somebody want it to end?) and the claim is
//! renewed. Whatever ends the work, the row says it: done, failed with a sentence, cancelled, or waiting for whoever goes
//! on. A host that lost its claim writes nothing more.

use super::kind::{JobError, JobKind, JobStep, JobSteps, JobTools};
use crate::store::claims::RENEWED;
use crate::store::jobs::{self, ClaimedJob, JobClaimQuery, JobEnding};
use crate::store::{Store, StoreError};
use postigo_model::job::{JobProgress, JobStatus};
use postigo_supervision::{WorkKind, caught};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// So often is looked whether somebody wants the job to end.
const LOOKED: Duration = Duration::from_millis(500);
/// Progress is noted so often at most.
pub const NOTED: Duration = Duration::from_secs(1);
/// A position of so many bytes is noted with the progress, so that a job that is taken over goes on from what is shown; …
const SHORT_POSITION: usize = 16 << 10;
/// … a longer one so often at most.
const LONG_POSITION_NOTED: Duration = Duration::from_secs(10);
/// A step that failed since the database was away is made again after so long.
const AGAIN: Duration = Duration::from_secs(2);
/// So many hosts may end uncleanly while they run a job.
const MOST_ABANDONED: i64 = 3;
/// The longest pause after a step.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How much of the host a job takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// After each step a pause as long as the step was: mail goes on beside it.
    Beside,
    /// Nothing else is done here.
    Alone,
}

/// How a run of a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// It came to its end.
    Ended(JobStatus),
    /// It waits for whoever goes on with it: this host stops.
    GivenBack,
    /// Another host has it by now.
    Lost,
}

/// A job that was run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunJob {
    /// Its id.
    pub id: i64,
    /// How the run ended.
    pub end: RunEnd,
}

/// Works on jobs for a host, one at a time.
pub struct Runner {
    /// What jobs work with.
    pub tools: JobTools,
    /// The machine's name, for people.
    pub host_name: String,
    /// The kinds that it knows.
    pub kinds: &'static [&'static dyn JobKind],
    /// How much of the host they take.
    pub pace: Pace,
    /// Progress is noted so often at most: [`NOTED`].
    pub noted: Duration,
}

/// Why the work on a job ends before it is done.
enum Interruption {
    Cancelled,
    Stopped,
    Overdue,
    Lost,
}

/// What the work on a job came to.
enum Worked {
    Done(Value),
    Failed(String),
    Interrupted(Interruption),
}

impl Runner {
    /// Claims the job that waits for longest, or `only` this one, and works on it until it ends, or until `stop`; none
    /// where there is none to be had. `told` hears of progress. An error says that the database is away: the row stays
    /// claimed then, until the claim lapses.
    pub async fn run_next(
        &self,
        only: Option<i64>,
        stop: &CancellationToken,
        told: &(dyn Fn(i64, &JobProgress) + Sync),
    ) -> Result<Option<RunJob>, StoreError> {
        let store = self.tools.spool.store();
        let asked = JobClaimQuery {
            engine: store.engine(),
            host: self.tools.host.clone(),
            host_name: self.host_name.clone(),
            kinds: self.kinds.iter().map(|kind| kind.name().to_owned()).collect(),
            only,
        };
        let Some(job) = jobs::claim(store, asked).await? else { return Ok(None) };
        let Some(kind) = self.kinds.iter().find(|kind| kind.name() == job.kind) else { return Ok(None) };
        let id = job.claim.id;
        tracing::info!(job = id, kind = job.kind, left_by = job.left_by, "a job begins");
        let mut keeping = Keeping::new(self, &job, *kind, stop, told);
        let mut steps = None;
        let worked = if job.abandoned >= MOST_ABANDONED {
            Worked::Failed(abandoned(&job))
        } else {
            let of = format!("{} {id}", job.kind);
            let working = caught(WorkKind::Job, &of, self.work(*kind, &job, &mut keeping, &mut steps));
            working.await.unwrap_or_else(|panic| {
                Worked::Failed(format!("The job panicked: {panic}. This is a fault of Postigo: please report it."))
            })
        };
        let end = keeping.end(worked).await?;
        // Only once the row says so: where another host has it by now, what there is may be that host's.
        if matches!(end, RunEnd::Ended(JobStatus::Failed | JobStatus::Cancelled))
            && let Some(steps) = &mut steps
        {
            steps.discard();
        }
        match &end {
            RunEnd::Ended(status) => tracing::info!(job = id, kind = job.kind, %status, "a job ended"),
            RunEnd::GivenBack => tracing::info!(job = id, kind = job.kind, "a job waits until a host goes on with it"),
            RunEnd::Lost => tracing::warn!(job = id, kind = job.kind, "another host has taken a job over"),
        }
        Ok(Some(RunJob { id, end }))
    }

    async fn work<'j>(
        &'j self,
        kind: &dyn JobKind,
        job: &'j ClaimedJob,
        keeping: &mut Keeping<'_>,
        begun: &mut Option<Box<dyn JobSteps + 'j>>,
    ) -> Worked {
        let steps = loop {
            match keeping.during(kind.begin(&self.tools, job)).await {
                Err(interruption) => return Worked::Interrupted(interruption),
                Ok(Ok(steps)) => break begun.insert(steps),
                Ok(Err(error)) => {
                    if let Some(end) = keeping.after_failure(error).await {
                        return end;
                    }
                }
            }
        };
        let worked = self.step_by_step(steps.as_mut(), keeping).await;
        if matches!(worked, Worked::Interrupted(Interruption::Stopped)) {
            (keeping.progress, keeping.position) = (steps.progress(), Some(steps.position().to_string()));
        }
        worked
    }

    async fn step_by_step(&self, steps: &mut dyn JobSteps, keeping: &mut Keeping<'_>) -> Worked {
        loop {
            let begun = Instant::now();
            let stepped = match keeping.during(steps.step()).await {
                Err(interruption) => return Worked::Interrupted(interruption),
                Ok(stepped) => stepped,
            };
            match stepped {
                Ok(step) => {
                    if let Err(interruption) = keeping.reached(steps).await {
                        return Worked::Interrupted(interruption);
                    }
                    if let JobStep::Done(result) = step {
                        return Worked::Done(result);
                    }
                }
                Err(error) => {
                    if let Some(end) = keeping.after_failure(error).await {
                        return end;
                    }
                }
            }
            if self.pace == Pace::Beside {
                let pause = tokio::time::sleep(begun.elapsed().min(LONGEST_PAUSE));
                if let Err(interruption) = keeping.during(pause).await {
                    return Worked::Interrupted(interruption);
                }
            }
        }
    }
}

fn abandoned(job: &ClaimedJob) -> String {
    let last = job.left_by.as_deref().unwrap_or("not known");
    format!(
        "{} times a host that worked on it ended uncleanly or could not reach the database for long, the last one {last}: \
         it is not begun again. Look at their logs, then ask for it again, for a shorter span of time.",
        job.abandoned
    )
}

/// Keeps a claimed job while it is worked on: its claim, its progress, and whether it is to go on.
struct Keeping<'k> {
    store: &'k Store,
    job: &'k ClaimedJob,
    begun: Instant,
    deadline: Duration,
    stop: &'k CancellationToken,
    told: &'k (dyn Fn(i64, &JobProgress) + Sync),
    progress: JobProgress,
    /// Where whoever goes on with it does so, JSON: this host gives it back.
    position: Option<String>,
    /// Progress is noted so often at most.
    every: Duration,
    noted: Instant,
    /// When a position was noted last here.
    positioned: Option<Instant>,
    looked: Instant,
}

impl<'k> Keeping<'k> {
    fn new(
        runner: &'k Runner,
        job: &'k ClaimedJob,
        kind: &dyn JobKind,
        stop: &'k CancellationToken,
        told: &'k (dyn Fn(i64, &JobProgress) + Sync),
    ) -> Self {
        Self {
            store: runner.tools.spool.store(),
            job,
            begun: Instant::now(),
            deadline: kind.deadline(),
            stop,
            told,
            progress: job.progress.clone(),
            position: None,
            every: runner.noted,
            noted: Instant::now(),
            positioned: None,
            looked: Instant::now(),
        }
    }

    /// Awaits a piece of work, and looks after the row meanwhile.
    async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Interruption> {
        let mut work = std::pin::pin!(work);
        // Short steps in a row must not keep the row from being looked at.
        self.look_after().await?;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Interruption::Stopped),
                done = &mut work => return Ok(done),
                () = tokio::time::sleep_until(self.looked + LOOKED) => self.look_after().await?,
            }
        }
    }

    /// Looks at the row, and renews the claim, where it is time to.
    async fn look_after(&mut self) -> Result<(), Interruption> {
        if self.begun.elapsed() >= self.deadline {
            return Err(Interruption::Overdue);
        }
        if self.looked.elapsed() < LOOKED {
            return Ok(());
        }
        self.looked = Instant::now();
        match jobs::is_cancel_asked(self.store, self.job.claim).await {
            Ok(Some(false)) => {}
            Ok(Some(true)) => return Err(Interruption::Cancelled),
            Ok(None) => return Err(Interruption::Lost),
            // The claim lapses if that lasts.
            Err(error) => tracing::debug!(job = self.job.claim.id, %error, "a job's row could not be looked at"),
        }
        if self.noted.elapsed() < RENEWED {
            return Ok(());
        }
        // What the last steps came to is noted with where they are, after the next one.
        self.note(None, None).await
    }

    async fn note(&mut self, progress: Option<JobProgress>, position: Option<String>) -> Result<(), Interruption> {
        self.noted = Instant::now();
        let has_position = position.is_some();
        match jobs::note(self.store, self.job.claim, progress, position).await {
            Ok(()) => {
                if has_position {
                    self.positioned = Some(self.noted);
                }
                Ok(())
            }
            Err(StoreError::Fenced) => Err(Interruption::Lost),
            Err(error) => {
                tracing::debug!(job = self.job.claim.id, %error, "the progress of a job could not be noted");
                Ok(())
            }
        }
    }

    /// A step was made.
    async fn reached(&mut self, steps: &dyn JobSteps) -> Result<(), Interruption> {
        self.progress = steps.progress();
        (self.told)(self.job.claim.id, &self.progress);
        if self.noted.elapsed() < self.every {
            return Ok(());
        }
        // Of the same moment as the progress.
        let position = steps.position().to_string();
        let is_due = position.len() <= SHORT_POSITION
            || self.positioned.is_none_or(|positioned| positioned.elapsed() >= LONG_POSITION_NOTED);
        self.note(Some(self.progress.clone()), Some(position).filter(|_| is_due)).await
    }

    /// A step failed: how the job ends by that; none where it is to be made once more.
    async fn after_failure(&mut self, error: JobError) -> Option<Worked> {
        if !error.is_temporary() {
            return Some(Worked::Failed(error.to_string()));
        }
        tracing::warn!(job = self.job.claim.id, %error, "a step of a job failed; it is made again");
        self.during(tokio::time::sleep(AGAIN)).await.err().map(Worked::Interrupted)
    }

    /// Writes how the work ended.
    async fn end(self, worked: Worked) -> Result<RunEnd, StoreError> {
        let Self { store, job, progress, position, deadline, stop, .. } = self;
        let ending = |status, result, error| JobEnding { status, progress: progress.clone(), result, error };
        let ending = match worked {
            Worked::Interrupted(Interruption::Lost) => return Ok(RunEnd::Lost),
            Worked::Interrupted(Interruption::Stopped) => {
                return match jobs::give_back(store, job.claim, progress, position).await {
                    Ok(()) => Ok(RunEnd::GivenBack),
                    Err(StoreError::Fenced) => Ok(RunEnd::Lost),
                    Err(error) => Err(error),
                };
            }
            Worked::Done(result) => ending(JobStatus::Done, Some(result), None),
            Worked::Failed(sentence) => ending(JobStatus::Failed, None, Some(sentence)),
            Worked::Interrupted(Interruption::Cancelled) => ending(JobStatus::Cancelled, None, None),
            Worked::Interrupted(Interruption::Overdue) => {
                let hours = deadline.as_secs().div_ceil(3_600);
                let sentence = format!(
                    "It was not done within {hours} h, and a {} may take no longer. Ask for a shorter span of time.",
                    job.kind
                );
                ending(JobStatus::Failed, None, Some(sentence))
            }
        };
        let status = ending.status;
        loop {
            match jobs::end(store, job.claim, ending.clone()).await {
                Ok(()) => return Ok(RunEnd::Ended(status)),
                Err(StoreError::Fenced) => return Ok(RunEnd::Lost),
                Err(error) if error.is_temporary() && !stop.is_cancelled() => {
                    tracing::warn!(job = job.claim.id, %error, "the end of a job could not be written; tried again");
                    tokio::select! {
                        () = tokio::time::sleep(AGAIN) => {}
                        () = stop.cancelled() => {}
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}
