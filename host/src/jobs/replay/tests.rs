//! What a replay takes of the host, and how many mails it tries.

use super::*;
use crate::jobs::tests::{ask_for, file, run, runner_of_all, shown, store_in};
use crate::jobs::{RunEnd, RunJob, Runner};
use crate::store::Store;
use crate::worker::WorkerBudget;
use postigo_model::job::JobStatus;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;

async fn desk(mails: &[&str]) -> (tempfile::TempDir, Store, Runner) {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let runner = runner_of_all(&store, folder.path(), "one").await;
    file(&runner, mails.iter().map(|subject| (*subject).to_owned())).await;
    (folder, store, runner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_is_tried_when_there_is_room_for_it_beside_those_that_come_in() {
    let (_folder, store, mut runner) = desk(&["one", "two"]).await;
    // A mail of the worker's has all that large ones may have.
    runner.tools.budget = Arc::new(WorkerBudget::of(1_000));
    let share = runner.tools.budget.try_hold(1_000).unwrap();
    let is_free = AtomicBool::new(false);
    let told = |_: i64, progress: &JobProgress| {
        assert!(progress.done == 0 || is_free.load(Ordering::SeqCst), "it was tried without room: {progress:?}");
    };
    let id = ask_for(&store, ReplayOrder::KIND, json!({ "limit": 5 })).await;
    let stop = CancellationToken::new();
    let mut running = std::pin::pin!(runner.run_next(None, &stop, &told));
    let waited = tokio::time::timeout(Duration::from_millis(300), &mut running).await;
    assert!(waited.is_err(), "it waits: {waited:?}");
    is_free.store(true, Ordering::SeqCst);
    drop(share);
    assert_eq!(running.await.unwrap(), Some(RunJob { id, end: RunEnd::Ended(JobStatus::Done) }));
    assert_eq!(shown(&store, id).await.result.unwrap()["tried"], 2);
    assert!(runner.tools.budget.try_hold(1_000).is_some(), "what it held is given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_counts_mails_that_are_tried_and_the_bound_those_that_are_looked_at() {
    let (_folder, store, runner) = desk(&["one", "two", "three", "four"]).await;
    let result = async |asked: Value| {
        let id = ask_for(&store, ReplayOrder::KIND, asked).await;
        run(&runner).await.unwrap();
        let job = shown(&store, id).await;
        assert_eq!(job.status, JobStatus::Done, "{job:?}");
        (job.progress, job.result.unwrap())
    };
    // The bytes of the latest two are not kept any more.
    store.execute("DELETE FROM spool_raw WHERE spool_id IN (SELECT id FROM spool ORDER BY id DESC LIMIT 2)").await;
    let (progress, done) = result(json!({ "limit": 1 })).await;
    assert_eq!([&done["tried"], &done["without_bytes"], &done["looked_at"]], [1, 2, 3], "{done:#}");
    assert_eq!((progress.done, progress.total), (3, Some(3)));
    let (_, done) = result(json!({ "limit": 1, "queue": "Junk" })).await;
    assert_eq!([&done["tried"], &done["passed_over"]], [0, 4], "{done:#}");
    assert_eq!(done["bound_reached"], false);

    let ConfigurationVersion { number, stamp } = runner.tools.live.newest().await.unwrap().configuration.version;
    let position = json!({
        "version": [number, stamp],
        "last": null,
        "total": null,
        "summary": { "looked_at": MOST_LOOKED_AT - 1, "passed_over": MOST_LOOKED_AT - 1 },
    });
    let id = ask_for(&store, ReplayOrder::KIND, json!({ "limit": 9 })).await;
    store.execute(format!("UPDATE job SET position = '{position}' WHERE id = {id}")).await;
    run(&runner).await.unwrap();
    let done = shown(&store, id).await.result.unwrap();
    assert_eq!([&done["looked_at"], &done["bound_reached"]], [&json!(MOST_LOOKED_AT), &json!(true)], "{done:#}");
}
