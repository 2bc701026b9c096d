//! What is remembered of a mailbox between two runs of one process.

use super::listing::Listed;
use crate::transport::suspects::Suspects;
use std::collections::{HashMap, HashSet};

/// What is remembered of an account's mailbox between two runs, by the messages' names.
#[derive(Debug, Default)]
pub struct Memory {
    /// Messages that ended a run.
    pub(super) suspects: Suspects<String>,
    /// True sizes, bytes, of messages that are larger than the server lists them.
    larger: HashMap<String, u64>,
    /// Listed sizes, bytes, at which a known message's bytes were compared: some servers list other sizes than their messages have.
    compared: HashMap<String, u64>,
    /// Messages that stay on the server, of which the log knows.
    mentioned: HashSet<String>,
}

impl Memory {
    /// Forgets what a listing lacks.
    pub(super) fn keep_only(&mut self, listed: &[Listed]) {
        let names: HashSet<&str> = listed.iter().map(|message| message.name.as_str()).collect();
        self.suspects.retain(|name| names.contains(name.as_str()));
        self.larger.retain(|name, _| names.contains(name.as_str()));
        self.compared.retain(|name, _| names.contains(name.as_str()));
        self.mentioned.retain(|name| names.contains(name.as_str()));
    }

    /// The size as far as it is known, bytes.
    pub(super) fn size(&self, message: &Listed) -> u64 {
        self.larger.get(&message.name).copied().unwrap_or(0).max(message.size)
    }

    /// A message turned out to be larger than listed. Without a unique-id it cannot be told from others of its listed size.
    pub(super) fn is_larger(&mut self, message: &Listed, size: u64) {
        if !message.uidl.is_empty() {
            self.larger.insert(message.name.clone(), size);
        }
    }

    /// The spool has seen the bytes of this message.
    pub(super) fn compared(&mut self, message: &Listed) {
        self.compared.insert(message.name.clone(), message.size);
    }

    /// Whether the spool has seen its bytes since this process began.
    pub(super) fn has_compared(&self, message: &Listed) -> bool {
        self.compared.get(&message.name) == Some(&message.size)
    }

    /// Whether this is the first run to mention a message that is left on the server.
    pub(super) fn first_mention(&mut self, message: &Listed) -> bool {
        self.mentioned.insert(message.name.clone())
    }
}
