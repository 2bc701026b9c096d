//! A job: what takes long (a replay of mails, an export of the log) as a row that any host works on and everybody can
//! look at.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// A host is to take it up.
    Waiting,
    /// A host works on it.
    Running,
    /// It came to its end, and has a result.
    Done,
    /// It could not: its error says why.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// Its name, as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing happens to it any more.
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

impl std::str::FromStr for JobStatus {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|status| status.name() == name);
        found.ok_or_else(|| {
            format!("\"{name}\" is no status of a job; there are: {}.", Self::ALL.map(Self::name).join(", "))
        })
    }
}

impl std::fmt::Display for JobStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

/// How much of a job is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct JobProgress {
    /// So many of its steps.
    pub done: i64,
    /// Of so many; null while that is not known.
    #[schema(required)]
    pub total: Option<i64>,
    /// What is being done, for people: `mails tried`.
    pub note: String,
}

/// A job, as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Row id.
    pub id: i64,
    /// What it is: `replay`. One that this version does not know is shown all the same.
    pub kind: String,
    /// How far it has come.
    pub status: JobStatus,
    /// What is to be done, the kind's own; null where the row cannot be read.
    pub asked: Value,
    /// Who asked for it.
    pub asked_by: String,
    /// Milliseconds since the epoch.
    pub asked_at: i64,
    /// When a host first took it up, milliseconds since the epoch.
    pub begun_at: Option<i64>,
    /// Milliseconds since the epoch.
    pub ended_at: Option<i64>,
    /// How much is done.
    pub progress: JobProgress,
    /// Whether it runs still, and somebody wants it to end.
    pub cancel_asked: bool,
    /// The data folder's id of the host that runs it, or ran it last.
    pub host: Option<String>,
    /// The name of that host's machine.
    pub host_name: Option<String>,
    /// What came of it, the kind's own. A list has none.
    pub result: Option<Value>,
    /// Why it failed, a sentence.
    pub error: Option<String>,
}

/// Which mails a replay tries, and with which filters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplayOrder {
    /// Received at or after, RFC 3339.
    pub since: Option<String>,
    /// Received before, RFC 3339.
    pub until: Option<String>,
    /// Of this account.
    pub account: Option<String>,
    /// That went into this queue.
    pub queue: Option<String>,
    /// So many are tried at most, the latest first.
    pub limit: i64,
    /// The filters that run, by name; empty: all.
    pub only: Vec<String>,
    /// Filters as they are written, in the place of those of the same name, or new ones.
    pub filters: Vec<Value>,
}

impl ReplayOrder {
    /// The kind's name.
    pub const KIND: &str = "replay";
}

/// What a classifier is to learn, and of what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingOrder {
    /// The filter that learns.
    pub filter: String,
    /// The questions: name, and the header that an answer sets.
    pub questions: Vec<(String, String)>,
    /// Only from tickets made at or after, RFC 3339.
    pub since: Option<String>,
    /// From so many examples at most.
    pub limit: usize,
    /// Where all chance comes from.
    pub seed: u64,
    /// Whether what is learnt is put in force, where the filter has a model already.
    pub put_in_force: bool,
}

impl Default for TrainingOrder {
    fn default() -> Self {
        Self {
            filter: String::new(),
            questions: vec![("queue".to_owned(), "X-OTOBO-Queue".to_owned())],
            since: None,
            limit: 20_000,
            seed: 1,
            put_in_force: false,
        }
    }
}

impl TrainingOrder {
    /// The kind's name.
    pub const KIND: &str = "classifier-training";
}

/// Which communications an export has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogExportOrder {
    /// Started at or after, RFC 3339.
    pub since: Option<String>,
    /// Started before, RFC 3339.
    pub until: Option<String>,
    /// Of the account, or going out the transport, of this name.
    pub account: Option<String>,
    /// Whether with their entries.
    pub entries: bool,
}

impl LogExportOrder {
    /// The kind's name.
    pub const KIND: &str = "log-export";
}
