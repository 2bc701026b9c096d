//! How writes become transactions: grouped by one writer on SQLite, each its own with retries on PostgreSQL.

use super::{StoreError, Work};
use futures_util::future::BoxFuture;
use sqlx::AnyPool;
use sqlx::{AnyConnection, Connection};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// So many writes share a commit at most: more would make the first wait too long.
const GROUP: usize = 256;
/// So often is a transaction tried on PostgreSQL before its serialization failure is told.
const TRIES: u32 = 12;

/// A write that waits for the writer.
pub trait Job: Send {
    /// Does the work, inside a savepoint.
    fn run<'c>(&'c mut self, connection: &'c mut AnyConnection) -> BoxFuture<'c, bool>;
    /// Tells the caller, after the commit; the error is the commit's.
    fn answer(self: Box<Self>, failed: Option<&Arc<sqlx::Error>>);
}

struct Write<I, T> {
    input: I,
    work: Work<I, T>,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<I: Send + Sync, T: Send> Job for Write<I, T> {
    fn run<'c>(&'c mut self, connection: &'c mut AnyConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let result = (self.work)(&self.input, connection).await;
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
pub fn start(pool: AnyPool) -> mpsc::Sender<Box<dyn Job>> {
    let (sender, receiver) = mpsc::channel(4 * GROUP);
    tokio::spawn(run(pool, receiver));
    sender
}

/// Hands a write to the writer and waits for its commit.
pub async fn submit<I, T>(writer: &mpsc::Sender<Box<dyn Job>>, input: I, work: Work<I, T>) -> Result<T, StoreError>
where
    I: Send + Sync + 'static,
    T: Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    let job: Box<dyn Job> = Box::new(Write { input, work, result: None, caller });
    writer.send(job).await.map_err(|_| StoreError::Stopped)?;
    answer.await.map_err(|_| StoreError::Stopped)?
}

async fn run(pool: AnyPool, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
    let mut group = Vec::with_capacity(GROUP);
    while waiting.recv_many(&mut group, GROUP).await > 0 {
        let failed = commit(&pool, &mut group).await.err().map(Arc::new);
        if let Some(error) = &failed {
            tracing::warn!(%error, writes = group.len(), "a commit failed; its writes were not done");
        }
        for job in group.drain(..) {
            job.answer(failed.as_ref());
        }
    }
}

async fn commit(pool: &AnyPool, group: &mut [Box<dyn Job>]) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let done = in_transaction(&mut connection, group).await;
    if done.is_err() && sqlx::query("ROLLBACK").execute(&mut *connection).await.is_err() {
        // SQLite rolls back by itself when the disk is full, and then knows of no transaction; a new connection is in a known state either way.
        let _ = connection.close().await;
    }
    done
}

async fn in_transaction(connection: &mut AnyConnection, group: &mut [Box<dyn Job>]) -> Result<(), sqlx::Error> {
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
async fn savepoints(connection: &mut AnyConnection, group: &mut [Box<dyn Job>]) -> Result<bool, sqlx::Error> {
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
pub async fn transaction<I: Sync, T>(pool: &AnyPool, input: &I, work: Work<I, T>) -> Result<T, StoreError> {
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

async fn once<I: Sync, T>(pool: &AnyPool, input: &I, work: Work<I, T>) -> Result<T, StoreError> {
    let mut connection = pool.acquire().await?;
    let mut transaction = Connection::begin(&mut *connection).await?;
    let value = work(input, &mut transaction).await?;
    transaction.commit().await.map_err(|source| StoreError::Database { doing: "commit", source })?;
    tracing::trace!("committed");
    Ok(value)
}

/// Serialization failure, deadlock (SQLSTATE 40001, 40P01).
fn must_repeat(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "40001" || code == "40P01")
}
