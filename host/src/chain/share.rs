//! The share of the workers' time that failed calls may have.
//!
//! What fails is known when its time is spent, so the share runs into debt. While it does, calls of filters that failed
//! lately are ended when they take longer than usual, and their mails are put off: each comes back when the share has
//! room for its whole call. Mails whose calls are as short as ever are not looked at.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One part in so many of the processors' time.
const ONE_IN: u32 = 10;
/// So much may fail at once before the share is spent: a filter's failures in a row, at the usual time limit.
const AT_ONCE: Duration = Duration::from_millis(1500);

/// Counts what failed calls took. One for the process, shared by all plans.
#[derive(Debug)]
pub struct FailureShare {
    began: Instant,
    processors: u32,
    /// Until when the share is spent, in nanoseconds since [`AT_ONCE`] was paid for before the beginning.
    spent: AtomicU64,
}

impl Default for FailureShare {
    fn default() -> Self {
        let processors =
            std::thread::available_parallelism().map_or(1, |processors| u32::try_from(processors.get()).unwrap_or(1));
        Self::of(processors, Instant::now())
    }
}

impl FailureShare {
    fn of(processors: u32, began: Instant) -> Self {
        Self { began, processors, spent: AtomicU64::new(0) }
    }

    /// Whether failed calls have had their share at `now`.
    pub fn is_spent(&self, now: Instant) -> bool {
        self.spent.load(Ordering::Relaxed) > self.at(now)
    }

    /// A failed call has taken so long.
    pub fn spend(&self, took: Duration, now: Instant) {
        self.charge(took, now);
    }

    /// Sets a call of this length down for later: how long until its turn.
    pub fn put_off(&self, call: Duration, now: Instant) -> Duration {
        let turn = self.charge(call, now);
        Duration::from_nanos(turn.saturating_sub(self.at(now)))
    }

    /// Charges work; gives until when the share was spent before.
    fn charge(&self, work: Duration, now: Instant) -> u64 {
        let paid_by = nanos(work * ONE_IN / self.processors);
        let earliest = self.at(now).saturating_sub(self.at(self.began));
        let charge = |spent: u64| Some(spent.max(earliest).saturating_add(paid_by));
        let before = self.spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charge);
        before.unwrap_or_default().max(earliest)
    }

    fn at(&self, now: Instant) -> u64 {
        nanos(AT_ONCE * ONE_IN / self.processors + now.saturating_duration_since(self.began))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Duration = Duration::from_millis(250);

    #[test]
    fn a_few_failures_are_free_and_then_a_tenth_of_the_time_pays_for_them() {
        let began = Instant::now();
        let share = FailureShare::of(2, began);
        for _ in 0..6 {
            assert!(!share.is_spent(began));
            share.spend(CALL, began);
        }
        assert!(!share.is_spent(began));
        share.spend(CALL, began);
        assert!(share.is_spent(began));
        // A quarter of a second's work of two processors is paid for by 1.25 s.
        assert!(share.is_spent(began + Duration::from_millis(1240)));
        assert!(!share.is_spent(began + Duration::from_millis(1260)));
    }

    #[test]
    fn what_is_put_off_has_its_turn_one_by_one() {
        let began = Instant::now();
        let share = FailureShare::of(1, began);
        for _ in 0..7 {
            share.spend(CALL, began);
        }
        let turns: Vec<u128> = (0..3).map(|_| share.put_off(CALL, began).as_millis()).collect();
        assert_eq!(turns, [2500, 5000, 7500]);
    }

    #[test]
    fn time_without_failures_is_saved_up_only_to_the_first_few() {
        let began = Instant::now();
        let share = FailureShare::of(1, began);
        let later = began + Duration::from_hours(10);
        for _ in 0..7 {
            share.spend(CALL, later);
        }
        assert!(share.is_spent(later));
    }
}
