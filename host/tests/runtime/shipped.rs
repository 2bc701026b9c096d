//! The shipped filters in the sandbox: that the built components are what their crates are.

use super::harness::{LONG, mail, runtime};
use classifier_filter::ClassifierFilter;
use postigo_filter::{classifier as sdk, testing};
use postigo_model::classification::Scope;
use postigo_model::guest::GuestLimits;
use postigo_sandbox::training::{
    ExampleMail, LabelledExample, LearningTopic, Purpose, TopicLabel, TrainingLimits, TrainingSpec,
};
use postigo_sandbox::{Asker, Asset, Group, GroupMember, GroupSpec, GuestSession, Inspection, Verdict, shipped};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A shipped component, inspected.
fn inspected(name: &str) -> Inspection {
    let (_, bytes) = shipped::components().iter().find(|(shipped, _)| *shipped == name).unwrap();
    let inspected = runtime().inspect(bytes, Asker::Host).unwrap();
    assert_eq!(inspected.description.name, name);
    assert_eq!(inspected.unsnapshotable, None);
    inspected
}

/// A group of a shipped component's filters with these settings and the grants that it wants.
fn group(name: &str, settings: &[Value]) -> Arc<Group> {
    let inspected = inspected(name);
    let members = settings.iter().enumerate().map(|(index, one)| GroupMember::new(format!("{index}"), one.clone()));
    let spec = GroupSpec {
        component: inspected.component.into(),
        digest: inspected.description.digest,
        members: members.collect(),
        grants: inspected.description.grants,
        limits: GuestLimits::default(),
    };
    runtime().prepare(&spec, Asker::Host).unwrap()
}

fn changes(verdict: Verdict) -> Vec<(String, String)> {
    verdict.changes.into_iter().map(|change| (change.header, change.value)).collect()
}

#[test]
fn the_classic_filter_screens_and_captures() {
    let rule = |word: &str| {
        json!({
            "when": [{ "header": "Subject", "matches": format!("{word} (?<number>\\d+)") }],
            "set": [{ "header": "X-OTOBO-DynamicField-Number", "value": "[** \\number **]" }],
        })
    };
    let group = group("match", &[rule("order"), rule("INVOICE"), rule("straße")]);
    assert!(group.screens());
    let mut session = GuestSession::open(&group).unwrap();
    let called = session.screen(mail("Your invoice 42"), None);
    let screened = called.result.unwrap();
    assert_eq!(screened.candidates, [1]);
    assert_eq!(screened.read, ["subject"]);
    let verdict = session.evaluate(1, called.mail, None).result.unwrap();
    assert_eq!(changes(verdict), [("X-OTOBO-DynamicField-Number".to_owned(), "42".to_owned())]);
}

#[test]
fn the_guard_says_why() {
    let group = group("auto-reply-guard", &[json!({})]);
    let verdict =
        GuestSession::open(&group).unwrap().evaluate(0, mail("Automatische Antwort: Rechnung"), None).result.unwrap();
    assert!(verdict.matched);
    assert!(verdict.reason.starts_with("automatic reply"), "{}", verdict.reason);
}

#[test]
fn numbers_of_other_systems_are_found_in_the_body() {
    let source = json!({ "from": "jane@", "number": "(Hel+o)", "field": "Greeting", "body": true });
    let group = group("ticket-number", &[json!({ "sources": [source] })]);
    let verdict = GuestSession::open(&group).unwrap().evaluate(0, mail("x"), None).result.unwrap();
    assert_eq!(changes(verdict)[0], ("X-OTOBO-DynamicField-Greeting".to_owned(), "Hello".to_owned()));
}

/// Subjects and bodies of two queues, each with a number of its own.
fn filed(number: usize) -> (String, String, u32) {
    let label = u32::from(number % 2 == 1);
    let (subject, text) = [
        ("The printer is broken", "Please send somebody who repairs it."),
        ("Invoice for the order", "Please pay within thirty days."),
    ][label as usize];
    (format!("{subject} {number}"), format!("Dear all,\n{text}\n"), label)
}

#[test]
fn the_classifier_learns_in_the_sandbox_what_it_learns_natively_and_answers_by_it() {
    let classifier = inspected("classifier");
    assert!(classifier.description.classifier().unwrap().trains);
    let label = |name: &str, description: &str| TopicLabel { name: name.into(), description: description.into() };
    let purpose = |number: usize| if number % 5 == 4 { Purpose::Calibrate } else { Purpose::Fit };
    let spec = TrainingSpec {
        component: classifier.component.into(),
        digest: classifier.description.digest,
        member: GroupMember::new("one", json!({})),
        grants: classifier.description.grants,
        topics: vec![LearningTopic {
            name: "queue".into(),
            labels: vec![label("Support", "broken things"), label("Billing", "money")],
        }],
        examples: (0..30)
            .map(|number| LabelledExample {
                purpose: purpose(number),
                labels: vec![Some(filed(number).2)],
                weight: 1.0,
            })
            .collect(),
        seed: 7,
        limits: TrainingLimits::default(),
    };
    let mut mail_of = |number| {
        let (subject, text, _) = filed(number);
        let raw = format!("From: jane@example.com\r\nSubject: {subject}\r\n\r\n{}", text.replace('\n', "\r\n"));
        Ok(ExampleMail { raw: raw.into_bytes(), account: "local".into(), ..ExampleMail::default() })
    };
    let trained = runtime().train(&spec, &mut mail_of, &mut |_| ControlFlow::Continue(())).unwrap();

    let native: ClassifierFilter = testing::classifier("{}", &[]).unwrap();
    let labelled = (0..30).map(|number| {
        let (subject, text, label) = filed(number);
        testing::LabelledMail {
            mail: testing::Mail::new().with("Subject", &subject).with_text(&text),
            purpose: if purpose(number) == Purpose::Fit { sdk::Purpose::Fit } else { sdk::Purpose::Calibrate },
            labels: vec![Some(label)],
            weight: 1.0,
        }
    });
    let topics: &[(&str, &[(&str, &str)])] = &[("queue", &[("Support", "broken things"), ("Billing", "money")])];
    let at_home = testing::train(&native, topics, &labelled.collect::<Vec<_>>(), 7).unwrap();
    assert_eq!(trained.format, at_home.format);
    assert_eq!(trained.summary, at_home.summary);
    assert!(trained.bytes == at_home.bytes, "the bytes of the two models differ");

    let model = Asset::new("model", trained.format, trained.bytes);
    let group = GroupSpec {
        component: spec.component,
        digest: spec.digest,
        members: vec![GroupMember { assets: vec![model], ..GroupMember::new("one", json!({})) }],
        grants: spec.grants,
        limits: GuestLimits { time: LONG, ..GuestLimits::default() },
    };
    let group = runtime().prepare(&group, Asker::Host).unwrap();
    assert!(group.cost().pooled && group.cost().because.is_empty(), "{:?}", group.cost());
    let scope = Scope { guesses: 1, evidence: 3 };
    let answers =
        GuestSession::open(&group).unwrap().classify(0, mail("Another invoice for you"), scope, None).result.unwrap();
    assert_eq!(answers[0].guesses[0].label, 1);
    assert!(answers[0].evidence.iter().any(|piece| piece.text == "invoice"), "{:?}", answers[0].evidence);
}
