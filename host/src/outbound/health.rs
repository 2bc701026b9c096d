//! How a transport does: how much it carries now, and how long it is left alone after it could not be used.

use super::attempt::TransportHealth;
use postigo_supervision::back_off;
use std::time::Duration;
use tokio::time::Instant;

/// The pauses of a transport that cannot be used: from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// How a transport does.
#[derive(Debug, Default)]
pub struct Health {
    busy: u32,
    /// In a row.
    failures: u32,
    paused_until: Option<Instant>,
}

impl Health {
    /// How many further mails the transport can take, of `connections` at once. One that cannot be used gets a single
    /// mail when its pause is over.
    pub fn free(&self, connections: u32) -> u32 {
        let most = match self.failures {
            _ if self.is_paused() => 0,
            0 => connections,
            _ => 1,
        };
        most.saturating_sub(self.busy)
    }

    fn is_paused(&self) -> bool {
        self.paused_until.is_some_and(|until| Instant::now() < until)
    }

    /// A try begins.
    pub fn begin(&mut self) {
        self.busy += 1;
    }

    /// A try has ended.
    pub fn end(&mut self, name: &str, transported: &TransportHealth) {
        self.busy = self.busy.saturating_sub(1);
        match transported {
            // Whether the transport works was not found out: it is as it was.
            TransportHealth::Unknown => {}
            // Several mails under way that fail together tell the same once.
            TransportHealth::Unreachable(_) if self.is_paused() => {}
            TransportHealth::Unreachable(why) => {
                self.failures = self.failures.saturating_add(1);
                self.paused_until = Some(Instant::now() + back_off::after_failures(self.failures, PAUSES.0, PAUSES.1));
                if self.failures == 1 {
                    tracing::warn!(
                        transport = name,
                        why,
                        "a transport cannot be used; its mails wait, and it is tried again and again"
                    );
                }
            }
            TransportHealth::Works => {
                if self.failures > 0 {
                    tracing::info!(transport = name, "a transport can be used again");
                }
                self.forgive();
            }
        }
    }

    /// What was wrong may be right now: the transport was configured anew, or has worked.
    pub fn forgive(&mut self) {
        (self.failures, self.paused_until) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_that_cannot_be_used_rests_and_then_gets_one_mail_until_it_works() {
        let mut health = Health::default();
        let mut end = |transported: TransportHealth, mails: u32, over: bool| {
            health.begin();
            health.end("relay", &transported);
            if over {
                health.paused_until = Some(Instant::now());
            }
            assert_eq!(health.free(5), mails, "{transported:?}");
            health.failures
        };
        let unreachable = || TransportHealth::Unreachable("No connection.".to_owned());
        assert_eq!(end(TransportHealth::Works, 5, false), 0);
        assert_eq!(end(unreachable(), 0, false), 1);
        assert_eq!(end(unreachable(), 0, false), 1, "mails that fail together count once");
        assert_eq!(end(unreachable(), 1, true), 1);
        assert_eq!(end(TransportHealth::Unknown, 1, true), 1, "that the database was away says nothing of the server");
        assert_eq!(end(unreachable(), 1, true), 2);
        assert_eq!(end(TransportHealth::Works, 5, false), 0);
    }

    #[test]
    fn what_is_under_way_takes_room() {
        let mut health = Health::default();
        (0..3).for_each(|_| health.begin());
        assert_eq!((health.free(5), health.free(2)), (2, 0));
    }
}
