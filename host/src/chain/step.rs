//! What a chain did with a message: a step for each filter of the plan.

use super::plan::ChainPlan;
use super::planned_filter::PlannedFilter;
use super::trial::BreakerTrial;
use postigo_mail::Mail;
use postigo_model::answer_result::AnswerResult;
use postigo_model::result::{FilterError, FilterOutcome, FilterResult, HeaderChange};
use postigo_sandbox::{CallFailure, LogLine};
use std::time::Duration;

/// What a chain did with a message.
#[derive(Debug)]
pub struct ChainRun {
    /// The mail as the filters left it.
    pub mail: Box<Mail>,
    /// What each filter of the plan did, in its order.
    pub steps: Vec<ChainStep>,
    /// The place in the plan of the filter that wants the mail held.
    pub held_by: Option<usize>,
    /// What the admin should know of the screening and of suspended filters, sentences.
    pub notes: Vec<String>,
    /// Time that `screen` calls took, with what they needed of the host.
    pub screening: Duration,
    /// How long it waited for room in the memory of guests.
    pub waited: Duration,
    /// Set where the message must wait for its turn, since a filter took longer than usual while failed calls have had
    /// their share: nothing was decided, and the steps say nothing.
    pub put_off: Option<PutOff>,
    /// What is to be tried now, each on a thread that guests may occupy.
    pub trials: Vec<BreakerTrial>,
}

/// A message that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutOff {
    /// How long.
    pub pause: Duration,
    /// Why, a sentence.
    pub reason: String,
}

/// A filter that did not match is told of itself where it took so long of its own time: who looks for slow filters finds
/// it. It is far beyond what usual ones take.
const WORTH_KEEPING: Duration = Duration::from_millis(100);

/// What a filter did.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainStep {
    /// What came of it.
    pub outcome: FilterOutcome,
    /// Whether the chain ended here.
    pub stopped: bool,
    /// What it set.
    pub changes: Vec<HeaderChange>,
    /// All the time that it took: the guest's own, the host's for it, and waiting for a processor. Not that for room
    /// in memory.
    pub took: Duration,
    /// The guest's own time of that.
    pub own: Duration,
    /// Why it failed or is suspended.
    pub error: Option<CallFailure>,
    /// Its own words about the verdict.
    pub reason: String,
    /// Of a classifier that was asked, what came of its answers.
    pub answers: Vec<AnswerResult>,
    /// What it logged.
    pub log: Vec<LogLine>,
}

impl ChainStep {
    /// With nothing but its outcome.
    pub fn of(outcome: FilterOutcome) -> Self {
        Self {
            outcome,
            stopped: false,
            changes: Vec::new(),
            took: Duration::ZERO,
            own: Duration::ZERO,
            error: None,
            reason: String::new(),
            answers: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Failed.
    pub fn failed(failure: CallFailure) -> Self {
        Self { error: Some(failure), ..Self::of(FilterOutcome::Failed) }
    }
}

impl ChainRun {
    /// How many filters ran before the chain ended.
    pub fn ran(&self) -> usize {
        self.steps.iter().take_while(|step| step.outcome != FilterOutcome::NotRun).count()
    }

    /// The places in the chain, rising, of the filters of which is kept what they did: they did something, gave answers,
    /// or took long.
    /// What became of the others follows from how many [`ran`](Self::ran).
    pub fn kept(&self) -> Vec<usize> {
        let ran = self.ran();
        let is_kept = |(place, step): &(usize, &ChainStep)| match step.outcome {
            FilterOutcome::NotMatched => *place >= ran || step.own >= WORTH_KEEPING || !step.answers.is_empty(),
            FilterOutcome::NotRun => *place < ran,
            FilterOutcome::Matched | FilterOutcome::Failed | FilterOutcome::Suspended => true,
        };
        self.steps.iter().enumerate().filter(is_kept).map(|(place, _)| place).collect()
    }

    /// The steps as results show them.
    pub fn results(&self, plan: &ChainPlan) -> Vec<FilterResult> {
        plan.filters().iter().zip(&self.steps).map(|(filter, step)| result(filter, step)).collect()
    }
}

fn result(filter: &PlannedFilter, step: &ChainStep) -> FilterResult {
    FilterResult {
        name: filter.name.to_string(),
        outcome: step.outcome,
        stopped: step.stopped,
        changes: step.changes.clone(),
        micros: Some(u64::try_from(step.took.as_micros()).unwrap_or(u64::MAX)),
        error: step.error.as_ref().map(|failure| FilterError { kind: failure.kind, message: failure.message.clone() }),
        answers: step.answers.clone(),
        component: None,
        reason: None,
        version: None,
    }
}
