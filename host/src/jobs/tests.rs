//! What holds for jobs of any kind: one host at a time, what ends them, and where they go on.

use super::*;
use crate::chain::LazySandbox;
use crate::spool::{Spool, leases};
use crate::store::jobs::{self as rows, ClaimedJob, JobFilter, NewJob};
use crate::store::leases::Host;
use crate::store::{Location, Store};
use crate::worker::{Live, Worker};
use postigo_model::job::{Job, JobProgress, JobStatus};
use postigo_model::spool::{Arrival, SourceKey};
use postigo_sandbox::RuntimeOptions;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A kind that does what it is asked: counts to `to`, and at `at` does what `then` says.
struct Counting {
    name: &'static str,
    deadline: Duration,
}

static KINDS: [&dyn JobKind; 2] = [
    &Counting { name: "count", deadline: Duration::from_hours(1) },
    &Counting { name: "hasty", deadline: Duration::from_millis(1) },
];

struct Count {
    asked: Value,
    at: i64,
}

impl JobKind for Counting {
    fn name(&self) -> &'static str {
        self.name
    }

    fn deadline(&self) -> Duration {
        self.deadline
    }

    fn begin<'j>(&self, _: &'j JobTools, job: &'j ClaimedJob) -> JobWork<'j, Box<dyn JobSteps + 'j>> {
        let at = job.position.as_ref().and_then(Value::as_i64).unwrap_or_default();
        Box::pin(async move { Ok(Box::new(Count { asked: job.asked.clone(), at }) as Box<dyn JobSteps + 'j>) })
    }
}

impl JobSteps for Count {
    fn step(&mut self) -> JobWork<'_, JobStep> {
        Box::pin(async move {
            if self.asked["at"] == self.at {
                match self.asked["then"].as_str() {
                    Some("panic") => panic!("a fault"),
                    Some("fail") => return Err(JobError::Because("It cannot be counted.".to_owned())),
                    Some("stay") => std::future::pending::<()>().await,
                    _ => {}
                }
            }
            if self.asked["to"] == self.at {
                return Ok(JobStep::Done(json!({ "counted": self.at })));
            }
            self.at += 1;
            Ok(JobStep::More)
        })
    }

    fn progress(&self) -> JobProgress {
        JobProgress { done: self.at, total: self.asked["to"].as_i64(), note: "counted".to_owned() }
    }

    fn position(&self) -> Value {
        json!(self.at)
    }
}

pub(super) async fn store_in(folder: &Path) -> Store {
    Store::open(&Location::Folder(folder.to_owned())).await.unwrap()
}

pub(super) async fn runner(store: &Store, folder: &Path, host: &str) -> Runner {
    let sandbox = Arc::new(LazySandbox::new(RuntimeOptions::new(folder.join("cache"), "none".into())));
    let key = crate::secret_key::SecretKey::at(folder.join("key"));
    let tools = JobTools {
        spool: Spool::open(store.clone(), folder).unwrap(),
        live: Live::start(store.clone(), key, sandbox).await.unwrap(),
        host: Host::new(host),
        budget: Arc::default(),
    };
    let host_name = format!("{host}.example");
    Runner { tools, host_name, kinds: &KINDS, pace: Pace::Alone, noted: Duration::ZERO }
}

/// One that knows the kinds that there are.
pub(super) async fn runner_of_all(store: &Store, folder: &Path, host: &str) -> Runner {
    Runner { kinds: &super::KINDS, ..runner(store, folder, host).await }
}

/// Takes mails with these subjects in and files them.
pub(super) async fn file(runner: &Runner, subjects: impl IntoIterator<Item = String>) {
    let JobTools { spool, live, .. } = &runner.tools;
    let arrival = |(number, subject): (usize, String)| Arrival {
        account: "local".into(),
        key: SourceKey::Digest,
        source: format!("box#{number}"),
        received_at: postigo_model::timestamp::now(),
        recipients: Vec::new(),
        communication: None,
        raw: format!("From: jane@customer.test\r\nTo: desk@desk.test\r\nSubject: {subject}\r\n\r\n{number}\r\n")
            .into_bytes()
            .into(),
    };
    spool.take_in(subjects.into_iter().enumerate().map(arrival).collect()).await.unwrap();
    let leases = leases::acquire(spool.store(), &Host::new("worker"), &["local".to_owned()]).await.unwrap();
    let worker = Worker::new(spool.clone(), Arc::clone(live));
    worker.run_until_empty(&leases[0], &CancellationToken::new(), &mut |_| {}).await.unwrap();
}

async fn ask(store: &Store, asked: Value) -> i64 {
    ask_for(store, "count", asked).await
}

pub(super) async fn ask_for(store: &Store, kind: &str, asked: Value) -> i64 {
    let new = NewJob { kind: kind.into(), asked, asked_by: "a test".into(), asked_at: 1 };
    store.write(new, |new, connection| Box::pin(rows::add(connection, new, 9))).await.unwrap().unwrap()
}

pub(super) async fn shown(store: &Store, id: i64) -> Job {
    rows::show(&mut store.read().await.unwrap(), id).await.unwrap().unwrap()
}

async fn cancel(store: &Store, id: i64) -> Result<(), crate::store::StoreError> {
    store.write(vec![id], |ids, connection| Box::pin(rows::cancel(connection, ids, 2))).await
}

pub(super) async fn run(runner: &Runner) -> Option<RunJob> {
    runner.run_next(None, &CancellationToken::new(), &|_, _| {}).await.unwrap()
}

/// Works on a job until its progress is such, and then is gone, as a host that is killed.
pub(super) async fn run_until(runner: &Runner, is_such: impl Fn(&JobProgress) -> bool + Sync) {
    let such = tokio::sync::Notify::new();
    let told = |_: i64, progress: &JobProgress| {
        if is_such(progress) {
            such.notify_one();
        }
    };
    let stop = CancellationToken::new();
    tokio::select! {
        biased;
        () = such.notified() => {}
        ran = runner.run_next(None, &stop, &told) => panic!("it came to its end: {ran:?}"),
    }
}

/// The hosts that had it are gone.
pub(super) async fn lapse(store: &Store) {
    store.execute("UPDATE job SET claimed_until = 0").await;
}

#[tokio::test]
async fn a_job_is_done_and_has_its_result_and_who_did_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let runner = runner(&store, folder.path(), "one").await;
    assert_eq!(run(&runner).await, None);
    let id = ask(&store, json!({ "to": 3 })).await;
    let seen = AtomicI64::new(0);
    let told = |_: i64, progress: &JobProgress| seen.store(progress.done, Ordering::Relaxed);
    let ran = runner.run_next(None, &CancellationToken::new(), &told).await.unwrap();
    assert_eq!(ran, Some(RunJob { id, end: RunEnd::Ended(JobStatus::Done) }));
    assert_eq!(seen.into_inner(), 3);
    let job = shown(&store, id).await;
    assert_eq!((job.status, job.result), (JobStatus::Done, Some(json!({ "counted": 3 }))));
    assert_eq!((job.progress.done, job.progress.total), (3, Some(3)));
    assert_eq!((job.host.as_deref(), job.host_name.as_deref()), (Some("one"), Some("one.example")));
    assert!(job.begun_at.is_some() && job.ended_at.is_some());
    assert_eq!(run(&runner).await, None, "it is done once");
}

#[tokio::test]
async fn a_job_that_panics_fails_with_a_sentence_and_the_next_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let runner = runner(&store, folder.path(), "one").await;
    let bad = ask(&store, json!({ "to": 3, "at": 1, "then": "panic" })).await;
    let failing = ask(&store, json!({ "to": 3, "at": 2, "then": "fail" })).await;
    let good = ask(&store, json!({ "to": 1 })).await;
    for (id, status, error) in [
        (bad, JobStatus::Failed, Some("The job panicked: a fault")),
        (failing, JobStatus::Failed, Some("It cannot be counted.")),
        (good, JobStatus::Done, None),
    ] {
        assert_eq!(run(&runner).await.map(|ran| ran.id), Some(id));
        let job = shown(&store, id).await;
        assert_eq!(job.status, status);
        assert_eq!(job.error.is_some(), error.is_some());
        assert!(job.error.unwrap_or_default().starts_with(error.unwrap_or_default()));
    }
    let broken = postigo_supervision::broken();
    assert!(broken.iter().any(|broken| broken.of == format!("count {bad}") && broken.why.contains("a fault")));
}

#[tokio::test]
async fn a_job_that_runs_is_cancelled_where_it_stands_and_one_that_waits_never_begins() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let runner = runner(&store, folder.path(), "one").await;
    let id = ask(&store, json!({ "to": 3, "at": 2, "then": "stay" })).await;
    let waiting = ask(&store, json!({ "to": 1 })).await;
    cancel(&store, waiting).await.unwrap();
    assert_eq!(shown(&store, waiting).await.status, JobStatus::Cancelled);
    let stays = tokio::sync::Notify::new();
    let told = |_: i64, progress: &JobProgress| {
        if progress.done == 2 {
            stays.notify_one();
        }
    };
    let stop = CancellationToken::new();
    let cancelling = async {
        stays.notified().await;
        cancel(&store, id).await.unwrap();
    };
    let (ran, ()) = tokio::join!(runner.run_next(None, &stop, &told), cancelling);
    assert_eq!(ran.unwrap(), Some(RunJob { id, end: RunEnd::Ended(JobStatus::Cancelled) }));
    let job = shown(&store, id).await;
    assert_eq!((job.status, job.progress.done, job.cancel_asked), (JobStatus::Cancelled, 2, false));
    cancel(&store, id).await.expect("it is so already");
    let done = ask(&store, json!({ "to": 0 })).await;
    run(&runner).await.unwrap();
    assert!(cancel(&store, done).await.unwrap_err().to_string().contains("is done"));
    assert!(cancel(&store, 99).await.unwrap_err().to_string().contains("no job 99"));
}

#[tokio::test]
async fn a_host_that_stops_gives_the_job_back_and_another_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let (one, two) = (runner(&store, folder.path(), "one").await, runner(&store, folder.path(), "two").await);
    let id = ask(&store, json!({ "to": 3, "at": 2, "then": "stay" })).await;
    let stop = CancellationToken::new();
    let told = |_: i64, progress: &JobProgress| {
        if progress.done == 2 {
            stop.cancel();
        }
    };
    let ran = one.run_next(None, &stop, &told).await.unwrap();
    assert_eq!(ran, Some(RunJob { id, end: RunEnd::GivenBack }));
    assert_eq!(shown(&store, id).await.status, JobStatus::Waiting);
    store.execute("UPDATE job SET asked = '{\"to\":3}'").await;
    let seen = std::sync::Mutex::new(Vec::new());
    let told = |_: i64, progress: &JobProgress| seen.lock().unwrap().push(progress.done);
    two.run_next(None, &CancellationToken::new(), &told).await.unwrap();
    assert_eq!(seen.into_inner().unwrap(), [3, 3], "counted on from 2, and then done");
    assert_eq!(shown(&store, id).await.host.as_deref(), Some("two"));
}

#[tokio::test]
async fn a_job_of_a_host_that_is_gone_is_taken_over_and_who_comes_back_late_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let (one, two) = (runner(&store, folder.path(), "one").await, runner(&store, folder.path(), "two").await);
    let id = ask(&store, json!({ "to": 3, "at": 2, "then": "stay" })).await;
    let stop = CancellationToken::new();
    let stays = tokio::sync::Notify::new();
    let told = |_: i64, progress: &JobProgress| {
        if progress.done == 2 {
            stays.notify_one();
        }
    };
    let taking_over = async {
        stays.notified().await;
        assert_eq!(run(&two).await, None, "while one host has it, no other does");
        lapse(&store).await;
        store.execute("UPDATE job SET asked = '{\"to\":3}'").await;
        run(&two).await
    };
    let (late, taken) = tokio::join!(one.run_next(None, &stop, &told), taking_over);
    assert_eq!(taken, Some(RunJob { id, end: RunEnd::Ended(JobStatus::Done) }));
    assert_eq!(late.unwrap(), Some(RunJob { id, end: RunEnd::Lost }));
    let job = shown(&store, id).await;
    assert_eq!((job.status, job.host.as_deref()), (JobStatus::Done, Some("two")));
}

#[tokio::test]
async fn a_job_that_three_hosts_did_not_survive_is_not_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let id = ask(&store, json!({ "to": 9 })).await;
    for host in ["one", "two", "three"] {
        run_until(&runner(&store, folder.path(), host).await, |progress| progress.done > 0).await;
        lapse(&store).await;
    }
    let last = runner(&store, folder.path(), "four").await;
    assert_eq!(run(&last).await, Some(RunJob { id, end: RunEnd::Ended(JobStatus::Failed) }));
    let error = shown(&store, id).await.error.unwrap();
    assert!(error.starts_with("3 times a host") && error.contains("three.example"), "{error}");
}

#[tokio::test]
async fn a_job_that_takes_too_long_fails_and_says_how_long_it_may_take() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let runner = runner(&store, folder.path(), "one").await;
    let id = ask(&store, json!({ "to": 3, "at": 0, "then": "stay" })).await;
    store.execute("UPDATE job SET kind = 'hasty'").await;
    assert_eq!(run(&runner).await, Some(RunJob { id, end: RunEnd::Ended(JobStatus::Failed) }));
    assert!(shown(&store, id).await.error.unwrap().starts_with("It was not done within"));
}

#[tokio::test]
async fn kinds_of_a_later_version_wait_for_a_host_that_knows_them_and_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let runner = runner(&store, folder.path(), "one").await;
    let id = ask(&store, json!({})).await;
    store.execute("UPDATE job SET kind = 'later'").await;
    assert_eq!(run(&runner).await, None);
    let listed = rows::list(&mut store.read().await.unwrap(), &JobFilter { limit: 9, ..JobFilter::default() }).await;
    assert_eq!(listed.unwrap().iter().map(|job| (job.id, job.kind.as_str())).collect::<Vec<_>>(), [(id, "later")]);
}

#[tokio::test]
async fn ended_jobs_go_by_age_and_those_that_wait_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let runner = runner(&store, folder.path(), "one").await;
    ask(&store, json!({ "to": 0 })).await;
    run(&runner).await.unwrap();
    let waiting = ask(&store, json!({ "to": 0 })).await;
    let purge = async |before: i64| {
        store.write(before, |before, connection| Box::pin(rows::purge(connection, *before))).await.unwrap()
    };
    assert_eq!(purge(postigo_model::timestamp::now() - 60_000).await, 0);
    assert_eq!(purge(i64::MAX).await, 1);
    assert_eq!(shown(&store, waiting).await.status, JobStatus::Waiting);
    let counts = rows::counts(&mut store.read().await.unwrap()).await.unwrap();
    assert_eq!(counts.0, [(JobStatus::Waiting, 1), (JobStatus::Running, 0), (JobStatus::Failed, 0)]);
    assert_eq!(counts.1, Some(1));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_fails_with_a_sentence_and_stops_neither_lists_nor_other_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let runner = runner(&store, folder.path(), "one").await;
    let (broken, placeless) = (ask(&store, json!({ "to": 1 })).await, ask(&store, json!({ "to": 1 })).await);
    let good = ask(&store, json!({ "to": 1 })).await;
    store.execute(format!("UPDATE job SET asked = '{{\"to\": ' WHERE id = {broken}")).await;
    store.execute(format!("UPDATE job SET position = 'here' WHERE id = {placeless}")).await;
    let listed = rows::list(&mut store.read().await.unwrap(), &JobFilter { limit: 9, ..JobFilter::default() }).await;
    let listed: Vec<_> = listed.unwrap().into_iter().map(|job| (job.id, job.asked)).collect();
    assert_eq!(listed, [(good, json!({ "to": 1 })), (placeless, json!({ "to": 1 })), (broken, Value::Null)]);
    assert_eq!(run(&runner).await, Some(RunJob { id: good, end: RunEnd::Ended(JobStatus::Done) }));
    for id in [broken, placeless] {
        let job = shown(&store, id).await;
        assert_eq!((job.status, job.ended_at.is_some()), (JobStatus::Failed, true));
        assert!(job.error.unwrap().starts_with("Its row in the database cannot be read"));
    }
    assert_eq!(run(&runner).await, None);
}

#[tokio::test]
async fn jobs_are_counted_without_their_large_columns() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    for statement in [
        "SELECT status, COUNT(*) FROM job WHERE status IN ('waiting', 'running', 'failed') GROUP BY status",
        "SELECT MIN(asked_at) FROM job WHERE status = 'waiting'",
    ] {
        let mut sql = crate::store::sql::Sql::new(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sql.all(&mut store.read().await.unwrap()).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 3)).collect();
        assert!(plan.iter().any(|line| line.contains("COVERING INDEX job_status")), "{plan:?}");
    }
}
