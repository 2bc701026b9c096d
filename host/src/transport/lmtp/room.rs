//! The memory that messages on their way in may take together, whatever listener and connection they come by: before this host has none left, clients
//! are told to come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of all messages together. One message alone may have more.
const MOST: u64 = 256 << 20;
/// So many bytes of a message are not counted: connections are.
const SMALL: u64 = 64 << 10;
/// A message takes so many bytes at once, so that counting costs nothing.
const STEP: u64 = 1 << 20;

/// The memory of a process for messages on their way in.
#[derive(Debug)]
pub struct Room {
    taken: AtomicU64,
    most: u64,
}

impl Default for Room {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Room {
    /// Room for so many bytes.
    pub fn of(most: u64) -> Self {
        Self { taken: AtomicU64::new(0), most }
    }

    /// The share of a message that begins.
    pub fn share(self: &Arc<Self>) -> Share {
        Share { room: Arc::clone(self), bytes: 0 }
    }
}

/// What one message takes; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    room: Arc<Room>,
    bytes: u64,
}

impl Share {
    /// Makes room for a message of so many bytes; false, and nothing taken, where there is none.
    pub fn hold(&mut self, bytes: u64) -> bool {
        if bytes <= SMALL.max(self.bytes) {
            return true;
        }
        let more = bytes.next_multiple_of(STEP) - self.bytes;
        let own = self.bytes;
        let take = |taken: u64| {
            let all = taken.saturating_add(more);
            // A message that is larger than all room passes when there is no other.
            (all <= self.room.most || taken == own).then_some(all)
        };
        let has_room = self.room.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        self.bytes += if has_room { more } else { 0 };
        has_room
    }

    /// Gives back what it takes.
    pub fn give_back(&mut self) {
        self.room.taken.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_take_room_together_and_give_it_back() {
        let room = Arc::new(Room::of(3 * STEP));
        let (mut first, mut second) = (room.share(), room.share());
        assert!(first.hold(2 * STEP) && second.hold(STEP));
        assert!(!first.hold(2 * STEP + 1) && !second.hold(STEP + 1), "all is taken");
        assert!(room.share().hold(SMALL), "small ones always pass");
        drop(second);
        assert!(first.hold(2 * STEP + 1));
        assert!(first.hold(9 * STEP), "one alone may be larger");
        assert!(!room.share().hold(SMALL + 1));
        first.give_back();
        assert!(room.share().hold(9 * STEP));
        assert_eq!(room.taken.load(Ordering::Relaxed), 0);
    }
}
