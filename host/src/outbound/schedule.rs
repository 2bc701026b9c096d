//! When a mail is tried again, and when it is given up.

use postigo_model::configured::{Retries, Retry};
use postigo_supervision::back_off;
use std::time::Duration;

/// When a mail is tried again after its `tries`th try failed for now; none: it is given up. Times in milliseconds since
/// the epoch.
pub fn next(retries: &Retries, tries: i64, queued_at: i64, now: i64) -> Option<i64> {
    let end = queued_at.saturating_add(milliseconds(Duration::from_secs(retries.retry_for)));
    if now >= end || (retries.attempts > 0 && tries >= i64::from(retries.attempts)) {
        return None;
    }
    // The last try is made when the time is up, not before.
    Some(now.saturating_add(pause_after(retries, tries)).min(end))
}

/// Milliseconds from the `tries`th try to the next.
pub fn pause_after(retries: &Retries, tries: i64) -> i64 {
    let tries = u32::try_from(tries).unwrap_or(u32::MAX);
    let (first, longest) = (Duration::from_secs(retries.retry_increment), Duration::from_secs(retries.retry_longest));
    milliseconds(match retries.retry {
        Retry::Growing => back_off::after_failures(tries, first, longest),
        Retry::Linear => first.saturating_mul(tries.max(1)).min(longest),
    })
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_after_the_time_or_the_tries() {
        let retries = Retries::default();
        let minutes = |tries, now| next(&retries, tries, 0, now).map(|at| (at - now) as f64 / 60_000.0);
        assert!((0.8..=1.2).contains(&minutes(1, 0).unwrap()));
        assert!((3.2..=4.8).contains(&minutes(3, 0).unwrap()));
        assert!((192.0..=288.0).contains(&minutes(40, 0).unwrap()));
        let days = 86_400_000;
        assert_eq!(next(&retries, 9, 0, 5 * days - 1_000), Some(5 * days));
        assert_eq!(next(&retries, 9, 0, 5 * days), None);
    }

    #[test]
    fn the_peers_way_is_attempt_times_increment() {
        let retries = Retries { retry: Retry::Linear, retry_increment: 300, attempts: 5, ..Retries::default() };
        let minutes: Vec<_> = (1..=5).map(|tries| next(&retries, tries, 0, 0).map(|at| at / 60_000)).collect();
        assert_eq!(minutes, [Some(5), Some(10), Some(15), Some(20), None]);
    }
}
