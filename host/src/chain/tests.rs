//! The chain's rules against a plain model, with filters that are a few lines of Rust instead of WebAssembly.

use super::*;
use bytes::Bytes;
use postigo_mail::{Envelope, Mail, Message, OpenedMessage, Vocabulary};
use postigo_model::configured::FailurePolicy;
use postigo_model::guest::FailureKind;
use postigo_model::result::FilterOutcome;
use postigo_sandbox::{
    CallFailure, CallReport, ComponentDescription, Cost, FilterDescription, GroupMember, GroupSpec, GuestHeader,
    PrepareError, ScreenResult, Verdict,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A filter of the fake sandbox: its settings.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that can go wrong")]
struct Rule {
    /// Header and value that must be there; none: it always matches.
    when: Option<(String, String)>,
    set: Vec<(String, String)>,
    fails: bool,
    /// It fails on mails without this header and value.
    needs: Option<(String, String)>,
    /// It loops on mails with this subject.
    loops_on: Option<String>,
    /// The screening leaves it out though it matches.
    screen_misses: bool,
    screen_fails: bool,
    /// `configure` names a mistake, breaks a limit, or is not reached.
    mistaken: bool,
    unprepared: bool,
    host_fails: bool,
}

impl Rule {
    fn matches(&self, mail: &Mail) -> bool {
        self.when.as_ref().is_none_or(|(header, value)| mail.header(header) == Some(value))
    }
}

/// The time limit of a fake guest.
const LIMIT: Duration = Duration::from_millis(250);

fn called<T>(mail: Box<Mail>, own: Duration, result: Result<T, CallFailure>) -> CallReport<T> {
    CallReport { mail, own, host: Duration::ZERO, no_room: false, log: Vec::new(), result }
}

fn timeout() -> CallFailure {
    CallFailure { kind: FailureKind::Timeout, message: "too slow".into() }
}

/// Counts what was asked of it.
#[derive(Default)]
struct Fake {
    /// It cannot prepare this filter, unlike other sandboxes.
    refuses: Option<String>,
    /// It cannot prepare anything, unlike other sandboxes.
    full: bool,
    prepared: Mutex<Vec<Vec<String>>>,
    evaluated: Arc<AtomicUsize>,
    screened: Arc<AtomicUsize>,
}

struct FakeGroup {
    rules: Vec<Rule>,
    evaluated: Arc<AtomicUsize>,
    screened: Arc<AtomicUsize>,
}

impl Sandbox for Fake {
    fn prepare(&self, spec: &GroupSpec) -> Result<Arc<dyn Guests>, PrepareError> {
        let names: Vec<String> = spec.members.iter().map(|member| member.name.to_string()).collect();
        let refused = self.refuses.as_ref().is_some_and(|refused| names.contains(refused));
        self.prepared.lock().unwrap().push(names);
        if refused {
            return Err(PrepareError::Failed(timeout()));
        }
        if self.full {
            return Err(PrepareError::Unavailable("no room".into()));
        }
        let rule = |member: &GroupMember| serde_json::from_value::<Rule>(member.settings.clone()).unwrap();
        let rules: Vec<Rule> = spec.members.iter().map(rule).collect();
        let mistaken = spec.members.iter().zip(&rules).filter(|(_, rule)| rule.mistaken);
        let problems: Vec<SettingsMistake> = mistaken
            .map(|(member, _)| SettingsMistake {
                filter: member.name.to_string(),
                place: "/when".into(),
                reason: "is wrong".into(),
            })
            .collect();
        if !problems.is_empty() {
            return Err(PrepareError::Problems(problems));
        }
        if rules.iter().any(|rule| rule.unprepared) {
            return Err(PrepareError::Failed(timeout()));
        }
        if rules.iter().any(|rule| rule.host_fails) {
            return Err(PrepareError::Unavailable("no room".into()));
        }
        Ok(Arc::new(FakeGroup { rules, evaluated: Arc::clone(&self.evaluated), screened: Arc::clone(&self.screened) }))
    }

    fn execute(&self, job: Job) {
        job();
    }
}

impl Guests for FakeGroup {
    fn screens(&self) -> bool {
        true
    }

    fn cost(&self) -> Cost {
        Cost { memory: 0, snapshot: true, pooled: true, because: String::new() }
    }

    fn time(&self) -> Duration {
        LIMIT
    }

    fn open(&self) -> Result<Box<dyn Guest>, CallFailure> {
        let rules = self.rules.clone();
        Ok(Box::new(FakeGroup { rules, evaluated: Arc::clone(&self.evaluated), screened: Arc::clone(&self.screened) }))
    }

    fn open_full(&self) -> Result<Box<dyn Guest>, CallFailure> {
        self.open()
    }
}

impl Guest for FakeGroup {
    fn screen(&mut self, mail: Box<Mail>, _at_most: Option<Duration>) -> CallReport<ScreenResult> {
        self.screened.fetch_add(1, Ordering::Relaxed);
        let candidates = (0..)
            .zip(&self.rules)
            .filter(|(_, rule)| rule.matches(&mail) && !rule.screen_misses)
            .map(|(index, _)| index)
            .collect();
        let read = self
            .rules
            .iter()
            .filter_map(|rule| rule.when.as_ref())
            .map(|(header, _)| header.to_ascii_lowercase())
            .collect();
        let result = if self.rules.iter().any(|rule| rule.screen_fails) {
            Err(timeout())
        } else {
            Ok(ScreenResult { candidates, read })
        };
        called(mail, Duration::ZERO, result)
    }

    fn evaluate(&mut self, filter: u32, mail: Box<Mail>, at_most: Option<Duration>) -> CallReport<Verdict> {
        self.evaluated.fetch_add(1, Ordering::Relaxed);
        let rule = &self.rules[filter as usize];
        if rule.loops_on.as_deref().is_some_and(|subject| mail.header("Subject") == Some(subject)) {
            return called(mail, at_most.unwrap_or(LIMIT), Err(timeout()));
        }
        let changes = rule
            .set
            .iter()
            .map(|(header, value)| GuestHeader { header: header.clone(), value: value.clone() })
            .collect();
        let lacks = rule.needs.as_ref().is_some_and(|(header, value)| mail.header(header) != Some(value));
        let result = if rule.fails || lacks {
            Err(timeout())
        } else {
            Ok(Verdict { matched: rule.matches(&mail), changes, reason: String::new() })
        };
        called(mail, Duration::from_micros(10), result)
    }

    fn wait_for_room(&mut self) -> Result<(), CallFailure> {
        Ok(())
    }
}

/// Any name is a component, which declares all headers.
struct AnyComponent;

impl Components for AnyComponent {
    fn find(&self, filter: &Filter) -> Option<FilterComponent> {
        let name = filter.component.as_str();
        let description = ComponentDescription {
            digest: name.into(),
            name: name.into(),
            version: "1.0.0".into(),
            summary: String::new(),
            settings_schema: serde_json::Value::Null,
            grants: Vec::new(),
            of_world: FilterDescription { headers: vec!["X-OTOBO-*".into()], screens: true }.into(),
        };
        (name != "missing").then(|| FilterComponent {
            description: Arc::new(description),
            bytes: Arc::new([]),
            shipped: true,
        })
    }
}

fn filter(name: &str, rule: &Rule) -> Filter {
    Filter {
        name: name.into(),
        component: "fake".into(),
        settings: serde_json::to_value(rule).unwrap(),
        ..Filter::default()
    }
}

fn sets(header: &str, value: &str) -> Rule {
    Rule { set: vec![(header.into(), value.into())], ..Rule::default() }
}

fn build(filters: &[Filter], sandbox: &Fake) -> ChainPlan {
    ChainPlan::build(filters, &AnyComponent, sandbox, None)
}

const LIVE: Mode = Mode::Live { check_screening: false, put_off_before: false };
const CHECKED: Mode = Mode::Live { check_screening: true, put_off_before: false };

fn with_subject(subject: &str) -> Box<Mail> {
    let raw = format!("From: jane@customer.test\r\nSubject: {subject}\r\n\r\nHello\r\n");
    read(raw.into())
}

fn read(raw: Bytes) -> Box<Mail> {
    let opened = OpenedMessage::as_it_came(Message::parse(raw));
    Box::new(opened.vet(Envelope::default(), &Vocabulary::new(&[])).0.compute())
}

/// Runs a mail through the chain, and then the trials that it gave rise to.
fn live(plan: &ChainPlan, mail: Box<Mail>, mode: Mode) -> ChainRun {
    let mut ran = run(plan, &Vocabulary::new(&[]), mail, mode);
    ran.trials.drain(..).for_each(|trial| trial.run(&Vocabulary::new(&[])));
    ran
}

fn outcomes(plan: &ChainPlan, mode: Mode) -> Vec<FilterOutcome> {
    live(plan, read(Bytes::new()), mode).steps.into_iter().map(|step| step.outcome).collect()
}

/// Name, outcome and whether the chain ended there, of each filter.
type Outcomes = Vec<(String, FilterOutcome, bool)>;

/// What the chain should do, said as plainly as can be: outcomes, headers, and who holds the mail.
fn model(filters: &[(Filter, Rule)]) -> (Outcomes, BTreeMap<String, String>, Option<String>) {
    let mut filters: Vec<&(Filter, Rule)> =
        filters.iter().filter(|(filter, _)| filter.valid == Validity::Valid).collect();
    filters.sort_by(|(left, _), (right, _)| left.name.bytes().cmp(right.name.bytes()));
    let mut headers = BTreeMap::new();
    let mut outcomes = Vec::new();
    let mut held = None;
    let mut ended = false;
    for (filter, rule) in filters {
        if ended {
            outcomes.push((filter.name.clone(), FilterOutcome::NotRun, false));
            continue;
        }
        let matches = rule.when.as_ref().is_none_or(|(header, value)| headers.get(header) == Some(value));
        // A filter that its screening leaves out is not called, so it cannot fail either.
        let outcome = match (matches, rule.fails) {
            (false, _) => FilterOutcome::NotMatched,
            (true, true) => FilterOutcome::Failed,
            (true, false) => FilterOutcome::Matched,
        };
        if outcome == FilterOutcome::Matched {
            headers.extend(rule.set.iter().cloned());
        }
        ended = match outcome {
            FilterOutcome::Matched => filter.stop_after_match,
            FilterOutcome::Failed => filter.on_failure != FailurePolicy::Skip,
            _ => false,
        };
        if outcome == FilterOutcome::Failed && filter.on_failure == FailurePolicy::Hold {
            held = Some(filter.name.clone());
        }
        outcomes.push((filter.name.clone(), outcome, ended));
    }
    (outcomes, headers, held)
}

fn header() -> impl Strategy<Value = (String, String)> {
    (
        prop_oneof![Just("X-OTOBO-Queue"), Just("X-OTOBO-State"), Just("X-OTOBO-Title")],
        prop_oneof![Just("a"), Just("b")],
    )
        .prop_map(|(header, value)| (header.to_owned(), value.to_owned()))
}

fn any_filter() -> impl Strategy<Value = (Filter, Rule)> {
    let rule = (
        proptest::option::weighted(0.6, header()),
        proptest::collection::vec(header(), 0..3),
        proptest::bool::weighted(0.1),
    );
    let policy = prop_oneof![Just(FailurePolicy::Skip), Just(FailurePolicy::Hold), Just(FailurePolicy::Stop)];
    let valid = prop_oneof![4 => Just(Validity::Valid), 1 => Just(Validity::Invalid)];
    ("[0-9A-Za-zé ]{1,3}", rule, policy, valid, proptest::bool::weighted(0.1), prop_oneof![Just("one"), Just("two")])
        .prop_map(|(name, (when, set, fails), on_failure, valid, stop_after_match, component)| {
            let rule = Rule { when, set, fails, ..Rule::default() };
            let filter =
                Filter { on_failure, valid, stop_after_match, component: component.into(), ..filter(&name, &rule) };
            (filter, rule)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn order_and_stop_rule_are_the_models(filters in proptest::collection::vec(any_filter(), 0..14)) {
        let mut filters = filters;
        filters.sort_by(|(left, _), (right, _)| left.name.cmp(&right.name));
        filters.dedup_by(|(left, _), (right, _)| left.name == right.name);
        filters.reverse();
        let (expected, headers, held) = model(&filters);
        let sandbox = Fake::default();
        let configured: Vec<Filter> = filters.iter().map(|(filter, _)| filter.clone()).collect();
        let plan = build(&configured, &sandbox);
        for mode in [LIVE, CHECKED, Mode::Dry] {
            let ran = run(&plan, &Vocabulary::new(&[]), read(Bytes::new()), mode);
            let got: Vec<_> = ran.results(&plan).into_iter().map(|result| (result.name, result.outcome, result.stopped)).collect();
            prop_assert_eq!(&got, &expected);
            let held_by = ran.held_by.map(|position| plan.filters()[position].name.to_string());
            prop_assert_eq!(&held_by, &held);
            for header in ["X-OTOBO-Queue", "X-OTOBO-State", "X-OTOBO-Title"] {
                prop_assert_eq!(ran.mail.header(header), headers.get(header).map(String::as_str));
            }
        }
    }

    #[test]
    fn guilty_filters_stand_alone_and_the_others_share_an_instance(kinds in proptest::collection::vec(0..6u8, 1..40)) {
        let rule = |kind: u8| Rule { mistaken: kind == 0, unprepared: kind == 1, ..Rule::default() };
        let filters: Vec<Filter> = kinds.iter().enumerate().map(|(index, kind)| filter(&format!("{index:03}"), &rule(*kind))).collect();
        let plan = build(&filters, &Fake::default());
        for (planned, kind) in plan.filters().iter().zip(&kinds) {
            prop_assert_eq!(matches!(planned.place, FilterPlace::Broken(_)), *kind < 2);
        }
        prop_assert_eq!(plan.groups().len(), usize::from(kinds.iter().any(|kind| *kind >= 2)));
    }
}

#[test]
fn screening_is_asked_again_only_when_a_header_that_it_read_changes() {
    let on_queue = |value: &str| Rule { when: Some(("X-OTOBO-Queue".into(), value.into())), ..Rule::default() };
    let filters = [
        filter("1", &sets("X-OTOBO-Title", "t")),
        filter("2", &sets("X-OTOBO-Queue", "Junk")),
        filter("3", &on_queue("Junk")),
        filter("4", &on_queue("Raw")),
    ];
    let sandbox = Fake::default();
    let plan = build(&filters, &sandbox);
    assert_eq!(
        outcomes(&plan, LIVE),
        [FilterOutcome::Matched, FilterOutcome::Matched, FilterOutcome::Matched, FilterOutcome::NotMatched]
    );
    assert_eq!(sandbox.screened.load(Ordering::Relaxed), 2, "at first, and after the queue was set");
    assert_eq!(sandbox.evaluated.load(Ordering::Relaxed), 3, "the candidates");
}

#[test]
fn a_screening_that_misses_is_seen_where_all_filters_are_called() {
    let filters =
        [filter("1", &Rule { screen_misses: true, ..sets("X-OTOBO-Queue", "Junk") }), filter("2", &Rule::default())];
    let plan = build(&filters, &Fake::default());
    assert_eq!(outcomes(&plan, LIVE), [FilterOutcome::NotMatched, FilterOutcome::Matched]);
    for mode in [Mode::Dry, CHECKED] {
        let ran = run(&plan, &Vocabulary::new(&[]), read(Bytes::new()), mode);
        assert_eq!(ran.steps[0].outcome, FilterOutcome::Failed);
        assert_eq!(ran.steps[0].error.as_ref().unwrap().kind, FailureKind::Output);
        assert_eq!(ran.mail.header("X-OTOBO-Queue"), None, "what would not have been seen has no effect");
        assert_eq!(ran.steps[1].outcome, FilterOutcome::Matched);
        assert!(ran.notes.iter().any(|note| note.contains("left this filter out")), "{:?}", ran.notes);
    }
}

#[test]
fn a_screening_that_fails_calls_all_and_is_left_out_after_a_while() {
    let sandbox = Fake::default();
    let plan = build(&[filter("1", &Rule { screen_fails: true, ..Rule::default() })], &sandbox);
    for _ in 0..3 * FAILURES_IN_A_ROW {
        assert_eq!(outcomes(&plan, LIVE), [FilterOutcome::Matched]);
    }
    assert_eq!(sandbox.screened.load(Ordering::Relaxed), FAILURES_IN_A_ROW as usize + 1, "and once on a plain mail");
}

#[test]
fn what_the_host_failed_to_prepare_is_tried_again_and_a_guilty_filter_is_not() {
    let sandbox = Fake::default();
    let filters = [
        Filter { component: "one".into(), ..filter("1", &Rule { unprepared: true, ..Rule::default() }) },
        Filter { component: "two".into(), ..filter("2", &Rule { host_fails: true, ..Rule::default() }) },
    ];
    let first = build(&filters, &sandbox);
    assert_eq!(first.broken().map(|(_, broken)| broken.may_pass).collect::<Vec<_>>(), [false, true]);
    sandbox.prepared.lock().unwrap().clear();
    ChainPlan::build(&filters, &AnyComponent, &sandbox, Some(&first));
    assert_eq!(*sandbox.prepared.lock().unwrap(), [["2"]]);
}

#[test]
fn a_filter_that_fails_again_and_again_is_suspended_and_its_policy_goes_on() {
    let failing = Filter { on_failure: FailurePolicy::Hold, ..filter("1", &Rule { fails: true, ..Rule::default() }) };
    let sandbox = Fake::default();
    let plan = build(&[failing.clone(), filter("2", &Rule::default())], &sandbox);
    for _ in 0..FAILURES_IN_A_ROW {
        assert_eq!(outcomes(&plan, LIVE), [FilterOutcome::Failed, FilterOutcome::NotRun]);
    }
    assert_eq!(
        sandbox.evaluated.load(Ordering::Relaxed),
        FAILURES_IN_A_ROW as usize + 1,
        "it was tried on a plain mail besides"
    );
    let calls = sandbox.evaluated.load(Ordering::Relaxed);
    let ran = run(&plan, &Vocabulary::new(&[]), Box::default(), LIVE);
    assert_eq!(ran.steps[0].outcome, FilterOutcome::Suspended);
    assert_eq!(ran.steps[0].error.as_ref().unwrap().kind, FailureKind::Timeout);
    assert_eq!(ran.held_by, Some(0), "the policy applies as if it had failed");
    assert_eq!(sandbox.evaluated.load(Ordering::Relaxed), calls, "it was not called");
    assert_eq!(outcomes(&plan, Mode::Dry), [FilterOutcome::Failed, FilterOutcome::NotRun], "a dry run calls it");

    let rebuilt = ChainPlan::build([&failing], &AnyComponent, &sandbox, Some(&plan));
    assert_eq!(outcomes(&rebuilt, LIVE), [FilterOutcome::Suspended], "unchanged, it keeps its breaker");
    let mended = filter("1", &Rule::default());
    let rebuilt = ChainPlan::build([&mended], &AnyComponent, &sandbox, Some(&plan));
    assert_eq!(outcomes(&rebuilt, LIVE), [FilterOutcome::Matched], "changed, it starts anew");
}

/// One filter that loops on mails of the subject "bad", and one behind it.
fn looping(on_failure: FailurePolicy) -> ChainPlan {
    let rule = Rule { loops_on: Some("bad".into()), ..sets("X-OTOBO-Queue", "Junk") };
    build(&[Filter { on_failure, ..filter("1", &rule) }, filter("2", &Rule::default())], &Fake::default())
}

#[test]
fn mails_that_a_filter_fails_on_switch_it_off_for_nobody() {
    for policy in [FailurePolicy::Skip, FailurePolicy::Hold, FailurePolicy::Stop] {
        let plan = looping(policy);
        let (mut failed, mut put_off) = (0, 0);
        for number in 0..300 {
            // A hundred in a row, then one in two.
            if number < 100 || number % 2 == 0 {
                let ran = live(&plan, with_subject("bad"), LIVE);
                let held = ran.held_by.is_some();
                match ran.put_off {
                    Some(_) => put_off += 1,
                    None => failed += 1,
                }
                assert_eq!(
                    held,
                    policy == FailurePolicy::Hold && ran.put_off.is_none(),
                    "each failing mail alone gets the policy"
                );
            } else {
                let ran = live(&plan, with_subject("good"), LIVE);
                assert_eq!(
                    (ran.steps[0].outcome, ran.steps[1].outcome),
                    (FilterOutcome::Matched, FilterOutcome::Matched),
                    "{policy:?}, mail {number}"
                );
                assert_eq!((ran.held_by, ran.put_off), (None, None), "a mail that the filter handles never waits");
            }
            assert_eq!(plan.filters()[0].breaker.suspended_by(), None, "{policy:?}, mail {number}");
        }
        assert!(failed >= FAILURES_IN_A_ROW && put_off > 100, "{failed} failed, {put_off} wait");
    }
}

#[test]
fn a_mail_that_was_put_off_is_judged_to_its_end_in_its_turn() {
    let plan = looping(FailurePolicy::Hold);
    assert!(live(&plan, with_subject("bad"), LIVE).put_off.is_none(), "the first failures are free");
    plan.share().spend(Duration::from_mins(1), Instant::now());
    let pauses: Vec<Duration> =
        (0..3).map(|_| live(&plan, with_subject("bad"), LIVE).put_off.expect("the share is spent").pause).collect();
    assert!(pauses.is_sorted() && pauses[0] < pauses[2], "each has its own turn: {pauses:?}");
    let ran = live(&plan, with_subject("bad"), Mode::Live { check_screening: false, put_off_before: true });
    assert_eq!((ran.steps[0].outcome, ran.held_by), (FilterOutcome::Failed, Some(0)));
    assert_eq!(ran.steps[0].own, LIMIT, "it had all its time");
    assert!(live(&plan, with_subject("bad"), Mode::Dry).put_off.is_none(), "a dry run waits for nothing");
}

#[test]
fn a_filter_that_no_mail_made_fail_is_not_hurried() {
    let plan = build(&[filter("1", &Rule::default())], &Fake::default());
    plan.share().spend(Duration::from_mins(1), Instant::now());
    assert_eq!(live(&plan, with_subject("bad"), LIVE).put_off, None);
}

#[test]
fn a_filter_is_tried_on_a_mail_that_it_handled_as_it_was_then() {
    // The second filter works on mails that the first one has put into a queue, and fails on all others.
    let picky =
        Rule { needs: Some(("X-OTOBO-Queue".into(), "Junk".into())), loops_on: Some("bad".into()), ..Rule::default() };
    let plan = build(&[filter("1", &sets("X-OTOBO-Queue", "Junk")), filter("2", &picky)], &Fake::default());
    let breaker = &plan.filters()[1].breaker;
    live(&plan, with_subject(&"long ".repeat(20_000)), LIVE);
    assert_eq!(breaker.handled(), None, "a large mail is not kept");
    live(&plan, with_subject("bad"), LIVE);
    assert_eq!(breaker.handled(), None, "nor is one that it failed on");
    live(&plan, with_subject("good"), LIVE);
    assert!(breaker.handled().is_some());
    for _ in 0..FAILURES_IN_A_ROW {
        live(&plan, with_subject("bad"), LIVE);
    }
    assert_eq!(breaker.suspended_by(), None, "what the filter before had set is there in the trial too");
}

#[test]
fn a_new_plan_prepares_only_what_changed() {
    let sandbox = Fake::default();
    let mut filters = vec![
        Filter { component: "one".into(), ..filter("1", &Rule::default()) },
        Filter { component: "two".into(), ..filter("2", &Rule::default()) },
        Filter { component: "two".into(), ..filter("3", &Rule { mistaken: true, ..Rule::default() }) },
    ];
    let first = build(&filters, &sandbox);
    sandbox.prepared.lock().unwrap().clear();
    let second = ChainPlan::build(&filters, &AnyComponent, &sandbox, Some(&first));
    assert!(sandbox.prepared.lock().unwrap().is_empty(), "nothing changed, the mistake is known too");
    assert_eq!(outcomes(&second, LIVE), [FilterOutcome::Matched, FilterOutcome::Matched, FilterOutcome::Failed]);
    filters[0].settings = serde_json::to_value(sets("X-OTOBO-Queue", "Junk")).unwrap();
    filters[1].stop_after_match = true;
    let third = ChainPlan::build(&filters, &AnyComponent, &sandbox, Some(&second));
    assert_eq!(*sandbox.prepared.lock().unwrap(), [["1"]]);
    assert_eq!(outcomes(&third, LIVE), [FilterOutcome::Matched, FilterOutcome::Matched, FilterOutcome::NotRun]);
}

#[test]
fn a_filter_without_its_component_fails_alone() {
    let lost = Filter { component: "missing".into(), ..filter("1", &Rule::default()) };
    let plan = build(&[lost, filter("2", &Rule::default())], &Fake::default());
    let ran = run(&plan, &Vocabulary::new(&[]), Box::default(), LIVE);
    assert_eq!(ran.steps[0].outcome, FilterOutcome::Failed);
    assert!(ran.steps[0].error.as_ref().unwrap().message.contains("\"missing\""));
    assert_eq!(ran.steps[1].outcome, FilterOutcome::Matched);
}

#[test]
fn settings_are_checked_of_filters_that_are_off_too_and_every_mistake_is_named() {
    let mistaken = Rule { mistaken: true, ..Rule::default() };
    let filters = [
        filter("1", &mistaken),
        Filter { valid: Validity::Invalid, ..filter("2", &mistaken) },
        filter("3", &Rule::default()),
        filter("4", &Rule { unprepared: true, ..Rule::default() }),
    ];
    let problems = check_settings(&filters, &AnyComponent, &Fake::default()).mistakes;
    let named: Vec<_> = problems.iter().map(|problem| (problem.filter.as_str(), problem.place.as_str())).collect();
    assert_eq!(named, [("1", "/when"), ("4", ""), ("2", "/when")]);
}

/// The plan as another process has it that prepares in this sandbox.
fn handed_over(plan: &ChainPlan, sandbox: &Fake) -> ChainPlan {
    let document = document(plan);
    let components = document.digests().into_iter().map(|digest| (digest.to_owned(), [].into())).collect();
    document.prepare(&components, sandbox).unwrap()
}

fn document(plan: &ChainPlan) -> PlanDocument {
    serde_json::from_slice(&serde_json::to_vec(&PlanDocument::of(plan)).unwrap()).unwrap()
}

#[test]
fn where_the_other_process_has_no_room_its_chain_is_none_that_a_mail_may_meet() {
    let plan = build(&[filter("1", &Rule::default())], &Fake::default());
    let components = document(&plan).digests().into_iter().map(|digest| (digest.to_owned(), [].into())).collect();
    let full = Fake { full: true, ..Fake::default() };
    let reason = document(&plan).prepare(&components, &full).err().unwrap();
    assert!(reason.contains("no room"), "{reason}");
    let reason = document(&plan).prepare(&HashMap::new(), &Fake::default()).err().unwrap();
    assert!(reason.contains("were not handed over"), "{reason}");
}

#[test]
fn a_filter_that_another_process_cannot_prepare_fails_there_alone_by_its_policy() {
    let broken = Filter { component: "missing".into(), ..filter("0", &Rule::default()) };
    let holding = Filter { on_failure: FailurePolicy::Hold, ..filter("3", &Rule::default()) };
    let other = Filter { component: "other".into(), ..filter("4", &Rule::default()) };
    let plan = build(
        &[broken, filter("1", &Rule::default()), filter("2", &Rule::default()), holding, other],
        &Fake::default(),
    );
    let there = handed_over(&plan, &Fake { refuses: Some("2".into()), ..Fake::default() });
    let (failed, matched) = (FilterOutcome::Failed, FilterOutcome::Matched);
    assert_eq!(outcomes(&there, LIVE), [failed, matched, failed, matched, matched], "the others have their places");
    let there = handed_over(&plan, &Fake { refuses: Some("3".into()), ..Fake::default() });
    assert_eq!(live(&there, read(Bytes::new()), LIVE).held_by, Some(3));
}

#[test]
fn what_is_suspended_is_not_called_in_another_process_either() {
    let failing = Filter { on_failure: FailurePolicy::Stop, ..filter("1", &Rule { fails: true, ..Rule::default() }) };
    let plan = build(&[failing, filter("2", &Rule::default())], &Fake::default());
    for _ in 0..=FAILURES_IN_A_ROW {
        live(&plan, read(Bytes::new()), LIVE);
    }
    let sandbox = Fake::default();
    let there = handed_over(&plan, &sandbox);
    assert_eq!(outcomes(&there, LIVE), [FilterOutcome::Suspended, FilterOutcome::NotRun]);
    assert_eq!(sandbox.evaluated.load(Ordering::Relaxed), 0);
    let failure = there.filters()[0].breaker.suspended_by();
    assert_eq!(failure, plan.filters()[0].breaker.suspended_by());
    assert!(failure.is_some());
}

#[test]
fn a_suspended_screening_is_not_asked_in_another_process_either() {
    let plan = build(&[filter("1", &Rule { screen_fails: true, ..Rule::default() })], &Fake::default());
    for _ in 0..=FAILURES_IN_A_ROW {
        live(&plan, read(Bytes::new()), LIVE);
    }
    let sandbox = Fake::default();
    assert_eq!(outcomes(&handed_over(&plan, &sandbox), LIVE), [FilterOutcome::Matched]);
    assert_eq!(sandbox.screened.load(Ordering::Relaxed), 0);
}
