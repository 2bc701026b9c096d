//! What is remembered of a mailbox between two runs of one process: messages that ended a run.

use super::listing::Listed;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// So often is a message asked for that ended the connection each time.
const TRIES: u8 = 3;
/// After so long one that was given up is asked for again: the server may have been the cause.
const AGAIN: Duration = Duration::from_mins(30);

/// A message that may be what ended the connection.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    tries: u8,
    last: Instant,
}

/// What is remembered of an account's mailbox between two runs.
#[derive(Debug, Default)]
pub struct Memory {
    of: Option<(i64, u32)>,
    suspects: HashMap<u32, Suspect>,
    mentioned: HashSet<u32>,
}

impl Memory {
    /// Forgets everything if this is another mailbox, or the same one renumbered.
    pub fn recall(&mut self, mailbox: i64, uid_validity: u32) {
        if self.of != Some((mailbox, uid_validity)) {
            *self = Self { of: Some((mailbox, uid_validity)), ..Self::default() };
        }
    }

    /// The connection was lost while these were fetched: one of them may be the cause.
    pub fn suspect(&mut self, messages: &[Listed]) {
        // A lone one is guilty; of several each comes alone next time.
        for message in messages {
            let now = Instant::now();
            let suspect = self.suspects.entry(message.uid).or_insert(Suspect { tries: 0, last: now });
            *suspect = Suspect { tries: suspect.tries.saturating_add(1), last: now };
        }
    }

    /// These were fetched after all.
    pub fn acquit(&mut self, messages: &[Listed]) {
        for message in messages {
            self.suspects.remove(&message.uid);
        }
    }

    /// Takes the suspects out of what is to be fetched: those that are to be fetched alone, at the end, and how many are given up.
    pub fn set_apart(&self, messages: &mut Vec<Listed>) -> (Vec<Listed>, u64) {
        let (mut alone, mut given_up) = (Vec::new(), 0);
        messages.retain(|message| match self.suspects.get(&message.uid) {
            None => true,
            Some(suspect) => {
                if suspect.tries > TRIES && suspect.last.elapsed() < AGAIN {
                    given_up += 1;
                } else {
                    alone.push(*message);
                }
                false
            }
        });
        // The least suspect first: the guilty one ends the run.
        alone.sort_by_key(|message| self.suspects.get(&message.uid).map(|suspect| suspect.tries));
        (alone, given_up)
    }

    /// Whether this is the first run to mention a message that is left on the server.
    pub fn first_mention(&mut self, uid: u32) -> bool {
        self.mentioned.insert(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(uid: u32) -> Listed {
        Listed { uid, size: 1, internal_date: 0, deleted: false, seen: false }
    }

    #[test]
    fn a_message_that_ends_every_run_comes_last_alone_and_is_given_up() {
        let mut memory = Memory::default();
        memory.recall(1, 1);
        memory.suspect(&[listed(1), listed(2)]);
        let mut messages = vec![listed(1), listed(2), listed(3)];
        assert_eq!(memory.set_apart(&mut messages), (vec![listed(1), listed(2)], 0));
        assert_eq!(messages, [listed(3)]);
        memory.acquit(&[listed(1)]);
        for _ in 0..TRIES {
            memory.suspect(&[listed(2)]);
        }
        let mut messages = vec![listed(1), listed(2), listed(3)];
        assert_eq!(memory.set_apart(&mut messages), (vec![], 1));
        assert_eq!(messages, [listed(1), listed(3)]);
        memory.recall(1, 2);
        assert_eq!(memory.set_apart(&mut vec![listed(2)]), (vec![], 0), "a renumbered mailbox has other messages");
    }
}
