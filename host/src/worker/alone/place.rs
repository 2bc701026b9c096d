//! The place for a message's own process: there is one a host. Of the accounts that wait for it that one is next whose
//! messages have had it for the shortest time: one whose messages take minutes keeps none waiting whose take a moment.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// For so long it is remembered how long an account has had the place.
const REMEMBERED: Duration = Duration::from_hours(1);

/// Who has the place of this host, and who waits for it.
#[derive(Debug, Default)]
pub struct ProcessPlaces {
    line: Mutex<PlaceLine>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct PlaceLine {
    is_taken: bool,
    /// In the order in which they came.
    waiting: Vec<(u64, String)>,
    had: HashMap<String, TimeHad>,
    tickets: u64,
}

#[derive(Debug)]
struct TimeHad {
    time: Duration,
    last: Instant,
}

/// The place, given back when it is dropped.
#[derive(Debug)]
pub struct ProcessPlace {
    places: Arc<ProcessPlaces>,
    account: String,
    since: Instant,
}

/// Somebody in line, who leaves it when this is dropped.
struct PlaceTicket<'p> {
    places: &'p Arc<ProcessPlaces>,
    account: &'p str,
    number: u64,
}

impl ProcessPlaces {
    /// Waits for the place. Whoever waits holds no message.
    pub async fn take(self: &Arc<Self>, account: &str) -> ProcessPlace {
        let ticket = PlaceTicket { places: self, account, number: self.lock().join(account) };
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Some(place) = ticket.redeem() {
                return place;
            }
            freed.await;
        }
    }

    /// Whether nobody has it or waits for it.
    pub fn is_free(&self) -> bool {
        let line = self.lock();
        !line.is_taken && line.waiting.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, PlaceLine> {
        // Changed by single steps, valid after each.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PlaceLine {
    /// The number of the ticket.
    fn join(&mut self, account: &str) -> u64 {
        self.had.retain(|_, had| had.last.elapsed() < REMEMBERED);
        self.tickets += 1;
        self.waiting.push((self.tickets, account.to_owned()));
        self.tickets
    }

    /// The number of who is next; none where the place is taken.
    fn next(&self) -> Option<u64> {
        let had = |account: &String| self.had.get(account).map_or(Duration::ZERO, |had| had.time);
        let waiting = self.waiting.iter().filter(|_| !self.is_taken);
        waiting.min_by_key(|(number, account)| (had(account), *number)).map(|(number, _)| *number)
    }

    fn leave(&mut self, number: u64) {
        self.waiting.retain(|(waiting, _)| *waiting != number);
    }

    fn give_back(&mut self, account: &str, had: Duration) {
        self.is_taken = false;
        let known = self.had.remove(account).map_or(Duration::ZERO, |had| had.time);
        self.had.insert(account.to_owned(), TimeHad { time: known + had, last: Instant::now() });
    }
}

impl PlaceTicket<'_> {
    /// The place, where its turn has come.
    fn redeem(&self) -> Option<ProcessPlace> {
        let mut line = self.places.lock();
        if line.next() != Some(self.number) {
            return None;
        }
        line.is_taken = true;
        let (places, account) = (Arc::clone(self.places), self.account.to_owned());
        Some(ProcessPlace { places, account, since: Instant::now() })
    }
}

impl Drop for PlaceTicket<'_> {
    fn drop(&mut self) {
        self.places.lock().leave(self.number);
        // It may have been the next.
        self.places.freed.notify_waiters();
    }
}

impl Drop for ProcessPlace {
    fn drop(&mut self) {
        self.places.lock().give_back(&self.account, self.since.elapsed());
        self.places.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is next, and then has the place for so many seconds.
    fn serve(line: &mut PlaceLine, seconds: u64) -> String {
        let number = line.next().unwrap();
        let account = line.waiting.iter().find(|(waiting, _)| *waiting == number).unwrap().1.clone();
        line.leave(number);
        line.give_back(&account, Duration::from_secs(seconds));
        account
    }

    #[test]
    fn an_account_whose_messages_take_minutes_waits_behind_all_others() {
        let mut line = PlaceLine::default();
        line.join("slow");
        assert_eq!(serve(&mut line, 300), "slow");
        line.join("slow");
        for _ in 0..3 {
            line.join("other");
            assert_eq!(serve(&mut line, 1), "other", "though it came later each time");
        }
        line.join("other");
        line.join("third");
        let order: Vec<String> = (0..3).map(|_| serve(&mut line, 1)).collect();
        assert_eq!(order, ["third", "other", "slow"]);
    }

    #[tokio::test]
    async fn one_has_the_place_and_who_leaves_the_line_keeps_nobody() {
        let places = Arc::new(ProcessPlaces::default());
        let first = places.take("first").await;
        let mut second = Box::pin(places.take("second"));
        let mut third = Box::pin(places.take("third"));
        for waiting in [&mut second, &mut third] {
            // Polled once.
            assert!(tokio::time::timeout(Duration::ZERO, waiting.as_mut()).await.is_err());
        }
        assert!(!places.is_free());
        drop(first);
        drop(second);
        drop(third.await);
        assert!(places.is_free());
    }
}
