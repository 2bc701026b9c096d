//! An export whose host is gone in the middle of it.

use super::*;
use crate::jobs::tests::{ask_for, file, lapse, run, run_until, runner_of_all, shown, store_in};
use crate::jobs::{RunEnd, RunJob};
use postigo_model::job::JobStatus;
use std::io::Write as _;
use std::sync::Mutex;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_goes_on_after_its_last_noted_piece_and_makes_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let first = runner_of_all(&store, folder.path(), "one").await;
    let pieces = 5;
    file(&first, (0..pieces * PIECE_WITH_ENTRIES).map(|number| format!("mail {number}"))).await;
    let order = json!({ "entries": true });
    let id = ask_for(&store, LogExportOrder::KIND, order.clone()).await;
    run_until(&first, |progress| progress.done >= 3 * PIECE_WITH_ENTRIES).await;
    let left = shown(&store, id).await;
    assert_eq!(left.status, JobStatus::Running);
    assert!(left.progress.done > 0, "{left:?}");
    // What its last breath wrote, and nobody noted.
    let part = exports::path(folder.path(), id).with_extension("jsonl.part");
    File::options().append(true).open(part).unwrap().write_all(b"{\"half a li").unwrap();
    lapse(&store).await;

    let again = runner_of_all(&store, folder.path(), "one").await;
    let told = Mutex::new(Vec::new());
    let ran =
        again.run_next(None, &CancellationToken::new(), &|_, progress| told.lock().unwrap().push(progress.done)).await;
    assert_eq!(ran.unwrap(), Some(RunJob { id, end: RunEnd::Ended(JobStatus::Done) }));
    let told = told.into_inner().unwrap();
    assert!(told.iter().all(|done| *done >= left.progress.done), "{told:?} after {}", left.progress.done);

    let whole = ask_for(&store, LogExportOrder::KIND, order).await;
    run(&again).await.unwrap();
    let read = |id| std::fs::read_to_string(exports::path(folder.path(), id)).unwrap();
    assert_eq!(read(id), read(whole));
    let result = shown(&store, id).await.result.unwrap();
    assert_eq!((&result["lines"], &result["bytes"]), (&json!(told.last()), &json!(read(id).len())));
    assert!(read(id).lines().count() as i64 >= pieces * PIECE_WITH_ENTRIES);
}
