//! `job`: what takes long, and how far it has come.

mod following;
mod replayed;
mod shown;

pub use following::{Following, follow};

use super::output::word;
use super::rows::{self, Ids};
use super::{CommandError, Context};
use crate::jobs::{check_kind, exports};
use crate::service::jobs::{self, JobDocument};
use crate::store::jobs::JobFilter;
use postigo_model::job::JobStatus;
use shown::{print, told};

/// What the rows are called: one, and several.
const WHAT: [&str; 2] = ["Job", "jobs"];

/// `job …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List jobs, the last asked for first
    List(JobList),
    /// Show a job and what came of it
    Show {
        /// Its id
        id: i64,
    },
    /// End jobs: those that wait at once, those that run within a second
    Cancel(Ids),
    /// Wait for a job's end; where no daemon runs, work on it here. Ctrl-C lets it wait for whoever goes on
    Run {
        /// Its id
        id: i64,
    },
}

/// `job list`
#[derive(Debug, clap::Args)]
pub struct JobList {
    /// Only of this status: waiting, running, done, failed, cancelled; may be given again
    #[arg(long)]
    status: Vec<JobStatus>,
    /// Only of this kind: replay, log-export
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

fn kind(name: &str) -> Result<String, String> {
    check_kind(name).map(|()| name.to_owned())
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Show { id } => {
                print(&jobs::show(context.store().await?, id).await.map_err(|refused| told(refused, id))?, context)
            }
            Self::Cancel(rows) => {
                jobs::cancel(context.store().await?, rows.ids.clone(), None).await?;
                rows.tell(WHAT, "cancelled", context);
                for id in rows.ids {
                    let job = jobs::show(context.store().await?, id).await?;
                    if job.status == JobStatus::Cancelled {
                        // One that waited may have begun its file here.
                        exports::discard(context.data(), id).await;
                    } else if !job.status.has_ended() {
                        context
                            .output()
                            .aside(&format!("The job {id} runs still; whoever runs it ends it within a second."));
                    }
                }
                Ok(())
            }
            Self::Run { id } => follow(id, context).await,
        }
    }
}

impl JobList {
    async fn run(self, context: &Context) -> Result<(), CommandError> {
        let store = context.store().await?;
        let mut filter = JobFilter { status: self.status, kind: self.kind, ..JobFilter::default() };
        let found = rows::read(self.limit, async |limit, found: &[JobDocument]| {
            (filter.limit, filter.after) = (limit, found.last().map(|job| job.id));
            Ok(jobs::list(store, filter.clone()).await?)
        });
        let found = found.await?.documents()?;
        let headings = ["ID", "KIND", "STATUS", "DONE", "TOTAL", "NOTE", "ASKED BY", "ASKED", "ENDED", "HOST", "ERROR"];
        context.output().list(&headings, &found.rows, |job| {
            ["id", "kind", "status", "done", "total", "note", "asked_by", "asked_at", "ended_at", "host_name", "error"]
                .map(|key| word(job, key))
                .to_vec()
        });
        found.tell_more(context);
        Ok(())
    }
}
