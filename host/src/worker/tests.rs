//! Messages from the spool to tickets, over a database in a temporary folder, with filters that are a few lines of
//! Rust.

use super::*;
use crate::chain::{ChainPlan, Components, FilterComponent, Guest, Guests, Job, LazySandbox, Sandbox};
use crate::spool::leases::{self, Host};
use crate::store::{Location, Store, configuration, tickets};
use postigo_mail::{Mail, Vocabulary};
use postigo_model::configured::Filter;
use postigo_model::guest::FailureKind;
use postigo_model::result::{FilterOutcome, MessageStatus};
use postigo_model::spool::{Arrival, SourceKey, TakenIn};
use postigo_sandbox::{
    CallFailure, CallReport, ComponentDescription, Cost, FilterDescription, GroupSpec, GuestHeader, PrepareError,
    RuntimeOptions, ScreenResult, Verdict,
};
use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A filter: what it says of a mail.
type Judge = Arc<dyn Fn(&Mail) -> Verdict + Send + Sync>;

/// The filter's time limit.
const LIMIT: Duration = Duration::from_millis(250);

fn called<T>(mail: Box<Mail>, own: Duration, result: Result<T, CallFailure>) -> CallReport<T> {
    CallReport { mail, own, host: Duration::ZERO, no_room: false, log: Vec::new(), result }
}

/// One filter as a group, and as the sandbox that prepares it. It loops on mails with the header `X-Loop-Here`.
#[derive(Clone)]
struct Native(Judge);

impl Sandbox for Native {
    fn prepare(&self, _spec: &GroupSpec) -> Result<Arc<dyn Guests>, PrepareError> {
        Ok(Arc::new(self.clone()))
    }

    fn execute(&self, job: Job) {
        job();
    }
}

impl Guests for Native {
    fn screens(&self) -> bool {
        false
    }

    fn cost(&self) -> Cost {
        Cost { memory: 0, snapshot: true, pooled: true, because: String::new() }
    }

    fn time(&self) -> Duration {
        LIMIT
    }

    fn open(&self) -> Result<Box<dyn Guest>, CallFailure> {
        Ok(Box::new(self.clone()))
    }

    fn open_full(&self) -> Result<Box<dyn Guest>, CallFailure> {
        self.open()
    }
}

impl Guest for Native {
    fn screen(&mut self, mail: Box<Mail>, _at_most: Option<Duration>) -> CallReport<ScreenResult> {
        called(mail, Duration::ZERO, Ok(ScreenResult { candidates: vec![0], read: Vec::new() }))
    }

    fn evaluate(&mut self, _filter: u32, mail: Box<Mail>, at_most: Option<Duration>) -> CallReport<Verdict> {
        if mail.header("X-Loop-Here").is_some() {
            let failure = CallFailure { kind: FailureKind::Timeout, message: "too slow".into() };
            return called(mail, at_most.unwrap_or(LIMIT), Err(failure));
        }
        let verdict = (self.0)(&mail);
        called(mail, Duration::ZERO, Ok(verdict))
    }

    fn wait_for_room(&mut self) -> Result<(), CallFailure> {
        Ok(())
    }
}

impl Components for Native {
    fn find(&self, _filter: &Filter) -> Option<FilterComponent> {
        let description = ComponentDescription {
            digest: "0".into(),
            name: "native".into(),
            version: "1.0.0".into(),
            summary: String::new(),
            settings_schema: serde_json::Value::Null,
            grants: Vec::new(),
            of_world: FilterDescription { headers: vec!["X-OTOBO-*".into()], screens: false }.into(),
        };
        Some(FilterComponent { description: Arc::new(description), bytes: Arc::new([]), shipped: true })
    }
}

pub(super) fn unmatched() -> Verdict {
    Verdict { matched: false, changes: Vec::new(), reason: String::new() }
}

pub(super) fn sets(header: &str, value: &str) -> Verdict {
    Verdict {
        matched: true,
        changes: vec![GuestHeader { header: header.into(), value: value.into() }],
        reason: String::new(),
    }
}

/// A helpdesk with one filter and the account `local`.
pub(super) struct Desk {
    pub(super) folder: tempfile::TempDir,
    pub(super) spool: Spool,
    pub(super) worker: Worker,
    pub(super) lease: Lease,
}

impl Desk {
    pub(super) async fn with(judge: impl Fn(&Mail) -> Verdict + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let key = crate::secret_key::SecretKey::at(folder.path().join("key"));
        let configuration = configuration::load(&store, &key).await.unwrap();
        let native = Native(Arc::new(judge));
        let filter = Filter { name: "judge".into(), component: "native".into(), ..Filter::default() };
        let plan = ChainPlan::build([&filter], &native, &native, None);
        let setup = LiveConfiguration::new(configuration, plan, Vocabulary::new(&[]));
        let sandbox = Arc::new(LazySandbox::new(RuntimeOptions::new(folder.path().join("cache"), "postigo".into())));
        let live = Live::with(setup, store.clone(), key, sandbox);
        let spool = Spool::open(store.clone(), folder.path()).unwrap();
        let lease = leases::acquire(&store, &Host::new("here"), &["local".to_owned()]).await.unwrap().pop().unwrap();
        Self { folder, worker: Worker::new(spool.clone(), live), spool, lease }
    }

    pub(super) async fn take_in(&self, mails: &[&str]) -> Vec<i64> {
        self.take_in_of("local", mails).await
    }

    pub(super) async fn take_in_of(&self, account: &str, mails: &[&str]) -> Vec<i64> {
        let arrival = |(number, text): (usize, &&str)| Arrival {
            account: account.into(),
            key: SourceKey::Digest,
            source: format!("box#{}", number + 1),
            received_at: postigo_model::timestamp::now(),
            recipients: Vec::new(),
            communication: None,
            raw: text.as_bytes().to_vec().into(),
        };
        let taken = self.spool.take_in(mails.iter().enumerate().map(arrival).collect()).await.unwrap();
        taken.iter().map(TakenIn::id).collect()
    }

    /// Works until nothing waits; the results in the order in which the messages ended.
    pub(super) async fn work(&self) -> Vec<DoneMessage> {
        let mut ended = Vec::new();
        let stop = CancellationToken::new();
        self.worker.run_until_empty(&self.lease, &stop, &mut |done| ended.push(done)).await.unwrap();
        ended
    }
}

pub(super) fn mail(id: &str, more: &str) -> String {
    format!(
        "From: jane@customer.test\r\nTo: desk@desk.test\r\nSubject: {id}\r\nMessage-ID: <{id}@x.test>\r\n{more}\r\nHello\r\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chains_run_side_by_side_and_filing_keeps_the_order_of_arrival() {
    // The first mail's chain ends only when the second one's has begun.
    let second_began = Arc::new((Mutex::new(false), Condvar::new()));
    let gate = Arc::clone(&second_began);
    let desk = Desk::with(move |mail| {
        let (began, changed) = &*gate;
        let mut began = began.lock().unwrap_or_else(PoisonError::into_inner);
        if mail.header("Subject") == Some("1") {
            while !*began {
                began = changed.wait(began).unwrap();
            }
        } else {
            *began = true;
            changed.notify_all();
        }
        unmatched()
    })
    .await;
    let ids = desk.take_in(&["1", "2", "3"].map(|id| mail(id, "")).each_ref().map(String::as_str)).await;
    let ended = desk.work().await;
    assert_eq!(ended.iter().map(|done| done.id).collect::<Vec<_>>(), ids);
    let tickets: Vec<_> = ended.iter().map(|done| done.result.ticket_id.unwrap()).collect();
    assert_eq!(tickets, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_worked_on_by_what_was_configured_before_it_was_claimed() {
    let desk = Desk::with(|_| unmatched()).await;
    let key = crate::secret_key::SecretKey::at(desk.folder.path().join("key"));
    let store = desk.spool.store();
    desk.take_in(&[&mail("before", "")]).await;
    assert_eq!(desk.work().await[0].result.queue.as_deref(), Some("Raw"));
    // By another process: nobody tells this one.
    let before = configuration::load(store, &key).await.unwrap();
    let mut after = before.clone();
    after.settings.default_queue = "Misc".into();
    configuration::save(store, &key, &before, &after, Vec::new(), &postigo_model::actor::Actor::Daemon).await.unwrap();
    desk.take_in(&[&mail("after", "")]).await;
    assert_eq!(desk.work().await[0].result.queue.as_deref(), Some("Misc"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_put_back_and_changed_as_often_is_worked_by_as_it_is() {
    let desk = Desk::with(|_| unmatched()).await;
    let key = crate::secret_key::SecretKey::at(desk.folder.path().join("key"));
    let store = desk.spool.store();
    let before = configuration::load(store, &key).await.unwrap();
    let save = async |earlier: &postigo_model::configured::Configuration, queue: &str| {
        let mut after = earlier.clone();
        after.settings.default_queue = queue.into();
        configuration::save(store, &key, earlier, &after, Vec::new(), &postigo_model::actor::Actor::Daemon)
            .await
            .unwrap()
    };
    let first = save(&before, "Misc").await;
    desk.take_in(&[&mail("before", "")]).await;
    assert_eq!(desk.work().await[0].result.queue.as_deref(), Some("Misc"));
    let (number, stamp) = (before.version.number, before.version.stamp);
    store.execute(format!("UPDATE config_version SET version = {number}, stamp = {stamp}")).await;
    let earlier = configuration::load(store, &key).await.unwrap();
    let second = save(&earlier, "Junk").await;
    assert_eq!(first.number, second.number);
    desk.take_in(&[&mail("after", "")]).await;
    assert_eq!(desk.work().await[0].result.queue.as_deref(), Some("Junk"));
    // And one that comes back with a lower number.
    store.execute(format!("UPDATE config_version SET version = {number}, stamp = {stamp}")).await;
    store.execute("UPDATE configured SET body = REPLACE(body, 'Junk', 'Raw') WHERE kind = 'settings'").await;
    desk.take_in(&[&mail("back", "")]).await;
    assert_eq!(desk.work().await[0].result.queue.as_deref(), Some("Raw"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_waits_while_its_folder_is_away_and_is_filed_when_it_is_back() {
    let desk = Desk::with(|_| unmatched()).await;
    let ids = desk.take_in(&[&*format!("{}{}", mail("large", ""), "x".repeat(300 << 10)), &*mail("small", "")]).await;
    let (objects, aside) = (desk.folder.path().join("objects"), desk.folder.path().join("aside"));
    std::fs::rename(&objects, &aside).unwrap();
    assert_eq!(desk.work().await.iter().map(|done| done.id).collect::<Vec<_>>(), ids[1..], "it keeps no other");
    for _ in 0..4 {
        desk.spool.store().execute("UPDATE spool SET not_before = 0").await;
        assert!(desk.work().await.is_empty());
    }
    let waiting = desk.spool.show(ids[0]).await.unwrap().unwrap();
    assert_eq!((waiting.status, waiting.tries), (postigo_model::spool::SpoolStatus::Waiting, 0));
    assert!(waiting.reason.is_some_and(|reason| reason.contains("folder of large messages")));
    std::fs::rename(&aside, &objects).unwrap();
    desk.spool.store().execute("UPDATE spool SET not_before = 0").await;
    assert_eq!(desk.work().await.iter().map(|done| done.id).collect::<Vec<_>>(), ids[..1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_waits_while_what_is_configured_cannot_be_taken_up() {
    let desk = Desk::with(|_| unmatched()).await;
    let store = desk.spool.store();
    let curse = "INSERT INTO configured (kind, name, body, secrets, digest) VALUES ('queue', 'x', 'no JSON', '{}', '')";
    for statement in [curse, "UPDATE config_version SET version = version + 1"] {
        store.execute(statement).await;
    }
    let ids = desk.take_in(&[&mail("waits", "")]).await;
    let worked = desk.worker.run_until_empty(&desk.lease, &CancellationToken::new(), &mut |_| ()).await;
    assert!(worked.unwrap_err().to_string().contains("queue \"x\""));
    desk.spool.give_back(&desk.lease).await.unwrap();
    store.execute("DELETE FROM configured WHERE name = 'x'").await;
    assert_eq!(desk.work().await.iter().map(|done| done.id).collect::<Vec<_>>(), ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_runs_again_when_mail_filed_meanwhile_makes_its_mail_a_follow_up() {
    let desk = Desk::with(|mail| match mail.ticket() {
        Some(ticket) => sets("X-OTOBO-FollowUp-Title", &format!("was {}", ticket.title)),
        None => unmatched(),
    })
    .await;
    // All in one batch: the chains of the answers begin before the first mail is a ticket.
    let mails =
        [mail("1", ""), mail("2", "In-Reply-To: <1@x.test>\r\n"), mail("3", "References: <1@x.test> <2@x.test>\r\n")];
    desk.take_in(&mails.each_ref().map(String::as_str)).await;
    let ended = desk.work().await;
    let shown: Vec<_> = ended
        .iter()
        .map(|done| {
            (
                done.result.ticket_id.unwrap(),
                done.result.follow_up,
                done.result.title.clone().unwrap(),
                done.result.filters[0].outcome,
            )
        })
        .collect();
    let expected = [
        (1, false, "1".to_owned(), FilterOutcome::NotMatched),
        (1, true, "was 1".to_owned(), FilterOutcome::Matched),
        (1, true, "was was 1".to_owned(), FilterOutcome::Matched),
    ];
    assert_eq!(shown, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_runs_of_a_chain_see_the_mail_that_was_opened_once() {
    // Two messages that are there at one time do not lie in one place.
    let seen: Arc<Mutex<Vec<(bool, usize)>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let desk = Desk::with(move |mail| {
        if mail.header("Subject") == Some("2") {
            noted.lock().unwrap().push((mail.ticket().is_some(), std::ptr::from_ref(mail.opened().message()) as usize));
        }
        unmatched()
    })
    .await;
    let mails = [mail("1", ""), mail("2", "In-Reply-To: <1@x.test>\r\n")];
    desk.take_in(&mails.each_ref().map(String::as_str)).await;
    // The filter asks which ticket the second mail follows up, so that its chain runs again once the first one is a
    // ticket.
    assert_eq!(desk.work().await.iter().map(|done| done.result.follow_up).collect::<Vec<_>>(), [false, true]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(|(follows_up, _)| *follows_up).collect::<Vec<_>>(), [false, true]);
    assert_eq!(seen[0].1, seen[1].1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_breaks_its_thread_is_held_after_three_tries_and_the_others_are_filed() {
    let desk = Desk::with(|mail| {
        assert_ne!(mail.header("Subject"), Some("bad"), "a filter that brings its host down");
        unmatched()
    })
    .await;
    let ids = desk.take_in(&[mail("bad", ""), mail("good", "")].each_ref().map(String::as_str)).await;
    let mut ended = HashMap::new();
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    // Its tries have pauses between them.
    while ended.len() < 2 && tokio::time::Instant::now() < deadline {
        let mut changes = desk.spool.changed();
        ended.extend(desk.work().await.into_iter().map(|done| (done.id, done.result)));
        let _ = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
    }
    assert_eq!(ended[&ids[1]].status, MessageStatus::Filed);
    assert_eq!(ended[&ids[0]].status, MessageStatus::Held);
    assert!(ended[&ids[0]].error.as_ref().unwrap().contains("thread"), "{:?}", ended[&ids[0]].error);
    assert!(desk.spool.show(ids[0]).await.unwrap().unwrap().reason.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ignored_mail_is_no_ticket_and_stays_in_the_history() {
    let desk =
        Desk::with(
            |mail| if mail.header("Subject") == Some("spam") { sets("X-OTOBO-Ignore", "yes") } else { unmatched() },
        )
        .await;
    let ids = desk.take_in(&[mail("spam", ""), mail("ham", "")].each_ref().map(String::as_str)).await;
    let ended = desk.work().await;
    assert_eq!(
        ended.iter().map(|done| done.result.status).collect::<Vec<_>>(),
        [MessageStatus::Ignored, MessageStatus::Filed]
    );
    let found = tickets::by_id(&mut desk.spool.store().read().await.unwrap(), 1).await.unwrap().unwrap();
    assert_eq!(found.title, "ham");
    assert_eq!(desk.spool.raw(ids[0]).await.unwrap(), mail("spam", "").as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_was_broken_off_is_begun_anew() {
    let desk = Desk::with(|_| unmatched()).await;
    let ids = desk.take_in(&[mail("1", "")].each_ref().map(String::as_str)).await;
    let claimed = desk.spool.claim(&desk.lease, 10).await.unwrap();
    assert_eq!(claimed.len(), 1, "claimed, and then lost by its worker");
    let stop = CancellationToken::new();
    let mut ended = Vec::new();
    let mut done = |done: DoneMessage| {
        ended.push(done.id);
        stop.cancel();
    };
    desk.worker.run(&desk.lease, &stop, &mut done).await.unwrap();
    assert_eq!(ended, ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_in_hand_until_its_end_is_told() {
    let desk = Desk::with(|_| unmatched()).await;
    let in_hand = MessagesInHand::default();
    let ids = desk.take_in(&[mail("1", ""), mail("2", "")].each_ref().map(String::as_str)).await;
    let worker = desk.worker.noting(in_hand.clone());
    let mut told = Vec::new();
    let mut done = |done: DoneMessage| told.push((done.id, in_hand.has(done.id)));
    worker.run_until_empty(&desk.lease, &CancellationToken::new(), &mut done).await.unwrap();
    assert_eq!(told, [(ids[0], true), (ids[1], true)]);
    assert!(!ids.iter().any(|id| in_hand.has(*id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_called_to_what_another_process_takes_in() {
    let desk = Desk::with(|_| unmatched()).await;
    let stop = CancellationToken::new();
    let (sender, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let mut done = |done: DoneMessage| sender.send(done.id).unwrap();
    // As another process has it: the worker's own spool is not told of what this one takes in.
    let elsewhere = Spool::open(desk.spool.store().clone(), desk.folder.path()).unwrap();
    let desk = Desk { spool: elsewhere, ..desk };
    let deliver = async {
        for id in ["1", "2"] {
            let ids = desk.take_in(&[mail(id, "").as_str()]).await;
            assert_eq!(ended.recv().await, Some(ids[0]));
        }
        stop.cancel();
    };
    let work = async {
        tokio::select! {
            () = desk.worker.call_accounts(&|| ()) => {}
            worked = desk.worker.run(&desk.lease, &stop, &mut done) => worked.unwrap(),
        }
    };
    let both = Box::pin(async { tokio::join!(deliver, work) });
    tokio::time::timeout(Duration::from_mins(1), both).await.expect("both are filed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_are_filed_while_large_ones_of_another_account_have_all_the_memory_that_they_may_have() {
    const MIB: usize = 1 << 20;
    // The chains of large mails say that they have begun, and end only when they are let go.
    let let_go = Arc::new((Mutex::new(false), Condvar::new()));
    let (begins, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let gate = Arc::clone(&let_go);
    let mut desk = Desk::with(move |mail| {
        if mail.message().raw().len() > MIB {
            begins.send(mail.header("Subject").map(str::to_owned)).unwrap();
            let (open, changed) = &*gate;
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            while !*open {
                open = changed.wait(open).unwrap();
            }
        }
        unmatched()
    })
    .await;
    // Of large ones there is room for one.
    desk.worker.room = Arc::new(WorkerBudget::of(2 * memory_of(2 * MIB as u64)));
    let large = ["1", "2", "3"].map(|id| mail(id, "") + &"x".repeat(2 * MIB));
    let others = [mail("small", ""), mail("of some size", "") + &"x".repeat(MIB / 4)];
    desk.take_in_of("large", &large.each_ref().map(String::as_str)).await;
    desk.take_in(&others.each_ref().map(String::as_str)).await;
    let lease =
        leases::acquire(desk.spool.store(), &Host::new("here"), &["large".to_owned()]).await.unwrap().pop().unwrap();

    let (stop, mut ended) = (CancellationToken::new(), Vec::new());
    let work_on_large = async {
        let mut done = |done: DoneMessage| ended.push(done.result.status);
        desk.worker.run_until_empty(&lease, &stop, &mut done).await.unwrap();
    };
    let meanwhile = async {
        assert_eq!(begun.recv().await, Some(Some("1".to_owned())));
        let filed = desk.work().await;
        assert!(begun.try_recv().is_err(), "the other large ones wait for memory");
        *let_go.0.lock().unwrap() = true;
        let_go.1.notify_all();
        filed.iter().map(|done| done.result.status).collect::<Vec<_>>()
    };
    let both = Box::pin(async { tokio::join!(work_on_large, meanwhile).1 });
    let filed = tokio::time::timeout(Duration::from_mins(1), both).await.expect("all are filed");
    assert_eq!((filed, ended), (vec![MessageStatus::Filed; 2], vec![MessageStatus::Filed; 3]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_that_a_filter_loops_on_wait_for_their_turn_and_the_others_go_on() {
    let desk = Desk::with(|_| unmatched()).await;
    let mails: Vec<String> = (0..60)
        .map(|number| {
            if number < 50 {
                mail(&format!("bad{number}"), "X-Loop-Here: yes\r\n")
            } else {
                mail(&format!("good{number}"), "")
            }
        })
        .collect();
    let mails: Vec<&str> = mails.iter().map(String::as_str).collect();
    let ids = desk.take_in(&mails).await;
    let mut ended: HashMap<i64, FilterOutcome> =
        desk.work().await.into_iter().map(|done| (done.id, done.result.filters[0].outcome)).collect();
    for good in &ids[50..] {
        assert_eq!(
            ended.get(good),
            Some(&FilterOutcome::NotMatched),
            "those that the filter handles are filed behind the others"
        );
    }
    let waiting: Vec<i64> = ids[..50].iter().filter(|id| !ended.contains_key(*id)).copied().collect();
    assert!(waiting.len() > 20 && waiting.len() < 46, "{} wait", waiting.len());
    let shown = desk.spool.show(waiting[0]).await.unwrap().unwrap();
    assert_eq!((shown.status, shown.tries), (postigo_model::spool::SpoolStatus::Waiting, 0), "no try is used up");
    assert!(shown.reason.is_some_and(|reason| reason.contains("\"judge\"") && reason.contains("its turn")));
    // One of them has its turn soon: then it gets all its time, and the filter's failure policy.
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    let in_turn = loop {
        let mut changes = desk.spool.changed();
        ended.extend(desk.work().await.into_iter().map(|done| (done.id, done.result.filters[0].outcome)));
        if let Some(outcome) = waiting.iter().find_map(|id| ended.get(id)) {
            break Some(*outcome);
        }
        if tokio::time::Instant::now() >= deadline {
            break None;
        }
        let _ = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
    };
    assert_eq!(in_turn, Some(FilterOutcome::Failed));
    assert_eq!(desk.worker.live().current().plan.filters()[0].breaker.suspended_by(), None);
}
