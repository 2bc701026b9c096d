//! The breaker of a filter: after some failures in a row it is tried on a mail that it handled, and suspended only if
//! it fails there too.
//!
//! Whoever sends mails that a filter fails on must not switch it off for the others. A filter that fails on all mails
//! costs its whole time limit on each; the breaker bounds what that does to the mail behind it.

use bytes::Bytes;
use postigo_mail::{Envelope, InForce};
use postigo_sandbox::CallFailure;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After so many failures in a row a filter is tried.
pub const FAILURES_IN_A_ROW: u32 = 5;
/// The first pause; each failed trial after it doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);
/// A failure counts as recent for so long.
const RECENT: Duration = Duration::from_mins(10);
/// No call is too long for others that takes no longer than this.
const SHORT: Duration = Duration::from_millis(20);
/// A call is long that takes so many times the usual.
const LONG: u32 = 4;
/// Each call moves what is usual by this part of the difference.
const MOVES: u32 = 16;
/// A handled mail is kept for so long before a later one takes its place.
const KEPT: Duration = Duration::from_secs(1);

/// Counts what a filter's calls came to. Shared by the plans that the filter stays unchanged in.
#[derive(Debug, Default)]
pub struct Breaker {
    state: Mutex<BreakerState>,
}

#[derive(Debug, Default)]
struct BreakerState {
    failures: u32,
    last_failed: Option<Instant>,
    usual: Duration,
    handled: Option<Arc<HandledMail>>,
    kept_at: Option<Instant>,
    /// Whether a trial is under way.
    trying: bool,
    open: Option<OpenBreaker>,
}

#[derive(Debug)]
struct OpenBreaker {
    until: Instant,
    pause: Duration,
    last: CallFailure,
}

/// A mail that was handled well, as the filter saw it, to be handled once more in a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandledMail {
    /// Its bytes.
    pub raw: Bytes,
    /// What was known besides.
    pub envelope: Envelope,
    /// What filters before had set, and all else that was in force.
    pub headers: Vec<InForce>,
}

/// Whether a filter may be called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Call,
    /// No: it is suspended.
    Suspended {
        /// The failure that suspended it.
        last: CallFailure,
        /// How long until the next trial.
        next_trial: Duration,
    },
}

/// That a filter is suspended, for another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// The failure that suspended it.
    last: CallFailure,
    /// How long until the next trial.
    next_trial: Duration,
}

/// What a trial came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialResult {
    /// The filter works: what it failed on are mails of a kind.
    Works {
        /// Whether it was suspended until now.
        was_suspended: bool,
    },
    /// It is suspended for so long.
    Suspended(Duration),
}

impl Breaker {
    /// As another process has it: suspended where the filter is so there.
    pub fn with(suspension: Option<Suspension>) -> Self {
        let open = suspension.map(|Suspension { last, next_trial }| OpenBreaker {
            until: Instant::now() + next_trial,
            pause: FIRST_PAUSE,
            last,
        });
        Self { state: Mutex::new(BreakerState { open, ..BreakerState::default() }) }
    }

    /// What another process is to know of it.
    pub fn suspension(&self) -> Option<Suspension> {
        match self.admit(Instant::now()) {
            Admission::Call => None,
            Admission::Suspended { last, next_trial } => Some(Suspension { last, next_trial }),
        }
    }

    /// Whether the filter may be called at `now`.
    pub fn admit(&self, now: Instant) -> Admission {
        match &self.lock().open {
            None => Admission::Call,
            Some(open) => {
                Admission::Suspended { last: open.last.clone(), next_trial: open.until.saturating_duration_since(now) }
            }
        }
    }

    /// A call went well at `now` and took the guest `own`. At most once a second, `keep` is asked for what is needed to
    /// handle the mail again; it gives nothing where the mail is not to be kept.
    pub fn succeeded(&self, own: Duration, now: Instant, keep: impl FnOnce() -> Option<HandledMail>) {
        let mut state = self.lock();
        state.failures = 0;
        state.usual = (state.usual * (MOVES - 1) + own) / MOVES;
        if state.kept_at.is_none_or(|kept| now.saturating_duration_since(kept) >= KEPT)
            && let Some(handled) = keep()
        {
            state.handled = Some(Arc::new(handled));
            state.kept_at = Some(now);
        }
    }

    /// A call failed at `now`. Says whether a trial is due; whoever hears so tries it.
    pub fn failed(&self, now: Instant) -> bool {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        state.last_failed = Some(now);
        // Calls that were under way when the breaker opened say nothing new.
        let due = state.failures >= FAILURES_IN_A_ROW && !state.trying && state.open.is_none();
        state.trying |= due;
        due
    }

    /// Whether a suspended filter is to be tried again at `now`; whoever hears so tries it.
    pub fn is_due(&self, now: Instant) -> bool {
        let mut state = self.lock();
        let due = !state.trying && state.open.as_ref().is_some_and(|open| now >= open.until);
        state.trying |= due;
        due
    }

    /// A trial has ended at `now`.
    pub fn tried(&self, outcome: Result<(), CallFailure>, now: Instant) -> TrialResult {
        let mut state = self.lock();
        state.trying = false;
        state.failures = 0;
        match outcome {
            Ok(()) => TrialResult::Works { was_suspended: state.open.take().is_some() },
            Err(last) => {
                let pause = state.open.as_ref().map_or(FIRST_PAUSE, |open| (open.pause * 2).min(LONGEST_PAUSE));
                state.open = Some(OpenBreaker { until: now + pause, pause, last });
                TrialResult::Suspended(pause)
            }
        }
    }

    /// A trial came to nothing, by the host's doing: the next failure, or the end of the pause, begins another.
    pub fn not_tried(&self) {
        self.lock().trying = false;
    }

    /// The latest mail that was handled well.
    pub fn handled(&self) -> Option<Arc<HandledMail>> {
        self.lock().handled.clone()
    }

    /// From where on a call at `now` is longer than usual; none where the filter has not failed for a while.
    pub fn is_long_from(&self, now: Instant) -> Option<Duration> {
        let state = self.lock();
        let failed = state.last_failed?;
        (now.saturating_duration_since(failed) < RECENT).then(|| (state.usual * LONG).max(SHORT))
    }

    /// The failure that suspended the filter; none where it is not suspended.
    pub fn suspended_by(&self) -> Option<CallFailure> {
        self.lock().open.as_ref().map(|open| open.last.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BreakerState> {
        // The state is a few plain values, valid at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::guest::FailureKind;

    fn failure() -> CallFailure {
        CallFailure { kind: FailureKind::Timeout, message: "too slow".into() }
    }

    fn suspended(breaker: &Breaker, now: Instant) -> bool {
        matches!(breaker.admit(now), Admission::Suspended { .. })
    }

    /// Fails until a trial is due.
    fn fail(breaker: &Breaker, now: Instant) {
        for _ in 1..FAILURES_IN_A_ROW {
            assert!(!breaker.failed(now));
        }
        assert!(breaker.failed(now));
    }

    #[test]
    fn failures_in_a_row_ask_for_one_trial_and_a_success_between_them_does_not() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..3 {
            for _ in 1..FAILURES_IN_A_ROW {
                assert!(!breaker.failed(now));
            }
            breaker.succeeded(Duration::ZERO, now, || None);
        }
        fail(&breaker, now);
        assert!((0..20).all(|_| !breaker.failed(now)), "one trial at a time");
        assert!(!suspended(&breaker, now), "it is not suspended before it was tried");
    }

    #[test]
    fn only_a_failed_trial_suspends() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..20 {
            fail(&breaker, now);
            assert_eq!(breaker.tried(Ok(()), now), TrialResult::Works { was_suspended: false });
            assert!(!suspended(&breaker, now));
        }
        fail(&breaker, now);
        assert_eq!(breaker.tried(Err(failure()), now), TrialResult::Suspended(FIRST_PAUSE));
        assert!(suspended(&breaker, now));
        assert!((0..20).all(|_| !breaker.failed(now)), "calls that were under way say nothing new");
        breaker.succeeded(Duration::ZERO, now, || None);
        assert!(suspended(&breaker, now));
    }

    #[test]
    fn one_trial_is_due_after_each_pause_and_pauses_double() {
        let breaker = Breaker::default();
        let mut now = Instant::now();
        fail(&breaker, now);
        breaker.tried(Err(failure()), now);
        let mut pause = FIRST_PAUSE;
        for _ in 0..12 {
            assert!(!breaker.is_due(now), "not before the pause is over");
            now += pause;
            assert!(breaker.is_due(now));
            assert!(!breaker.is_due(now), "only one");
            assert!(suspended(&breaker, now), "no mail is the probe");
            pause = (pause * 2).min(LONGEST_PAUSE);
            assert_eq!(breaker.tried(Err(failure()), now), TrialResult::Suspended(pause));
        }
        assert_eq!(pause, LONGEST_PAUSE);
        now += pause;
        assert!(breaker.is_due(now));
        assert_eq!(breaker.tried(Ok(()), now), TrialResult::Works { was_suspended: true });
        assert!(!suspended(&breaker, now));
    }

    #[test]
    fn the_latest_mail_that_was_handled_is_kept() {
        let breaker = Breaker::default();
        let now = Instant::now();
        let mail = |raw: &'static str| {
            move || {
                Some(HandledMail {
                    raw: Bytes::from_static(raw.as_bytes()),
                    envelope: Envelope::default(),
                    headers: Vec::new(),
                })
            }
        };
        let kept = |breaker: &Breaker| breaker.handled().map(|handled| handled.raw.clone());
        breaker.succeeded(Duration::ZERO, now, || None);
        assert_eq!(kept(&breaker), None);
        breaker.succeeded(Duration::ZERO, now, mail("first"));
        breaker.succeeded(Duration::ZERO, now + KEPT, mail("second"));
        breaker.succeeded(Duration::ZERO, now + KEPT * 2, || None);
        assert_eq!(kept(&breaker).as_deref(), Some(&b"second"[..]));
    }

    #[test]
    fn a_trial_that_came_to_nothing_is_made_again() {
        let breaker = Breaker::default();
        let now = Instant::now();
        fail(&breaker, now);
        breaker.not_tried();
        assert!(breaker.failed(now));
    }

    #[test]
    fn a_call_is_long_by_what_is_usual_and_only_after_a_failure() {
        let breaker = Breaker::default();
        let now = Instant::now();
        assert_eq!(breaker.is_long_from(now), None);
        breaker.failed(now);
        assert_eq!(breaker.is_long_from(now), Some(SHORT));
        for _ in 0..200 {
            breaker.succeeded(Duration::from_millis(40), now, || None);
        }
        let long = breaker.is_long_from(now).unwrap();
        assert!(long > Duration::from_millis(150) && long <= Duration::from_millis(160), "{long:?}");
        assert_eq!(breaker.is_long_from(now + RECENT), None);
    }
}
