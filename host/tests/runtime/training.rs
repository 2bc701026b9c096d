//! Training in a process of its own: what is learnt, in which order, and what becomes of guests that misbehave.

use super::classifying::{keywords, liar};
use super::harness::*;
use keywords_classifier::Keywords;
use postigo_filter::{classifier as sdk, testing};
use postigo_model::classification::Scope;
use postigo_model::guest::{FailureKind, Grant, GuestLimits};
use postigo_sandbox::training::{
    ExampleMail, LabelledExample, LearningTopic, Purpose, TopicLabel, TrainError, TrainErrorKind, TrainedModel,
    TrainingLimits, TrainingProgress, TrainingSpec,
};
use postigo_sandbox::{Asker, Asset, GroupMember, GroupSpec, GuestSession, Inspection};
use std::ops::ControlFlow;
use std::time::Duration;

/// Subjects with the place of their queue; without one what belongs to none.
const MAILS: [(&str, Purpose, Option<u32>); 8] = [
    ("Help with my printer", Purpose::Fit, Some(0)),
    ("Invoice 42 is wrong", Purpose::Fit, Some(1)),
    ("The printer prints nothing", Purpose::Fit, Some(0)),
    ("Please send the invoice again", Purpose::Fit, Some(1)),
    ("Printer and invoice", Purpose::Fit, None),
    ("You have won", Purpose::Outside, None),
    ("Another invoice", Purpose::Calibrate, Some(1)),
    ("Another printer", Purpose::Calibrate, Some(0)),
];

fn spec(component: Inspection, settings: serde_json::Value) -> TrainingSpec {
    let label = |name: &str| TopicLabel { name: name.into(), description: format!("What {name} does.") };
    let example = |(index, &(_, purpose, label)): (u8, &(&str, Purpose, Option<u32>))| LabelledExample {
        purpose,
        labels: vec![label],
        weight: 1.0 + f32::from(index),
    };
    TrainingSpec {
        component: component.component.into(),
        digest: component.description.digest,
        member: GroupMember::new("one", settings),
        grants: Vec::new(),
        topics: vec![LearningTopic { name: "queue".into(), labels: vec![label("Support"), label("Billing")] }],
        examples: (0..).zip(&MAILS).map(example).collect(),
        seed: 7,
        limits: TrainingLimits { memory: 64 << 20, ..TrainingLimits::default() },
    }
}

fn mail_of(index: usize) -> Result<ExampleMail, String> {
    let (subject, ..) = MAILS.get(index).ok_or("there is no such example")?;
    let raw = format!("From: jane@example.com\r\nSubject: {subject}\r\nX-OTOBO-Queue: Billing\r\n\r\nHello.\r\n");
    Ok(ExampleMail { raw: raw.into_bytes(), account: "local".into(), ..ExampleMail::default() })
}

fn train(spec: &TrainingSpec) -> Result<TrainedModel, TrainError> {
    runtime().train(spec, &mut mail_of, &mut |_| ControlFlow::Continue(()))
}

fn lying(deed: &str) -> TrainingSpec {
    spec(liar(), serde_json::json!({ "do": deed }))
}

#[test]
fn what_was_learnt_here_is_the_asset_that_the_same_classifier_answers_by() {
    let trained = train(&spec(keywords(), serde_json::json!({ "passes": 3 }))).unwrap();
    assert_eq!((trained.format.as_str(), trained.passes), ("keywords/1", 3));
    assert_eq!(trained.summary, "15 of 5 to fit, 1 of 1 outside, 2 of 2 to calibrate, seed 7");
    assert!(trained.memory > 0 && trained.memory <= 64 << 20, "{}", trained.memory);
    assert!(!trained.own.is_zero() && trained.own < LONG, "{:?}", trained.own);

    let keywords = keywords();
    let member = GroupMember {
        assets: vec![Asset::new("model", trained.format, trained.bytes)],
        ..GroupMember::new("one", serde_json::json!({}))
    };
    let spec = GroupSpec {
        component: keywords.component.into(),
        digest: keywords.description.digest,
        members: vec![member],
        grants: Vec::new(),
        limits: GuestLimits { time: LONG, memory: 16 << 20 },
    };
    let group = runtime().prepare(&spec, Asker::Host).unwrap();
    let scope = Scope { guesses: 1, evidence: 1 };
    for (subject, label, word) in [("My printer", 0, "printer"), ("An invoice", 1, "invoice")] {
        let answers = GuestSession::open(&group).unwrap().classify(0, mail(subject), scope, None).result.unwrap();
        assert_eq!(answers[0].guesses[0].label, label, "{subject}");
        assert_eq!(answers[0].evidence[0].text, word, "{subject}");
    }
}

#[test]
fn the_same_examples_and_seed_make_the_same_model_here_and_in_authors_tests() {
    let settings = serde_json::json!({ "passes": 2 });
    let spec = spec(keywords(), settings.clone());
    let trained = train(&spec).unwrap();
    assert_eq!(trained.bytes, train(&spec).unwrap().bytes);
    assert_ne!(trained.bytes, train(&TrainingSpec { seed: 8, ..spec.clone() }).unwrap().bytes, "the order counts");

    let purpose = |purpose| match purpose {
        Purpose::Fit => sdk::Purpose::Fit,
        Purpose::Outside => sdk::Purpose::Outside,
        Purpose::Calibrate => sdk::Purpose::Calibrate,
    };
    let labelled = MAILS.iter().zip(&spec.examples).map(|(&(subject, ..), example)| testing::LabelledMail {
        mail: testing::Mail::new().with("Subject", subject),
        purpose: purpose(example.purpose),
        labels: example.labels.clone(),
        weight: example.weight,
    });
    let classifier: Keywords = testing::classifier(&settings.to_string(), &[]).unwrap();
    let topics: &[(&str, &[(&str, &str)])] = &[("queue", &[("Support", ""), ("Billing", "")])];
    let native = testing::train(&classifier, topics, &labelled.collect::<Vec<_>>(), spec.seed).unwrap();
    assert_eq!(native.bytes, trained.bytes);
    assert_eq!(native.summary, trained.summary);
}

#[test]
fn a_guest_that_breaks_a_limit_of_training_ends_it_by_that_name() {
    let short = |deed: &str| {
        let limits = TrainingLimits { time: Duration::from_secs(1), memory: 16 << 20, ..TrainingLimits::default() };
        train(&TrainingSpec { limits, ..lying(deed) }).unwrap_err()
    };
    for (deed, kind, part) in [
        ("loop-in-learn", TrainErrorKind::Guest(FailureKind::Timeout), "more than the 1 s"),
        ("loop-in-finish", TrainErrorKind::Guest(FailureKind::Timeout), "more than the 1 s"),
        ("memory-in-learn", TrainErrorKind::Guest(FailureKind::Memory), "more memory than its limit"),
        ("panic-in-learn", TrainErrorKind::Guest(FailureKind::Trap), "unreachable"),
        ("no-passes", TrainErrorKind::Guest(FailureKind::Output), "0 times"),
        ("many-passes", TrainErrorKind::Guest(FailureKind::Output), "33 times"),
        ("no-format", TrainErrorKind::Guest(FailureKind::Output), "the format \"\""),
        ("long-summary", TrainErrorKind::Guest(FailureKind::Output), "500000 bytes"),
        ("refuse-task", TrainErrorKind::Refused, "There is nothing to be learnt."),
        ("refuse-example", TrainErrorKind::Refused, "That is no example."),
    ] {
        let error = short(deed);
        assert_eq!(error.kind(), kind, "{deed}: {error}");
        assert!(error.to_string().contains(part), "{deed}: {error}");
    }
}

#[test]
fn a_model_that_is_larger_than_it_may_be_is_never_copied() {
    let limits = TrainingLimits { memory: 256 << 20, ..TrainingLimits::default() };
    let error = train(&TrainingSpec { limits, ..lying("huge-model") }).unwrap_err();
    assert_eq!(error, TrainError::ModelTooLarge { most: 8 << 20 });
    let limits = TrainingLimits { model: 0, ..limits };
    assert_eq!(train(&TrainingSpec { limits, ..lying("behave") }), Err(TrainError::ModelTooLarge { most: 0 }));
}

#[test]
fn a_mail_to_learn_from_is_held_to_the_grants() {
    let denied = train(&lying("read-body-in-learn")).unwrap_err();
    assert_eq!(denied.kind(), TrainErrorKind::Guest(FailureKind::Denied), "{denied}");
    assert!(denied.to_string().contains("body is not granted"), "{denied}");
    assert!(train(&TrainingSpec { grants: vec![Grant::Body], ..lying("read-body-in-learn") }).is_ok());
}

#[test]
fn who_cannot_be_trained_or_is_given_nonsense_is_told_so() {
    let filter = train(&spec(hostile(), serde_json::json!({ "do": "behave" }))).unwrap_err();
    assert_eq!(filter, TrainError::NotTrainable);
    let settings = train(&spec(keywords(), serde_json::json!({ "passes": "many" }))).unwrap_err();
    assert_eq!(settings.kind(), TrainErrorKind::Request);
    assert!(settings.to_string().contains("/passes"), "{settings}");
    let mut labels = spec(keywords(), serde_json::json!({}));
    labels.examples[3].labels = vec![Some(2)];
    assert!(train(&labels).unwrap_err().to_string().contains("example 3"));
    let mut gone = |index| if index == 6 { Err("its mail was purged".to_owned()) } else { mail_of(index) };
    let gone = runtime().train(&spec(keywords(), serde_json::json!({})), &mut gone, &mut |_| ControlFlow::Continue(()));
    assert_eq!(gone, Err(TrainError::Example { index: 6, reason: "its mail was purged".into() }));
}

#[test]
fn a_training_says_how_far_it_is_and_ends_at_once_when_it_is_not_wanted_any_more() {
    let mut told = Vec::new();
    let spec = spec(keywords(), serde_json::json!({ "passes": 2 }));
    let mut listen = |far: TrainingProgress| {
        told.push(far);
        ControlFlow::Continue(())
    };
    runtime().train(&spec, &mut mail_of, &mut listen).unwrap();
    assert_eq!(told.last(), Some(&TrainingProgress { learnt: 13, of: 13 }));
    assert!(told.is_sorted_by_key(|far| far.learnt), "{told:?}");

    // It would loop for two minutes, and is ended as soon as it has begun.
    let mut once_begun =
        |far: TrainingProgress| if far.of > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let cancelled = runtime().train(&lying("loop-in-learn"), &mut mail_of, &mut once_begun);
    assert_eq!(cancelled, Err(TrainError::Cancelled));
}

#[test]
fn what_takes_too_long_in_all_is_ended() {
    let limits = TrainingLimits { wall: Duration::from_millis(1), ..TrainingLimits::default() };
    let error = train(&TrainingSpec { limits, ..lying("loop-in-learn") }).unwrap_err();
    assert_eq!((error.kind(), error), (TrainErrorKind::Host, TrainError::TooLong { seconds: 0 }));
}
