//! Which messages this process has claimed and has not told the end of yet: the store shows their end a moment earlier, and
//! in short. Who waits for both waits for what is told.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ids of messages of the spool. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct MessagesInHand(Arc<Mutex<HashSet<i64>>>);

impl MessagesInHand {
    /// Whether it is one of them.
    pub fn has(&self, id: i64) -> bool {
        self.ids().contains(&id)
    }

    /// Those of a run over an account, none yet.
    pub(crate) fn of_run(&self) -> RunInHand {
        RunInHand { all: self.clone(), own: HashSet::new() }
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<i64>> {
        // A set is whole at any instant.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of one run; with its end they are in its hand no more, told of or not.
pub(crate) struct RunInHand {
    all: MessagesInHand,
    own: HashSet<i64>,
}

impl RunInHand {
    /// Claimed, before anything is done with them.
    pub fn take(&mut self, ids: impl Iterator<Item = i64>) {
        self.own.extend(ids);
        self.all.ids().extend(&self.own);
    }

    /// Its end is told.
    pub fn told(&mut self, id: i64) {
        self.own.remove(&id);
        self.all.ids().remove(&id);
    }
}

impl Drop for RunInHand {
    fn drop(&mut self) {
        let mut all = self.all.ids();
        for id in &self.own {
            all.remove(id);
        }
    }
}
