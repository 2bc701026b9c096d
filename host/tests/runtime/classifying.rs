//! Classifiers: what they are known by, what they answer, and what becomes of answers that break the contract.

use super::harness::*;
use postigo_model::classification::{Answer, Evidence, Guess, Scope};
use postigo_model::guest::{FailureKind, Grant, GuestLimits};
use postigo_sandbox::{
    Asker, Asset, CallFailure, Group, GroupMember, GroupSpec, GuestSession, Inspection, PrepareError,
};
use std::sync::{Arc, LazyLock};

/// Three guesses and three pieces of evidence.
const THREE: Scope = Scope { guesses: 3, evidence: 3 };

/// The model of `keywords` that knows two words.
const MODEL: &str = r#"[{"name":"queue","labels":["Support","Billing"],"words":[{"help":2},{"invoice":3,"help":1}]}]"#;

pub fn keywords() -> Inspection {
    static KEYWORDS: LazyLock<Inspection> =
        LazyLock::new(|| runtime().inspect(&built("keywords"), Asker::Host).unwrap());
    KEYWORDS.clone()
}

pub fn liar() -> Inspection {
    static LIAR: LazyLock<Inspection> = LazyLock::new(|| runtime().inspect(&built("liar"), Asker::Host).unwrap());
    LIAR.clone()
}

fn spec(component: Inspection, members: Vec<GroupMember>, short: bool) -> GroupSpec {
    GroupSpec {
        component: component.component.into(),
        digest: component.description.digest,
        members,
        grants: vec![Grant::Body],
        limits: GuestLimits { time: if short { SHORT } else { LONG }, memory: 16 << 20 },
    }
}

fn with_model(name: &str, model: &str) -> GroupMember {
    GroupMember {
        assets: vec![Asset::new("model", "keywords/1", model.as_bytes())],
        ..GroupMember::new(name, serde_json::json!({}))
    }
}

fn lying(deeds: &[&str]) -> Result<Arc<Group>, PrepareError> {
    let member = |deed: &&str| GroupMember::new(*deed, serde_json::json!({ "do": deed }));
    let short = deeds.iter().any(|deed| deed.contains("loop"));
    runtime().prepare(&spec(liar(), deeds.iter().map(member).collect(), short), Asker::Host)
}

fn classify(group: &Arc<Group>, filter: u32, subject: &str) -> Result<Vec<Answer>, CallFailure> {
    GuestSession::open(group).unwrap().classify(filter, mail(subject), THREE, None).result
}

#[test]
fn a_classifier_says_what_it_is_and_is_no_filter() {
    let description = keywords().description;
    let said = description.classifier().unwrap();
    assert!(said.trains);
    assert_eq!(said.formats, ["keywords/1", "keywords/0"]);
    assert!(description.filter().headers.is_empty());
    assert_eq!(hostile().description.classifier(), None);

    let group = runtime().prepare(&spec(keywords(), vec![with_model("one", MODEL)], false), Asker::Host).unwrap();
    assert!(group.classifies() && !group.screens());
    let no_filter = evaluate(&group, 0).unwrap_err();
    assert!(no_filter.message.contains("no filter"), "{no_filter}");
    let filters = super::harness::group(&["behave"]);
    assert!(!filters.classifies() && filters.questions(0).is_empty());
    let no_classifier = classify(&filters, 0, "Invoice 42").unwrap_err();
    assert!(no_classifier.message.contains("no classifier"), "{no_classifier}");
}

#[test]
fn questions_are_known_without_a_mail_and_answered_by_the_model_that_was_given() {
    let other =
        r#"[{"name":"mood","labels":["good"],"words":[{"invoice":1}]},{"name":"queue","labels":[],"words":[]}]"#;
    let members = vec![with_model("10", MODEL), GroupMember::new("20", serde_json::json!({})), with_model("30", other)];
    let spec = spec(keywords(), members, false);
    let group = runtime().prepare(&spec, Asker::Host).unwrap();
    assert!(group.cost().snapshot, "{}", group.cost().because);
    // A group that is loaded from the cache knows them as well.
    for group in [Arc::clone(&group), runtime().prepare(&spec, Asker::Host).unwrap()] {
        let questions = |filter| group.questions(filter).iter().map(|one| one.name.as_str()).collect::<Vec<_>>();
        assert_eq!(questions(0), ["queue"]);
        assert_eq!(group.questions(0)[0].labels, ["Support", "Billing"]);
        assert!(questions(1).is_empty() && questions(3).is_empty());
        assert_eq!(questions(2), ["mood", "queue"]);
    }
    let answers = classify(&group, 0, "Help with invoice 42").unwrap();
    let guess = |label, confidence| Guess { label, confidence };
    assert_eq!(answers[0].guesses, [guess(1, 4.0 / 6.0), guess(0, 2.0 / 6.0)]);
    let piece = |text: &str, weight| Evidence { text: text.into(), weight };
    assert_eq!(answers[0].evidence, [piece("invoice", 3.0), piece("help", 1.0)]);
    assert_eq!(classify(&group, 0, "Good day").unwrap(), [Answer::default()]);
    assert_eq!(classify(&group, 1, "Invoice").unwrap(), []);
    assert_eq!(classify(&group, 2, "Invoice").unwrap().len(), 2);

    let mut session = GuestSession::open(&group).unwrap();
    let narrow = Scope { guesses: 1, evidence: 0 };
    let called = session.classify(0, mail("Help with invoice 42"), narrow, None);
    assert_eq!(called.mail.header("Subject"), Some("Help with invoice 42"), "the mail came back");
    let answers = called.result.unwrap();
    assert_eq!((answers[0].guesses.len(), answers[0].evidence.len()), (1, 0));
    assert!(session.classify(2, called.mail, THREE, None).result.is_ok());
}

#[test]
fn a_model_that_the_component_refuses_is_a_mistake_of_its_filter() {
    for (model, format, part) in [("[", "keywords/1", "cannot be read"), (MODEL, "keywords/7", "keywords/7")] {
        let member = GroupMember {
            assets: vec![Asset::new("model", format, model.as_bytes())],
            ..GroupMember::new("one", serde_json::json!({}))
        };
        let refused = runtime().prepare(&spec(keywords(), vec![member], false), Asker::Host).map(|_| ()).unwrap_err();
        assert!(matches!(&refused, PrepareError::Problems(all) if all.len() == 1), "{refused}");
        assert!(refused.to_string().contains(part), "{refused}");
    }
}

#[test]
fn assets_that_are_too_large_or_of_one_name_are_refused() {
    let refused = |assets: Vec<Asset>| {
        let member = GroupMember { assets, ..GroupMember::new("one", serde_json::json!({})) };
        runtime().prepare(&spec(keywords(), vec![member], false), Asker::Host).map(|_| ()).unwrap_err().to_string()
    };
    let large = refused(vec![Asset::new("model", "", vec![0; (64 << 20) + 1])]);
    assert!(large.contains("67108865 bytes"), "{large}");
    let twice = refused(vec![Asset::new("model", "", *b"a"), Asset::new("model", "", *b"b")]);
    assert!(twice.contains("two assets named \"model\""), "{twice}");
}

#[test]
fn questions_that_break_the_contract_prepare_no_group() {
    for (deed, kind, part) in [
        ("many-questions", FailureKind::Output, "40 questions"),
        ("same-questions", FailureKind::Output, "two questions"),
        ("same-labels", FailureKind::Output, "twice"),
        ("many-labels", FailureKind::Output, "5000 labels"),
        ("long-label", FailureKind::Output, "1 to 200 bytes"),
        ("panic-in-questions", FailureKind::Trap, "unreachable"),
    ] {
        match lying(&["behave", deed]).map(|_| ()).unwrap_err() {
            PrepareError::Failed(failure) => {
                assert_eq!(failure.kind, kind, "{deed}: {failure}");
                assert!(failure.message.contains(part), "{deed}: {failure}");
            }
            other => panic!("{deed}: {other}"),
        }
    }
}

#[test]
fn answers_that_break_the_contract_are_failures_of_the_kind_output() {
    let deeds = [
        ("no-answers", "0 answers to 1 questions"),
        ("many-answers", "too much data"),
        ("unknown-label", "label 2 of 2"),
        ("label-twice", "label 1 twice"),
        ("not-a-number", "NaN"),
        ("infinite", "inf"),
        ("negative", "-0.5"),
        ("more-than-sure", "1.5"),
        ("unordered", "surest stands first"),
        ("many-guesses", "4 guesses; 3 were asked for"),
        ("unasked", "4 pieces of evidence; 3 were asked for"),
        ("long-evidence", "5000 bytes"),
        ("endless-evidence", "bytes; at most 262144"),
        ("weightless-evidence", "no number"),
        ("other-questions", "2 answers to 1 questions"),
    ];
    let names: Vec<&str> = deeds.iter().map(|(deed, _)| *deed).chain(["behave"]).collect();
    let group = lying(&names).unwrap();
    let good = u32::try_from(deeds.len()).unwrap();
    for (filter, (deed, part)) in (0_u32..).zip(deeds) {
        let mut session = GuestSession::open(&group).unwrap();
        let called = session.classify(filter, mail("Invoice 42"), THREE, None);
        let failure = called.result.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Output, "{deed}: {failure}");
        assert!(failure.message.contains(part), "{deed}: {failure}");
        let after = session.classify(good, called.mail, THREE, None).result.unwrap();
        assert_eq!(after[0].guesses[0], Guess { label: 0, confidence: 1.0 }, "after {deed}");
    }
}

#[test]
fn a_classifier_that_fails_fails_as_filters_do() {
    for (deed, kind, part) in [
        ("panic", FailureKind::Trap, "unreachable"),
        ("fail", FailureKind::Trap, "An error on demand."),
        ("loop", FailureKind::Timeout, "ran longer than 250 ms"),
        ("memory", FailureKind::Memory, "more memory than its limit"),
    ] {
        let group = lying(&[deed, "behave"]).unwrap();
        let mut session = GuestSession::open(&group).unwrap();
        let called = session.classify(0, mail("Invoice 42"), THREE, None);
        let failure = called.result.unwrap_err();
        assert_eq!(failure.kind, kind, "{deed}: {failure}");
        assert!(failure.message.contains(part), "{deed}: {failure}");
        assert!(session.classify(1, called.mail, THREE, None).result.is_ok(), "after {deed}");
    }
}

#[test]
fn assets_are_out_of_reach_while_a_mail_is_looked_at() {
    let member = GroupMember {
        assets: vec![Asset::new("model", "liar/1", *b"secret")],
        ..GroupMember::new("one", serde_json::json!({ "do": "read-assets" }))
    };
    let group = runtime().prepare(&spec(liar(), vec![member], false), Asker::Host).unwrap();
    let said = classify(&group, 0, "Invoice 42").unwrap_err().message;
    assert_eq!(said.matches("\"too-late\"").count(), 2, "{said}");
}
