//! What becomes of messages that were under way at an unclean end, with processes of their own that end as a test
//! wishes.

use super::alone::{AloneJob, LookUp, MessageProcess, ProcessEnd};
use super::tests::{Desk, mail, sets, unmatched};
use super::*;
use crate::chain::{self, ChainRecord, Mode};
use crate::secret_key::SecretKey;
use crate::spool::SpoolMessage;
use crate::spool::leases::{self, Host};
use crate::store::{Location, Store};
use postigo_mail::Vocabulary;
use postigo_model::actor::Actor;
use postigo_model::configured::Filter;
use postigo_model::result::{FilterOutcome, MessageStatus};
use postigo_model::spool::SpoolStatus;
use postigo_supervision::WorkKind;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

type End = Box<dyn Fn() -> ProcessEnd + Send>;

/// Ends as it is told, one message after the other, and then works as a child does.
#[derive(Clone, Default)]
struct Processes {
    ends: Arc<Mutex<VecDeque<End>>>,
    /// The subjects that were worked on, and whether the next may end.
    seen: Arc<Mutex<Vec<i64>>>,
    held_up: Option<Arc<(Mutex<bool>, Condvar)>>,
}

impl Processes {
    fn ending(ends: Vec<End>) -> Self {
        Self { ends: Arc::new(Mutex::new(ends.into())), ..Self::default() }
    }
}

impl MessageProcess for Processes {
    fn run(
        &self,
        job: &AloneJob,
        look_up: &mut LookUp<'_>,
        stop: &CancellationToken,
    ) -> Result<ChainRecord, ProcessEnd> {
        self.seen.lock().unwrap().push(job.message);
        if let Some(end) = self.ends.lock().unwrap().pop_front() {
            return Err(end());
        }
        if let Some(held_up) = &self.held_up {
            let mut open = held_up.0.lock().unwrap();
            while !*open {
                if stop.is_cancelled() {
                    return Err(ProcessEnd::Stopped);
                }
                open = held_up.1.wait_timeout(open, Duration::from_millis(10)).unwrap().0;
            }
        }
        let read = reading::read(reading::open(job.raw.clone()), job.envelope.clone(), &job.setup);
        let mut mail = read.mail;
        mail.set_ticket(look_up(read.search)?);
        let run = chain::run(&job.setup.plan, &job.setup.vocabulary, Box::new(mail), Mode::Dry);
        let bytes = serde_json::to_vec(&ChainRecord::of(&run)).unwrap();
        Ok(serde_json::from_slice(&bytes).unwrap())
    }
}

fn died() -> End {
    Box::new(|| ProcessEnd::Died("signal 11 (SIGSEGV) ended it".into()))
}

fn lookup_failed() -> End {
    Box::new(|| ProcessEnd::Store(StoreError::Conflict("The ticket cannot be read.".into())))
}

fn not_run() -> End {
    Box::new(|| ProcessEnd::NotRun("there is no memory".into()))
}

impl Desk {
    /// Takes the lease as after an unclean end, all waiting messages being claimed.
    async fn end_uncleanly(&mut self) {
        self.spool.claim(&self.lease, 100).await.unwrap();
        let account = self.lease.account.clone();
        self.lease = leases::acquire(self.spool.store(), &Host::new("here"), &[account]).await.unwrap().pop().unwrap();
    }

    async fn shown(&self, id: i64) -> SpoolMessage {
        self.spool.show(id).await.unwrap().unwrap()
    }

    /// Works until this holds of a message, over the pauses between its tries.
    async fn work_until(&self, id: i64, holds: impl Fn(&SpoolMessage) -> bool) -> Vec<DoneMessage> {
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        let mut ended = Vec::new();
        loop {
            let mut changes = self.spool.changed();
            ended.extend(self.work().await);
            if holds(&self.shown(id).await) {
                return ended;
            }
            assert!(tokio::time::Instant::now() < deadline, "in vain: {:?}", self.shown(id).await);
            let _ = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
        }
    }
}

fn texts(mails: &[String]) -> Vec<&str> {
    mails.iter().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_of_its_own_made_of_a_mail_is_filed_as_if_it_had_been_made_here() {
    let judge = |mail: &postigo_mail::Mail| match mail.ticket() {
        Some(ticket) => sets("X-OTOBO-FollowUp-Title", &format!("was {}", ticket.title)),
        None => sets("X-OTOBO-Title", "by a filter"),
    };
    let mut results = Vec::new();
    for unclean in [false, true] {
        let mut desk = Desk::with(judge).await;
        let mails = [mail("1", ""), mail("2", "In-Reply-To: <1@x.test>\r\n"), mail("3", "X-OTOBO-Queue: Junk\r\n")];
        let ids = desk.take_in(&texts(&mails)).await;
        let processes = Processes::default();
        desk.worker = desk.worker.with_processes(processes.clone());
        if unclean {
            desk.end_uncleanly().await;
        }
        let mut ended = desk.work().await;
        assert_eq!(ended.iter().map(|done| done.id).collect::<Vec<_>>(), ids, "in the order of arrival");
        let alone = processes.seen.lock().unwrap().clone();
        assert_eq!(alone, if unclean { ids } else { Vec::new() });
        for done in &mut ended {
            done.result.communication = None;
            // Numbers have the day in them.
            done.result.ticket_number = None;
            done.result.filters.iter_mut().for_each(|filter| filter.micros = None);
        }
        results.push(ended.into_iter().map(|done| done.result).collect::<Vec<_>>());
    }
    assert_eq!(results[0], results[1]);
    assert_eq!(results[1][0].title.as_deref(), Some("by a filter"));
    assert_eq!((results[1][1].follow_up, results[1][1].title.as_deref()), (true, Some("was by a filter")));
    assert_eq!(results[1][2].filters[0].outcome, FilterOutcome::Matched);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_three_processes_of_its_own_died_of_is_held_and_says_of_what() {
    let mut desk = Desk::with(|_| unmatched()).await;
    let ids = desk.take_in(&texts(&[mail("bad", ""), mail("good", "")])).await;
    // The first is set aside after its death, so that the second comes next, and ends well.
    let processes = Processes::ending(vec![died()]);
    desk.worker = desk.worker.with_processes(processes.clone());
    desk.end_uncleanly().await;
    let ended = desk.work().await;
    assert_eq!(
        ended.iter().map(|done| (done.id, done.result.status)).collect::<Vec<_>>(),
        [(ids[1], MessageStatus::Filed)]
    );
    processes.ends.lock().unwrap().extend([died(), died()]);
    let ended = desk.work_until(ids[0], |message| message.status == SpoolStatus::Held).await;
    assert_eq!(processes.seen.lock().unwrap().as_slice(), [ids[0], ids[1], ids[0], ids[0]]);
    let reason = "The process that worked on this message alone died: signal 11 (SIGSEGV) ended it.";
    assert_eq!(desk.shown(ids[0]).await.reason.as_deref(), Some(reason));
    assert_eq!((ended[0].result.status, ended[0].result.error.as_deref()), (MessageStatus::Held, Some(reason)));
    // An admin who has looked may send it once more: where it harms nobody.
    desk.spool.release(vec![ids[0]], &Actor::Daemon).await.unwrap();
    let ended = desk.work().await;
    assert_eq!(ended[0].result.status, MessageStatus::Filed);
    assert_eq!(processes.seen.lock().unwrap().len(), 5, "in a process of its own again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unclean_ends_and_processes_that_could_not_be_had_hold_nothing_however_many_there_are() {
    let mut desk = Desk::with(|_| unmatched()).await;
    let ids = desk.take_in(&texts(&[mail("1", "")])).await;
    desk.worker = desk.worker.with_processes(Processes::ending((0..5).map(|_| not_run()).collect()));
    for _ in 0..5 {
        desk.end_uncleanly().await;
    }
    assert_eq!(desk.shown(ids[0]).await.tries, 5, "it is known that there were so many tries");
    assert!(desk.work().await.is_empty());
    let set_aside = desk.shown(ids[0]).await;
    assert_eq!((set_aside.status, set_aside.tries), (SpoolStatus::Waiting, 5), "a try that was none is not counted");
    assert!(set_aside.reason.is_some_and(|reason| reason.contains("there is no memory")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_cannot_be_had_is_tried_for_after_growing_pauses_and_told_of_until_there_is_one() {
    let mut desk = Desk::with(|_| unmatched()).await;
    let account = "without-a-process";
    let ids = desk.take_in_of(account, &texts(&[mail("1", "")])).await;
    let store = desk.spool.store().clone();
    desk.lease = leases::acquire(&store, &Host::new("here"), &[account.to_owned()]).await.unwrap().remove(0);
    desk.worker = desk.worker.with_processes(Processes::ending((0..10).map(|_| not_run()).collect()));
    desk.end_uncleanly().await;
    let told = || {
        let whose = format!("{account}: message {}", ids[0]);
        let broken = postigo_supervision::broken().into_iter();
        broken.into_iter().find(|broken| broken.work == WorkKind::MessageProcess && broken.of == whose)
    };
    let mut pauses = Vec::new();
    for times in 1..=10 {
        assert!(desk.work().await.is_empty());
        let told = told().unwrap();
        assert_eq!((told.times, told.why.contains("there is no memory")), (times, true));
        pauses.push(told.again_at.unwrap() - told.at);
        store.execute("UPDATE spool SET not_before = 0").await;
    }
    // Doubled, give or take a fifth.
    assert!((4_000..=6_000).contains(&pauses[0]) && (16_000..=24_000).contains(&pauses[2]), "{pauses:?}");
    assert!((240_000..=360_000).contains(&pauses[9]), "{pauses:?}");
    assert_eq!(desk.work().await.len(), 1);
    assert_eq!(told(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_stops_ends_the_process_and_blames_nobody() {
    let mut desk = Desk::with(|_| unmatched()).await;
    let ids = desk.take_in(&texts(&[mail("1", "")])).await;
    let processes = Processes { held_up: Some(Arc::default()), ..Processes::default() };
    desk.worker = desk.worker.with_processes(processes.clone());
    desk.end_uncleanly().await;
    let stop = CancellationToken::new();
    let stopping = async {
        while processes.seen.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let mut done = |_: DoneMessage| {};
    let (worked, ()) = tokio::join!(desk.worker.run_until_empty(&desk.lease, &stop, &mut done), stopping);
    assert_eq!(worked.unwrap(), 0);
    leases::release(desk.spool.store(), &desk.lease.host, &[]).await.unwrap();
    let shown = desk.shown(ids[0]).await;
    assert_eq!((shown.status, shown.tries, shown.reason), (SpoolStatus::Waiting, 1, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_accounts_go_on_while_a_message_has_a_process_of_its_own() {
    let mut desk = Desk::with(|_| unmatched()).await;
    let ids = desk.take_in(&texts(&[mail("1", "")])).await;
    let processes = Processes { held_up: Some(Arc::default()), ..Processes::default() };
    desk.worker = desk.worker.with_processes(processes.clone());
    desk.end_uncleanly().await;
    desk.take_in_of("other", &texts(&[mail("2", ""), mail("3", "")])).await;
    let behind = desk.take_in(&texts(&[mail("4", "")])).await;
    let other = leases::acquire(desk.spool.store(), &Host::new("here"), &["other".to_owned()]).await.unwrap().remove(0);
    let (stop, mut ended) = (CancellationToken::new(), Vec::new());
    let meanwhile = async {
        let mut filed = 0;
        while processes.seen.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        desk.worker.run_until_empty(&other, &stop, &mut |_| filed += 1).await.unwrap();
        let held_up = processes.held_up.as_ref().unwrap();
        *held_up.0.lock().unwrap() = true;
        held_up.1.notify_all();
        filed
    };
    let mut done = |done: DoneMessage| ended.push(done.id);
    let alone = desk.worker.run_until_empty(&desk.lease, &stop, &mut done);
    let both = Box::pin(async { tokio::join!(alone, meanwhile) });
    let (worked, filed) = tokio::time::timeout(Duration::from_mins(1), both).await.expect("all are filed");
    assert_eq!((worked.unwrap(), filed), (2, 2));
    assert_eq!(ended, [ids[0], behind[0]], "those of its own account keep their order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accounts_mail_goes_on_while_another_account_has_the_place_that_its_suspects_wait_for() {
    let mut desk = Desk::with(|_| unmatched()).await;
    let slow = desk.take_in(&texts(&[mail("slow", "")])).await;
    let processes = Processes { held_up: Some(Arc::default()), ..Processes::default() };
    desk.worker = desk.worker.with_processes(processes.clone());
    desk.end_uncleanly().await;
    let (store, other) = (desk.spool.store().clone(), ["other".to_owned()]);
    let suspect = desk.take_in_of("other", &texts(&[mail("suspect", "")])).await[0];
    let lease = leases::acquire(&store, &Host::new("here"), &other).await.unwrap().remove(0);
    desk.spool.claim(&lease, 1).await.unwrap();
    let lease = leases::acquire(&store, &Host::new("here"), &other).await.unwrap().remove(0);
    let behind = desk.take_in_of("other", &texts(&[mail("behind", "")])).await[0];
    let stop = CancellationToken::new();
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let meanwhile = async {
        let mut changes = desk.spool.changed();
        while desk.shown(behind).await.status != SpoolStatus::Filed {
            let _ = tokio::time::timeout(Duration::from_millis(100), changes.changed()).await;
        }
        assert_eq!(processes.seen.lock().unwrap().as_slice(), slow, "the place is taken still");
        let waiting = desk.shown(suspect).await;
        assert_eq!((waiting.status, waiting.tries), (SpoolStatus::Waiting, 1), "nothing is claimed that has no place");
        let held_up = processes.held_up.as_ref().unwrap();
        *held_up.0.lock().unwrap() = true;
        held_up.1.notify_all();
    };
    let mut note = |done: DoneMessage| one.push(done.id);
    let first = desk.worker.run_until_empty(&desk.lease, &stop, &mut note);
    let mut note = |done: DoneMessage| two.push(done.id);
    let second = async {
        while processes.seen.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        desk.worker.run_until_empty(&lease, &stop, &mut note).await
    };
    let all = Box::pin(async { tokio::join!(first, second, meanwhile) });
    let (first, second, ()) = tokio::time::timeout(Duration::from_mins(1), all).await.expect("all are filed");
    assert_eq!((first.unwrap(), second.unwrap()), (1, 2));
    assert_eq!((one, two), (slow, vec![behind, suspect]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspect_whose_lookup_fails_stays_one() {
    let mut desk = Desk::with(|_| unmatched()).await;
    let ids = desk.take_in(&texts(&[mail("1", "")])).await;
    let processes = Processes::ending(vec![lookup_failed(), lookup_failed()]);
    desk.worker = desk.worker.with_processes(processes.clone());
    desk.end_uncleanly().await;
    let ended = desk.work_until(ids[0], |message| message.status == SpoolStatus::Filed).await;
    assert_eq!(ended[0].result.status, MessageStatus::Filed);
    assert_eq!(processes.seen.lock().unwrap().len(), 3, "each try is in a process of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspect_that_the_database_has_no_components_for_is_set_aside_and_stays_one() {
    let mut desk = Desk::with(|_| unmatched()).await;
    let ids = desk.take_in(&texts(&[mail("1", "")])).await;
    let (before, store) = (desk.worker.live().current(), desk.spool.store().clone());
    let mut configuration = before.configuration.clone();
    let filter = Filter { name: "uploaded".into(), digest: Some("0".repeat(64)), ..Filter::default() };
    configuration.filters.insert(filter.name.clone(), filter);
    let mut setup = LiveConfiguration::new(configuration, chain::ChainPlan::default(), Vocabulary::new(&[]));
    setup.plan = Arc::clone(&before.plan);
    let live = Live::with(setup, store.clone(), SecretKey::at("key"), Arc::clone(desk.worker.live().sandbox()));
    let processes = Processes::default();
    desk.worker = Worker::new(desk.spool.clone(), live).with_processes(processes.clone());
    store.execute("ALTER TABLE component RENAME TO elsewhere").await;
    desk.end_uncleanly().await;
    assert!(desk.work().await.is_empty());
    assert!(processes.seen.lock().unwrap().is_empty(), "it had no process");
    let shown = desk.shown(ids[0]).await;
    assert_eq!((shown.status, shown.tries), (SpoolStatus::Waiting, 1), "a try that was none is not counted");
    store.execute("ALTER TABLE elsewhere RENAME TO component").await;
    desk.work_until(ids[0], |message| message.status == SpoolStatus::Filed).await;
    assert_eq!(processes.seen.lock().unwrap().as_slice(), ids, "in a process of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_version_held_for_its_tries_has_a_process_of_its_own_when_it_is_released() {
    let mut desk = Desk::with(|_| unmatched()).await;
    let ids = desk.take_in(&texts(&[mail("after three tries", ""), mail("by a filter", "")])).await;
    let processes = Processes::default();
    desk.worker = desk.worker.with_processes(processes.clone());
    let store = desk.spool.store();
    store.execute(format!("UPDATE spool SET status = 'held', tries = 3 WHERE id = {}", ids[0])).await;
    store.execute(format!("UPDATE spool SET status = 'held', tries = 1 WHERE id = {}", ids[1])).await;
    store.execute("DELETE FROM _sqlx_migrations WHERE version = 26").await;
    Store::open(&Location::Folder(desk.folder.path().to_owned())).await.unwrap();
    desk.spool.release(ids.clone(), &Actor::Daemon).await.unwrap();
    assert_eq!(desk.work().await.len(), 2);
    assert_eq!(processes.seen.lock().unwrap().as_slice(), [ids[0]]);
}
