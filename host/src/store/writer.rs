//! How writes become transactions: grouped by one writer on SQLite, each its own with retries on PostgreSQL.

use super::StoreError;
use futures_util::future::BoxFuture;
use postigo_supervision::{self as supervision, Panic, caught};
use sqlx::AnyPool;
use sqlx::{AnyConnection, Connection};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// What a write does: the borrowed input, the connection inside a transaction, the result. It may run more than once.
pub type WriteWork<I, T> = for<'c> fn(&'c I, &'c mut AnyConnection) -> BoxFuture<'c, Result<T, StoreError>>;

/// So many writes share a commit at most: more would make the first wait too long.
const GROUP: usize = 256;
/// So often is a transaction tried on PostgreSQL before its serialization failure is told.
const TRIES: u32 = 12;

/// A write that waits for the writer.
pub trait WriteJob: Send {
    /// Does the work, inside a savepoint.
    fn run<'c>(&'c mut self, connection: &'c mut AnyConnection) -> BoxFuture<'c, bool>;
    /// Tells the caller, after the commit; the error is the commit's.
    fn answer(self: Box<Self>, failed: Option<&Arc<sqlx::Error>>);
}

struct Write<I, T> {
    input: I,
    work: WriteWork<I, T>,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<I: Send + Sync, T: Send> WriteJob for Write<I, T> {
    fn run<'c>(&'c mut self, connection: &'c mut AnyConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let working = async { (self.work)(&self.input, connection).await };
            let result = caught(supervision::WorkKind::Write, "", working)
                .await
                .unwrap_or_else(|panic| Err(StoreError::Panicked(panic)));
            let done = result.is_ok();
            self.result = Some(result);
            done
        })
    }

    fn answer(self: Box<Self>, failed: Option<&Arc<sqlx::Error>>) {
        let result = match (self.result, failed) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(source)) => Err(StoreError::Commit { source: Arc::clone(source) }),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(StoreError::Stopped),
        };
        // A caller that no longer waits has nothing to be told.
        let _ = self.caller.send(result);
    }
}

/// Starts the writer over its own connection.
pub fn start(pool: AnyPool) -> mpsc::Sender<Box<dyn WriteJob>> {
    let (sender, receiver) = mpsc::channel(4 * GROUP);
    tokio::spawn(run(pool, receiver));
    sender
}

/// Hands a write to the writer and waits for its commit.
pub async fn submit<I, T>(
    writer: &mpsc::Sender<Box<dyn WriteJob>>,
    input: I,
    work: WriteWork<I, T>,
) -> Result<T, StoreError>
where
    I: Send + Sync + 'static,
    T: Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    let job: Box<dyn WriteJob> = Box::new(Write { input, work, result: None, caller });
    writer.send(job).await.map_err(|_| StoreError::Stopped)?;
    answer.await.map_err(|_| StoreError::Stopped)?
}

/// Ends when the last store is dropped: nobody writes any more.
async fn run(pool: AnyPool, mut waiting: mpsc::Receiver<Box<dyn WriteJob>>) {
    let mut group = Vec::with_capacity(GROUP);
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        let failed = caught(supervision::WorkKind::Writer, "", commit(&pool, &mut group))
            .await
            .unwrap_or_else(|panic| Err(broke(&panic)));
        let failed = failed.err().map(Arc::new);
        if let Some(error) = &failed {
            tracing::warn!(%error, writes = group.len(), "a commit failed; its writes were not done");
        }
        for job in group.drain(..) {
            job.answer(failed.as_ref());
        }
    }
}

/// A transaction that nobody ended is rolled back with its connection.
fn broke(panic: &Panic) -> sqlx::Error {
    sqlx::Error::Protocol(format!("the transaction panicked: {panic}"))
}

async fn commit(pool: &AnyPool, group: &mut [Box<dyn WriteJob>]) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let done = match caught(supervision::WorkKind::Writer, "", in_transaction(&mut connection, group)).await {
        Ok(done) => done,
        Err(panic) => {
            // Nobody knows where it stands.
            let _ = connection.close().await;
            return Err(broke(&panic));
        }
    };
    if done.is_err() && sqlx::query("ROLLBACK").execute(&mut *connection).await.is_err() {
        // SQLite rolls back by itself when the disk is full, and then knows of no transaction; a new connection is in a
        // known state either way.
        let _ = connection.close().await;
    }
    done
}

async fn in_transaction(connection: &mut AnyConnection, group: &mut [Box<dyn WriteJob>]) -> Result<(), sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let changed = match group {
        // A write alone needs no savepoint: its failure is the transaction's.
        [alone] => alone.run(connection).await,
        group => savepoints(connection, group).await?,
    };
    let end = if changed { "COMMIT" } else { "ROLLBACK" };
    sqlx::query(end).execute(&mut *connection).await?;
    tracing::trace!(changed, "committed");
    Ok(())
}

/// Runs each write in a savepoint of its own; says whether any of them did something.
async fn savepoints(connection: &mut AnyConnection, group: &mut [Box<dyn WriteJob>]) -> Result<bool, sqlx::Error> {
    let mut changed = false;
    for job in group {
        sqlx::query("SAVEPOINT one_write").execute(&mut *connection).await?;
        if job.run(connection).await {
            changed = true;
        } else {
            sqlx::query("ROLLBACK TO one_write").execute(&mut *connection).await?;
        }
        sqlx::query("RELEASE one_write").execute(&mut *connection).await?;
    }
    Ok(changed)
}

/// Runs a write as a transaction of its own (PostgreSQL), again when the server could not serialize it.
pub async fn transaction<I: Sync, T>(pool: &AnyPool, input: &I, work: WriteWork<I, T>) -> Result<T, StoreError> {
    let mut tried = 0;
    loop {
        tried += 1;
        match once(pool, input, work).await {
            Err(StoreError::Database { source, .. }) if tried < TRIES && must_repeat(&source) => {
                tokio::time::sleep(std::time::Duration::from_millis(u64::from(tried * tried))).await;
            }
            result => return result,
        }
    }
}

async fn once<I: Sync, T>(pool: &AnyPool, input: &I, work: WriteWork<I, T>) -> Result<T, StoreError> {
    let mut connection = pool.acquire().await?;
    let mut transaction = Connection::begin(&mut *connection).await?;
    // Dropped with an error, the transaction is rolled back.
    let working = async { work(input, &mut transaction).await };
    let value = caught(supervision::WorkKind::Write, "", working).await??;
    transaction.commit().await.map_err(|source| StoreError::Database { doing: "commit", source })?;
    tracing::trace!("committed");
    Ok(value)
}

/// Serialization failure, deadlock (SQLSTATE 40001, 40P01).
fn must_repeat(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "40001" || code == "40P01")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::Sql;
    use crate::store::{Location, Store};
    use sqlx::Row as _;

    fn row(id: i64) -> Sql {
        Sql::new(format!(
            "INSERT INTO broken_task (host, task, subject, why, times, at) VALUES ('{id}', 't', '', '', 1, {id})"
        ))
    }

    #[tokio::test]
    async fn a_write_that_panics_is_rolled_back_alone_and_its_caller_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let good: WriteWork<i64, u64> = |id, connection| Box::pin(async move { row(*id).execute(connection).await });
        let bad: WriteWork<i64, u64> = |id, connection| {
            Box::pin(async move {
                let done = row(*id).execute(connection).await;
                assert!(done.is_err(), "on purpose");
                done
            })
        };
        // The first is alone, or all share a transaction.
        let (first, second, third) = tokio::join!(store.write(1, good), store.write(2, bad), store.write(3, good));
        assert!(first.is_ok() && third.is_ok(), "{first:?} {third:?}");
        let told = second.unwrap_err();
        assert!(matches!(told, StoreError::Panicked(_)) && !told.is_temporary(), "{told}");
        assert!(told.to_string().contains("on purpose (host/src/store/writer.rs:"), "{told}");
        assert!(matches!(store.write(4, bad).await, Err(StoreError::Panicked(_))));
        store.write(5, good).await.unwrap();
        let mut connection = store.read().await.unwrap();
        let rows = Sql::new("SELECT at FROM broken_task ORDER BY at").all(&mut connection).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get::<i64, _>(0)).collect::<Vec<_>>(), [1, 3, 5]);
    }
}
