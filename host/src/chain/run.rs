//! One message through the chain: filters in byte order, screening, stop-after-match, failure policies, the chain's
//! budget.

use super::answering::AnswerRules;
use super::breaker::{Admission, HandledMail};
use super::guests::{Guest, Guests};
use super::plan::ChainPlan;
use super::planned_filter::{FilterPlace, PlannedFilter, PlannedGroup};
use super::step::{ChainRun, ChainStep, PutOff};
use super::trial::BreakerTrial;
use super::verdict::{self, AllowedHeader};
use postigo_mail::{Mail, Vocabulary};
use postigo_model::configured::FailurePolicy;
use postigo_model::guest::FailureKind;
use postigo_model::result::FilterOutcome;
use postigo_sandbox::{CallFailure, CallReport};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// What guests, and the host for them, may work for one message. Filters that come after it fail with `timeout`.
pub const BUDGET: Duration = Duration::from_secs(10);
/// Larger mails are not kept for trials: one may lie with each filter.
const LARGEST_HANDLED: usize = 64 << 10;

/// How a chain is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Mode {
    /// For a mail that will be filed: only candidates are called, breakers count.
    Live {
        /// Call the others too and compare: done for one message in 1,000.
        check_screening: bool,
        /// The message was put off before: its calls are not cut short, and what they take is paid for.
        put_off_before: bool,
    },
    /// Without effect on anything: every filter is called, suspended ones too, and what the screening missed is an
    /// error.
    Dry,
}

/// Runs the plan's filters over a mail. Blocks for as long as the guests run: call it on a thread that guests may
/// occupy.
pub fn run(plan: &ChainPlan, vocabulary: &Vocabulary, mut mail: Box<Mail>, mode: Mode) -> ChainRun {
    let mut pass = Pass::new(plan, vocabulary, mode);
    let mut steps = Vec::with_capacity(plan.filters().len());
    let mut held_by = None;
    let mut ended = false;
    for (position, filter) in plan.filters().iter().enumerate() {
        if ended {
            steps.push(ChainStep::of(FilterOutcome::NotRun));
            continue;
        }
        let (back, mut step) = pass.step(filter, mail);
        mail = back;
        if pass.put_off.is_some() {
            ended = true;
            steps.push(ChainStep::of(FilterOutcome::NotRun));
            continue;
        }
        ended = match step.outcome {
            FilterOutcome::Matched => filter.stop_after_match,
            FilterOutcome::Failed | FilterOutcome::Suspended => filter.on_failure != FailurePolicy::Skip,
            FilterOutcome::NotMatched | FilterOutcome::NotRun => false,
        };
        step.stopped = ended;
        if ended && step.outcome != FilterOutcome::Matched && filter.on_failure == FailurePolicy::Hold {
            held_by = Some(position);
        }
        steps.push(step);
    }
    let Pass { notes, screening, waited, put_off, trials, .. } = pass;
    ChainRun { mail, steps, held_by, notes, screening, waited, put_off, trials }
}

/// The state of one run.
struct Pass<'p> {
    plan: &'p ChainPlan,
    vocabulary: &'p Vocabulary,
    mode: Mode,
    /// What guests, and the host for them, have worked.
    worked: Duration,
    groups: Vec<GroupState>,
    notes: Vec<String>,
    screening: Duration,
    /// Waiting for room in memory.
    waited: Duration,
    put_off: Option<PutOff>,
    trials: Vec<BreakerTrial>,
}

/// What a call came to, and whether it says something of the filter.
struct Judgement {
    step: ChainStep,
    accepted: Vec<AllowedHeader>,
    /// What the guest and the host worked for it.
    worked: Duration,
    counts: bool,
}

impl Judgement {
    /// Nothing was called, by the host's doing.
    fn by_the_host(failure: CallFailure) -> Self {
        Self { step: ChainStep::failed(failure), accepted: Vec::new(), worked: Duration::ZERO, counts: false }
    }
}

/// A call that was made; or the mail, with why the host could not make it.
type Called<T> = Result<CallReport<T>, (Box<Mail>, CallFailure)>;

/// A call with what is made of its result.
fn with<T, U>(called: CallReport<T>, make: impl FnOnce(T) -> Result<U, CallFailure>) -> CallReport<U> {
    let CallReport { mail, own, host, no_room, log, result } = called;
    CallReport { mail, own, host, no_room, log, result: result.and_then(make) }
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
        read: HashSet<String>,
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
        matches!(self, Self::Some { read, .. } if read.contains(header) || read.contains("*"))
    }
}

impl<'p> Pass<'p> {
    fn new(plan: &'p ChainPlan, vocabulary: &'p Vocabulary, mode: Mode) -> Self {
        let groups = plan.groups().iter().map(|_| GroupState::default()).collect();
        Self {
            plan,
            vocabulary,
            mode,
            worked: Duration::ZERO,
            groups,
            notes: Vec::new(),
            screening: Duration::ZERO,
            waited: Duration::ZERO,
            put_off: None,
            trials: Vec::new(),
        }
    }

    fn step(&mut self, filter: &PlannedFilter, mail: Box<Mail>) -> (Box<Mail>, ChainStep) {
        // First of all, for it fails as little on what it is not asked about as it answers.
        if filter.answering.as_ref().is_some_and(|rules| !rules.follow_ups) && mail.ticket().is_some() {
            let reason = "it is not asked about follow-ups".to_owned();
            return (mail, ChainStep { reason, ..ChainStep::of(FilterOutcome::NotMatched) });
        }
        let (group, index) = match &filter.place {
            FilterPlace::Member { group, index } => (*group, *index),
            FilterPlace::Broken(broken) => return (mail, ChainStep::failed(broken.failure.clone())),
        };
        if self.worked >= BUDGET {
            let message =
                format!("The chain's {} s for one message were used up before this filter.", BUDGET.as_secs());
            return (mail, ChainStep::failed(CallFailure { kind: FailureKind::Timeout, message }));
        }
        let (mail, candidate) = self.is_candidate(group, index, mail);
        if !candidate && !self.calls_all() {
            return (mail, ChainStep::of(FilterOutcome::NotMatched));
        }
        let began = Instant::now();
        if self.mode != Mode::Dry
            && let Admission::Suspended { last, next_trial } = filter.breaker.admit(began)
        {
            self.try_if(filter, filter.breaker.is_due(began));
            return (mail, suspended(&last, next_trial));
        }
        let waited = self.waited;
        let (mut mail, Judgement { mut step, accepted, worked, counts }) = self.evaluate(filter, group, index, mail);
        let waited = self.waited.saturating_sub(waited);
        if counts && candidate {
            self.count(filter, &step, worked, &mail);
        }
        if candidate {
            self.apply(filter, &mut mail, accepted);
        } else {
            step = self.compare(filter, step);
        }
        (mail, ChainStep { took: began.elapsed().saturating_sub(waited), ..step })
    }

    /// Whether filters are called that the screening left out.
    fn calls_all(&self) -> bool {
        !matches!(self.mode, Mode::Live { check_screening: false, .. })
    }

    /// Has a filter tried, after this mail, if its breaker asked for it.
    fn try_if(&mut self, filter: &PlannedFilter, due: bool) {
        if let (true, FilterPlace::Member { group, index }) = (due, &filter.place)
            && let Some(group) = self.plan.groups().get(*group)
        {
            self.trials.push(BreakerTrial::of_filter(filter, group, *index));
        }
    }

    fn is_candidate(&mut self, group: usize, index: u32, mail: Box<Mail>) -> (Box<Mail>, bool) {
        let plan = self.plan;
        let (Some(planned), Some(state)) = (plan.groups().get(group), self.groups.get(group)) else {
            return (mail, true);
        };
        if !planned.guests.screens() {
            return (mail, true);
        }
        let mail =
            if matches!(state.candidates, Candidates::Unknown) { self.screen(planned, group, mail) } else { mail };
        let candidate = self.groups.get(group).is_none_or(|state| state.candidates.hold(index));
        (mail, candidate)
    }

    fn screen(&mut self, planned: &PlannedGroup, group: usize, mail: Box<Mail>) -> Box<Mail> {
        let live = self.mode != Mode::Dry;
        let began = Instant::now();
        let suspended = live && planned.screening.admit(began) != Admission::Call;
        if suspended {
            if planned.screening.is_due(began) {
                self.trials.push(BreakerTrial::of_screening(planned));
            }
            self.set_candidates(group, Candidates::All);
            return mail;
        }
        let waited = self.waited;
        let at_most = self.at_most(planned.screening.is_long_from(began), began);
        let (mail, candidates, worked) = match self.call(group, mail, |guest, mail| guest.screen(mail, at_most)) {
            Ok(called) => {
                let candidates = called.result.map(|mut screened| {
                    screened.candidates.sort_unstable();
                    Candidates::Some { filters: screened.candidates, read: screened.read.into_iter().collect() }
                });
                if live && candidates.is_ok() {
                    let keep = || handled(&called.mail, called.own, planned.guests.time());
                    planned.screening.succeeded(called.own, began, keep);
                }
                (called.mail, candidates, called.own + called.host)
            }
            Err((mail, failure)) => {
                self.notes.push(format!(
                    "A screening could not be made, so that all its filters are called: {}",
                    failure.message
                ));
                self.set_candidates(group, Candidates::All);
                return mail;
            }
        };
        self.screening += began.elapsed().saturating_sub(self.waited.saturating_sub(waited));
        let candidates = candidates.unwrap_or_else(|failure| {
            self.notes.push(format!("A screening failed, so that all its filters are called: {}", failure.message));
            if live {
                self.plan.share().spend(worked, began);
                if planned.screening.failed(began) {
                    self.trials.push(BreakerTrial::of_screening(planned));
                }
            }
            Candidates::All
        });
        self.set_candidates(group, candidates);
        mail
    }

    fn set_candidates(&mut self, group: usize, candidates: Candidates) {
        if let Some(state) = self.groups.get_mut(group) {
            state.candidates = candidates;
        }
    }

    /// Calls a group's instance; where the host has no room for it, all instances of this message are given up, and it
    /// waits.
    fn call<T>(
        &mut self,
        group: usize,
        mail: Box<Mail>,
        call: impl Fn(&mut dyn Guest, Box<Mail>) -> CallReport<T>,
    ) -> Called<T> {
        let plan = self.plan;
        let (Some(planned), Some(state)) = (plan.groups().get(group), self.groups.get_mut(group)) else {
            let message = "The filter's group is not in the plan.".to_owned();
            return Err((mail, CallFailure { kind: FailureKind::Trap, message }));
        };
        let mut guest = match state.guest.take().map_or_else(|| open(planned.guests.as_ref(), self.mode), Ok) {
            Ok(guest) => guest,
            Err(failure) => return Err((mail, failure)),
        };
        let called = call(guest.as_mut(), mail);
        let called = if called.no_room {
            self.groups.iter_mut().for_each(|state| state.guest = None);
            let began = Instant::now();
            let room = guest.wait_for_room();
            self.waited += began.elapsed();
            match room {
                Ok(()) => call(guest.as_mut(), called.mail),
                Err(failure) => return Err((called.mail, failure)),
            }
        } else {
            called
        };
        self.worked += called.own + called.host;
        if let Some(state) = self.groups.get_mut(group) {
            state.guest = Some(guest);
        }
        Ok(called)
    }

    /// How long a call that is long from `long` on may run: none as a rule, where only its limit counts.
    fn at_most(&self, long: Option<Duration>, now: Instant) -> Option<Duration> {
        match self.mode {
            Mode::Live { put_off_before: false, .. } => long.filter(|_| self.plan.share().is_spent(now)),
            Mode::Live { .. } | Mode::Dry => None,
        }
    }

    fn evaluate(
        &mut self,
        filter: &PlannedFilter,
        group: usize,
        index: u32,
        mail: Box<Mail>,
    ) -> (Box<Mail>, Judgement) {
        let began = Instant::now();
        let at_most = self.at_most(filter.breaker.is_long_from(began), began);
        let called = match &filter.answering {
            None => self.judge(filter, group, index, mail, at_most),
            Some(rules) => self.classify(rules, group, index, mail, at_most),
        };
        let called = match called {
            Ok(called) => called,
            Err((mail, failure)) => return (mail, Judgement::by_the_host(failure)),
        };
        let time = self.time(filter);
        if let Some(long) =
            at_most.filter(|most| *most < time && called.own >= *most && timed_out(called.result.as_ref().err()))
        {
            self.put_off(filter, long, time);
        }
        let worked = called.own + called.host;
        let (step, accepted) = called.result.unwrap_or_else(|failure| (ChainStep::failed(failure), Vec::new()));
        (
            called.mail,
            Judgement { step: ChainStep { own: called.own, log: called.log, ..step }, accepted, worked, counts: true },
        )
    }

    /// Has a filter judge the mail: what it says of it, and what is to be set.
    fn judge(
        &mut self,
        filter: &PlannedFilter,
        group: usize,
        index: u32,
        mail: Box<Mail>,
        at_most: Option<Duration>,
    ) -> Called<(ChainStep, Vec<AllowedHeader>)> {
        let vocabulary = self.vocabulary;
        let called = self.call(group, mail, |guest, mail| guest.evaluate(index, mail, at_most))?;
        Ok(with(called, |verdict| {
            let changes = if verdict.matched { verdict.changes } else { Vec::new() };
            let accepted = verdict::check(changes, &filter.declared, vocabulary)?;
            let outcome = if verdict.matched { FilterOutcome::Matched } else { FilterOutcome::NotMatched };
            let step =
                ChainStep { changes: verdict::shown(&accepted), reason: verdict.reason, ..ChainStep::of(outcome) };
            Ok((step, accepted))
        }))
    }

    /// Has a classifier answer its questions, and decides what follows.
    fn classify(
        &mut self,
        rules: &AnswerRules,
        group: usize,
        index: u32,
        mail: Box<Mail>,
        at_most: Option<Duration>,
    ) -> Called<(ChainStep, Vec<AllowedHeader>)> {
        let (vocabulary, scope) = (self.vocabulary, rules.scope(self.mode == Mode::Dry));
        let questions = self.plan.groups().get(group).map(|group| group.guests.questions(index)).unwrap_or_default();
        let called = self.call(group, mail, |guest, mail| guest.classify(index, mail, scope, at_most))?;
        Ok(with(called, |answers| {
            let decision = rules.decide(questions, answers, vocabulary);
            let outcome = if decision.matched { FilterOutcome::Matched } else { FilterOutcome::NotMatched };
            let changes = verdict::shown(&decision.changes);
            let step = ChainStep { changes, answers: decision.answers, ..ChainStep::of(outcome) };
            Ok((step, decision.changes))
        }))
    }

    /// The message waits until the share has room for the whole of the call that was cut short.
    fn put_off(&mut self, filter: &PlannedFilter, long: Duration, time: Duration) {
        let pause = self.plan.share().put_off(time, Instant::now());
        let reason = format!(
            "Filter \"{}\" ran longer than {} ms on it, more than usual, while calls that fail have had their share of the time. It is worked on \
             again in its turn.",
            filter.name,
            long.as_millis()
        );
        self.put_off = Some(PutOff { pause, reason });
    }

    /// A filter that the screening left out was called all the same. It has failed if it matches: its match would not
    /// have been seen.
    fn compare(&mut self, filter: &PlannedFilter, step: ChainStep) -> ChainStep {
        let missed = match step.outcome {
            FilterOutcome::Matched => {
                let component = &filter.component;
                let message = format!(
                    "The screening of component {component} left this filter out, though it matches this mail: a bug of the component."
                );
                self.notes.push(format!("Filter \"{}\": {message}", filter.name));
                ChainStep::failed(CallFailure { kind: FailureKind::Output, message })
            }
            _ => ChainStep::of(FilterOutcome::NotMatched),
        };
        ChainStep { own: step.own, log: step.log, ..missed }
    }

    /// Tells the breaker what a call came to, and the share what a failed one took. One that was cut short counts as
    /// failed, and is paid for.
    fn count(&mut self, filter: &PlannedFilter, step: &ChainStep, worked: Duration, mail: &Mail) {
        let Mode::Live { put_off_before, .. } = self.mode else { return };
        let now = Instant::now();
        if step.error.is_none() {
            filter.breaker.succeeded(step.own, now, || handled(mail, step.own, self.time(filter)));
            return;
        }
        if !put_off_before && self.put_off.is_none() {
            self.plan.share().spend(worked, now);
        }
        let due = filter.breaker.failed(now);
        self.try_if(filter, due);
    }

    /// The time limit of a filter.
    fn time(&self, filter: &PlannedFilter) -> Duration {
        let group = match filter.place {
            FilterPlace::Member { group, .. } => self.plan.groups().get(group),
            FilterPlace::Broken(_) => None,
        };
        group.map_or(Duration::ZERO, |group| group.guests.time())
    }

    /// Sets what a filter that matched wants set; screenings that read one of these headers are asked again.
    fn apply(&mut self, filter: &PlannedFilter, mail: &mut Mail, accepted: Vec<AllowedHeader>) {
        for AllowedHeader { header, values } in accepted {
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

/// The group's instance for this message, at its first call.
fn open(guests: &dyn Guests, mode: Mode) -> Result<Box<dyn Guest>, CallFailure> {
    if matches!(mode, Mode::Live { check_screening: false, .. }) { guests.open() } else { guests.open_full() }
}

/// What is kept of a mail for trials, where a guest of this time limit handled it in `own`. One that came near the
/// limit could go over it another time: whoever sent it could have the filter suspended.
fn handled(mail: &Mail, own: Duration, time: Duration) -> Option<HandledMail> {
    let raw = mail.message().raw();
    let fit = raw.len() <= LARGEST_HANDLED && own * 4 <= time;
    fit.then(|| HandledMail {
        raw: raw.clone(),
        envelope: mail.envelope.clone(),
        headers: mail.otobo_headers().cloned().collect(),
    })
}

fn timed_out(failure: Option<&CallFailure>) -> bool {
    failure.is_some_and(|failure| failure.kind == FailureKind::Timeout)
}

fn suspended(last: &CallFailure, next_trial: Duration) -> ChainStep {
    let message = format!(
        "Suspended: it failed on several mails in a row, and on one that it should handle. It is tried again in {} s. The last failure: {}",
        next_trial.as_secs().max(1),
        last.message
    );
    ChainStep { error: Some(CallFailure { kind: last.kind, message }), ..ChainStep::of(FilterOutcome::Suspended) }
}
