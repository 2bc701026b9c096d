//! Tasks that break, go on, and are told of.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn found(work: WorkKind, of: &str) -> Option<Breakage> {
    broken().into_iter().find(|broken| broken.work == work && broken.of == of)
}

fn counted(work: WorkKind) -> Counts {
    counts().into_iter().find(|(counted, _)| *counted == work).map(|(_, counts)| counts).unwrap_or_default()
}

#[tokio::test]
async fn a_task_that_panics_or_ends_is_told_of_and_goes_on_after_a_pause_that_grows() {
    let stop = CancellationToken::new();
    let begun = Arc::new(AtomicU32::new(0));
    let (times, told) = (Arc::clone(&begun), stop.clone());
    let before = counted(WorkKind::Calls);
    let at = tokio::time::Instant::now();
    let task = SupervisedTask::new(WorkKind::Calls, "kept", stop.clone()).keep(move || {
        let (time, told) = (times.fetch_add(1, Ordering::Relaxed), told.clone());
        async move {
            match time {
                0 => panic!("on purpose"),
                1 => {}
                _ => {
                    let broken = found(WorkKind::Calls, "kept").unwrap();
                    assert_eq!((broken.times, broken.why.as_str()), (2, "It ended by itself, though it was to go on."));
                    assert!(broken.again_at.is_some());
                    told.cancel();
                }
            }
        }
    });
    task.await;
    assert_eq!(begun.load(Ordering::Relaxed), 3);
    assert!(at.elapsed() >= Duration::from_millis(800 + 1_600), "{:?}", at.elapsed());
    assert_eq!(found(WorkKind::Calls, "kept"), None, "one that is to stop is not broken");
    let after = counted(WorkKind::Calls);
    assert_eq!((after.panics - before.panics, after.ends - before.ends), (1, 1));
}

#[tokio::test]
async fn a_round_that_panics_is_told_of_until_one_does_not() {
    let stop = CancellationToken::new();
    let times = Arc::new(AtomicU32::new(0));
    let (rounds, told) = (Arc::clone(&times), stop.clone());
    SupervisedTask::new(WorkKind::Purge, "rounds", stop)
        .repeat(move || {
            let (time, told) = (rounds.fetch_add(1, Ordering::Relaxed), told.clone());
            assert_ne!(time, 0, "the first one");
            async move {
                assert_eq!(found(WorkKind::Purge, "rounds").map(|broken| broken.times), (time < 3).then_some(time));
                assert_ne!(time, 1, "the second one");
                if time == 3 {
                    told.cancel();
                }
                Duration::from_millis(1)
            }
        })
        .await;
    assert_eq!(times.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn what_is_done_once_breaks_alone_and_is_told_of_with_its_text() {
    let panic = caught(WorkKind::Session, "once", async { panic!("in a session") }).await.map(|(): ()| ()).unwrap_err();
    assert!(panic.to_string().starts_with("in a session ("), "{panic}");
    let told = found(WorkKind::Session, "once").unwrap();
    assert_eq!((told.why, told.again_at), (format!("It panicked: {panic}."), None));
    assert_eq!(caught_here(WorkKind::Session, "once", || 7), Ok(7));
    let panic = blocking(WorkKind::Files, "once", || panic!("on a thread")).await.map(|(): ()| ()).unwrap_err();
    assert!(panic.to_string().starts_with("on a thread ("), "{panic}");
    assert!(found(WorkKind::Files, "once").is_some());
}
