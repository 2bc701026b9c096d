//! Versions that forget: what somebody asks them to, and all of what was deleted long ago.

use super::known;
use crate::store::configuration::lock;
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};
use futures_util::future::BoxFuture;
use sqlx::{AnyConnection, Row as _};

/// So many deleted things are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 100;

/// Which versions are to forget what the thing was.
struct Forgetting {
    kind: &'static str,
    name: String,
    /// One; none: all by which the thing was otherwise than it is now.
    number: Option<i64>,
}

/// Forgets what a thing was by one of its versions, or by all by which it was otherwise than it is now; who changed it,
/// when and which keys stays. Gives how many versions told it until then.
pub async fn forget(store: &Store, kind: &'static str, name: &str, number: Option<i64>) -> Result<u64, StoreError> {
    fn work<'c>(
        forgetting: &'c Forgetting,
        connection: &'c mut AnyConnection,
    ) -> BoxFuture<'c, Result<u64, StoreError>> {
        Box::pin(async move {
            let Forgetting { kind, name, number } = forgetting;
            // Who notes a version meanwhile comes after this, or before.
            lock(connection).await?;
            let mut sql = Sql::new("UPDATE configured_version SET body = ");
            sql.bind(Vec::new()).push(" WHERE kind = ").bind(*kind).push(" AND name = ").bind(name);
            sql.push(" AND LENGTH(body) > 0 AND ");
            if let Some(number) = number {
                sql.push("number = ").bind(*number);
            } else {
                let now = known(connection, kind, &[name]).await?.remove(name).unwrap_or_default().fingerprint();
                sql.push("digest <> ").bind(now.column());
            }
            sql.execute(connection).await
        })
    }
    store.write(Forgetting { kind, name: name.to_owned(), number }, work).await
}

/// A thing whose latest version is that it was deleted.
struct DeletedThing {
    kind: String,
    name: String,
    /// Of that version.
    number: i64,
}

/// Removes all versions of things that were deleted before this time, milliseconds since the epoch, and are not there
/// again; gives the number of these things.
pub async fn purge_deleted(store: &Store, before: i64) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let found = deleted(store, before).await?;
        if found.is_empty() {
            return Ok(purged);
        }
        purged += store.write(found, |found, connection| Box::pin(remove(connection, found))).await?;
    }
}

async fn deleted(store: &Store, before: i64) -> Result<Vec<DeletedThing>, StoreError> {
    let mut sql = Sql::new(
        "SELECT latest.kind, latest.name, latest.number FROM configured_version latest \
         WHERE latest.act = 'deleted' AND latest.at < ",
    );
    sql.bind(before).push(
        " AND NOT EXISTS (SELECT 1 FROM configured_version later WHERE later.kind = latest.kind \
         AND later.name = latest.name AND later.number > latest.number) \
         AND NOT EXISTS (SELECT 1 FROM configured thing WHERE thing.kind = latest.kind AND thing.name = latest.name) \
         AND NOT EXISTS (SELECT 1 FROM customer_user thing WHERE latest.kind = 'customer_user' \
         AND thing.login = latest.name) LIMIT ",
    );
    let rows = sql.bind(FORGOTTEN_AT_ONCE).all(&mut *store.read().await?).await?;
    let read = |row: &sqlx::any::AnyRow| -> Result<DeletedThing, StoreError> {
        Ok(DeletedThing { kind: row.try_get(0)?, name: row.try_get(1)?, number: row.try_get(2)? })
    };
    rows.iter().map(read).collect()
}

async fn remove(connection: &mut AnyConnection, found: &[DeletedThing]) -> Result<u64, StoreError> {
    // Who makes one of them again meanwhile comes after this, or before.
    lock(connection).await?;
    let mut forgotten = 0;
    for DeletedThing { kind, name, number } in found {
        let mut sql = Sql::new("DELETE FROM configured_version WHERE kind = ");
        sql.bind(kind).push(" AND name = ").bind(name).push(" AND ").bind(*number);
        sql.push(" = (SELECT MAX(latest.number) FROM configured_version latest WHERE latest.kind = ").bind(kind);
        sql.push(" AND latest.name = ").bind(name).push(")");
        forgotten += u64::from(sql.execute(connection).await? > 0);
    }
    Ok(forgotten)
}
