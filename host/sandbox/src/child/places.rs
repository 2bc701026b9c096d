//! Who may have a child process now. Whoever asks a lot waits for themself alone: the next place goes to the asker who
//! was served longest ago, authors never have more than one, and one is kept for admins.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Children at work at once.
const ALL: usize = 3;
/// Of these, for authors and the host's own work together.
const NOT_ADMINS: usize = 2;
/// Of these, for all authors together.
const AUTHORS: usize = 1;

/// On whose behalf something is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// The host's own work, and the command line.
    Host,
    /// An admin, by the row id of their token.
    Admin(i64),
    /// Another one who may write filters and make dry runs, by the row id of their token.
    Author(i64),
}

/// The places that there are.
#[derive(Debug, Default)]
pub(super) struct ChildPlaces {
    queue: Mutex<PlaceQueue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct PlaceQueue {
    working: Vec<Asker>,
    /// In the order in which they came.
    waiting: Vec<(u64, Asker)>,
    /// When an asker got a place last, of those who work or wait.
    served: HashMap<Asker, u64>,
    clock: u64,
}

/// A place, given back when it is dropped.
pub(super) struct ChildPlace<'p> {
    places: &'p ChildPlaces,
    asker: Asker,
}

impl ChildPlaces {
    /// Waits for a place. Blocks.
    pub(super) fn take(&self, asker: Asker) -> ChildPlace<'_> {
        let mut queue = self.lock();
        let ticket = queue.join(asker);
        let mut queue = self
            .changed
            .wait_while(queue, |queue| queue.next() != Some(ticket))
            .unwrap_or_else(PoisonError::into_inner);
        queue.serve(ticket);
        // There may be room for one more.
        self.changed.notify_all();
        ChildPlace { places: self, asker }
    }

    fn lock(&self) -> MutexGuard<'_, PlaceQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PlaceQueue {
    fn join(&mut self, asker: Asker) -> u64 {
        self.clock += 1;
        self.waiting.push((self.clock, asker));
        self.clock
    }

    /// The ticket of who is next, if there is room for any of them.
    fn next(&self) -> Option<u64> {
        let working = |of: fn(&Asker) -> bool| self.working.iter().filter(|asker| of(asker)).count();
        let admins = working(|asker| matches!(asker, Asker::Admin(_)));
        let authors = working(|asker| matches!(asker, Asker::Author(_)));
        let all = self.working.len();
        let fits = |asker: &Asker| match asker {
            Asker::Admin(_) => all < ALL,
            Asker::Host => all < ALL && all - admins < NOT_ADMINS,
            Asker::Author(_) => all < ALL && all - admins < NOT_ADMINS && authors < AUTHORS,
        };
        let waiting = self.waiting.iter().filter(|(_, asker)| fits(asker));
        waiting
            .min_by_key(|(ticket, asker)| (self.served.get(asker).copied().unwrap_or(0), *ticket))
            .map(|(ticket, _)| *ticket)
    }

    fn serve(&mut self, ticket: u64) {
        let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == ticket) else { return };
        let (_, asker) = self.waiting.remove(at);
        self.working.push(asker);
        self.clock += 1;
        self.served.insert(asker, self.clock);
    }

    fn leave(&mut self, asker: Asker) {
        if let Some(at) = self.working.iter().position(|working| *working == asker) {
            self.working.swap_remove(at);
        }
        let Self { working, waiting, served, .. } = self;
        served.retain(|asker, _| working.contains(asker) || waiting.iter().any(|(_, waiting)| waiting == asker));
    }
}

impl Drop for ChildPlace<'_> {
    fn drop(&mut self) {
        self.places.lock().leave(self.asker);
        self.places.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who gets a place, one after the other, until there is room for nobody.
    fn serve_all(queue: &mut PlaceQueue) -> Vec<Asker> {
        let before = queue.working.len();
        while let Some(ticket) = queue.next() {
            queue.serve(ticket);
        }
        queue.working[before..].to_vec()
    }

    #[test]
    fn authors_leave_room_for_the_host_and_for_an_admin() {
        let mut queue = PlaceQueue::default();
        let mallory = Asker::Author(6);
        for _ in 0..6 {
            queue.join(mallory);
        }
        assert_eq!(serve_all(&mut queue), [mallory]);
        queue.join(Asker::Host);
        queue.join(Asker::Host);
        assert_eq!(serve_all(&mut queue), [Asker::Host]);
        queue.join(Asker::Admin(1));
        assert_eq!(serve_all(&mut queue), [Asker::Admin(1)], "with six of an author and two of the host before it");
    }

    #[test]
    fn one_author_with_many_requests_keeps_no_other_waiting_behind_them() {
        let mut queue = PlaceQueue::default();
        let (mallory, alice) = (Asker::Author(6), Asker::Author(7));
        for _ in 0..6 {
            queue.join(mallory);
        }
        assert_eq!(serve_all(&mut queue), [mallory]);
        queue.join(alice);
        queue.leave(mallory);
        assert_eq!(serve_all(&mut queue), [alice]);
        queue.leave(alice);
        assert_eq!(serve_all(&mut queue), [mallory]);
    }

    #[test]
    fn places_are_given_back() {
        let places = ChildPlaces::default();
        for _ in 0..10 {
            let _all = [places.take(Asker::Admin(1)), places.take(Asker::Admin(1)), places.take(Asker::Admin(2))];
        }
        std::thread::scope(|scope| {
            for author in 0..10 {
                let places = &places;
                scope.spawn(move || drop(places.take(Asker::Author(author))));
            }
        });
        let queue = places.lock();
        assert!(queue.working.is_empty() && queue.waiting.is_empty() && queue.served.is_empty(), "{queue:?}");
    }
}
