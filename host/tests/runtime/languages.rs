//! The example filter in every language, built from `examples/`: the same verdicts, whatever the machine is busy with.
//! Rust and C always, Python and JavaScript in full (`make proof`). `cargo test --release --workspace --test runtime --
//! languages --nocapture` prints what each costs.

use super::harness::*;
use postigo_mail::{Envelope, Mail, Message, OpenedMessage, Vocabulary};
use postigo_model::guest::GuestLimits;
use postigo_sandbox::{Asker, CallFailure, CallReport, GroupMember, GroupSpec, GuestSession, Runtime, Verdict};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Mails of one load.
const MAILS: usize = 1_000;
/// What a filter has where its admin says nothing.
const USUAL: GuestLimits = GuestLimits { time: Duration::from_millis(250), memory: 64 << 20 };

/// The languages that are built.
fn languages() -> Vec<&'static str> {
    let in_full = std::env::var("POSTIGO_PROOF").is_ok_and(|proof| proof == "full");
    if in_full { vec!["rust", "c", "python", "javascript"] } else { vec!["rust", "c"] }
}

fn component(language: &str) -> Vec<u8> {
    if language == "rust" {
        return built("rust");
    }
    let path = target().join("examples").join(language).with_extension("wasm");
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `.ci/build-examples {language}`", path.display()))
}

/// What a language's filter took to upload, and its group as it is to be prepared.
fn uploaded(runtime: &Runtime, language: &str) -> (GroupSpec, Duration) {
    let began = Instant::now();
    let inspected =
        runtime.inspect(&component(language), Asker::Host).unwrap_or_else(|refused| panic!("{language}: {refused}"));
    let took = began.elapsed();
    assert_eq!(inspected.unsnapshotable, None, "{language}");
    // The one in Rust is the guide's, which needs no other name.
    let name = if language == "rust" { "urgent".to_owned() } else { format!("urgent-{language}") };
    assert_eq!(inspected.description.name, name);
    assert_eq!(inspected.description.filter().headers, ["X-OTOBO-Priority"]);
    let members = ["one", "two"].map(|name| GroupMember::new(name, serde_json::json!({}))).into();
    let (component, digest) = (inspected.component.into(), inspected.description.digest);
    (GroupSpec { component, digest, members, grants: Vec::new(), limits: USUAL }, took)
}

fn without_subject() -> Box<Mail> {
    let message =
        OpenedMessage::as_it_came(Message::parse(b"From: Jane <jane@example.com>\r\n\r\nurgent\r\n".to_vec().into()));
    let envelope = Envelope { account: "local".into(), ..Envelope::default() };
    Box::new(message.vet(envelope, &Vocabulary::new(&[])).0.compute())
}

/// Evaluates as a worker does: waits for room where there is none.
fn evaluated(session: &mut GuestSession, filter: u32, mail: Box<Mail>) -> CallReport<Verdict> {
    let called = session.evaluate(filter, mail, None);
    if !called.no_room {
        return called;
    }
    session.wait_for_room().unwrap();
    session.evaluate(filter, called.mail, None)
}

#[test]
fn the_same_filter_gives_the_same_verdicts_in_every_language() {
    for language in languages() {
        let (spec, _) = uploaded(&runtime(), language);
        let group = runtime().prepare(&spec, Asker::Host).unwrap_or_else(|error| panic!("{language}: {error}"));
        // Each of them starts from a snapshot, as the guide says: none is configured for every message.
        let cost = group.cost();
        assert!(cost.snapshot, "{language}: {}", cost.because);
        let mut session = GuestSession::open(&group).unwrap();
        let mut verdict = |filter, mail| {
            evaluated(&mut session, filter, mail).result.unwrap_or_else(|error| panic!("{language}: {error}"))
        };
        for (subject, urgent) in [
            ("Urgent", true),
            ("Re: this is URGENT!", true),
            ("\u{c4}rger, uRgEnT", true),
            ("Hello", false),
            ("urgen t", false),
        ] {
            for filter in [0, 1] {
                let Verdict { matched, changes, reason } = verdict(filter, mail(subject));
                let changes: Vec<_> = changes.into_iter().map(|change| (change.header, change.value)).collect();
                let wanted = urgent.then(|| ("X-OTOBO-Priority".to_owned(), "5 very high".to_owned()));
                assert_eq!(
                    (matched, changes, reason),
                    (urgent, Vec::from_iter(wanted), String::new()),
                    "{language}: {subject}"
                );
            }
        }
        assert!(!verdict(0, without_subject()).matched, "{language}");
    }
}

#[test]
fn a_thousand_mails_at_once_fail_in_no_language() {
    let folder = tempfile::tempdir().unwrap();
    for language in languages() {
        let runtime = runtime_in(folder.path().join(language));
        let (spec, upload) = uploaded(&runtime, language);
        let began = Instant::now();
        let group = runtime.prepare(&spec, Asker::Host).unwrap_or_else(|error| panic!("{language}: {error}"));
        let configure = began.elapsed();
        let call = |group: &Arc<_>| {
            let mail = mail("Urgent");
            let began = Instant::now();
            let mut session = GuestSession::open(group).unwrap();
            let result = evaluated(&mut session, 0, mail).result;
            (began.elapsed(), result)
        };
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let one = || {
            let group = Arc::clone(&group);
            runtime.spawn(move || call(&group))
        };
        let (first, alone, loaded) = tokio.block_on(async {
            let first = took(one().await.unwrap(), language);
            let mut alone = Vec::new();
            for _ in 0..100 {
                alone.push(took(one().await.unwrap(), language));
            }
            let mut loaded = Vec::new();
            for called in (0..MAILS).map(|_| one()).collect::<Vec<_>>() {
                loaded.push(took(called.await.unwrap(), language));
            }
            (first, alone, loaded)
        });
        let (cost, size) = (group.cost(), component(language).len());
        let (alone, loaded) = (percentiles(alone), percentiles(loaded));
        println!(
            "{language}: {size} bytes, upload {upload:.1?}, configure {configure:.1?}, first call {first:.1?}, alone p50 {:.1?} p99 {:.1?}, \
             {MAILS} at once p50 {:.1?} p99 {:.1?}, memory {} KiB, snapshot {} {}",
            alone.0,
            alone.1,
            loaded.0,
            loaded.1,
            cost.memory >> 10,
            cost.snapshot,
            cost.because
        );
    }
}

/// How long a call took that must have matched.
fn took((time, result): (Duration, Result<Verdict, CallFailure>), language: &str) -> Duration {
    let verdict = result.unwrap_or_else(|failure| panic!("{language}: {failure}"));
    assert!(verdict.matched, "{language}");
    time
}

fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).copied().unwrap_or_default();
    (at(50), at(99))
}
