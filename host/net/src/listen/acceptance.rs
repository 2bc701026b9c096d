//! What follows when the system cannot give a listener its next client.

use super::figures::{CloseReason, ListenerFigures};
use super::seldom::Seldom;
use postigo_supervision::back_off;
use std::io::{Error, ErrorKind};
use std::time::Duration;

/// The pause after a first failure, …
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// … and the longest: the client that waits has not gone, so the next try fails at once while the cause lasts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How accepting goes at one listener.
#[derive(Debug)]
pub struct Acceptance {
    listener: String,
    figures: ListenerFigures,
    failures: u32,
    said: Seldom,
}

impl Acceptance {
    /// Nothing has failed yet.
    pub fn of(listener: impl Into<String>, figures: ListenerFigures) -> Self {
        Self { listener: listener.into(), figures, failures: 0, said: Seldom::default() }
    }

    /// A client was accepted.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Accepting failed: how long to wait before the next try. A client that has gone again before it was accepted
    /// costs none.
    pub fn failed(&mut self, error: &Error) -> Duration {
        if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted) {
            return Duration::ZERO;
        }
        self.failures += 1;
        self.figures.refuse(&self.listener, CloseReason::Failed);
        if let Some(times) = self.said.happened() {
            tracing::warn!(listener = self.listener, times, %error, "clients could not be accepted; they are tried again after a pause");
        }
        back_off::after_failures(self.failures, FIRST_PAUSE, LONGEST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_descriptors_there_are_pauses_that_grow_until_a_client_is_accepted() {
        let figures = ListenerFigures::default();
        let mut acceptance = Acceptance::of("rest", figures.clone());
        let none_left = || Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
        let pauses: Vec<Duration> = (0..12).map(|_| acceptance.failed(&none_left())).collect();
        assert!(pauses.iter().all(|pause| *pause >= FIRST_PAUSE / 2 && *pause <= LONGEST_PAUSE * 2), "{pauses:?}");
        assert!(pauses[11] >= LONGEST_PAUSE / 2);
        assert_eq!(figures.refused("rest", CloseReason::Failed), 12);
        acceptance.succeeded();
        assert!(acceptance.failed(&none_left()) < LONGEST_PAUSE / 2);
        assert_eq!(
            acceptance.failed(&ErrorKind::ConnectionAborted.into()),
            Duration::ZERO,
            "that client has gone by itself"
        );
    }
}
