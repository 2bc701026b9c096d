//! What a process has learnt of the messages of a mailbox, from one run to the next. Whatever is lost with it is only
//! learnt anew.

use super::suspects::Suspects;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// What was learnt of messages, each by a key of its source.
#[derive(Debug)]
pub struct Experience<K> {
    /// Messages that may be what ended a run.
    pub suspects: Suspects<K>,
    /// Bytes that messages have at least which are larger than their server lists them.
    larger: HashMap<K, u64>,
    /// Listed sizes, bytes, at which a message's bytes were compared with what is known: some servers list other sizes
    /// than their messages have.
    compared: HashMap<K, u64>,
    /// Messages that stay on the server, of which the log knows.
    mentioned: HashSet<K>,
}

impl<K> Default for Experience<K> {
    fn default() -> Self {
        Self {
            suspects: Suspects::default(),
            larger: HashMap::new(),
            compared: HashMap::new(),
            mentioned: HashSet::new(),
        }
    }
}

impl<K: Eq + Hash> Experience<K> {
    /// Forgets those that are not there any more.
    pub fn retain(&mut self, is_there: impl Fn(&K) -> bool) {
        self.suspects.retain(&is_there);
        self.larger.retain(|key, _| is_there(key));
        self.compared.retain(|key, _| is_there(key));
        self.mentioned.retain(&is_there);
    }

    /// The size as far as it is known, bytes, of a message that is listed with this one.
    pub fn size(&self, key: &K, listed: u64) -> u64 {
        self.larger.get(key).copied().unwrap_or(0).max(listed)
    }

    /// A message turned out to be larger than it is listed.
    pub fn is_larger(&mut self, key: K, size: u64) {
        self.larger.insert(key, size);
    }

    /// The spool has seen the bytes of a message that is listed with this size.
    pub fn compared(&mut self, key: K, listed: u64) {
        self.compared.insert(key, listed);
    }

    /// Whether the spool has seen its bytes since this process began.
    pub fn has_compared(&self, key: &K, listed: u64) -> bool {
        self.compared.get(key) == Some(&listed)
    }

    /// Whether the log knows of a message that is left on the server.
    pub fn has_mentioned(&self, key: &K) -> bool {
        self.mentioned.contains(key)
    }

    /// Whether this is the first run to mention a message that is left on the server.
    pub fn first_mention(&mut self, key: K) -> bool {
        self.mentioned.insert(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learnt_lasts_as_long_as_its_message() {
        let mut learnt = Experience::default();
        learnt.is_larger(1, 70);
        learnt.compared(1, 20);
        assert_eq!((learnt.size(&1, 20), learnt.size(&1, 90), learnt.size(&2, 20)), (70, 90, 20));
        assert!(learnt.has_compared(&1, 20) && !learnt.has_compared(&1, 21) && !learnt.has_compared(&2, 20));
        assert!(!learnt.has_mentioned(&1));
        assert!(learnt.first_mention(1) && !learnt.first_mention(1) && learnt.has_mentioned(&1));
        learnt.retain(|key| *key != 1);
        assert_eq!(learnt.size(&1, 20), 20);
        assert!(!learnt.has_compared(&1, 20) && learnt.first_mention(1));
    }
}
