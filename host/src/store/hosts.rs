//! The daemons that share the database: when each was seen last, and which version of the configuration it works by.

use super::sql::Sql;
use super::{Store, StoreError, configuration};
use postigo_model::configured::ConfigurationVersion;
use sqlx::{AnyConnection, Row};
use std::time::Duration;

/// So often at least a host says that it is there.
pub const SAID_EVERY: Duration = Duration::from_secs(10);
/// Who has said nothing for so long, twice what was due, is not waited for: it has died, hangs, or cannot reach the
/// database.
pub const SILENT: Duration = Duration::from_secs(20);
/// A host counts for so long after it was seen, by the database's clock.
pub const ALIVE: Duration = Duration::from_secs(30);
/// One that was away for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// What a host says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostState {
    /// Id of its data folder.
    pub id: String,
    /// This run of it.
    pub run: String,
    /// The machine's name, for people.
    pub name: String,
    /// The version of the configuration that it works by.
    pub version: ConfigurationVersion,
    /// Why it cannot take up a later one, a sentence; empty: it can.
    pub refused: String,
}

/// A host that is there and works by an earlier version of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostBehind {
    /// What it said of itself.
    pub host: HostState,
    /// How long ago that was.
    pub seen: Duration,
}

/// Notes what a host says of itself, and that it is there; gives the run of this id that said so before.
pub async fn say(store: &Store, host: &HostState) -> Result<Option<String>, StoreError> {
    store
        .write((store.engine(), host.clone()), |(engine, host), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("SELECT run FROM host WHERE id = ");
                let row = sql.bind(&host.id).optional(connection).await?;
                let before: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
                let mut sql = Sql::new("INSERT INTO host (id, run, name, version, stamp, refused, reads_packed, reads_over_mail, seen) VALUES (");
                sql.bind(&host.id).push(", ").bind(&host.run).push(", ").bind(&host.name).push(", ").bind(host.version.number).push(", ");
                sql.bind(host.version.stamp).push(", ");
                sql.bind(&host.refused).push(", ").bind(&host.run).push(", ").bind(&host.run).push(", ").push(engine.clock());
                sql.push(") ON CONFLICT (id) DO UPDATE SET run = excluded.run, name = excluded.name, version = excluded.version, stamp = excluded.stamp, refused = excluded.refused, reads_packed = excluded.reads_packed, reads_over_mail = excluded.reads_over_mail, seen = excluded.seen");
                sql.execute(connection).await?;
                let mut sql = Sql::new("DELETE FROM host WHERE seen < ");
                let forgotten = i64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap_or(i64::MAX);
                sql.push(engine.clock()).push(" - ").bind(forgotten).execute(connection).await?;
                Ok(before)
            })
        })
        .await
}

/// Removes a run of a host that ends.
pub async fn leave(store: &Store, run: &str) -> Result<(), StoreError> {
    store
        .write(run.to_owned(), |run, connection| {
            Box::pin(async move {
                Sql::new("DELETE FROM host WHERE run = ").bind(&*run).execute(connection).await?;
                Ok(())
            })
        })
        .await
}

/// The hosts that were seen `within` this time and work neither by this version nor by one that came after it, in the
/// order of their names. One that was seen well after now, by a clock that has gone back since, was not seen since.
pub async fn behind(
    store: &Store,
    version: ConfigurationVersion,
    within: Duration,
) -> Result<Vec<HostBehind>, StoreError> {
    let clock = store.engine().clock();
    let lasts = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
    let mut sql = Sql::new("SELECT id, name, version, stamp, refused, run, ");
    sql.push(clock).push(" - seen FROM host WHERE seen > ").push(clock).push(" - ").bind(lasts);
    let ahead = i64::try_from(ALIVE.as_millis()).unwrap_or(i64::MAX);
    sql.push(" AND seen <= ").push(clock).push(" + ").bind(ahead);
    sql.push(" AND (version, stamp) <> ").tuple([version.number.into(), version.stamp.into()]);
    // A higher number is a later version only if the database has come so far: an earlier state may have been put back.
    sql.push(" AND NOT EXISTS (SELECT 1 FROM config_version WHERE id = 1 AND host.version > ").bind(version.number);
    sql.push(" AND (host.version < config_version.version OR (host.version, host.stamp) = (config_version.version, config_version.stamp)))");
    sql.push(" ORDER BY name, id");
    let connection: &mut AnyConnection = &mut *store.read().await?;
    let rows = sql.all(connection).await?;
    let read = |row: &sqlx::any::AnyRow| {
        let milliseconds: i64 = row.try_get(6)?;
        let host = HostState {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            version: configuration::read_version(row, 2)?,
            refused: row.try_get(4)?,
            run: row.try_get(5)?,
        };
        Ok(HostBehind { host, seen: Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()) })
    };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;

    fn version(number: i64) -> ConfigurationVersion {
        ConfigurationVersion { number, stamp: number * 100 }
    }

    fn host(id: &str, number: i64) -> HostState {
        let (name, run) = ("mx".into(), format!("a run of {id}"));
        HostState { id: id.into(), run, name, version: version(number), refused: String::new() }
    }

    async fn come_to(store: &Store, ConfigurationVersion { number, stamp }: ConfigurationVersion) {
        store.execute(format!("UPDATE config_version SET version = {number}, stamp = {stamp}")).await;
    }

    async fn ids(store: &Store, version: ConfigurationVersion) -> Vec<String> {
        behind(store, version, ALIVE).await.unwrap().into_iter().map(|behind| behind.host.id).collect()
    }

    #[tokio::test]
    async fn a_host_is_behind_while_it_is_there_and_works_by_an_earlier_version() {
        let (_folder, store, _key) = fresh().await;
        come_to(&store, version(6)).await;
        assert_eq!(behind(&store, version(5), ALIVE).await.unwrap(), [], "nobody is there");
        for (id, number) in [("a", 4), ("b", 5), ("c", 1)] {
            say(&store, &host(id, number)).await.unwrap();
        }
        store.execute(format!("UPDATE host SET seen = seen - {} WHERE id = 'c'", 31_000)).await;
        assert_eq!(ids(&store, version(5)).await, ["a"], "c was not seen for too long");
        assert_eq!(ids(&store, version(6)).await, ["a", "b"]);
        say(&store, &host("a", 5)).await.unwrap();
        say(&store, &host("c", 6)).await.unwrap();
        leave(&store, "a run of b").await.unwrap();
        assert_eq!(ids(&store, version(5)).await, Vec::<String>::new(), "c works by a later one");
        assert_eq!(ids(&store, version(6)).await, ["a"]);
    }

    #[tokio::test]
    async fn a_host_that_was_seen_by_a_clock_which_has_gone_back_since_is_there_once_it_says_so() {
        let (_folder, store, _key) = fresh().await;
        come_to(&store, version(5)).await;
        for id in ["dead", "lives"] {
            say(&store, &host(id, 4)).await.unwrap();
        }
        store.execute("UPDATE host SET seen = seen + 3600000").await;
        assert_eq!(ids(&store, version(5)).await, Vec::<String>::new());
        say(&store, &host("lives", 4)).await.unwrap();
        assert_eq!(ids(&store, version(5)).await, ["lives"]);
        // A little off, it was seen just now.
        store.execute("UPDATE host SET seen = seen + 5000 WHERE id = 'lives'").await;
        assert_eq!(behind(&store, version(5), ALIVE).await.unwrap()[0].seen, Duration::ZERO);
    }

    #[tokio::test]
    async fn a_host_hears_which_run_of_its_id_spoke_before_and_removes_its_own_alone() {
        let (_folder, store, _key) = fresh().await;
        let run = |run: &str| HostState { run: run.into(), ..host("a", 4) };
        assert_eq!(say(&store, &run("first")).await.unwrap(), None);
        assert_eq!(say(&store, &run("first")).await.unwrap().as_deref(), Some("first"));
        assert_eq!(say(&store, &run("second")).await.unwrap().as_deref(), Some("first"));
        leave(&store, "first").await.unwrap();
        assert_eq!(say(&store, &run("second")).await.unwrap().as_deref(), Some("second"));
        leave(&store, "second").await.unwrap();
        assert_eq!(say(&store, &run("third")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_host_that_works_by_what_was_configured_before_a_database_was_put_back_is_behind() {
        let (_folder, store, _key) = fresh().await;
        for (id, number) in [("same", 5), ("higher", 7)] {
            say(&store, &host(id, number)).await.unwrap();
        }
        // An earlier state was put back, and changed anew.
        let anew = ConfigurationVersion { number: 5, stamp: 1 };
        come_to(&store, anew).await;
        assert_eq!(ids(&store, anew).await, ["higher", "same"]);
        say(&store, &HostState { version: anew, ..host("same", 0) }).await.unwrap();
        assert_eq!(ids(&store, anew).await, ["higher"]);
    }
}
