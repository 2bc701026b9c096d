//! The memory that what clients send may take together, shared so that no client has all of it: before this host has
//! none left, they are told to come again.
//!
//! A client may have as much as it leaves free. So one alone has half of the room at most, of two that take all they
//! can each has a third, and whoever comes then finds a third free.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of all that is on its way in together.
const MOST: u64 = 256 << 20;
/// So many bytes of each are not counted: connections are.
const SMALL: u64 = 64 << 10;
/// So many bytes are taken at once, so that counting costs nothing.
const STEP: u64 = 1 << 20;

/// Memory for what comes in.
#[derive(Debug)]
pub struct IntakeBudget {
    taken: Mutex<IntakeBudgetState>,
    most: u64,
}

#[derive(Debug, Default)]
struct IntakeBudgetState {
    all: u64,
    by_client: HashMap<Arc<str>, u64>,
    /// Something that is too large for any client's part is there.
    beyond: bool,
}

impl Default for IntakeBudget {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl IntakeBudget {
    /// Room for so many bytes.
    pub fn of(most: u64) -> Self {
        Self { taken: Mutex::default(), most }
    }

    /// The share of something that a client begins to send. Who counts as one client is the caller's to say: its
    /// address, its token.
    pub fn share(self: &Arc<Self>, client: &str) -> IntakeReservation {
        IntakeReservation { room: Arc::clone(self), client: client.into(), bytes: 0, beyond: false }
    }

    fn taken(&self) -> MutexGuard<'_, IntakeBudgetState> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one message or body takes; given back when it is dropped.
#[derive(Debug)]
pub struct IntakeReservation {
    room: Arc<IntakeBudget>,
    client: Arc<str>,
    bytes: u64,
    beyond: bool,
}

impl IntakeReservation {
    /// Makes room for so many bytes in all; false, and nothing more taken, where there is none.
    pub fn hold(&mut self, bytes: u64) -> bool {
        if bytes <= SMALL.max(self.bytes) {
            return true;
        }
        let bytes = bytes.checked_next_multiple_of(STEP).unwrap_or(bytes);
        if self.beyond || self.hold_within(bytes) {
            self.bytes = bytes;
            return true;
        }
        // Larger than half of the room fits into no part: one such at a time, beside all others.
        if bytes <= self.room.most / 2 || std::mem::replace(&mut self.room.taken().beyond, true) {
            return false;
        }
        self.give_back_counted();
        (self.bytes, self.beyond) = (bytes, true);
        true
    }

    fn hold_within(&self, bytes: u64) -> bool {
        let mut taken = self.room.taken();
        let more = bytes - self.bytes;
        let own = taken.by_client.get(&self.client).copied().unwrap_or_default().saturating_add(more);
        let all = taken.all.saturating_add(more);
        let fits = self.room.most.checked_sub(all).is_some_and(|free| own <= free);
        if fits {
            taken.all = all;
            taken.by_client.insert(Arc::clone(&self.client), own);
        }
        fits
    }

    /// Gives back what it takes.
    pub fn give_back(&mut self) {
        if std::mem::take(&mut self.beyond) {
            self.room.taken().beyond = false;
            self.bytes = 0;
        } else {
            self.give_back_counted();
        }
    }

    fn give_back_counted(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes == 0 {
            return;
        }
        let mut taken = self.room.taken();
        taken.all = taken.all.saturating_sub(bytes);
        if let Some(own) = taken.by_client.get_mut(&self.client) {
            *own = own.saturating_sub(bytes);
            if *own == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

impl Drop for IntakeReservation {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Bytes together with the share that they take, to be given back when the last copy is gone
/// (`bytes::Bytes::from_owner`).
#[derive(Debug)]
pub struct ReservedBytes {
    bytes: Vec<u8>,
    _share: IntakeReservation,
}

impl ReservedBytes {
    /// Keeps both.
    pub fn new(bytes: Vec<u8>, share: IntakeReservation) -> Self {
        Self { bytes, _share: share }
    }
}

impl AsRef<[u8]> for ReservedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn is_empty(room: &IntakeBudget) -> bool {
        let taken = room.taken();
        taken.all == 0 && taken.by_client.is_empty() && !taken.beyond
    }

    #[test]
    fn one_client_takes_half_at_most_however_many_messages_it_sends() {
        let room = Arc::new(IntakeBudget::of(12 * STEP));
        let mut greedy: Vec<IntakeReservation> = (0..46).map(|_| room.share("10.0.0.1")).collect();
        let held = greedy.iter_mut().filter_map(|share| share.hold(STEP).then_some(())).count();
        assert_eq!(held, 6);
        let mut other = room.share("10.0.0.2");
        assert!(other.hold(3 * STEP), "half of what is free is another's");
        assert!(!other.hold(4 * STEP));
        let mut third = room.share("10.0.0.3");
        assert!(third.hold(STEP) && !third.hold(2 * STEP), "and there is some for whoever comes next");
        assert!(room.share("10.0.0.4").hold(SMALL), "small ones always pass");
        drop((greedy, other));
        assert!(third.hold(6 * STEP));
        drop(third);
        assert!(is_empty(&room));
    }

    #[test]
    fn what_is_larger_than_any_part_comes_alone_and_leaves_the_room_to_others() {
        let room = Arc::new(IntakeBudget::of(8 * STEP));
        let (mut large, mut another) = (room.share("a"), room.share("b"));
        assert!(large.hold(4 * STEP) && large.hold(9 * STEP) && large.hold(90 * STEP));
        assert!(!another.hold(5 * STEP), "one at a time");
        assert!(another.hold(4 * STEP), "it takes nothing of the room");
        drop(large);
        assert!(another.hold(5 * STEP));
        another.give_back();
        assert!(is_empty(&room));
        assert!(another.hold(STEP), "a share may begin again");
    }

    #[test]
    fn room_is_given_back_with_the_last_copy_of_the_bytes() {
        let room = Arc::new(IntakeBudget::of(8 * STEP));
        let mut share = room.share("a");
        assert!(share.hold(STEP));
        let bytes = Bytes::from_owner(ReservedBytes::new(vec![b'x'; 10], share));
        let copy = bytes.slice(1..3);
        drop(bytes);
        assert!(!is_empty(&room));
        drop(copy);
        assert!(is_empty(&room));
    }
}
