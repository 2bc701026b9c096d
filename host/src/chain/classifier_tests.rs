//! A classifier in the chain, which is a few lines of Rust here instead of WebAssembly: it takes the label and its
//! confidence from the mail's headers.

use super::*;
use bytes::Bytes;
use postigo_mail::{Envelope, Mail, Message, OpenedMessage, Vocabulary};
use postigo_model::answer_result::ConsequenceOutcome;
use postigo_model::classification::{Answer, Evidence, Guess, Scope};
use postigo_model::configured::{AnswerMapping, ClassifierMode, Configuration, FailurePolicy, Queue};
use postigo_model::guest::FailureKind;
use postigo_model::result::FilterOutcome;
use postigo_model::ticket::FollowedTicket;
use postigo_sandbox::{
    Asset, CallFailure, CallReport, ComponentDescription, Cost, GroupSpec, PrepareError, ScreenResult, Verdict,
    WorldDescription,
};
use std::sync::Arc;
use std::time::Duration;

struct Sorter {
    questions: Vec<Question>,
}

impl Sorter {
    fn new() -> Self {
        let labels = ["Billing", "Help", "Gone"].map(str::to_owned).to_vec();
        Self { questions: vec![Question { name: "queue".into(), labels }] }
    }
}

impl Sandbox for Sorter {
    fn prepare(&self, _spec: &GroupSpec) -> Result<Arc<dyn Guests>, PrepareError> {
        Ok(Arc::new(Self::new()))
    }

    fn execute(&self, job: Job) {
        job();
    }
}

impl Guests for Sorter {
    fn screens(&self) -> bool {
        false
    }

    fn cost(&self) -> Cost {
        Cost { memory: 0, snapshot: true, pooled: true, because: String::new() }
    }

    fn time(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn questions(&self, _filter: u32) -> &[Question] {
        &self.questions
    }

    fn open(&self) -> Result<Box<dyn Guest>, CallFailure> {
        Ok(Box::new(Self::new()))
    }

    fn open_full(&self) -> Result<Box<dyn Guest>, CallFailure> {
        self.open()
    }
}

fn called<T>(mail: Box<Mail>, result: Result<T, CallFailure>) -> CallReport<T> {
    CallReport { mail, own: Duration::ZERO, host: Duration::ZERO, no_room: false, log: Vec::new(), result }
}

fn failure() -> CallFailure {
    CallFailure { kind: FailureKind::Trap, message: "it is broken".into() }
}

impl Guest for Sorter {
    fn screen(&mut self, mail: Box<Mail>, _at_most: Option<Duration>) -> CallReport<ScreenResult> {
        called(mail, Err(failure()))
    }

    fn evaluate(&mut self, _filter: u32, mail: Box<Mail>, _at_most: Option<Duration>) -> CallReport<Verdict> {
        called(mail, Err(failure()))
    }

    fn classify(
        &mut self,
        _filter: u32,
        mail: Box<Mail>,
        scope: Scope,
        _at_most: Option<Duration>,
    ) -> CallReport<Vec<Answer>> {
        if mail.header("X-Break").is_some() {
            return called(mail, Err(failure()));
        }
        let number = |name: &str| mail.header(name).and_then(|value| value.parse::<f32>().ok());
        let guess = number("X-Label").zip(number("X-Sure"));
        let guesses = guess.map(|(label, confidence)| Guess { label: label as u32, confidence }).into_iter().collect();
        let evidence = vec![Evidence { text: "invoice".into(), weight: 2.0 }; scope.evidence as usize];
        called(mail, Ok(vec![Answer { guesses, evidence }]))
    }

    fn wait_for_room(&mut self) -> Result<(), CallFailure> {
        Ok(())
    }
}

impl Components for Sorter {
    fn find(&self, filter: &Filter) -> Option<FilterComponent> {
        let description = ComponentDescription {
            digest: "0".into(),
            name: filter.component.clone(),
            version: "1.0.0".into(),
            summary: String::new(),
            settings_schema: serde_json::Value::Null,
            grants: Vec::new(),
            of_world: serde_json::from_value::<WorldDescription>(serde_json::json!({ "classifies": true })).unwrap(),
        };
        Some(FilterComponent { description: Arc::new(description), bytes: Arc::new([]), shipped: false })
    }

    fn assets(&self, _filter: &Filter) -> Vec<Asset> {
        vec![model()]
    }
}

fn model() -> Asset {
    Asset::new("model", "linear/1", &b"learnt"[..])
}

fn vocabulary() -> Vocabulary {
    let queue = |name: &str| (name.to_owned(), Queue { name: name.into(), ..Queue::default() });
    Vocabulary::of(&Configuration { queues: [queue("Billing"), queue("Help")].into(), ..Configuration::default() })
}

fn filter(name: &str, mode: ClassifierMode) -> Filter {
    let mapping =
        AnswerMapping { question: "queue".into(), header: "X-OTOBO-Queue".into(), ..AnswerMapping::default() };
    Filter {
        name: name.into(),
        component: "sorter".into(),
        mode: Some(mode),
        stop_after_match: true,
        answer: vec![mapping],
        ..Filter::default()
    }
}

fn mail(headers: &str) -> Box<Mail> {
    let raw = Bytes::from(format!("Subject: a\r\n{headers}\r\n"));
    let opened = OpenedMessage::as_it_came(Message::parse(raw));
    Box::new(opened.vet(Envelope::default(), &vocabulary()).0.compute())
}

const LIVE: Mode = Mode::Live { check_screening: false, put_off_before: false };
const BILLING: &str = "X-Label: 0\r\nX-Sure: 0.95\r\n";

fn plan(filters: &[Filter]) -> ChainPlan {
    ChainPlan::build(filters, &Sorter::new(), &Sorter::new(), None)
}

fn ran(filters: &[Filter], mail: Box<Mail>) -> (ChainPlan, ChainRun) {
    let plan = plan(filters);
    let run = run(&plan, &vocabulary(), mail, LIVE);
    (plan, run)
}

#[test]
fn only_who_acts_matches_and_stops() {
    for mode in [ClassifierMode::Shadow, ClassifierMode::Suggest, ClassifierMode::Act] {
        let (_, run) = ran(&[filter("10", mode), filter("20", ClassifierMode::Shadow)], mail(BILLING));
        let acts = mode == ClassifierMode::Act;
        let expected = if acts { FilterOutcome::Matched } else { FilterOutcome::NotMatched };
        assert_eq!((run.steps[0].outcome, run.steps[0].stopped), (expected, acts), "{mode:?}");
        assert_eq!(run.steps[1].outcome == FilterOutcome::NotRun, acts);
        assert_eq!(run.mail.header("X-OTOBO-Queue"), acts.then_some("Billing"));
        assert_eq!(run.steps[0].answers[0].label.as_deref(), Some("Billing"));
    }
}

#[test]
fn answers_are_kept_of_filters_that_did_not_match() {
    let (plan, run) = ran(&[filter("10", ClassifierMode::Shadow)], mail(BILLING));
    assert_eq!(run.kept(), [0]);
    let result = run.results(&plan).remove(0);
    assert_eq!(result.answers[0].consequences[0].outcome, ConsequenceOutcome::WouldSet);
    let handed = serde_json::to_vec(&ChainRecord::of(&run)).unwrap();
    let record: ChainRecord = serde_json::from_slice(&handed).unwrap();
    assert_eq!(record.apply(&plan, mail(BILLING)).steps, run.steps, "also through another process");
}

#[test]
fn a_follow_up_is_asked_about_only_where_the_filter_says_so() {
    let follow_up = |headers: &str| {
        let mut mail = mail(headers);
        mail.set_ticket(Some(FollowedTicket::default()));
        mail
    };
    let quiet = Filter { on_failure: FailurePolicy::Hold, ..filter("10", ClassifierMode::Act) };
    let (_, run) = ran(std::slice::from_ref(&quiet), follow_up("X-Break: 1\r\n"));
    assert_eq!((run.steps[0].outcome, run.held_by), (FilterOutcome::NotMatched, None));
    assert!(run.steps[0].answers.is_empty() && run.kept().is_empty());
    assert!(run.mail.ticket_was_read(), "what it did depends on the ticket");
    let (_, run) = ran(&[Filter { follow_ups: true, ..quiet.clone() }], follow_up(BILLING));
    assert_eq!(run.mail.header("X-OTOBO-Queue"), Some("Billing"));
    let (_, run) = ran(&[quiet], mail("X-Break: 1\r\n"));
    assert_eq!((run.steps[0].outcome, run.held_by), (FilterOutcome::Failed, Some(0)), "a new mail is");
}

#[test]
fn evidence_is_asked_for_where_it_is_kept_and_in_dry_runs() {
    let kept = Filter { evidence: 2, ..filter("20", ClassifierMode::Shadow) };
    let filters = [filter("10", ClassifierMode::Shadow), kept];
    let (plan, run) = ran(&filters, mail(BILLING));
    let pieces =
        |run: &ChainRun| -> Vec<usize> { run.steps.iter().map(|step| step.answers[0].evidence.len()).collect() };
    assert_eq!(pieces(&run), [0, 2]);
    let dry = super::run(&plan, &vocabulary(), mail(BILLING), Mode::Dry);
    assert!(pieces(&dry).iter().all(|pieces| *pieces >= 10));
}

#[test]
fn a_plan_in_another_process_decides_by_the_same_rules() {
    let here = plan(&[filter("10", ClassifierMode::Act)]);
    let document = serde_json::to_vec(&PlanDocument::of(&here)).unwrap();
    let document = || serde_json::from_slice::<PlanDocument>(&document).unwrap();
    let component: (String, Arc<[u8]>) = ("0".to_owned(), Arc::new([]));
    let told = document().prepare(&[component.clone()].into(), &Sorter::new()).err().unwrap();
    assert!(told.contains("asset model of 10"), "without its model it would decide otherwise: {told}");
    let bytes = [component, (model().digest, model().bytes)].into();
    let there = document().prepare(&bytes, &Sorter::new()).unwrap();
    assert_eq!(there.assets().collect::<Vec<_>>(), here.assets().collect::<Vec<_>>());
    assert!(there.group_keys().all(|key| key.limits.memory == 256 << 20), "a model takes room");
    let run = run(&there, &vocabulary(), mail(BILLING), LIVE);
    assert_eq!(run.mail.header("X-OTOBO-Queue"), Some("Billing"));
}

#[test]
fn what_follows_from_answers_is_part_of_the_plans_version() {
    let settings = |filter: Filter| plan(&[filter]).version().filters.remove(0).version.settings;
    let shadow = settings(filter("10", ClassifierMode::Shadow));
    assert_ne!(shadow, settings(filter("10", ClassifierMode::Act)));
    assert_ne!(shadow, settings(Filter { follow_ups: true, ..filter("10", ClassifierMode::Shadow) }));
    let other = Filter { evidence: 3, ..filter("10", ClassifierMode::Shadow) };
    assert_eq!(shadow, settings(other), "what is kept changes no decision");
}

#[test]
fn a_classifier_that_fails_again_and_again_is_tried_and_suspended() {
    let plan = plan(&[filter("10", ClassifierMode::Act)]);
    for _ in 0..FAILURES_IN_A_ROW {
        let mut ran = run(&plan, &vocabulary(), mail("X-Break: 1\r\n"), LIVE);
        ran.trials.drain(..).for_each(|trial| trial.run(&vocabulary()));
    }
    let ran = run(&plan, &vocabulary(), mail(BILLING), LIVE);
    assert_eq!(ran.steps[0].outcome, FilterOutcome::Matched, "it works on a plain mail, so that it goes on");
}
