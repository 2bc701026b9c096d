//! The kind `classifier-training`: examples are collected from the desk's tickets, a component learns from them in a
//! process of its own, and what it learnt is kept as a model of its filter.
//!
//! Whoever takes such a job over begins anew: the same tickets give the same examples, and these the same model.

use super::kind::{JobError, JobKind, JobStep, JobSteps, JobTools, JobWork};
use crate::chain::{Components as _, NeededComponents, grants};
use crate::service::examples::{self, ExampleCollection, ExampleReport, ExampleSet, ExampleSource, ExampleWish};
use crate::service::models;
use crate::store::jobs::{self, ClaimedJob};
use crate::worker::LiveConfiguration;
use postigo_model::configured::Configuration;
use postigo_model::job::{JobProgress, TrainingOrder};
use postigo_model::ticket::TicketField;
use postigo_model::timestamp;
use postigo_sandbox::GroupMember;
use postigo_sandbox::training::{
    ExampleMail, LabelledExample, LearningTopic, Purpose, TopicLabel, TrainError, TrainedModel, TrainingLimits,
    TrainingProgress, TrainingSpec,
};
use postigo_supervision::{Panic, WorkKind, blocking};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Tickets are looked at for so many pieces in a step.
const PIECES: usize = 5;
/// A step that waits for the process looks after this time.
const LOOKED: Duration = Duration::from_secs(1);
/// Of each label every so-many-th example is kept back, to find out how sure the model may be.
const KEPT_BACK: usize = 5;

/// The kind.
pub struct Training;

impl JobKind for Training {
    fn name(&self) -> &'static str {
        TrainingOrder::KIND
    }

    fn deadline(&self) -> Duration {
        Duration::from_hours(6)
    }

    fn begin<'j>(&self, tools: &'j JobTools, job: &'j ClaimedJob) -> JobWork<'j, Box<dyn JobSteps + 'j>> {
        Box::pin(async move { Ok(Box::new(TrainingSteps::begin(tools, job).await?) as Box<dyn JobSteps + 'j>) })
    }
}

/// How far a training is.
enum Phase {
    /// Tickets are looked at.
    Collecting(Box<ExampleCollection>),
    /// The component learns.
    Learning(Learning),
    /// It has ended, and what it learnt is to be kept.
    Keeping(Arc<(TrainedModel, ExampleReport)>),
}

/// A component that learns, in a process of its own, which ends when this is dropped.
struct Learning {
    report: ExampleReport,
    progress: Arc<LearningProgress>,
    ends: JoinHandle<Result<Result<TrainedModel, TrainError>, Panic>>,
}

/// What the thread tells, and what it is told.
#[derive(Default)]
struct LearningProgress {
    learnt: AtomicU64,
    of: AtomicU64,
    unwanted: AtomicBool,
}

impl Drop for Learning {
    fn drop(&mut self) {
        self.progress.unwanted.store(true, Ordering::Relaxed);
    }
}

struct TrainingSteps<'j> {
    tools: &'j JobTools,
    job: &'j ClaimedJob,
    order: TrainingOrder,
    setup: Arc<LiveConfiguration>,
    phase: Phase,
}

impl<'j> TrainingSteps<'j> {
    async fn begin(tools: &'j JobTools, job: &'j ClaimedJob) -> Result<Self, JobError> {
        let order: TrainingOrder = serde_json::from_value(job.asked.clone())
            .map_err(|error| JobError::Because(format!("What was asked for cannot be read: {error}.")))?;
        let setup = tools.live.newest().await?;
        let wish = ExampleWish {
            questions: order.questions.clone(),
            since: order.since.as_deref().and_then(timestamp::parse),
            most: order.limit,
            deciders: vec![order.filter.clone()],
        };
        let collected = examples::order(tools.spool.store(), &setup.configuration, wish).await?;
        let phase = Phase::Collecting(Box::new(ExampleCollection::new(collected)));
        Ok(Self { tools, job, order, setup, phase })
    }

    async fn make_step(&mut self) -> Result<JobStep, JobError> {
        match &mut self.phase {
            Phase::Collecting(collection) => {
                for _ in 0..PIECES {
                    if !collection.step(self.tools.spool.store()).await? {
                        // A copy: where this step fails or is dropped, it is made once more.
                        let set = collection.as_ref().clone().finish();
                        self.phase = Phase::Learning(self.learn(set).await?);
                        break;
                    }
                }
                Ok(JobStep::More)
            }
            Phase::Learning(learning) => {
                let Ok(ended) = tokio::time::timeout(LOOKED, &mut learning.ends).await else {
                    return Ok(JobStep::More);
                };
                let trained = ended
                    .map_err(|error| error.to_string())
                    .and_then(|ended| ended.map_err(|panic| panic.to_string()))
                    .and_then(|trained| trained.map_err(|error| error.to_string()));
                let because = |why: String| {
                    JobError::Because(format!("The filter \"{}\" was not trained: {why}.", self.order.filter))
                };
                let report = learning.report.clone();
                self.phase = Phase::Keeping(Arc::new((trained.map_err(because)?, report)));
                Ok(JobStep::More)
            }
            Phase::Keeping(learnt) => {
                let learnt = Arc::clone(learnt);
                self.keep(&learnt.0, &learnt.1).await
            }
        }
    }

    /// Starts the component on these examples.
    async fn learn(&self, set: ExampleSet) -> Result<Learning, JobError> {
        let configuration = &self.setup.configuration;
        let name = &self.order.filter;
        let filter = configuration.filters.get(name).ok_or_else(|| no_filter(name))?;
        let sandbox = self.tools.live.sandbox();
        let components = NeededComponents::of([filter], self.tools.spool.store(), sandbox).await?;
        let component = components.find(filter).ok_or_else(|| {
            JobError::Because(format!("The component {} of the filter \"{name}\" is not there.", filter.component))
        })?;
        let (examples, sources): (Vec<LabelledExample>, Vec<ExampleSource>) = purposes(&set).into_iter().unzip();
        let spec = TrainingSpec {
            component: Arc::clone(&component.bytes),
            digest: component.description.digest.clone(),
            member: GroupMember::new(name.as_str(), filter.settings.clone()),
            grants: grants(filter, &component),
            topics: topics(&set, &self.order, configuration),
            examples,
            seed: self.order.seed,
            limits: TrainingLimits::default(),
        };
        let runtime = Arc::clone(sandbox.runtime().map_err(|why| JobError::Because(why.to_owned()))?);
        let progress = Arc::new(LearningProgress::default());
        let (told, spool, tokio) = (Arc::clone(&progress), self.tools.spool.clone(), tokio::runtime::Handle::current());
        let work = move || {
            let mut mail_of = |index: usize| match sources.get(index) {
                Some(ExampleSource::Stored(id)) => {
                    let raw = tokio.block_on(spool.beginning(*id)).map_err(|error| error.to_string())?;
                    Ok(ExampleMail { raw, ..ExampleMail::default() })
                }
                _ => Err("there is no such example".to_owned()),
            };
            let mut tell = |progress: TrainingProgress| {
                told.learnt.store(progress.learnt, Ordering::Relaxed);
                told.of.store(progress.of, Ordering::Relaxed);
                if told.unwanted.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            runtime.train(&spec, &mut mail_of, &mut tell)
        };
        let of = format!("{} {}", TrainingOrder::KIND, self.job.claim.id);
        let ends = tokio::spawn(async move { blocking(WorkKind::Job, &of, work).await });
        Ok(Learning { report: ExampleReport::from(&set), progress, ends })
    }

    /// Keeps what was learnt.
    async fn keep(&self, model: &TrainedModel, report: &ExampleReport) -> Result<JobStep, JobError> {
        let configuration = &self.setup.configuration;
        let component = configuration.filters.get(&self.order.filter).map(|filter| filter.component.clone());
        let store = self.tools.spool.store();
        let job = jobs::show(&mut *store.read().await?, self.job.claim.id).await?;
        let trained = models::Trained {
            filter: self.order.filter.clone(),
            component: component.ok_or_else(|| no_filter(&self.order.filter))?,
            model: model.bytes.clone(),
            format: model.format.clone(),
            summary: model.summary.clone(),
            report: report.clone(),
            seed: self.order.seed,
            asked_by: job.map(|job| job.asked_by).unwrap_or_default(),
            put_in_force: self.order.put_in_force,
        };
        let kept = models::keep(store, self.tools.live.key(), trained, configuration).await?;
        Ok(JobStep::Done(json!({ "model": kept, "examples": report })))
    }
}

impl JobSteps for TrainingSteps<'_> {
    fn step(&mut self) -> JobWork<'_, JobStep> {
        Box::pin(self.make_step())
    }

    fn progress(&self) -> JobProgress {
        match &self.phase {
            Phase::Collecting(collection) => {
                JobProgress { done: collection.looked_at(), total: None, note: "tickets looked at".to_owned() }
            }
            Phase::Learning(learning) => {
                let whole = |count: &AtomicU64| i64::try_from(count.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
                let of = whole(&learning.progress.of);
                let note = format!("learning from {} mails", learning.report.examples + learning.report.outside);
                JobProgress { done: whole(&learning.progress.learnt), total: (of > 0).then_some(of), note }
            }
            Phase::Keeping(_) => JobProgress { done: 0, total: None, note: "keeping the model".to_owned() },
        }
    }

    /// Nothing of what was collected is kept outside of memory.
    fn position(&self) -> Value {
        Value::Null
    }
}

fn no_filter(name: &str) -> JobError {
    JobError::Because(format!("There is no filter \"{name}\" any more."))
}

/// What each example is for: of each label most are learnt from, and some kept back.
fn purposes(set: &ExampleSet) -> Vec<(LabelledExample, ExampleSource)> {
    let mut counts: HashMap<(usize, u32), usize> = HashMap::new();
    let labelled = set.examples.iter().map(|example| {
        let first = example.labels.iter().enumerate().find_map(|(question, label)| Some((question, (*label)?)));
        let count = counts.entry(first.unwrap_or_default()).or_default();
        *count += 1;
        let purpose = if count.is_multiple_of(KEPT_BACK) { Purpose::Calibrate } else { Purpose::Fit };
        (LabelledExample { purpose, labels: example.labels.clone(), weight: example.weight }, example.source)
    });
    let labelled: Vec<_> = labelled.collect();
    let outside = set.outside.iter().map(|source| {
        let labels = vec![None; set.questions.len()];
        (LabelledExample { purpose: Purpose::Outside, labels, weight: 1.0 }, *source)
    });
    labelled.into_iter().chain(outside).collect()
}

/// The questions with their labels, and what the admin says of these.
fn topics(set: &ExampleSet, order: &TrainingOrder, configuration: &Configuration) -> Vec<LearningTopic> {
    let topic = |(question, (_, header)): (&examples::QuestionLabels, &(String, String))| {
        let is_queue = TicketField::of_header(header) == Some(TicketField::Queue);
        let describe = |label: &str| {
            let queue = configuration.queues.get(label).filter(|_| is_queue);
            queue
                .map(|queue| [&[queue.description.clone()][..], &queue.keywords].concat().join(" "))
                .unwrap_or_default()
        };
        let label = |count: &examples::LabelCount| TopicLabel {
            name: count.label.clone(),
            description: postigo_model::text::beginning(&describe(&count.label), 4 << 10).trim().to_owned(),
        };
        LearningTopic { name: question.name.clone(), labels: question.labels.iter().map(label).collect() }
    };
    set.questions.iter().zip(&order.questions).map(topic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::examples::{Example, LabelCount, QuestionLabels};
    use std::collections::BTreeMap;

    fn set(labels: &[u32]) -> ExampleSet {
        let count = |label: &str| LabelCount { label: label.into(), examples: 0, given: 0 };
        let example = |(id, label): (i64, &u32)| Example {
            source: ExampleSource::Stored(id),
            labels: vec![Some(*label)],
            weight: 1.0,
            given: false,
        };
        ExampleSet {
            questions: vec![QuestionLabels { name: "queue".into(), labels: vec![count("Billing"), count("Support")] }],
            examples: (1..).zip(labels).map(example).collect(),
            outside: vec![ExampleSource::Stored(99)],
            looked_at: 0,
            without_lesson: BTreeMap::new(),
            labelled_without_lesson: 0,
            without_bytes: 0,
            passed_over: 0,
            bound_reached: false,
        }
    }

    #[test]
    fn of_each_label_one_of_five_is_kept_back_and_of_rare_ones_none() {
        let purposes: Vec<Purpose> =
            purposes(&set(&[0, 1, 0, 0, 0, 1, 0, 0])).into_iter().map(|(example, _)| example.purpose).collect();
        let mut expected = vec![Purpose::Fit; 8];
        expected[6] = Purpose::Calibrate;
        expected.push(Purpose::Outside);
        assert_eq!(purposes, expected);
    }

    #[test]
    fn what_an_admin_says_of_a_queue_is_told_to_who_learns() {
        let mut configuration = Configuration::default();
        let queue = postigo_model::configured::Queue {
            name: "Billing".into(),
            description: "Bills and payments.".into(),
            keywords: vec!["invoice".into(), "reminder".into()],
            ..Default::default()
        };
        configuration.queues.insert("Billing".into(), queue);
        let order =
            TrainingOrder { questions: vec![("queue".into(), "X-OTOBO-Queue".into())], ..TrainingOrder::default() };
        let topics = topics(&set(&[0]), &order, &configuration);
        let described: Vec<(&str, &str)> =
            topics[0].labels.iter().map(|label| (label.name.as_str(), label.description.as_str())).collect();
        assert_eq!(described, [("Billing", "Bills and payments. invoice reminder"), ("Support", "")]);
    }
}
