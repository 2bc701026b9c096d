//! Room for guests: the bytes that all instances of this host may hold together.
//!
//! An instance takes what it begins with, and more as it grows, without waiting: a call for which there is no room is
//! broken off, not failed. Only who holds nothing waits, in a line, for as much as its limit allows, so that no two can
//! wait for one another. Instances that are kept ready give way to those who wait.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The room of one host.
pub(super) struct GuestBudget {
    total: u64,
    state: Mutex<BudgetState>,
    freed: Condvar,
    spares: Mutex<Vec<Weak<dyn Spare>>>,
}

#[derive(Default)]
struct BudgetState {
    held: u64,
    /// The tickets of those who wait, the first one first.
    waiting: VecDeque<u64>,
    tickets: u64,
}

/// Who holds room that nobody needs at the moment.
pub(super) trait Spare: Send + Sync {
    /// Gives it back.
    fn give_up(&self);
}

impl GuestBudget {
    /// Room for so many bytes.
    pub(super) fn of(total: u64) -> Arc<Self> {
        Arc::new(Self { total, state: Mutex::default(), freed: Condvar::new(), spares: Mutex::default() })
    }

    /// All there is, in bytes.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// From now on `spare` is asked to give up what it keeps when others wait.
    pub(super) fn add_spare(&self, spare: Weak<dyn Spare>) {
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        spares.retain(|spare| spare.strong_count() > 0);
        spares.push(spare);
    }

    /// Takes room for an instance that begins; none where there is not enough, or others wait.
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Option<GuestReservation> {
        self.take_below(bytes, self.total)
    }

    /// The same for an instance that is kept ready: half the room is left for those that are needed.
    pub(super) fn take_spare(self: &Arc<Self>, bytes: u64) -> Option<GuestReservation> {
        self.take_below(bytes, self.total / 2)
    }

    /// Whether somebody waits for room.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    /// Waits for room, as long as `patience` at most. Whoever calls this must hold no room: else those who wait could
    /// wait for one another.
    pub(super) fn wait(self: &Arc<Self>, bytes: u64, patience: Duration) -> Option<GuestReservation> {
        let until = Instant::now() + patience;
        let ticket = {
            let mut state = self.lock();
            state.tickets += 1;
            let ticket = state.tickets;
            state.waiting.push_back(ticket);
            ticket
        };
        // Nothing is kept ready anew from now on.
        let spares: Vec<_> =
            self.spares.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
        for spare in spares {
            spare.give_up();
        }
        let mut state = self.lock();
        loop {
            let fits = state.held.checked_add(bytes).is_some_and(|held| held <= self.total);
            let left = until.saturating_duration_since(Instant::now());
            let first = state.waiting.front() == Some(&ticket);
            if (first && fits) || left.is_zero() {
                state.waiting.retain(|waiting| *waiting != ticket);
                let taken = first && fits;
                if taken {
                    state.held += bytes;
                }
                self.freed.notify_all();
                return taken.then(|| GuestReservation::of(self, bytes));
            }
            state = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn take_below(self: &Arc<Self>, bytes: u64, most: u64) -> Option<GuestReservation> {
        let mut state = self.lock();
        let held = state.held.checked_add(bytes).filter(|held| *held <= most)?;
        if !state.waiting.is_empty() {
            return None;
        }
        state.held = held;
        drop(state);
        Some(GuestReservation::of(self, bytes))
    }

    /// Room for an instance that grows. Those who wait do not keep it from ending.
    fn grow(&self, bytes: u64) -> bool {
        let mut state = self.lock();
        match state.held.checked_add(bytes).filter(|held| *held <= self.total) {
            Some(held) => {
                state.held = held;
                true
            }
            None => false,
        }
    }

    fn give_back(&self, bytes: u64) {
        let mut state = self.lock();
        state.held = state.held.saturating_sub(bytes);
        let waited_for = !state.waiting.is_empty();
        drop(state);
        if waited_for {
            self.freed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BudgetState> {
        // A few plain values, valid at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one instance holds; given back when it is dropped.
pub(super) struct GuestReservation {
    /// None: nobody counts, as in a child process, which has limits of its own.
    room: Option<Arc<GuestBudget>>,
    bytes: AtomicU64,
    short: AtomicBool,
}

impl GuestReservation {
    fn of(room: &Arc<GuestBudget>, bytes: u64) -> Self {
        Self { room: Some(Arc::clone(room)), bytes: AtomicU64::new(bytes), short: AtomicBool::new(false) }
    }

    /// Holds what it likes.
    pub(super) fn uncounted() -> Self {
        Self { room: None, bytes: AtomicU64::new(0), short: AtomicBool::new(false) }
    }

    /// Sees to it that `bytes` are held; false where there is no room for them.
    pub(super) fn cover(&self, bytes: u64) -> bool {
        let Some(room) = &self.room else { return true };
        let more = bytes.saturating_sub(self.bytes.load(Ordering::Relaxed));
        if more == 0 {
            return true;
        }
        if room.grow(more) {
            self.bytes.fetch_add(more, Ordering::Relaxed);
            return true;
        }
        self.short.store(true, Ordering::Relaxed);
        false
    }

    /// Whether there was no room for something.
    pub(super) fn was_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    /// Takes over what another one holds of the same room.
    pub(super) fn take_over(&self, other: &Self) {
        self.bytes.fetch_add(other.bytes.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Drop for GuestReservation {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            room.give_back(*self.bytes.get_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SOON: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn no_more_is_held_than_there_is_and_what_is_dropped_is_given_back() {
        let room = GuestBudget::of(100);
        let first = room.take(60).unwrap();
        assert!(room.take(41).is_none());
        assert!(!first.cover(101));
        assert!(first.was_short());
        assert!(first.cover(100));
        assert!(room.wait(1, SOON).is_none());
        drop(first);
        assert!(room.take(100).is_some());
    }

    #[test]
    fn who_waits_is_served_in_line_and_before_those_who_begin() {
        let room = GuestBudget::of(100);
        let running = room.take(60).unwrap();
        let (sender, served) = mpsc::channel();
        std::thread::scope(|scope| {
            for bytes in [90, 20] {
                let waiting = room.lock().waiting.len();
                let (room, sender) = (Arc::clone(&room), sender.clone());
                scope.spawn({
                    let room = Arc::clone(&room);
                    move || {
                        let held = room.wait(bytes, LONG).unwrap();
                        sender.send(bytes).unwrap();
                        drop(held);
                    }
                });
                while room.lock().waiting.len() == waiting {
                    std::thread::yield_now();
                }
            }
            assert!(room.take(1).is_none(), "nobody goes before those who wait");
            assert!(running.cover(70), "who has begun may come to its end");
            drop(running);
            assert_eq!([served.recv().unwrap(), served.recv().unwrap()], [90, 20]);
        });
        assert_eq!(room.lock().held, 0);
    }

    #[test]
    fn what_is_kept_ready_leaves_half_and_gives_way_to_who_waits() {
        struct Kept(Mutex<Vec<GuestReservation>>);
        impl Spare for Kept {
            fn give_up(&self) {
                self.0.lock().unwrap().clear();
            }
        }
        let room = GuestBudget::of(100);
        let kept = Arc::new(Kept(Mutex::default()));
        let spare: Arc<dyn Spare> = kept.clone();
        room.add_spare(Arc::downgrade(&spare));
        kept.0.lock().unwrap().push(room.take_spare(50).unwrap());
        assert!(room.take_spare(1).is_none());
        assert!(room.take(51).is_none());
        assert!(room.wait(100, SOON).is_some());
    }
}
