//! The memory that messages which are worked on may take together, whatever account they are of: what parsing makes of
//! a mail counts, not its bytes alone.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Bytes of all messages together that this host works on at a time, by what is reckoned with.
const MOST: u64 = 1 << 30;
/// So many bytes of memory are reckoned with for each byte of a message.
const FACTOR: u64 = 12;
/// A short message may hold many fields, addresses and parts, which are bounded: so many more bytes for each byte, and
/// altogether.
const DENSE: (u64, u64) = (64, 8 << 20);

/// The memory that is reckoned with for a message of so many bytes: more than reading and filing the worst one takes.
pub fn memory_of(size: u64) -> u64 {
    size.saturating_mul(FACTOR).saturating_add(size.saturating_mul(DENSE.0).min(DENSE.1))
}

/// The memory of a worker.
#[derive(Debug)]
pub struct WorkerBudget {
    taken: Mutex<WorkerBudgetState>,
    freed: Notify,
    most: u64,
}

#[derive(Debug, Default)]
struct WorkerBudgetState {
    all: u64,
    large: u64,
}

impl Default for WorkerBudget {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl WorkerBudget {
    /// Room for so many bytes.
    pub fn of(most: u64) -> Self {
        Self { taken: Mutex::default(), freed: Notify::new(), most }
    }

    /// The share of a message of so many bytes; none where there is no room now.
    pub fn try_hold(self: &Arc<Self>, size: u64) -> Option<WorkerReservation> {
        let (bytes, is_large) = self.reckoned(size);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all + bytes > self.most || is_large && taken.large + bytes > self.most_large() {
            return None;
        }
        taken.all += bytes;
        taken.large += if is_large { bytes } else { 0 };
        Some(WorkerReservation { room: Arc::clone(self), bytes, is_large })
    }

    /// The share of a message of so many bytes, as soon as there is room. Whoever waits must hold no other.
    pub async fn hold(self: &Arc<Self>, size: u64) -> WorkerReservation {
        loop {
            let freed = self.freed.notified();
            let mut freed = std::pin::pin!(freed);
            freed.as_mut().enable();
            if let Some(share) = self.try_hold(size) {
                return share;
            }
            freed.await;
        }
    }

    /// What is reckoned with for a message, and whether it is a large one. One that is larger than all room has all
    /// that large ones may have.
    fn reckoned(&self, size: u64) -> (u64, bool) {
        let bytes = memory_of(size);
        (bytes.min(self.most_large()), bytes > self.most / 32)
    }

    /// Large ones leave a quarter to the others.
    fn most_large(&self) -> u64 {
        self.most / 4 * 3
    }
}

/// What one message takes; given back when it is dropped.
#[derive(Debug)]
pub struct WorkerReservation {
    room: Arc<WorkerBudget>,
    bytes: u64,
    is_large: bool,
}

impl Drop for WorkerReservation {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= self.bytes;
        taken.large -= if self.is_large { self.bytes } else { 0 };
        drop(taken);
        self.room.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn large_messages_leave_room_for_the_others() {
        let room = Arc::new(WorkerBudget::of(4 * memory_of(24 * MIB)));
        let large: Vec<WorkerReservation> = std::iter::from_fn(|| room.try_hold(24 * MIB)).collect();
        assert_eq!(large.len(), 3, "three quarters of the room");
        let others: Vec<WorkerReservation> = std::iter::from_fn(|| room.try_hold(64 << 10)).collect();
        assert_eq!(others.len() as u64, memory_of(24 * MIB) / memory_of(64 << 10));
        drop(large);
        assert!(room.try_hold(1_000 * MIB).is_some(), "one that is larger than all room has that of the large ones");
        drop(others);
        let taken = room.taken.lock().unwrap();
        assert_eq!((taken.all, taken.large), (0, 0));
    }

    #[tokio::test]
    async fn who_waits_gets_room_when_it_is_given_back() {
        let room = Arc::new(WorkerBudget::of(2 * memory_of(7 * MIB) - 1));
        let first = room.try_hold(7 * MIB);
        assert!(first.is_some());
        let waiting = tokio::spawn({
            let room = Arc::clone(&room);
            async move { room.hold(7 * MIB).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        waiting.await.unwrap();
    }
}
