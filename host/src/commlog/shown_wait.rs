//! What a communication waits for, shown in its row while it waits.

use super::Communication;
use super::builder::LogView;
use crate::store::{Store, communications};
use postigo_model::communication::CommunicationRecord;
use postigo_net::waiting::telling;

/// Shows in the log what a communication waits for, among what it has noted up to then.
#[derive(Debug)]
pub struct ShownWait {
    store: Store,
    log: LogView,
    key: &'static str,
    shown: bool,
}

impl ShownWait {
    /// Of a communication; `key` is that of the entries.
    pub fn of(store: &Store, log: &Communication, key: &'static str) -> Self {
        Self { store: store.clone(), log: log.view(), key, shown: false }
    }

    /// Does something that may wait for a server; it lies on the heap, so that those around it stay small.
    pub fn during<T>(&mut self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        let work = Box::pin(work);
        async move {
            let done = telling(work, |what| self.show(&what)).await;
            self.log.end_wait();
            done
        }
    }

    /// Writes the row as it is when it is asked: whoever notes more meanwhile writes a later one after it.
    fn show(&mut self, what: &str) -> impl Future<Output = ()> + use<> {
        self.shown = true;
        self.log.begin_wait(self.key, format!("It waits for {what}."));
        save(self.store.clone(), self.log.so_far())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Location;
    use postigo_model::communication::{CommunicationKind, Priority};
    use postigo_net::waiting::waits_for;

    async fn entries(store: &Store, id: &str) -> Vec<String> {
        let mut connection = store.read().await.unwrap();
        let shown = communications::show(&mut connection, id, Priority::Debug).await.unwrap();
        shown.map_or_else(Vec::new, |shown| shown.communication.entries.into_iter().map(|entry| entry.value).collect())
    }

    #[tokio::test]
    async fn what_is_noted_while_it_waits_is_shown_with_the_wait_and_kept_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let mut log = Communication::start(CommunicationKind::Connection, "main", "imaps");
        let id = log.id().to_owned();
        log.entry(Priority::Info, "transport", "before");
        let mut wait = ShownWait::of(&store, &log, "transport");
        log.entry(Priority::Info, "transport", "between");
        save(store.clone(), log.so_far()).await;
        wait.show("the greeting").await;
        assert_eq!(entries(&store, &id).await, ["before", "between", "It waits for the greeting."]);
        log.entry(Priority::Warning, "transport", "after");
        save(store.clone(), log.so_far()).await;
        let shown = entries(&store, &id).await;
        assert!(
            shown.contains(&"It waits for the greeting.".to_owned()) && shown.len() == 4,
            "it waits still: {shown:?}"
        );
        wait.show("TLS").await;
        let shown = entries(&store, &id).await;
        assert!(shown.contains(&"after".to_owned()) && shown.contains(&"It waits for TLS.".to_owned()), "{shown:?}");
        assert_eq!(shown.len(), 4, "one wait at a time: {shown:?}");
        save(store.clone(), log.finish(false)).await;
        assert_eq!(entries(&store, &id).await, ["before", "between", "after"]);
    }

    #[tokio::test]
    async fn a_wait_that_has_ended_is_shown_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let log = Communication::start(CommunicationKind::Connection, "main", "imaps");
        let mut wait = ShownWait::of(&store, &log, "transport");
        let work = async {
            waits_for(|| "the greeting".to_owned());
            while entries(&store, log.id()).await.is_empty() {}
        };
        wait.during(work).await;
        assert!(wait.is_shown() && log.so_far().entries.is_empty(), "{log:?}");
    }
}
