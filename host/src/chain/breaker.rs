//! The breaker of a filter: after some failures in a row it is suspended, and probed again with growing pauses.
//!
//! A filter that loops costs its whole time limit on each mail; the breaker bounds what that does to the mail behind it.

use crate::runtime::Failure;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many failures in a row suspend a filter.
pub const FAILURES_IN_A_ROW: u32 = 5;
/// The first pause; each failed probe doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// Counts what a filter's calls came to. Shared by the plans that the filter stays unchanged in.
#[derive(Debug, Default)]
pub struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    pause: Duration,
    probing: bool,
    last: Failure,
}

/// Whether a filter may be called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Call,
    /// No: it is suspended.
    Suspended {
        /// The failure that suspended it.
        last: Failure,
        /// How long until the next probe.
        next_probe: Duration,
    },
}

impl Breaker {
    /// Whether the filter may be called at `now`. While it is suspended, one call is let through when a pause is over: the probe.
    pub fn admit(&self, now: Instant) -> Admission {
        let mut state = self.lock();
        match &mut state.open {
            None => Admission::Call,
            Some(open) if now >= open.until => {
                open.probing = true;
                // One probe a pause, also when the outcome of one is never told.
                open.until = now + open.pause;
                Admission::Call
            }
            Some(open) => Admission::Suspended { last: open.last.clone(), next_probe: open.until.saturating_duration_since(now) },
        }
    }

    /// A call went well: the count starts anew, a suspension ends. Returns whether one ended.
    pub fn succeeded(&self) -> bool {
        let mut state = self.lock();
        state.failures = 0;
        state.open.take().is_some()
    }

    /// A call failed. Returns the pause if the filter is suspended from now on.
    pub fn failed(&self, failure: &Failure, now: Instant) -> Option<Duration> {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES_IN_A_ROW {
            return None;
        }
        let pause = match &state.open {
            None => FIRST_PAUSE,
            Some(open) if open.probing => (open.pause * 2).min(LONGEST_PAUSE),
            // Calls that were under way when the breaker opened say nothing new.
            Some(_) => return None,
        };
        state.open = Some(Open { until: now + pause, pause, probing: false, last: failure.clone() });
        Some(pause)
    }

    /// Whether the filter is suspended, for lists and metrics.
    pub fn is_suspended(&self) -> bool {
        self.lock().open.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is a few plain values, valid at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::FailureKind;

    fn failure() -> Failure {
        Failure { kind: FailureKind::Timeout, message: "too slow".into() }
    }

    fn suspended(breaker: &Breaker, now: Instant) -> bool {
        matches!(breaker.admit(now), Admission::Suspended { .. })
    }

    #[test]
    fn failures_in_a_row_suspend_and_a_success_between_them_does_not() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..3 {
            for _ in 1..FAILURES_IN_A_ROW {
                assert_eq!(breaker.failed(&failure(), now), None);
            }
            breaker.succeeded();
        }
        assert!(!suspended(&breaker, now));
        for _ in 1..FAILURES_IN_A_ROW {
            breaker.failed(&failure(), now);
        }
        assert_eq!(breaker.failed(&failure(), now), Some(FIRST_PAUSE));
        assert!(suspended(&breaker, now));
    }

    #[test]
    fn one_probe_is_let_through_after_each_pause_and_pauses_double() {
        let breaker = Breaker::default();
        let mut now = Instant::now();
        for _ in 0..FAILURES_IN_A_ROW {
            breaker.failed(&failure(), now);
        }
        let mut pause = FIRST_PAUSE;
        for _ in 0..12 {
            now += pause;
            assert_eq!(breaker.admit(now), Admission::Call, "the probe");
            assert!(suspended(&breaker, now), "only one");
            let next = breaker.failed(&failure(), now).expect("a failed probe suspends again");
            assert_eq!(next, (pause * 2).min(LONGEST_PAUSE));
            pause = next;
        }
        assert_eq!(pause, LONGEST_PAUSE);
        now += pause;
        assert_eq!(breaker.admit(now), Admission::Call);
        assert!(breaker.succeeded());
        assert!(!suspended(&breaker, now));
    }
}
