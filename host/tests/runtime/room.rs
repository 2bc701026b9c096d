//! The memory of all guests together, and whose time a call's time is.

use super::harness::*;
use postigo::chain::{self, ChainPlan, Components, FilterComponent, LazySandbox, Mode};
use postigo_mail::{Envelope, Mail, Message, OpenedMessage, Vocabulary};
use postigo_model::configured::Filter;
use postigo_model::guest::{FailureKind, GuestLimits};
use postigo_model::result::FilterOutcome;
use postigo_sandbox::{Asker, GroupSpec, GuestSession, PrepareError, Runtime, RuntimeOptions};
use std::sync::Arc;
use std::time::Duration;

fn options(memory: u64) -> RuntimeOptions {
    RuntimeOptions { memory, ..RuntimeOptions::new(target().join("test-cache"), env!("CARGO_BIN_EXE_postigo").into()) }
}

/// A runtime whose guests may hold so many bytes together.
fn roomy(memory: u64) -> Arc<Runtime> {
    Runtime::start(options(memory)).unwrap()
}

/// What an instance of these deeds begins with.
fn memory_of(spec: &GroupSpec) -> u64 {
    runtime().prepare(spec, Asker::Host).unwrap().cost().memory
}

#[test]
fn a_message_waits_while_other_guests_have_the_room() {
    let spec = spec(&["behave"]);
    let group = roomy(memory_of(&spec) * 5 / 2).prepare(&spec, Asker::Host).unwrap();
    let [mut first, mut second, mut third] = [(); 3].map(|()| GuestSession::open(&group).unwrap());
    assert!(first.evaluate(0, mail("One"), None).result.is_ok());
    assert!(second.evaluate(0, mail("Two"), None).result.is_ok());
    let called = third.evaluate(0, mail("Three"), None);
    assert!(called.no_room, "two and a half do not hold three");
    assert_eq!(called.mail.header("Subject"), Some("Three"), "the mail came back");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            third.wait_for_room().unwrap();
            third.evaluate(0, called.mail, None)
        });
        drop((first, second));
        let called = waiting.join().unwrap();
        assert!(!called.no_room && called.result.unwrap().matched);
    });
}

#[test]
fn a_guest_that_grows_is_broken_off_and_only_failed_when_it_wants_more_than_there_is() {
    let mut spec = spec(&["memory", "behave"]);
    spec.limits.memory = 64 << 20;
    let group = roomy(16 << 20).prepare(&spec, Asker::Host).unwrap();
    let mut session = GuestSession::open(&group).unwrap();
    let called = session.evaluate(0, mail("One"), None);
    assert!(called.no_room, "its limit is higher than the room that is left");
    session.wait_for_room().unwrap();
    let called = session.evaluate(0, called.mail, None);
    let failure = called.result.unwrap_err();
    assert!(!called.no_room && failure.kind == FailureKind::Memory, "{failure}");
    assert!(failure.message.contains("the 16 MiB that all guests of this host may have"), "{failure}");
    assert!(session.evaluate(1, called.mail, None).result.unwrap().matched, "the next filter works");
}

#[test]
fn filters_that_begin_with_more_than_all_guests_may_have_are_refused() {
    let refused = roomy(64 << 10).prepare(&spec(&["behave"]), Asker::Host).map(|_| "prepared").unwrap_err();
    let PrepareError::Failed(failure) = refused else { panic!("{refused}") };
    assert_eq!(failure.kind, FailureKind::Memory);
    assert!(failure.message.contains("--guest-memory"), "{failure}");
}

/// The hostile guest under any name.
struct Hostile(FilterComponent);

impl Components for Hostile {
    fn find(&self, _filter: &Filter) -> Option<FilterComponent> {
        Some(self.0.clone())
    }
}

#[test]
fn messages_that_need_more_together_than_there_is_all_come_through() {
    let inspected = hostile();
    let component = FilterComponent {
        description: Arc::new(inspected.description),
        bytes: inspected.component.into(),
        shipped: false,
    };
    let filter = |number: u64| Filter {
        name: number.to_string(),
        component: "hostile".into(),
        // Limits of its own make a group of its own.
        limits: GuestLimits { time: LONG + Duration::from_secs(number), memory: 16 << 20 },
        settings: serde_json::json!({ "do": "behave" }),
        ..Filter::default()
    };
    let filters: Vec<Filter> = (0..3).map(filter).collect();
    // Each message holds three instances: two messages at once have not room to end.
    let sandbox = LazySandbox::new(options(memory_of(&spec(&["behave"])) * 4));
    let plan = Arc::new(ChainPlan::build(&filters, &Hostile(component), &sandbox, None));
    assert_eq!((plan.broken().count(), plan.groups().len()), (0, 3));
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(async {
        let runs: Vec<_> = (0..24)
            .map(|number| {
                let plan = Arc::clone(&plan);
                let mode = Mode::Live { check_screening: number % 2 == 0, put_off_before: false };
                sandbox.runtime().unwrap().spawn(move || {
                    let ran = chain::run(&plan, &Vocabulary::new(&[]), mail("Invoice 42"), mode);
                    ran.steps.iter().map(|step| (step.outcome, step.error.clone())).collect::<Vec<_>>()
                })
            })
            .collect();
        for run in runs {
            assert_eq!(
                run.await.unwrap(),
                [(FilterOutcome::Matched, None), (FilterOutcome::Matched, None), (FilterOutcome::Matched, None)]
            );
        }
    });
}

#[test]
fn what_the_host_does_for_a_guest_is_not_the_guests_time() {
    // Words that say nothing: long to be read, and little to be handed over. What was read once is kept, so each field
    // is another one.
    let nothing = "=?utf-8?Q??= ".repeat(1_200);
    let fields: String = super::by_hand::field_names().map(|name| format!("{name}: {nothing}\r\n")).collect();
    let message = OpenedMessage::as_it_came(Message::parse(
        format!("From: jane@example.com\r\n{fields}\r\nHello.\r\n").into_bytes().into(),
    ));
    let envelope = Envelope { account: "local".into(), ..Envelope::default() };
    let mail: Box<Mail> = Box::new(message.vet(envelope, &Vocabulary::new(&[])).0.compute());
    let limit = Duration::from_millis(15);
    let group = super::by_hand::reads_fields(GuestLimits { time: limit, memory: 16 << 20 });
    let called = GuestSession::open(&group).unwrap().evaluate(0, mail, None);
    assert!(called.host > limit, "the host took {:?}: too little to show anything", called.host);
    assert!(called.result.is_ok(), "{:?}", called.result);
    assert!(called.own < limit, "{:?}", called.own);
}
