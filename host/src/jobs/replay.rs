//! The kind `replay`: stored mails go through the chain as it is now, or as it would be with other filters, and it is told
//! which would become something else than they did. Nothing is changed by it.

mod compare;

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
use postigo_model::timestamp;
use postigo_sandbox::Asker;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// So many messages are looked up at once.
const PIECE: i64 = 20;

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
    total: i64,
    summary: ReplaySummary,
}

/// What came of trying a message once more.
enum Trial {
    /// It went into another queue than the one that was asked for, or nothing is known of it.
    PassedOver,
    WithoutBytes,
    Made(Box<DryRunResult>),
    Failed(String),
}

struct ReplaySteps<'j> {
    tools: &'j JobTools,
    order: ReplayOrder,
    setup: Arc<LiveConfiguration>,
    position: ReplayPosition,
    /// Looked up, and not tried yet.
    next: VecDeque<PastMessage>,
}

impl<'j> ReplaySteps<'j> {
    async fn begin(tools: &'j JobTools, job: &ClaimedJob) -> Result<Self, JobError> {
        let order: ReplayOrder = serde_json::from_value(job.asked.clone())
            .map_err(|error| JobError::Because(format!("What was asked for cannot be read: {error}.")))?;
        let filters = order.filters.iter().map(filter).collect::<Result<Vec<_>, _>>()?;
        let sandbox = tools.live.sandbox().asked_by(Asker::Host);
        let setup = worker::with_filters(&tools.live, filters, &order.only, &sandbox).await?;
        let ConfigurationVersion { number, stamp } = setup.configuration.version;
        let left = job.position.clone().and_then(|position| serde_json::from_value(position).ok());
        // What an earlier configuration made of some and this one of others would be no answer.
        let left = left.filter(|left: &ReplayPosition| left.version == (number, stamp));
        let mut steps = Self { tools, order, setup, position: ReplayPosition::default(), next: VecDeque::new() };
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

    async fn count(&self) -> Result<i64, StoreError> {
        let store = self.tools.spool.store();
        spool::count_past(&mut *store.read().await?, &self.wanted(self.order.limit)).await
    }

    async fn make_step(&mut self) -> Result<JobStep, JobError> {
        let left = self.order.limit - self.position.summary.looked_at;
        if self.next.is_empty() && left > 0 {
            let wanted = self.wanted(left.min(PIECE));
            self.next = spool::past(&mut *self.tools.spool.store().read().await?, &wanted).await?.into();
        }
        let Some(past) = self.next.front() else {
            return Ok(JobStep::Done(serde_json::json!(self.position.summary)));
        };
        let outcome = self.tried(past).await?;
        let (position, summary) = (&mut self.position, past.message.result.as_ref());
        position.last = Some(past.message.id);
        position.summary.looked_at += 1;
        match (outcome, summary) {
            (Trial::PassedOver, _) | (_, None) => position.summary.passed_over += 1,
            (Trial::WithoutBytes, _) => position.summary.without_bytes += 1,
            (Trial::Made(now), Some(then)) => position.summary.add(past, then, &now.result),
            (Trial::Failed(why), Some(then)) => position.summary.not_tried(past, then, &why),
        }
        self.next.pop_front();
        Ok(JobStep::More)
    }

    async fn tried(&self, past: &PastMessage) -> Result<Trial, JobError> {
        let then = past.message.result.as_ref();
        if self.order.queue.as_ref().is_some_and(|queue| then.and_then(|then| then.queue.as_ref()) != Some(queue)) {
            return Ok(Trial::PassedOver);
        }
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
        match worker::dry_run(mail, Arc::clone(&self.setup), &self.tools.live).await {
            Ok(now) => Ok(Trial::Made(Box::new(now))),
            Err(worker::EvaluateError::Store(error)) => Err(error.into()),
            Err(error) => Ok(Trial::Failed(error.to_string())),
        }
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
            total: Some(self.position.total.max(summary.looked_at)),
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
