//! One call of one filter: in a fresh sandbox, in a used one, and natively.

use super::report::{line, median, micros, section};
use super::rules::{Match, mails, receive, sandbox};
use postigo_mail::Mail;
use postigo_model::guest::GuestLimits;
use postigo_sandbox::{Asker, Group, GroupMember, GroupSpec, GuestSession};
use std::hint::black_box;
use std::sync::Arc;

pub fn run() {
    section("A call of one filter");
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox(folder.path());
    let component = Match::of(&sandbox).0;
    let runtime = Arc::clone(sandbox.runtime().unwrap());
    let regex = regex::RegexBuilder::new(r"pump (\d+)").case_insensitive(true).build().unwrap();
    let never = serde_json::json!({ "when": [], "set": [] });
    let rule = super::rules::settings(0, 1);
    for (what, aim, settings) in
        [("an empty filter", "≤ 15 µs", never), ("a filter of one rule that matches", "≤ 25 µs", rule)]
    {
        let member = GroupMember::new("bench", settings);
        let spec = GroupSpec {
            component: Arc::clone(&component.bytes),
            digest: component.description.digest.clone(),
            members: vec![member],
            grants: Vec::new(),
            limits: GuestLimits::default(),
        };
        let group = runtime.prepare(&spec, Asker::Host).unwrap();
        let job = move || (fresh(&group), used(&group));
        let (fresh, used) = tokio::runtime::Runtime::new().unwrap().block_on(runtime.spawn(job)).unwrap();
        let mail = receive(&mails()[0]);
        let native = median(20, 5_000, || {
            black_box(regex.captures(black_box(mail.header("Subject").unwrap_or_default())));
        });
        line(
            what,
            &micros(fresh),
            aim,
            &format!("a used instance {}, the same regex natively {}", micros(used), micros(native)),
        );
    }
}

fn fresh(group: &Arc<Group>) -> std::time::Duration {
    let mut mail = Some(receive(&mails()[0]));
    median(40, 500, || mail = Some(call(&mut GuestSession::open(group).unwrap(), mail.take().unwrap())))
}

fn used(group: &Arc<Group>) -> std::time::Duration {
    let mut session = GuestSession::open(group).unwrap();
    let mut mail = Some(receive(&mails()[0]));
    median(40, 500, || mail = Some(call(&mut session, mail.take().unwrap())))
}

fn call(session: &mut GuestSession, mail: Box<Mail>) -> Box<Mail> {
    let called = session.evaluate(0, mail, None);
    called.result.expect("the filter does not fail");
    called.mail
}
