//! One message through the chain: filters in byte order, screening, stop-after-match, failure policies, the chain's budget.

use super::breaker::Admission;
use super::guests::{Guest, Guests};
use super::plan::{Place, Plan, Planned, PlannedGroup};
use super::verdict::{self, Accepted};
use crate::config::FailurePolicy;
use crate::mail::{Mail, Vocabulary};
use crate::result::{FilterError, FilterResult, HeaderChange, Outcome};
use crate::runtime::{Failure, FailureKind, LogLine};
use std::time::{Duration, Instant};

/// What a chain may take for one message. Filters that come after it fail with `timeout`.
pub const BUDGET: Duration = Duration::from_secs(10);

/// How a chain is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For a mail that will be filed: only candidates are called, breakers count.
    Live {
        /// Call the others too and compare: done for one message in 1,000.
        check_screening: bool,
    },
    /// Without effect on anything: every filter is called, suspended ones too, and what the screening missed is an error.
    Dry,
}

/// What a chain did with a message.
#[derive(Debug)]
pub struct ChainRun {
    /// The mail as the filters left it.
    pub mail: Box<Mail>,
    /// What each filter of the plan did, in its order.
    pub steps: Vec<Step>,
    /// The place in the plan of the filter that wants the mail held.
    pub held_by: Option<usize>,
    /// What the admin should know of the screening and of suspended filters, sentences.
    pub notes: Vec<String>,
    /// Time that `screen` calls took.
    pub screening: Duration,
}

/// What a filter did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What came of it.
    pub outcome: Outcome,
    /// Whether the chain ended here.
    pub stopped: bool,
    /// What it set.
    pub changes: Vec<HeaderChange>,
    /// Wall time of its call.
    pub took: Duration,
    /// Why it failed or is suspended.
    pub error: Option<Failure>,
    /// Its own words about the verdict.
    pub reason: String,
    /// What it logged.
    pub log: Vec<LogLine>,
}

impl Step {
    fn of(outcome: Outcome) -> Self {
        Self { outcome, stopped: false, changes: Vec::new(), took: Duration::ZERO, error: None, reason: String::new(), log: Vec::new() }
    }

    fn failed(failure: Failure) -> Self {
        Self { error: Some(failure), ..Self::of(Outcome::Failed) }
    }
}

impl ChainRun {
    /// The steps as results show them.
    pub fn results(&self, plan: &Plan) -> Vec<FilterResult> {
        plan.filters().iter().zip(&self.steps).map(|(filter, step)| result(filter, step)).collect()
    }
}

fn result(filter: &Planned, step: &Step) -> FilterResult {
    FilterResult {
        name: filter.name.to_string(),
        outcome: step.outcome,
        stopped: step.stopped,
        changes: step.changes.clone(),
        micros: u64::try_from(step.took.as_micros()).unwrap_or(u64::MAX),
        error: step.error.as_ref().map(|failure| FilterError { kind: failure.kind, message: failure.message.clone() }),
    }
}

/// Runs the plan's filters over a mail. Blocks for as long as the guests run: call it on a thread that guests may occupy.
pub fn run(plan: &Plan, vocabulary: &Vocabulary, mut mail: Box<Mail>, mode: Mode) -> ChainRun {
    let mut pass = Pass::new(plan, vocabulary, mode);
    let mut steps = Vec::with_capacity(plan.filters().len());
    let mut held_by = None;
    let mut ended = false;
    for (position, filter) in plan.filters().iter().enumerate() {
        if ended {
            steps.push(Step::of(Outcome::NotRun));
            continue;
        }
        let (back, mut step) = pass.step(filter, mail);
        mail = back;
        ended = match step.outcome {
            Outcome::Matched => filter.stop_after_match,
            Outcome::Failed | Outcome::Suspended => filter.on_failure != FailurePolicy::Skip,
            Outcome::NotMatched | Outcome::NotRun => false,
        };
        step.stopped = ended;
        if ended && step.outcome != Outcome::Matched && filter.on_failure == FailurePolicy::Hold {
            held_by = Some(position);
        }
        steps.push(step);
    }
    ChainRun { mail, steps, held_by, notes: pass.notes, screening: pass.screening }
}

/// The state of one run.
struct Pass<'p> {
    plan: &'p Plan,
    vocabulary: &'p Vocabulary,
    mode: Mode,
    started: Instant,
    groups: Vec<GroupState>,
    notes: Vec<String>,
    screening: Duration,
}

/// What a run knows of a group.
#[derive(Default)]
struct GroupState {
    guest: Option<Box<dyn Guest>>,
    candidates: Candidates,
}

/// What the screening said, as long as it holds.
#[derive(Default)]
enum Candidates {
    /// Not asked yet, or a header that it read has changed.
    #[default]
    Unknown,
    /// No screening, or it failed.
    All,
    /// These.
    Some {
        /// Sorted.
        filters: Vec<u32>,
        /// Headers that the answer depends on, in lower case.
        read: Vec<String>,
    },
}

impl Candidates {
    fn hold(&self, filter: u32) -> bool {
        match self {
            Self::Some { filters, .. } => filters.binary_search(&filter).is_ok(),
            Self::Unknown | Self::All => true,
        }
    }

    fn depend_on(&self, header: &str) -> bool {
        matches!(self, Self::Some { read, .. } if read.iter().any(|name| name == header || name == "*"))
    }
}

impl<'p> Pass<'p> {
    fn new(plan: &'p Plan, vocabulary: &'p Vocabulary, mode: Mode) -> Self {
        let groups = plan.groups().iter().map(|_| GroupState::default()).collect();
        Self { plan, vocabulary, mode, started: Instant::now(), groups, notes: Vec::new(), screening: Duration::ZERO }
    }

    fn step(&mut self, filter: &Planned, mail: Box<Mail>) -> (Box<Mail>, Step) {
        let (group, index) = match &filter.place {
            Place::Member { group, index } => (*group, *index),
            Place::Broken(broken) => return (mail, Step::failed(broken.failure.clone())),
        };
        if self.started.elapsed() >= BUDGET {
            let message = format!("The chain's {} s for one message were used up before this filter.", BUDGET.as_secs());
            return (mail, Step::failed(Failure { kind: FailureKind::Timeout, message }));
        }
        let (mail, candidate) = self.is_candidate(group, index, mail);
        if !candidate && !self.calls_all() {
            return (mail, Step::of(Outcome::NotMatched));
        }
        if self.mode != Mode::Dry
            && let Admission::Suspended { last, next_probe } = filter.breaker.admit(Instant::now())
        {
            return (mail, suspended(&last, next_probe));
        }
        let (mut mail, step, accepted) = self.evaluate(filter, group, index, mail);
        if !candidate {
            return (mail, self.compare(filter, step));
        }
        self.count(filter, &step);
        self.apply(filter, &mut mail, accepted);
        (mail, step)
    }

    /// Whether filters are called that the screening left out.
    fn calls_all(&self) -> bool {
        self.mode != Mode::Live { check_screening: false }
    }

    fn is_candidate(&mut self, group: usize, index: u32, mail: Box<Mail>) -> (Box<Mail>, bool) {
        let plan = self.plan;
        let (Some(planned), Some(state)) = (plan.groups().get(group), self.groups.get(group)) else {
            return (mail, true);
        };
        if !planned.guests.screens() {
            return (mail, true);
        }
        let mail = if matches!(state.candidates, Candidates::Unknown) { self.screen(planned, group, mail) } else { mail };
        let candidate = self.groups.get(group).is_none_or(|state| state.candidates.hold(index));
        (mail, candidate)
    }

    fn screen(&mut self, planned: &PlannedGroup, group: usize, mail: Box<Mail>) -> Box<Mail> {
        let live = self.mode != Mode::Dry;
        let suspended = live && planned.screening.admit(Instant::now()) != Admission::Call;
        let (mail, screened) = if suspended { (mail, Ok(Candidates::All)) } else { self.ask(planned.guests.as_ref(), group, mail) };
        let candidates = screened.unwrap_or_else(|failure| {
            self.notes.push(format!("A screening failed, so that all its filters are called: {}", failure.message));
            if live && let Some(pause) = planned.screening.failed(&failure, Instant::now()) {
                self.notes.push(format!("That screening is left out for {} s.", pause.as_secs()));
            }
            Candidates::All
        });
        if live && matches!(candidates, Candidates::Some { .. }) {
            planned.screening.succeeded();
        }
        if let Some(state) = self.groups.get_mut(group) {
            state.candidates = candidates;
        }
        mail
    }

    fn ask(&mut self, guests: &dyn Guests, group: usize, mail: Box<Mail>) -> (Box<Mail>, Result<Candidates, Failure>) {
        let Some(state) = self.groups.get_mut(group) else { return (mail, Ok(Candidates::All)) };
        let guest = match instance(state, guests, self.mode) {
            Ok(guest) => guest,
            Err(failure) => return (mail, Err(failure)),
        };
        let called = guest.screen(mail);
        self.screening += called.took;
        let candidates = called.result.map(|mut screened| {
            screened.candidates.sort_unstable();
            Candidates::Some { filters: screened.candidates, read: screened.read }
        });
        (called.mail, candidates)
    }

    fn evaluate(&mut self, filter: &Planned, group: usize, index: u32, mail: Box<Mail>) -> (Box<Mail>, Step, Vec<Accepted>) {
        let plan = self.plan;
        let (Some(planned), Some(state)) = (plan.groups().get(group), self.groups.get_mut(group)) else {
            return (mail, Step::of(Outcome::NotMatched), Vec::new());
        };
        let guest = match instance(state, planned.guests.as_ref(), self.mode) {
            Ok(guest) => guest,
            Err(failure) => return (mail, Step::failed(failure), Vec::new()),
        };
        let called = guest.evaluate(index, mail);
        let judged = called.result.and_then(|verdict| {
            let changes = if verdict.matched { verdict.changes } else { Vec::new() };
            let accepted = verdict::check(changes, &filter.headers, self.vocabulary)?;
            let outcome = if verdict.matched { Outcome::Matched } else { Outcome::NotMatched };
            Ok((Step { changes: verdict::shown(&accepted), reason: verdict.reason, ..Step::of(outcome) }, accepted))
        });
        let (step, accepted) = judged.unwrap_or_else(|failure| (Step::failed(failure), Vec::new()));
        (called.mail, Step { took: called.took, log: called.log, ..step }, accepted)
    }

    /// A filter that the screening left out was called all the same. It has failed if it matches: its match would not have been seen.
    fn compare(&mut self, filter: &Planned, step: Step) -> Step {
        let missed = match step.outcome {
            Outcome::Matched => {
                let component = &filter.component;
                let message = format!(
                    "The screening of component {component} left this filter out, though it matches this mail: a bug of the component."
                );
                self.notes.push(format!("Filter \"{}\": {message}", filter.name));
                Step::failed(Failure { kind: FailureKind::Output, message })
            }
            _ => Step::of(Outcome::NotMatched),
        };
        Step { took: step.took, log: step.log, ..missed }
    }

    fn count(&mut self, filter: &Planned, step: &Step) {
        if self.mode == Mode::Dry {
            return;
        }
        match &step.error {
            None => {
                if filter.breaker.succeeded() {
                    self.notes.push(format!("Filter \"{}\" works again and is no longer suspended.", filter.name));
                }
            }
            Some(failure) => {
                if let Some(pause) = filter.breaker.failed(failure, Instant::now()) {
                    self.notes.push(format!(
                        "Filter \"{}\" is suspended for {} s: it failed {} times in a row, last with: {}",
                        filter.name,
                        pause.as_secs(),
                        super::breaker::FAILURES_IN_A_ROW,
                        failure.message
                    ));
                }
            }
        }
    }

    /// Sets what a filter that matched wants set; screenings that read one of these headers are asked again.
    fn apply(&mut self, filter: &Planned, mail: &mut Mail, accepted: Vec<Accepted>) {
        for Accepted { header, values } in accepted {
            let name = header.to_ascii_lowercase();
            mail.set(&header, values, &filter.set_by);
            for state in &mut self.groups {
                if state.candidates.depend_on(&name) {
                    state.candidates = Candidates::Unknown;
                }
            }
        }
    }
}

/// The group's instance for this message: opened at its first call.
fn instance<'s>(state: &'s mut GroupState, guests: &dyn Guests, mode: Mode) -> Result<&'s mut Box<dyn Guest>, Failure> {
    match &mut state.guest {
        Some(guest) => Ok(guest),
        none => Ok(none.insert(if mode == (Mode::Live { check_screening: false }) { guests.open()? } else { guests.open_full()? })),
    }
}

fn suspended(last: &Failure, next_probe: Duration) -> Step {
    let message = format!(
        "Suspended after failures in a row; it is tried again in {} s. The last failure: {}",
        next_probe.as_secs().max(1),
        last.message
    );
    Step { error: Some(Failure { kind: last.kind, message }), ..Step::of(Outcome::Suspended) }
}
