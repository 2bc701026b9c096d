//! The daemons that share the database: when each was seen last, and which version of the configuration it works by.

use super::sql::Sql;
use super::{Store, StoreError};
use sqlx::{AnyConnection, Row};
use std::time::Duration;

/// A host counts for so long after it was seen, by the database's clock.
pub const ALIVE: Duration = Duration::from_secs(30);
/// One that was away for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// What a host says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    /// Id of its data folder.
    pub id: String,
    /// The machine's name, for people.
    pub name: String,
    /// The version of the configuration that it works by.
    pub version: i64,
    /// Why it cannot take up a later one, a sentence; empty: it can.
    pub refused: String,
}

/// A host that is there and works by an earlier version of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostBehind {
    /// What it said of itself.
    pub host: HostState,
    /// How long ago, in seconds.
    pub seen: u64,
}

/// Notes what a host says of itself, and that it is there.
pub async fn say(store: &Store, host: &HostState) -> Result<(), StoreError> {
    store
        .write((store.engine(), host.clone()), |(engine, host), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("INSERT INTO host (id, name, version, refused, seen) VALUES (");
                sql.bind(&host.id).push(", ").bind(&host.name).push(", ").bind(host.version).push(", ");
                sql.bind(&host.refused).push(", ").push(engine.clock());
                sql.push(") ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version, refused = excluded.refused, seen = excluded.seen");
                sql.execute(connection).await?;
                let mut sql = Sql::new("DELETE FROM host WHERE seen < ");
                let forgotten = i64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap_or(i64::MAX);
                sql.push(engine.clock()).push(" - ").bind(forgotten).execute(connection).await?;
                Ok(())
            })
        })
        .await
}

/// Removes a host that ends.
pub async fn leave(store: &Store, id: &str) -> Result<(), StoreError> {
    store
        .write(id.to_owned(), |id, connection| {
            Box::pin(async move {
                Sql::new("DELETE FROM host WHERE id = ").bind(&*id).execute(connection).await?;
                Ok(())
            })
        })
        .await
}

/// The hosts that were seen `within` this time and work by an earlier version than this one, in the order of their
/// names.
pub async fn behind(store: &Store, version: i64, within: Duration) -> Result<Vec<HostBehind>, StoreError> {
    let clock = store.engine().clock();
    let lasts = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
    let mut sql = Sql::new("SELECT id, name, version, refused, ");
    sql.push(clock).push(" - seen FROM host WHERE seen > ").push(clock).push(" - ").bind(lasts);
    sql.push(" AND version < ").bind(version).push(" ORDER BY name, id");
    let connection: &mut AnyConnection = &mut *store.read().await?;
    let rows = sql.all(connection).await?;
    let read = |row: &sqlx::any::AnyRow| {
        let milliseconds: i64 = row.try_get(4)?;
        let host = HostState {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            version: row.try_get(2)?,
            refused: row.try_get(3)?,
        };
        Ok(HostBehind { host, seen: u64::try_from(milliseconds / 1_000).unwrap_or_default() })
    };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;

    fn host(id: &str, version: i64) -> HostState {
        HostState { id: id.into(), name: "mx".into(), version, refused: String::new() }
    }

    #[tokio::test]
    async fn a_host_is_behind_while_it_is_there_and_works_by_an_earlier_version() {
        let (_folder, store, _key) = fresh().await;
        assert_eq!(behind(&store, 5, ALIVE).await.unwrap(), [], "nobody is there");
        for (id, version) in [("a", 4), ("b", 5), ("c", 1)] {
            say(&store, &host(id, version)).await.unwrap();
        }
        store.execute(format!("UPDATE host SET seen = seen - {} WHERE id = 'c'", 31_000)).await;
        let ids = async |version| -> Vec<String> {
            behind(&store, version, ALIVE).await.unwrap().into_iter().map(|behind| behind.host.id).collect()
        };
        assert_eq!(ids(5).await, ["a"], "c was not seen for too long");
        assert_eq!(ids(6).await, ["a", "b"]);
        say(&store, &host("a", 5)).await.unwrap();
        leave(&store, "b").await.unwrap();
        assert_eq!(ids(5).await, Vec::<String>::new());
        assert_eq!(ids(6).await, ["a"]);
    }
}
