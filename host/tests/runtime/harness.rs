//! A runtime with the built binary as its child, guests built from `tests/guests`, and mails.

use postigo_mail::{Envelope, Mail, Message, OpenedMessage, Vocabulary};
use postigo_model::guest::{FailureKind, GuestLimits};
use postigo_sandbox::{
    Asker, CallFailure, Group, GroupMember, GroupSpec, GuestSession, Inspection, PrepareError, Runtime, RuntimeOptions,
};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The workspace's folder of built things.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")), PathBuf::from)
}

/// The bytes of a guest that `make guests` built.
pub fn built(name: &str) -> Vec<u8> {
    let path = target().join("guests").join(name).with_extension("wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make guests`", path.display()))
}

/// A runtime on a folder of caches.
pub fn runtime_in(cache: PathBuf) -> Arc<Runtime> {
    Runtime::start(RuntimeOptions::new(cache, env!("CARGO_BIN_EXE_postigo").into())).unwrap()
}

/// A runtime whose caches outlive the tests: compiled code is the same every time.
pub fn runtime() -> Arc<Runtime> {
    static RUNTIME: LazyLock<Arc<Runtime>> = LazyLock::new(|| runtime_in(target().join("test-cache")));
    Arc::clone(&RUNTIME)
}

/// The hostile guest, inspected.
pub fn hostile() -> Inspection {
    static HOSTILE: LazyLock<Inspection> = LazyLock::new(|| runtime().inspect(&built("hostile"), Asker::Host).unwrap());
    HOSTILE.clone()
}

/// The time of a call that is to run out.
pub const SHORT: Duration = Duration::from_millis(250);
/// The time of a call that is not, on a machine that is busy with other tests.
pub const LONG: Duration = Duration::from_secs(20);

/// A group of one filter for each deed, with a short time where one of them loops.
pub fn spec(deeds: &[&str]) -> GroupSpec {
    let hostile = hostile();
    GroupSpec {
        component: hostile.component.into(),
        digest: hostile.description.digest,
        members: deeds
            .iter()
            .enumerate()
            .map(|(index, deed)| GroupMember::new(format!("{index} {deed}"), serde_json::json!({ "do": deed })))
            .collect(),
        grants: Vec::new(),
        limits: GuestLimits {
            time: if deeds.iter().any(|deed| deed.contains("loop")) { SHORT } else { LONG },
            memory: 16 << 20,
        },
    }
}

pub fn group(deeds: &[&str]) -> Arc<Group> {
    runtime().prepare(&spec(deeds), Asker::Host).unwrap()
}

/// How preparing a group of these deeds fails.
pub fn not_prepared(deeds: &[&str]) -> PrepareError {
    runtime().prepare(&spec(deeds), Asker::Host).map(|_| "prepared").unwrap_err()
}

/// A mail with this subject.
pub fn mail(subject: &str) -> Box<Mail> {
    let raw =
        format!("From: Jane <jane@example.com>\r\nTo: support@example.org\r\nSubject: {subject}\r\n\r\nHello.\r\n");
    let message = OpenedMessage::as_it_came(Message::parse(raw.into_bytes().into()));
    let envelope = Envelope { account: "local".into(), received_at: 1_764_000_000_000, ..Envelope::default() };
    Box::new(message.vet(envelope, &Vocabulary::new(&[])).0.compute())
}

/// Evaluates one deed with a mail of its own, in a session of its own.
pub fn evaluate(group: &Arc<Group>, filter: u32) -> Result<postigo_sandbox::Verdict, CallFailure> {
    GuestSession::open(group).unwrap().evaluate(filter, mail("Invoice 42"), None).result
}

/// Asserts that a deed, beside a good one, ends as `kind`, that the good one works after it in the same session, and
/// gives the message.
pub fn fails_as(deed: &str, kind: FailureKind) -> String {
    let group = group(&[deed, "behave"]);
    let mut session = GuestSession::open(&group).unwrap();
    let called = session.evaluate(0, mail("Invoice 42"), None);
    let failure = called.result.unwrap_err();
    assert_eq!(failure.kind, kind, "{deed}: {failure}");
    assert_eq!(called.mail.header("Subject"), Some("Invoice 42"), "the mail came back");
    assert!(called.own < LONG, "{deed} took {:?}", called.own);
    assert!(session.evaluate(1, called.mail, None).result.unwrap().matched, "the next filter works after {deed}");
    failure.message
}
