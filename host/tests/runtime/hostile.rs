//! Guests that misbehave: each ends as a failure of its own kind, and nothing else suffers.

use super::harness::*;
use postigo_model::guest::FailureKind;
use postigo_sandbox::{CallFailure, GuestSession, PrepareError};
use std::time::{Duration, Instant};

#[test]
fn an_endless_loop_times_out() {
    let message = fails_as("loop", FailureKind::Timeout);
    assert!(message.contains("250 ms"), "{message}");
}

#[test]
fn eating_memory_ends_at_the_limit() {
    fails_as("memory", FailureKind::Memory);
}

#[test]
fn deep_recursion_and_panics_are_traps() {
    fails_as("recurse", FailureKind::Trap);
    fails_as("panic", FailureKind::Trap);
}

#[test]
fn results_over_the_limit_are_bad_output() {
    assert!(fails_as("huge-result", FailureKind::Output).contains("262144"));
    fails_as("many-changes", FailureKind::Output);
}

#[test]
fn what_was_not_granted_is_denied() {
    let message = fails_as("read-body", FailureKind::Denied);
    assert!(message.contains("body is not granted"), "{message}");
    fails_as("read-raw", FailureKind::Denied);
    // Who minds the refusal goes on.
    assert!(evaluate(&group(&["try-body"]), 0).unwrap().matched);
}

#[test]
fn a_flood_of_host_calls_is_stopped() {
    let group = group(&["host-call-flood"]);
    assert_eq!(evaluate(&group, 0).unwrap_err().kind, FailureKind::HostCalls);
}

#[test]
fn a_flood_of_log_lines_is_cut_and_said_and_no_failure() {
    let group = group(&["log-flood", "long-line"]);
    let called = GuestSession::open(&group).unwrap().evaluate(0, mail("Invoice 42"), None);
    assert!(called.result.unwrap().matched);
    assert!(called.log.iter().map(|line| line.text.len()).sum::<usize>() < 66 << 10);
    assert!(called.log.last().unwrap().text.contains("left out"));
    let called = GuestSession::open(&group).unwrap().evaluate(1, mail("Invoice 42"), None);
    assert!(called.result.unwrap().matched);
    assert_eq!(called.log[0].text.len(), 1 << 10);
}

#[test]
fn a_screen_that_misbehaves_fails_and_its_filters_can_still_be_called() {
    for (deed, kind) in [
        ("loop-in-screen", FailureKind::Timeout),
        ("panic-in-screen", FailureKind::Trap),
        ("unknown-candidate", FailureKind::Output),
    ] {
        let group = group(&[deed, "behave"]);
        let mut session = GuestSession::open(&group).unwrap();
        let screened = session.screen(mail("Invoice 42"), None);
        assert_eq!(screened.result.map(|screened| screened.candidates).unwrap_err().kind, kind, "{deed}");
        assert!(session.evaluate(1, screened.mail, None).result.unwrap().matched, "{deed}");
    }
}

#[test]
fn configure_that_misbehaves_fails_with_its_kind() {
    let failed = |deed: &str| match not_prepared(&[deed]) {
        PrepareError::Failed(CallFailure { kind, .. }) => kind,
        other => panic!("{deed}: {other}"),
    };
    assert_eq!(failed("trap-in-configure"), FailureKind::Trap);
    assert_eq!(failed("memory-in-configure"), FailureKind::Memory);
}

#[test]
fn an_endless_configure_times_out_after_its_thirty_seconds() {
    let started = Instant::now();
    let PrepareError::Failed(failure) = not_prepared(&["loop-in-configure"]) else { panic!("it did not fail") };
    assert_eq!(failure.kind, FailureKind::Timeout);
    // Thirty seconds of its own; on a machine that is busy the wall's limit, four times that and ten seconds, and the
    // child's own start and end.
    assert!(started.elapsed() < Duration::from_mins(3), "{:?}", started.elapsed());
}

#[test]
fn looping_guests_leave_room_for_a_healthy_one() {
    let looping = group(&["loop"]);
    let healthy = group(&["behave"]);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        let loops: Vec<_> = (0..10)
            .map(|_| {
                let group = looping.clone();
                runtime().spawn(move || evaluate(&group, 0))
            })
            .collect();
        let started = Instant::now();
        let verdict = runtime().spawn(move || evaluate(&healthy, 0)).await.unwrap();
        assert!(verdict.unwrap().matched);
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        for looped in loops {
            assert_eq!(looped.await.unwrap().unwrap_err().kind, FailureKind::Timeout);
        }
    });
}
