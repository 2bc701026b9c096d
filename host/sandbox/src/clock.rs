//! How long a call has taken: the guest's own time, apart from what the host did for it and from waiting for a
//! processor.
//!
//! A short call asks the clock of the wall alone, which needs no system call. From its first tick on, a call's own time
//! is that of its thread on a processor, less its host calls: on a busy machine a guest is not blamed for standing in
//! line.

use super::limits::wall_limit;
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// The clock of one call.
#[derive(Debug)]
pub(super) struct Clock {
    limit: Duration,
    wall: Duration,
    began: Instant,
    /// In host calls, by the wall.
    host: Duration,
    ticked: Option<FirstTick>,
}

/// What was known at the first tick.
#[derive(Debug, Clone, Copy)]
struct FirstTick {
    own: Duration,
    host: Duration,
    processor: Duration,
}

/// What a call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The guest itself ran longer than its limit.
    Own {
        /// The limit.
        limit: Duration,
    },
    /// All of it, whoever it was, took longer than any call may.
    Wall {
        /// The limit of the whole call.
        limit: Duration,
        /// What the guest itself had of it.
        own: Duration,
    },
}

impl Clock {
    /// Begins now: the guest itself may run for `limit`. `usual` is the limit that the wall's limit follows from.
    pub(super) fn begin(limit: Duration, usual: Duration) -> Self {
        Self { limit, wall: wall_limit(usual), began: Instant::now(), host: Duration::ZERO, ticked: None }
    }

    /// A host call that began at `entered` ends.
    pub(super) fn leave(&mut self, entered: Instant) {
        self.host += entered.elapsed();
    }

    /// Whether the whole call has taken too long at `now`; asked at host calls.
    pub(super) fn check_wall(&mut self, now: Instant) -> Result<(), Over> {
        if now.saturating_duration_since(self.began) < self.wall {
            return Ok(());
        }
        Err(Over::Wall { limit: self.wall, own: self.own(Duration::MAX) })
    }

    /// Whether the guest has run too long; asked at each tick, `tick` apart at least.
    pub(super) fn check(&mut self, tick: Duration) -> Result<(), Over> {
        if self.own(tick) >= self.limit {
            return Err(Over::Own { limit: self.limit });
        }
        self.check_wall(Instant::now())
    }

    /// At the call's end: the guest's own time, and the host's.
    pub(super) fn end(&mut self) -> (Duration, Duration) {
        let own = if self.ticked.is_some() { self.own(Duration::MAX) } else { self.by_the_wall() };
        (own, self.host)
    }

    fn by_the_wall(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.host)
    }

    /// Before the first tick a guest has run for a `tick` at most, whatever the wall says.
    fn own(&mut self, tick: Duration) -> Duration {
        let Some(processor) = processor_time() else { return self.by_the_wall() };
        if let Some(ticked) = self.ticked {
            let since = processor.saturating_sub(ticked.processor);
            return ticked.own + since.saturating_sub(self.host.saturating_sub(ticked.host));
        }
        let own = self.by_the_wall().min(tick);
        self.ticked = Some(FirstTick { own, host: self.host, processor });
        own
    }
}

/// The time that this thread was on a processor; none where the system does not say.
pub(super) fn processor_time() -> Option<Duration> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok().map(Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    fn clock(limit: u64) -> Clock {
        let limit = Duration::from_millis(limit);
        Clock::begin(limit, limit)
    }

    fn earlier(now: Instant, milliseconds: u64) -> Instant {
        now.checked_sub(Duration::from_millis(milliseconds)).unwrap()
    }

    #[test]
    fn what_the_host_does_is_not_the_guests_time() {
        let mut clock = clock(250);
        let now = Instant::now();
        clock.began = earlier(now, 4_000);
        clock.leave(earlier(now, 3_999));
        assert_eq!(clock.check(TICK), Ok(()));
        assert!(clock.end().0 < Duration::from_millis(100), "{:?}", clock.end());
    }

    #[test]
    fn standing_in_line_is_not_the_guests_time() {
        // Four seconds by the wall, of which this thread was on a processor for next to nothing.
        let mut clock = clock(250);
        clock.began = earlier(Instant::now(), 4_000);
        assert_eq!(clock.check(TICK), Ok(()));
        assert!(clock.end().0 < Duration::from_millis(100), "{:?}", clock.end());
    }

    #[test]
    fn a_guest_that_runs_is_over_its_limit() {
        let mut clock = clock(20);
        while clock.check(TICK).is_ok() {
            std::hint::black_box(0);
        }
        assert_eq!(clock.check(TICK), Err(Over::Own { limit: Duration::from_millis(20) }));
        assert!(clock.end().0 >= Duration::from_millis(20));
    }

    #[test]
    fn nothing_goes_on_beyond_the_walls_limit() {
        let mut clock = clock(250);
        let now = Instant::now();
        clock.began = earlier(now, 60_000);
        clock.leave(clock.began);
        let over = clock.check_wall(now).unwrap_err();
        assert!(
            matches!(over, Over::Wall { limit, own } if limit == wall_limit(Duration::from_millis(250)) && own < limit),
            "{over:?}"
        );
    }
}
