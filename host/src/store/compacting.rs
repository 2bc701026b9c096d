//! Room that was removed rows' is given back to the disk. PostgreSQL does so by itself (autovacuum); SQLite where the
//! database was made for it, or was written anew since.

use super::connect::GIVES_BACK;
use super::sql::Sql;
use super::{Engine, Store, StoreError};
use sqlx::{AnyConnection, Row};

/// So many free pages stay: new mail takes them again.
const KEPT_FREE: i64 = 1_024;
/// So many pages are given back in one step: other writes wait for it some milliseconds.
const AT_ONCE: i64 = 128;

/// Gives back some of what is free; says whether there is more.
pub async fn give_back(store: &Store) -> Result<bool, StoreError> {
    if store.engine() == Engine::Postgres {
        return Ok(false);
    }
    let mut connection = store.read().await?;
    let is_made_for_it = number(&mut connection, "PRAGMA auto_vacuum").await? == 2;
    let free = number(&mut connection, "PRAGMA freelist_count").await?;
    drop(connection);
    if !is_made_for_it || free <= KEPT_FREE {
        return Ok(false);
    }
    let left: i64 = store
        .write((), |(), connection| {
            Box::pin(async move {
                // A page a step of the statement, which therefore is read to its end.
                Sql::new(format!("PRAGMA incremental_vacuum({AT_ONCE})")).all(connection).await?;
                number(connection, "PRAGMA freelist_count").await
            })
        })
        .await?;
    Ok(left > KEPT_FREE && left < free)
}

/// Bytes that a database of SQLite has, and those of them that are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseSize {
    /// All.
    pub bytes: i64,
    /// Those that no row has.
    pub free: i64,
}

/// How large the database is; none on PostgreSQL.
pub async fn size(store: &Store) -> Result<Option<DatabaseSize>, StoreError> {
    if store.engine() == Engine::Postgres {
        return Ok(None);
    }
    let mut connection = store.read().await?;
    let page = number(&mut connection, "PRAGMA page_size").await?;
    let bytes = number(&mut connection, "PRAGMA page_count").await? * page;
    let free = number(&mut connection, "PRAGMA freelist_count").await? * page;
    Ok(Some(DatabaseSize { bytes, free }))
}

/// Writes a database of SQLite anew, without what is free, and so that [`give_back`] works from now on. Nobody else can
/// write meanwhile. SQLite writes a copy to its temporary folder first, and then the whole log of it beside the database;
/// where a disk is full, nothing is changed. Says whether the log could be emptied: not while somebody reads.
pub async fn write_anew(store: &Store) -> Result<bool, StoreError> {
    let mut connection = store.read().await?;
    Sql::new(GIVES_BACK).execute(&mut connection).await?;
    Sql::new("VACUUM").execute(&mut connection).await?;
    // What is in the log by now is moved into the database, and the log emptied.
    let busy: i64 = Sql::new("PRAGMA wal_checkpoint(TRUNCATE)").one(&mut connection).await?.try_get(0)?;
    Ok(busy == 0)
}

async fn number(connection: &mut AnyConnection, pragma: &'static str) -> Result<i64, StoreError> {
    Ok(Sql::new(pragma).one(connection).await?.try_get(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;
    use crate::store::{Location, Store};

    async fn fill(store: &Store) {
        store.execute("CREATE TABLE IF NOT EXISTS filling (id INTEGER PRIMARY KEY, bytes BLOB)").await;
        store
            .execute("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000) INSERT INTO filling (bytes) SELECT zeroblob(4000) FROM n")
            .await;
    }

    async fn bytes(store: &Store) -> i64 {
        size(store).await.unwrap().unwrap().bytes
    }

    #[tokio::test]
    async fn what_was_removed_is_given_back_in_steps_while_others_write() {
        let (_folder, store, _) = fresh().await;
        fill(&store).await;
        let full = bytes(&store).await;
        store.execute("DELETE FROM filling WHERE id % 10 <> 0").await;
        assert_eq!(bytes(&store).await, full, "removing alone gives nothing back");
        let mut steps = 0;
        while give_back(&store).await.unwrap() {
            store.execute("INSERT INTO filling (bytes) VALUES (zeroblob(10))").await;
            steps += 1;
        }
        assert!(steps > 10, "{steps}");
        let left = size(&store).await.unwrap().unwrap();
        assert!(left.bytes < full / 2 && left.free <= KEPT_FREE * 4096, "{left:?} of {full}");
        let mut connection = store.read().await.unwrap();
        assert_eq!(
            number(&mut connection, "SELECT COUNT(*) FROM filling WHERE length(bytes) = 4000").await.unwrap(),
            500
        );
        let sound = Sql::new("PRAGMA integrity_check").one(&mut connection).await.unwrap();
        assert_eq!(sound.get::<String, _>(0), "ok");
    }

    #[tokio::test]
    async fn a_database_of_before_gives_nothing_back_until_it_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        let store = Store::open(&location).await.unwrap();
        let mut connection = store.read().await.unwrap();
        // As earlier versions made it.
        Sql::new("PRAGMA auto_vacuum = NONE").execute(&mut connection).await.unwrap();
        Sql::new("VACUUM").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        drop(store);
        let store = Store::open(&location).await.unwrap();
        fill(&store).await;
        let full = bytes(&store).await;
        store.execute("DELETE FROM filling").await;
        assert!(!give_back(&store).await.unwrap());
        assert_eq!(bytes(&store).await, full);
        assert!(write_anew(&store).await.unwrap());
        assert!(bytes(&store).await < full / 4);
        drop(store);
        let store = Store::open(&location).await.unwrap();
        fill(&store).await;
        store.execute("DELETE FROM filling").await;
        while give_back(&store).await.unwrap() {}
        assert!(bytes(&store).await < full / 2, "{}", bytes(&store).await);
    }
}
