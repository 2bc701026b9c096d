//! What happens often, said once in a while.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So much time is between two lines at least.
const BETWEEN: Duration = Duration::from_mins(1);

/// Counts what happens, and says when it is time for a line in the log.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    /// It happened once more: how often since the last line, if a line is due now.
    pub fn happened(&self) -> Option<u64> {
        self.happened_at(Instant::now())
    }

    fn happened_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, times) = &mut *state;
        *times += 1;
        let is_due = last.is_none_or(|last| now.duration_since(last) >= BETWEEN);
        is_due.then(|| {
            *last = Some(now);
            std::mem::take(times)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_is_said_at_once_and_the_others_together_after_a_minute() {
        let (seldom, begun) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.happened_at(begun), Some(1));
        assert_eq!(seldom.happened_at(begun), None);
        assert_eq!(seldom.happened_at(begun + BETWEEN / 2), None);
        assert_eq!(seldom.happened_at(begun + BETWEEN), Some(3));
        assert_eq!(seldom.happened_at(begun + BETWEEN), None);
    }
}
