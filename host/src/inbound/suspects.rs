//! Messages that may be what ended a connection: they are asked for alone and last, and given up for a while if they
//! end it each time.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// So often is a message asked for that ended the connection each time.
const TRIES: u8 = 3;
/// After so long one that was given up is asked for again: the server may have been the cause.
const AGAIN: Duration = Duration::from_mins(30);

#[derive(Debug, Clone, Copy)]
struct Suspect {
    tries: u8,
    last: Instant,
}

/// The suspects of one mailbox, each by a key of its source.
#[derive(Debug)]
pub struct Suspects<K>(HashMap<K, Suspect>);

impl<K> Default for Suspects<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Suspects<K> {
    /// The connection was lost while this one was fetched.
    pub fn add(&mut self, key: K) {
        let now = Instant::now();
        let suspect = self.0.entry(key).or_insert(Suspect { tries: 0, last: now });
        *suspect = Suspect { tries: suspect.tries.saturating_add(1), last: now };
    }

    /// This one was fetched after all.
    pub fn acquit(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// Forgets those that are not there any more.
    pub fn retain(&mut self, mut is_there: impl FnMut(&K) -> bool) {
        self.0.retain(|key, _| is_there(key));
    }

    /// Takes the suspects out of what is to be fetched: those that are to be fetched alone, the least suspect first,
    /// and how many are given up.
    pub fn set_apart<T>(&self, messages: &mut Vec<T>, key: impl Fn(&T) -> K) -> (Vec<T>, u64) {
        let (mut alone, mut given_up) = (Vec::new(), 0);
        for message in std::mem::take(messages) {
            match self.0.get(&key(&message)) {
                None => messages.push(message),
                Some(suspect) if suspect.tries > TRIES && suspect.last.elapsed() < AGAIN => given_up += 1,
                Some(suspect) => alone.push((suspect.tries, message)),
            }
        }
        // The guilty one ends the run.
        alone.sort_by_key(|(tries, _)| *tries);
        (alone.into_iter().map(|(_, message)| message).collect(), given_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_ends_every_connection_comes_last_alone_and_is_given_up() {
        let mut suspects = Suspects::default();
        let apart = |suspects: &Suspects<u32>| {
            let mut messages = vec![1, 2, 3];
            let (alone, given_up) = suspects.set_apart(&mut messages, |number| *number);
            (messages, alone, given_up)
        };
        suspects.add(1);
        suspects.add(1);
        suspects.add(2);
        assert_eq!(apart(&suspects), (vec![3], vec![2, 1], 0));
        suspects.acquit(&1);
        for _ in 0..TRIES {
            suspects.add(2);
        }
        assert_eq!(apart(&suspects), (vec![1, 3], vec![], 1));
        suspects.retain(|key| *key != 2);
        assert_eq!(apart(&suspects), (vec![1, 2, 3], vec![], 0));
    }
}
