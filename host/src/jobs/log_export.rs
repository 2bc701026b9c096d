//! The kind `log-export`: communications of a span of time as JSON lines, in a file of the host that writes it.

use super::exports;
use super::kind::{JobError, JobKind, JobStep, JobSteps, JobTools, JobWork};
use crate::service::communications;
use crate::store::communications::export::LogPiece;
use crate::store::jobs::ClaimedJob;
use postigo_model::job::{JobProgress, LogExportOrder};
use postigo_model::timestamp;
use postigo_supervision::{WorkKind, blocking};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
mod tests;

/// So many communications are read at once, …
const PIECE: i64 = 500;
/// … and so many with their entries, of which each has one for each filter of a chain.
const PIECE_WITH_ENTRIES: i64 = 20;
/// A file has at most so many bytes.
const LARGEST: u64 = 8 << 30;

/// The kind.
pub struct LogExport;

impl JobKind for LogExport {
    fn name(&self) -> &'static str {
        LogExportOrder::KIND
    }

    fn deadline(&self) -> Duration {
        Duration::from_hours(6)
    }

    fn begin<'j>(&self, tools: &'j JobTools, job: &'j ClaimedJob) -> JobWork<'j, Box<dyn JobSteps + 'j>> {
        Box::pin(async move { Ok(Box::new(ExportSteps::begin(tools, job).await?) as Box<dyn JobSteps + 'j>) })
    }
}

/// Where an export has come to. It goes on by the host that has the file alone.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct ExportPosition {
    host: String,
    bytes: u64,
    lines: i64,
    total: i64,
    /// The communication that was written last.
    last: String,
}

struct ExportSteps<'j> {
    tools: &'j JobTools,
    job: i64,
    order: LogExportOrder,
    file: Arc<File>,
    position: ExportPosition,
}

impl<'j> ExportSteps<'j> {
    async fn begin(tools: &'j JobTools, job: &ClaimedJob) -> Result<Self, JobError> {
        let order: LogExportOrder = serde_json::from_value(job.asked.clone())
            .map_err(|error| JobError::Because(format!("What was asked for cannot be read: {error}.")))?;
        let left: Option<ExportPosition> =
            job.position.clone().and_then(|position| serde_json::from_value(position).ok());
        let left = left.filter(|left| left.host == tools.host.id);
        let (data, id) = (tools.spool.data().to_owned(), job.claim.id);
        let bytes = left.as_ref().map_or(0, |left| left.bytes);
        let opened = in_files(id, move || match exports::open(&data, id, bytes)? {
            Some(file) => Ok((Some(file), true)),
            None => Ok((exports::open(&data, id, 0)?, false)),
        });
        let (file, goes_on) = opened.await?;
        let file = file.ok_or_else(|| JobError::Because("The file of the job could not be begun.".to_owned()))?;
        let mut steps = Self { tools, job: id, order, file: Arc::new(file), position: ExportPosition::default() };
        steps.position = match left.filter(|_| goes_on) {
            Some(left) => left,
            None => ExportPosition {
                host: tools.host.id.clone(),
                total: communications::count_for_export(tools.spool.store(), &steps.piece(0)).await?,
                ..ExportPosition::default()
            },
        };
        Ok(steps)
    }

    fn piece(&self, limit: i64) -> LogPiece {
        let at = |time: &Option<String>| time.as_deref().and_then(timestamp::parse);
        LogPiece {
            since: at(&self.order.since),
            until: at(&self.order.until),
            account: self.order.account.clone(),
            after: self.position.last.clone(),
            limit,
        }
    }

    async fn make_step(&mut self) -> Result<JobStep, JobError> {
        let store = self.tools.spool.store();
        let limit = if self.order.entries { PIECE_WITH_ENTRIES } else { PIECE };
        let found = communications::export(store, &self.piece(limit), self.order.entries).await?;
        let (data, file, job) = (self.tools.spool.data().to_owned(), Arc::clone(&self.file), self.job);
        let Some((last, _)) = found.last() else {
            let ExportPosition { host, bytes, lines, .. } = &self.position;
            let bytes = *bytes;
            in_files(job, move || exports::finish(&data, job, &file, bytes)).await?;
            let file = exports::path(self.tools.spool.data(), job).display().to_string();
            return Ok(JobStep::Done(json!({ "host": host, "file": file, "bytes": bytes, "lines": lines })));
        };
        let (last, mut text) = (last.clone(), String::new());
        for (_, line) in &found {
            text.push_str(&line.to_string());
            text.push('\n');
        }
        let (lines, before) = (found.len() as i64, self.position.bytes);
        let bytes = before + text.len() as u64;
        if bytes > LARGEST {
            let gibibytes = LARGEST >> 30;
            let sentence = format!("The file would have more than {gibibytes} GiB. Ask for a shorter span of time.");
            return Err(JobError::Because(sentence));
        }
        // Durable before it is noted how far it is.
        let shortage = in_files(job, move || {
            let shortage = exports::shortage(&data)?;
            if shortage.is_none() {
                // At its place: a step that is made again writes the same bytes there.
                file.write_all_at(text.as_bytes(), before)?;
                file.sync_data()?;
            }
            Ok(shortage)
        })
        .await?;
        if let Some(sentence) = shortage {
            return Err(JobError::Because(sentence));
        }
        self.position.bytes = bytes;
        self.position.lines += lines;
        self.position.last = last;
        Ok(JobStep::More)
    }
}

impl JobSteps for ExportSteps<'_> {
    fn step(&mut self) -> JobWork<'_, JobStep> {
        Box::pin(self.make_step())
    }

    fn progress(&self) -> JobProgress {
        let ExportPosition { lines, total, bytes, .. } = &self.position;
        JobProgress { done: *lines, total: Some((*total).max(*lines)), note: format!("{bytes} bytes written") }
    }

    fn position(&self) -> Value {
        json!(self.position)
    }

    fn discard(&mut self) {
        if let Err(error) = exports::remove(self.tools.spool.data(), self.job) {
            exports::tell_left(self.job, &error);
        }
    }
}

/// Does something with files, on a thread that may block.
async fn in_files<T: Send + 'static>(
    job: i64,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, JobError> {
    let failed = |why: String| {
        JobError::Because(format!(
            "The file of the job {job} in the data folder's `exports` could not be written: {why}."
        ))
    };
    match blocking(WorkKind::Files, "exports", work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(panic) => Err(failed(panic.to_string())),
    }
}
