//! Messages that several clients bring at the same moment are stored by the same statements, and share their commit: statements, not bytes, are
//! what storing a small message costs.

use super::TakenIn;
use crate::store::spool::{self as rows, NewRow, RawPlace};
use crate::store::{Store, StoreError};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// So many rows are stored together at most.
const MOST: usize = 64;
/// What has more rows or bytes has its own statements.
const SMALL: (usize, usize) = (8, 1 << 20);

type Answer = Result<Vec<TakenIn>, StoreError>;

/// What one client brought, and where its answer goes.
#[derive(Debug)]
struct Waiting {
    rows: Vec<NewRow>,
    caller: oneshot::Sender<Answer>,
}

/// Whoever waits to be stored.
#[derive(Debug, Default)]
pub struct Gathering {
    waiting: Mutex<VecDeque<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

impl Gathering {
    /// Stores messages of one client, all or none; with those of others where that is cheaper.
    pub async fn store(self: &Arc<Self>, store: &Store, rows: Vec<NewRow>) -> Answer {
        if !is_small(&rows) {
            return store.write(rows, |rows, connection| Box::pin(rows::insert(connection, rows))).await;
        }
        let (caller, answer) = oneshot::channel();
        self.waiting().push_back(Waiting { rows, caller });
        let (gathering, store) = (Arc::clone(self), store.clone());
        // A task of its own: others wait for it even if this caller is dropped.
        tokio::spawn(async move { gathering.serve(&store).await });
        answer.await.map_err(|_| StoreError::Stopped)?
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what waits, when it is its turn; another may have done so by then.
    async fn serve(&self, store: &Store) {
        let _turn = self.turn.lock().await;
        let batch = next(&mut self.waiting());
        if let [_, _, ..] = batch.as_slice() {
            store_together(store, batch).await;
        } else {
            store_each(store, batch).await;
        }
    }
}

/// The first of those that wait. A message that is there twice is left to the next batch, which then sees the first one stored.
fn next(waiting: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let mut digests = HashSet::new();
    let mut batch: Vec<Waiting> = Vec::new();
    let mut count = 0;
    while let Some(first) = waiting.front() {
        count += first.rows.len();
        let is_new = first
            .rows
            .iter()
            .flat_map(|row| [Some(&row.digest), row.content.as_ref()])
            .flatten()
            .all(|digest| digests.insert(digest.clone()));
        if !batch.is_empty() && (count > MOST || !is_new) {
            break;
        }
        batch.extend(waiting.pop_front());
    }
    batch
}

async fn store_together(store: &Store, batch: Vec<Waiting>) {
    let all: Arc<Vec<NewRow>> = Arc::new(batch.iter().flat_map(|waiting| waiting.rows.iter().cloned()).collect());
    match store.write(all, |rows, connection| Box::pin(rows::insert(connection, rows))).await {
        Ok(taken) => {
            let mut taken = taken.into_iter();
            for Waiting { rows, caller } in batch {
                // A caller that is gone asks again, and hears that its messages are known.
                let _ = caller.send(Ok(taken.by_ref().take(rows.len()).collect()));
            }
        }
        Err(error) if error.is_temporary() => {
            let source = match error {
                StoreError::Database { source, .. } => Some(Arc::new(source)),
                StoreError::Commit { source } => Some(source),
                _ => None,
            };
            for Waiting { caller, .. } in batch {
                let error = source.clone().map_or(StoreError::Stopped, |source| StoreError::Commit { source });
                let _ = caller.send(Err(error));
            }
        }
        // One of them spoils it for the others.
        Err(_) => store_each(store, batch).await,
    }
}

async fn store_each(store: &Store, batch: Vec<Waiting>) {
    for Waiting { rows, caller } in batch {
        let stored = store.write(rows, |rows, connection| Box::pin(rows::insert(connection, rows))).await;
        let _ = caller.send(stored);
    }
}

fn is_small(rows: &[NewRow]) -> bool {
    let (most_rows, most_bytes) = SMALL;
    let bytes = rows.iter().map(|row| match &row.raw {
        RawPlace::Row(raw) => raw.len(),
        // Its bytes lie in the object store, and must go from there if it is certain that they are not stored.
        RawPlace::Object(_) | RawPlace::Gone => usize::MAX / most_rows / 2,
    });
    rows.len() <= most_rows && bytes.sum::<usize>() <= most_bytes
}

#[cfg(test)]
mod tests {
    use crate::spool::{Arrival, SourceKey, Spool, TakenIn};
    use crate::store::{Location, Store};
    use futures_util::future::join_all;

    fn arrival(number: usize, recipients: &[&str]) -> Arrival {
        Arrival {
            account: "main".into(),
            key: SourceKey::DigestAfter(0),
            source: "lmtp".into(),
            received_at: 0,
            recipients: recipients.iter().map(|recipient| (*recipient).to_owned()).collect(),
            communication: None,
            raw: format!("Message-ID: <{number}@x.test>\r\n\r\n").into_bytes().into(),
        }
    }

    #[tokio::test]
    async fn each_client_hears_of_its_own_messages_and_a_retry_beside_its_first_try_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let spool = Spool::open(store, folder.path()).unwrap();
        let twice = (0..200).flat_map(|number| [(number, &["a@x.test", "b@x.test"][..]), (number, &["b@x.test"][..])]);
        let all: Vec<_> = twice.collect();
        let taken = join_all(all.iter().map(|(number, recipients)| spool.take_in(vec![arrival(*number, recipients)]))).await;
        let mut ids = std::collections::BTreeSet::new();
        for pair in taken.chunks(2) {
            let [Ok(first), Ok(second)] = pair else { panic!("{pair:?}") };
            let ([TakenIn::New(first)], [TakenIn::Adopted(second)]) = (first.as_slice(), second.as_slice()) else { panic!("{pair:?}") };
            assert_eq!(first, second);
            ids.insert(*first);
        }
        assert_eq!(ids.len(), 200);
        for (id, number) in ids.iter().zip(0..) {
            assert_eq!(spool.raw(*id).await.unwrap(), arrival(number, &[]).raw, "in the order in which they came");
        }
    }
}
