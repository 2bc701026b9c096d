//! The shipped filters in the sandbox: that the built components are what their crates are.

use super::harness::{mail, runtime};
use postigo_model::guest::GuestLimits;
use postigo_sandbox::{Asker, Group, GroupMember, GroupSpec, GuestSession, Verdict, shipped};
use serde_json::{Value, json};
use std::sync::Arc;

/// A group of a shipped component's filters with these settings and the grants that it wants.
fn group(name: &str, settings: &[Value]) -> Arc<Group> {
    let (_, bytes) = shipped::components().iter().find(|(shipped, _)| *shipped == name).unwrap();
    let inspected = runtime().inspect(bytes, Asker::Host).unwrap();
    assert_eq!(inspected.description.name, name);
    assert_eq!(inspected.unsnapshotable, None);
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
