//! The kind `replay`: stored mails go through the chain as it is now, or as it would be with other filters, and it is told
//! which would become something else than they did. Nothing is changed by it.

mod compare;

#[cfg(test)]
mod tests;

use super::kind::{JobError, JobKind, JobStep, JobSteps, JobTools, JobWork};
use crate::store::StoreError;
use crate::store::jobs::ClaimedJob;
use crate::store::spool::{self, HistoryFilter, PastMessage};
use crate::worker::{self, DryRun, DryRunResult, LiveConfiguration, NoFilter};
use bytes::Bytes;
use compare::ReplaySummary;
use postigo_model::configured::form::{self, ConfigurationMistake};
use postigo_model::configured::{ConfigurationVersion, Filter};
use postigo_model::job::{JobProgress, ReplayOrder};
use postigo_model::result::MessageResult;
use postigo_model::timestamp;
use postigo_sandbox::Asker;
use postigo_supervision::{WorkKind, caught};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// So many messages are looked up at once.
const PIECE: i64 = 20;
/// So many are looked at, however few of them are tried.
const MOST_LOOKED_AT: i64 = 1_000_000;
/// Authors ask for replays: what is prepared for these takes the places of authors, of whom this one has no token.
const ASKER: Asker = Asker::Author(0);

/// The kind.
pub struct Replay;

impl JobKind for Replay {
    fn name(&self) -> &'static str {
        ReplayOrder::KIND
    }

    fn deadline(&self) -> Duration {
        Duration::from_hours(24)
    }

    fn begin<'j>(&self, tools: &'j JobTools, job: &'j ClaimedJob) -> JobWork<'j, Box<dyn JobSteps + 'j>> {
        Box::pin(async move { Ok(Box::new(ReplaySteps::begin(tools, job).await?) as Box<dyn JobSteps + 'j>) })
    }
}

/// Where a replay has come to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct ReplayPosition {
    /// The version of the configuration that all of it is judged by.
    version: (i64, i64),
    /// The message that was tried last; none: none was.
    last: Option<i64>,
    /// So many will be looked at; none: not known, since few of them may be wanted.
    total: Option<i64>,
    summary: ReplaySummary,
}

/// What came of trying a message once more.
enum Trial {
    WithoutBytes,
    Made(Box<DryRunResult>),
    Failed(String),
}

struct ReplaySteps<'j> {
    tools: &'j JobTools,
    job: i64,
    order: ReplayOrder,
    setup: Arc<LiveConfiguration>,
    position: ReplayPosition,
    /// Looked up, and not tried yet.
    next: VecDeque<PastMessage>,
    has_ended: bool,
}

impl<'j> ReplaySteps<'j> {
    async fn begin(tools: &'j JobTools, job: &ClaimedJob) -> Result<Self, JobError> {
        let order: ReplayOrder = serde_json::from_value(job.asked.clone())
            .map_err(|error| JobError::Because(format!("What was asked for cannot be read: {error}.")))?;
        let filters = order.filters.iter().map(filter).collect::<Result<Vec<_>, _>>()?;
        let id = job.claim.id;
        let sandbox = tools.live.sandbox().asked_by(ASKER);
        let turn = sandbox.turn().await;
        let (live, only) = (Arc::clone(&tools.live), order.only.clone());
        let preparing = async move {
            let _turn = turn;
            worker::with_filters(&live, filters, &only, &sandbox).await
        };
        let setup = to_its_end(id, preparing).await??;
        let ConfigurationVersion { number, stamp } = setup.configuration.version;
        let left = job.position.clone().and_then(|position| serde_json::from_value(position).ok());
        // What an earlier configuration made of some and this one of others would be no answer.
        let left = left.filter(|left: &ReplayPosition| left.version == (number, stamp));
        let (position, next) = (ReplayPosition::default(), VecDeque::new());
        let mut steps = Self { tools, job: id, order, setup, position, next, has_ended: false };
        steps.position = match left {
            Some(position) => position,
            None => ReplayPosition { version: (number, stamp), total: steps.count().await?, ..Default::default() },
        };
        Ok(steps)
    }

    fn wanted(&self, limit: i64) -> HistoryFilter {
        let at = |time: &Option<String>| time.as_deref().and_then(timestamp::parse);
        HistoryFilter {
            since: at(&self.order.since),
            until: at(&self.order.until),
            account: self.order.account.clone(),
            before: self.position.last,
            limit,
        }
    }

    async fn count(&self) -> Result<Option<i64>, StoreError> {
        if self.order.queue.is_some() {
            return Ok(None);
        }
        let store = self.tools.spool.store();
        Ok(Some(spool::count_past(&mut *store.read().await?, &self.wanted(self.order.limit)).await?))
    }

    async fn make_step(&mut self) -> Result<JobStep, JobError> {
        let summary = &self.position.summary;
        // Those whose bytes are gone, and those of other queues, are none of the mails that were asked for.
        let is_enough = summary.tried + summary.failed >= self.order.limit;
        let left = MOST_LOOKED_AT - summary.looked_at;
        if self.next.is_empty() && !is_enough && left > 0 {
            let wanted = self.wanted(left.min(PIECE));
            self.next = spool::past(&mut *self.tools.spool.store().read().await?, &wanted).await?.into();
        }
        if is_enough || self.next.is_empty() {
            self.has_ended = true;
            self.position.summary.bound_reached = !is_enough && left <= 0;
            return Ok(JobStep::Done(serde_json::json!(self.position.summary)));
        }
        // Nothing is done with those: they are no steps.
        let passed_over = self.next.iter().take_while(|past| wanted_result(&self.order, past).is_none()).count();
        for past in self.next.drain(..passed_over) {
            self.position.last = Some(past.message.id);
            self.position.summary.looked_at += 1;
            self.position.summary.passed_over += 1;
        }
        let Some((past, then)) = self.next.front().and_then(|past| Some((past, wanted_result(&self.order, past)?)))
        else {
            return Ok(JobStep::More);
        };
        let trial = self.tried(past).await?;
        let position = &mut self.position;
        position.last = Some(past.message.id);
        position.summary.looked_at += 1;
        match trial {
            Trial::WithoutBytes => position.summary.without_bytes += 1,
            Trial::Made(now) => position.summary.add(past, then, &now.result),
            Trial::Failed(why) => position.summary.not_tried(past, then, &why),
        }
        self.next.pop_front();
        Ok(JobStep::More)
    }

    async fn tried(&self, past: &PastMessage) -> Result<Trial, JobError> {
        let turn = self.tools.live.sandbox().asked_by(ASKER).turn().await;
        // Before its bytes are in memory: mails that come in take of the same.
        let share = self.tools.budget.hold(u64::try_from(past.message.size).unwrap_or_default()).await;
        let raw = match self.tools.spool.raw(past.message.id).await {
            Ok(raw) => Bytes::from(raw),
            Err(error) if error.is_temporary() => return Err(error.into()),
            // They are not kept, or damaged: that one cannot be tried.
            Err(_) => return Ok(Trial::WithoutBytes),
        };
        let mail = DryRun {
            source: past.message.source.clone(),
            raw,
            account: past.message.account.clone(),
            trusted: None,
            recipients: past.recipients.clone(),
            received_at: Some(past.message.received_at),
        };
        let (setup, live) = (Arc::clone(&self.setup), Arc::clone(&self.tools.live));
        let trying = async move {
            let _held = (turn, share);
            worker::dry_run(mail, setup, &live).await
        };
        match to_its_end(self.job, trying).await? {
            Ok(now) => Ok(Trial::Made(Box::new(now))),
            Err(worker::EvaluateError::Store(error)) => Err(error.into()),
            Err(error) => Ok(Trial::Failed(error.to_string())),
        }
    }
}

/// What became of a message, where it is one that was asked for.
fn wanted_result<'p>(order: &ReplayOrder, past: &'p PastMessage) -> Option<&'p MessageResult> {
    let then = past.message.result.as_ref()?;
    order.queue.as_ref().is_none_or(|queue| then.queue.as_ref() == Some(queue)).then_some(then)
}

/// Awaits work that threads go on with when nobody awaits it any more: what it holds, it holds until its end.
async fn to_its_end<T: Send + 'static>(
    job: i64,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, JobError> {
    let of = format!("{} {job}", ReplayOrder::KIND);
    let broken = |why: String| {
        JobError::Because(format!("The job panicked: {why}. This is a fault of Postigo: please report it."))
    };
    match tokio::spawn(async move { caught(WorkKind::Job, &of, work).await }).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(panic)) => Err(broken(panic.to_string())),
        Err(error) => Err(broken(error.to_string())),
    }
}

impl JobSteps for ReplaySteps<'_> {
    fn step(&mut self) -> JobWork<'_, JobStep> {
        Box::pin(self.make_step())
    }

    fn progress(&self) -> JobProgress {
        let summary = &self.position.summary;
        JobProgress {
            done: summary.looked_at,
            total: match self.position.total {
                Some(total) if !self.has_ended => Some(total.max(summary.looked_at)),
                _ => self.has_ended.then_some(summary.looked_at),
            },
            note: format!("{} mails tried, {} would become something else", summary.tried, summary.differ),
        }
    }

    fn position(&self) -> Value {
        serde_json::json!(self.position)
    }
}

/// A filter as it was written, which was looked at when the replay was asked for.
fn filter(written: &Value) -> Result<Filter, JobError> {
    let (filter, mistakes) = form::read(Filter::default(), written, "", &form::in_clear);
    match mistakes.first() {
        None => Ok(filter),
        Some(ConfigurationMistake { pointer, sentence }) => {
            Err(JobError::Because(format!("The filter \"{}\" cannot be read, {pointer}: {sentence}", filter.name)))
        }
    }
}

impl From<NoFilter> for JobError {
    fn from(error: NoFilter) -> Self {
        match error {
            NoFilter::Store(error) => Self::Store(error),
            error => Self::Because(error.to_string()),
        }
    }
}
