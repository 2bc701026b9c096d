//! What a communication waits for, shown in its row while it waits.

use super::Communication;
use crate::store::{Store, communications};
use postigo_model::communication::{CommunicationRecord, Priority};
use postigo_net::waiting::telling;

/// Shows in the log what a communication waits for. What it has noted itself meanwhile is shown when it is saved.
#[derive(Debug)]
pub struct ShownWait {
    store: Store,
    log: Communication,
    key: &'static str,
    shown: bool,
}

impl ShownWait {
    /// Of a communication as it is now; `key` is that of the entries.
    pub fn of(store: &Store, log: &Communication, key: &'static str) -> Self {
        Self { store: store.clone(), log: log.clone(), key, shown: false }
    }

    /// Does something that may wait for a server; it lies on the heap, so that those around it stay small.
    pub fn during<T>(&mut self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        let work = Box::pin(work);
        let Self { store, log, key, shown } = self;
        let tell = |what: String| {
            *shown = true;
            log.entry(Priority::Info, key, format!("It waits for {what}."));
            save(store.clone(), log.so_far())
        };
        telling(work, tell)
    }

    /// Whether the communication has a row by now, which is to be ended.
    pub fn is_shown(&self) -> bool {
        self.shown
    }
}

/// Writes a communication as it is. A log that cannot be written must not stop mail that can.
pub async fn save(store: Store, record: CommunicationRecord) {
    let account = record.account.clone();
    let saved = store.write(record, |record, connection| Box::pin(communications::save(connection, record))).await;
    if let Err(error) = saved {
        tracing::warn!(account, %error, "the communication log could not be written");
    }
}
