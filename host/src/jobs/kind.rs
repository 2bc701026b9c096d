//! What a kind of job is.

use crate::service::ServiceError;
use crate::spool::Spool;
use crate::store::StoreError;
use crate::store::jobs::ClaimedJob;
use crate::store::leases::Host;
use crate::worker::{Live, WorkerBudget};
use postigo_model::job::JobProgress;
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What jobs work with.
#[derive(Debug, Clone)]
pub struct JobTools {
    /// The messages, the database and the data folder.
    pub spool: Spool,
    /// What is configured, and its chain.
    pub live: Arc<Live>,
    /// Who works.
    pub host: Host,
    /// The memory that messages may take here, the worker's and those of jobs together.
    pub budget: Arc<WorkerBudget>,
}

/// Why a job cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The database. Where that may pass, the step is made once more.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else: a sentence.
    #[error("{0}")]
    Because(String),
}

impl JobError {
    /// Whether the same step may succeed later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_temporary())
    }
}

impl From<ServiceError> for JobError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Store(error) => Self::Store(error),
            error => Self::Because(error.to_string()),
        }
    }
}

/// Work of a job that is under way. It may be dropped at any point: the job is cancelled, or given back.
pub type JobWork<'w, T> = Pin<Box<dyn Future<Output = Result<T, JobError>> + Send + 'w>>;

/// A kind of job.
pub trait JobKind: Send + Sync {
    /// Its name, an identifier that never changes.
    fn name(&self) -> &'static str;

    /// From when a host takes it up until it has failed there: what takes so long is stuck, or asked for wrongly.
    fn deadline(&self) -> Duration;

    /// Takes a job up, where it was left if another host, or this one, had it before.
    fn begin<'j>(&self, tools: &'j JobTools, job: &'j ClaimedJob) -> JobWork<'j, Box<dyn JobSteps + 'j>>;
}

/// A job that is worked on, in steps that are short: a second each, as a rule. Nothing blocks the thread.
pub trait JobSteps: Send + Sync {
    /// Makes the next step. A step that fails, or is dropped, has done nothing.
    fn step(&mut self) -> JobWork<'_, JobStep>;

    /// How much is done.
    fn progress(&self) -> JobProgress;

    /// Where whoever takes the job over goes on. At most some 100 KiB: it is written each second while it is short, and
    /// each ten where it is long.
    fn position(&self) -> Value;

    /// Removes what it has made beside its row: it was cancelled, or failed.
    fn discard(&mut self) {}
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq)]
pub enum JobStep {
    /// There is more to do.
    More,
    /// Nothing is left to do; this came of it. At most some 100 KiB.
    Done(Value),
}
