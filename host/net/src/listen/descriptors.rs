//! The descriptors of this process: as many as the system lets it have, of which clients of listeners never take those
//! that fetching, sending, the database and files need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many are kept back where there are enough.
const KEPT_BACK: usize = 1_024;
/// With fewer an admin is told how to get more.
const ENOUGH: usize = 4 * KEPT_BACK;
/// Taken for the limit where the system names none.
const UNLIMITED: usize = 1 << 20;

/// How many descriptors there are, and what listeners take of them. Shared by all listeners of a process.
#[derive(Debug)]
pub struct Descriptors {
    limit: usize,
    kept_back: usize,
    listeners: AtomicUsize,
    connections: AtomicUsize,
}

impl Descriptors {
    /// Raises the process's soft limit (`RLIMIT_NOFILE`) to the hard one, which needs no rights, and says in the log
    /// what came of it.
    pub fn raised() -> Arc<Self> {
        let before = getrlimit(Resource::Nofile);
        let wanted = Rlimit { current: before.maximum, maximum: before.maximum };
        let current = match setrlimit(Resource::Nofile, wanted) {
            Ok(()) => before.maximum,
            Err(error) => {
                tracing::warn!(%error, "the limit of open files could not be raised to the hard one");
                before.current
            }
        };
        let descriptors = Self::of(current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(UNLIMITED));
        let (limit, kept_back) = (descriptors.limit, descriptors.kept_back);
        if limit < ENOUGH {
            tracing::warn!(
                limit,
                kept_back,
                "there are few descriptors, so listeners take fewer clients; raise the hard limit of open files (LimitNOFILE= of systemd) to 4096 or more"
            );
        } else {
            tracing::info!(
                limit,
                kept_back,
                "descriptors: those kept back are for fetching, sending, the database and files"
            );
        }
        Arc::new(descriptors)
    }

    /// So many in all.
    pub fn of(limit: usize) -> Self {
        Self {
            limit,
            kept_back: KEPT_BACK.min(limit / 2),
            listeners: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
        }
    }

    /// All that the process may have open.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Those that no client of a listener takes.
    pub fn kept_back(&self) -> usize {
        self.kept_back
    }

    /// How many connections one listener may have now: an equal part of what is not kept back, and no more than it
    /// wants.
    pub(super) fn part(&self, wanted: usize) -> usize {
        let listeners = self.listeners.load(Ordering::Relaxed).max(1);
        wanted.min((self.limit - self.kept_back) / listeners).max(1)
    }

    /// Whether all listeners together have taken what is not kept back.
    pub(super) fn are_taken(&self) -> bool {
        self.connections.load(Ordering::Relaxed) >= self.limit - self.kept_back
    }

    /// A listener that wants its part, for as long as what is given is kept.
    pub(super) fn listener(self: &Arc<Self>) -> DescriptorCount {
        DescriptorCount::one(self, |descriptors| &descriptors.listeners)
    }

    /// A connection that is open for as long as what is given is kept.
    pub(super) fn connection(self: &Arc<Self>) -> DescriptorCount {
        DescriptorCount::one(self, |descriptors| &descriptors.connections)
    }
}

/// One of a count, until it is dropped.
#[derive(Debug)]
pub(super) struct DescriptorCount {
    descriptors: Arc<Descriptors>,
    of: fn(&Descriptors) -> &AtomicUsize,
}

impl DescriptorCount {
    fn one(descriptors: &Arc<Descriptors>, of: fn(&Descriptors) -> &AtomicUsize) -> Self {
        of(descriptors).fetch_add(1, Ordering::Relaxed);
        Self { descriptors: Arc::clone(descriptors), of }
    }
}

impl Drop for DescriptorCount {
    fn drop(&mut self) {
        (self.of)(&self.descriptors).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_share_what_is_not_kept_back_and_a_small_limit_lowers_all() {
        let many = Arc::new(Descriptors::of(20_000));
        assert_eq!((many.kept_back(), many.part(1_000)), (1_024, 1_000));
        let few = Arc::new(Descriptors::of(400));
        assert_eq!((few.kept_back(), few.part(1_000)), (200, 200));
        let listeners: Vec<DescriptorCount> = (0..4).map(|_| few.listener()).collect();
        assert_eq!(few.part(1_000), 50);
        drop(listeners);
        assert_eq!(few.part(1_000), 200);
        assert_eq!(Descriptors::of(0).part(1_000), 1, "whatever the limit, one may try");
    }

    #[test]
    fn all_listeners_together_leave_what_is_kept_back() {
        let descriptors = Arc::new(Descriptors::of(8));
        let mut connections: Vec<DescriptorCount> = (0..4).map(|_| descriptors.connection()).collect();
        assert!(descriptors.are_taken());
        connections.pop();
        assert!(!descriptors.are_taken());
    }
}
