//! Jobs as the command line and REST show them.

use postigo_model::job::{Job, JobProgress, JobStatus};
use postigo_model::timestamp::rfc3339;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A job: what takes long, and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobDocument {
    /// Row id.
    pub id: i64,
    /// What it is: `replay`.
    pub kind: String,
    /// How far it has come.
    pub status: JobStatus,
    /// How much is done.
    #[serde(flatten)]
    pub progress: JobProgress,
    /// Whether it runs still, and somebody wants it to end.
    pub cancel_asked: bool,
    /// What is to be done, as it was asked for; each kind has its own keys. Null where the row cannot be read: the job
    /// fails when a host takes it up.
    #[schema(value_type = Option<Object>, required)]
    pub asked: Value,
    /// Who asked for it.
    pub asked_by: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub asked_at: String,
    /// When a host first took it up, RFC 3339, UTC.
    #[schema(format = DateTime, required)]
    pub begun_at: Option<String>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime, required)]
    pub ended_at: Option<String>,
    /// The id of the host that runs it, or ran it last: of its data folder.
    #[schema(required)]
    pub host: Option<String>,
    /// The name of that host's machine.
    #[schema(required)]
    pub host_name: Option<String>,
    /// Why it failed, a sentence.
    #[schema(required)]
    pub error: Option<String>,
    /// What came of it; each kind has its own keys. Null before it is done, and in lists.
    #[schema(value_type = Option<Object>, required)]
    pub result: Option<Value>,
}

impl From<Job> for JobDocument {
    fn from(job: Job) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            status: job.status,
            progress: job.progress,
            cancel_asked: job.cancel_asked,
            asked: job.asked,
            asked_by: job.asked_by,
            asked_at: rfc3339(job.asked_at),
            begun_at: job.begun_at.map(rfc3339),
            ended_at: job.ended_at.map(rfc3339),
            host: job.host,
            host_name: job.host_name,
            error: job.error,
            result: job.result,
        }
    }
}
