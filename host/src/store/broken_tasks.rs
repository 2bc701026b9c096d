//! The tasks of each host that are broken now.

use super::sql::{Sql, pieces};
use super::{Store, StoreError};
use postigo_supervision::Breakage;
use sqlx::{AnyConnection, Row};

/// A task that is broken, for the overview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenTask {
    /// Id of the data folder whose daemon it is a task of.
    pub host: String,
    /// Its kind: `fetch`, `filing`, …
    pub task: String,
    /// What it is for: an account, an endpoint; empty: there is one of its kind.
    pub of: String,
    /// What happened, a sentence.
    pub why: String,
    /// How often, without a good round in between.
    pub times: i64,
    /// When last, milliseconds since the epoch.
    pub at: i64,
    /// When it goes on, milliseconds since the epoch; none: it was done once, and others like it go on.
    pub again_at: Option<i64>,
}

/// Makes these the broken tasks of a host, and no others.
pub async fn replace(store: &Store, host: &str, broken: Vec<Breakage>) -> Result<(), StoreError> {
    if broken.is_empty() && !has_any(&mut *store.read().await?, host).await? {
        return Ok(());
    }
    store
        .write((host.to_owned(), broken), |(host, broken), connection| {
            Box::pin(async move {
                Sql::new("DELETE FROM broken_task WHERE host = ").bind(host).execute(connection).await?;
                for piece in pieces(broken) {
                    let mut sql =
                        Sql::new("INSERT INTO broken_task (host, task, subject, why, times, at, again_at) VALUES ");
                    sql.tuples(piece.iter().map(|task| {
                        [
                            host.into(),
                            task.work.name().into(),
                            (&task.of).into(),
                            (&task.why).into(),
                            i64::from(task.times).into(),
                            task.at.into(),
                            task.again_at.into(),
                        ]
                    }));
                    sql.execute(connection).await?;
                }
                Ok(())
            })
        })
        .await
}

async fn has_any(connection: &mut AnyConnection, host: &str) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT 1 FROM broken_task WHERE host = ");
    Ok(sql.bind(host).push(" LIMIT 1").optional(connection).await?.is_some())
}

/// Forgets what broke before this time (milliseconds since the epoch), of hosts that are gone for good.
pub async fn forget(connection: &mut AnyConnection, before: i64) -> Result<u64, StoreError> {
    Sql::new("DELETE FROM broken_task WHERE at < ").bind(before).execute(connection).await
}

/// The broken tasks of all hosts, those that broke last first.
pub async fn all(connection: &mut AnyConnection) -> Result<Vec<BrokenTask>, StoreError> {
    let mut sql = Sql::new(
        "SELECT host, task, subject, why, times, at, again_at FROM broken_task ORDER BY at DESC, host, task, subject",
    );
    let read = |row: &sqlx::any::AnyRow| {
        Ok(BrokenTask {
            host: row.try_get(0)?,
            task: row.try_get(1)?,
            of: row.try_get(2)?,
            why: row.try_get(3)?,
            times: row.try_get(4)?,
            at: row.try_get(5)?,
            again_at: row.try_get(6)?,
        })
    };
    sql.all(connection).await?.iter().map(read).collect()
}
