//! The versions of the plan that messages were judged by, each once, as long as a row names it.

use super::packing::{pack, unpack};
use super::sql::{Sql, pieces};
use super::{StoreError, json};
use postigo_model::plan_version::PlanVersion;
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, Row};
use std::collections::HashMap;

/// Who names a version in new rows says so again after so long, in milliseconds.
pub const SAID_EVERY: i64 = 3_600_000;
/// A version that nobody said to be in use for so long, in milliseconds, is forgotten once no row names it. It is far
/// more than [`SAID_EVERY`], so that clocks of hosts may differ by hours.
const KEPT_UNUSED: i64 = 24 * SAID_EVERY;
/// Bytes of a version, written out, at most: thousands of filters have less.
const LARGEST: usize = 16 << 20;

/// Notes that a version is in use; gives its number, which follows from what it says. Several may note it at once.
pub async fn note(connection: &mut AnyConnection, version: &PlanVersion, now: i64) -> Result<i64, StoreError> {
    let text = json("plan version", version)?;
    let mut number = first_number(&text);
    let body = pack(text.as_bytes())?;
    loop {
        let mut sql = Sql::new("INSERT INTO plan_version (id, used_at, body) VALUES ");
        sql.tuple([number.into(), now.into(), body.clone().into()]).push(" ON CONFLICT (id) DO UPDATE SET used_at = ");
        // A host whose clock is behind takes nothing back.
        sql.push(
            "CASE WHEN plan_version.used_at < excluded.used_at THEN excluded.used_at ELSE plan_version.used_at END",
        );
        let row = sql.push(" RETURNING body").one(connection).await?;
        // What cannot be read, damaged or packed by a later program, is another one.
        let known = unpack("plan version", &row.try_get::<Vec<u8>, _>(0)?, LARGEST).ok();
        if known.as_deref() == Some(text.as_bytes()) {
            return Ok(number);
        }
        // Another version has the number.
        number = number.wrapping_add(1) & i64::MAX;
    }
}

/// The number that a version has, where no other one had it first.
fn first_number(text: &str) -> i64 {
    let digest = Sha256::digest(text);
    let bytes = digest.first_chunk::<8>().copied().unwrap_or_default();
    i64::from_be_bytes(bytes) & i64::MAX
}

/// The versions of these numbers; those that are not there are left out.
pub async fn find(
    connection: &mut AnyConnection,
    numbers: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, PlanVersion>, StoreError> {
    let mut numbers: Vec<i64> = numbers.into_iter().collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut found = HashMap::new();
    for piece in pieces(&numbers) {
        let mut sql = Sql::new("SELECT id, body FROM plan_version WHERE id IN ");
        for row in sql.list(piece.iter().copied()).all(connection).await? {
            let text = unpack("plan version", &row.try_get::<Vec<u8>, _>(1)?, LARGEST)?;
            let version = serde_json::from_slice(&text)
                .map_err(|error| StoreError::Corrupt { what: "plan version", reason: error.to_string() })?;
            found.insert(row.try_get(0)?, version);
        }
    }
    Ok(found)
}

/// Removes the versions that no row names any more and that nobody said to be in use lately; gives their number.
pub async fn purge(connection: &mut AnyConnection, now: i64) -> Result<u64, StoreError> {
    let mut sql = Sql::new("DELETE FROM plan_version WHERE used_at < ");
    sql.bind(now.saturating_sub(KEPT_UNUSED));
    sql.push(" AND NOT EXISTS (SELECT 1 FROM spool WHERE spool.plan IS NOT NULL AND spool.plan = plan_version.id)");
    sql.push(" AND NOT EXISTS (SELECT 1 FROM communication_entries WHERE communication_entries.plan IS NOT NULL AND communication_entries.plan = plan_version.id)");
    sql.execute(connection).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;
    use crate::store::{Store, WriteWork};
    use postigo_model::plan_version::{ChainMember, FilterVersion};

    fn version(names: &[&str]) -> PlanVersion {
        let member = |name: &&str| ChainMember { name: (*name).to_owned(), version: FilterVersion::default() };
        PlanVersion { filters: names.iter().map(member).collect() }
    }

    async fn note_at(store: &Store, version: PlanVersion, now: i64) -> i64 {
        let work: WriteWork<(PlanVersion, i64), i64> =
            |(version, now), connection| Box::pin(note(connection, version, *now));
        store.write((version, now), work).await.unwrap()
    }

    async fn known(store: &Store, number: i64) -> Option<PlanVersion> {
        find(&mut store.read().await.unwrap(), [number, 7]).await.unwrap().remove(&number)
    }

    #[tokio::test]
    async fn a_plan_has_one_number_whoever_notes_it_and_no_other_has_it() {
        let (_folder, store, _) = fresh().await;
        let (one, two) = (version(&["a", "b"]), version(&["b", "a"]));
        let numbers = tokio::join!(note_at(&store, one.clone(), 1), note_at(&store, one.clone(), 2));
        assert_eq!(numbers.0, numbers.1);
        let other = note_at(&store, two.clone(), 1).await;
        assert_ne!(numbers.0, other);
        assert_eq!((known(&store, numbers.0).await, known(&store, other).await), (Some(one), Some(two.clone())));
        // Where a stranger made the numbers equal, the second one gets the next.
        store.execute(format!("DELETE FROM plan_version WHERE id = {other}")).await;
        store.execute(format!("UPDATE plan_version SET id = {other} WHERE id = {}", numbers.0)).await;
        assert_eq!(note_at(&store, two.clone(), 3).await, other + 1);
        assert_eq!(known(&store, other + 1).await, Some(two.clone()));
        // One whose bytes are damaged keeps nobody from noting it anew.
        store.execute(format!("UPDATE plan_version SET body = x'09' WHERE id = {}", other + 1)).await;
        assert_eq!(note_at(&store, two.clone(), 4).await, other + 2);
        assert_eq!(known(&store, other + 2).await, Some(two));
    }

    #[tokio::test]
    async fn a_version_goes_when_no_row_names_it_and_nobody_uses_it() {
        let (_folder, store, _) = fresh().await;
        let (used, named, left) = (version(&["used"]), version(&["named"]), version(&["left"]));
        let used = note_at(&store, used, KEPT_UNUSED).await;
        let (named, left) = (note_at(&store, named, 1).await, note_at(&store, left, 1).await);
        store
            .execute(format!("INSERT INTO communication_entries (id, plan, entries) VALUES ('a', {named}, x'00')"))
            .await;
        let work: WriteWork<i64, u64> = |now, connection| Box::pin(purge(connection, *now));
        assert_eq!(store.write(KEPT_UNUSED + 2, work).await.unwrap(), 1);
        assert_eq!(known(&store, left).await, None);
        assert!(known(&store, used).await.is_some() && known(&store, named).await.is_some());
        store.execute("DELETE FROM communication_entries").await;
        assert_eq!(store.write(KEPT_UNUSED + 2, work).await.unwrap(), 1);
        assert!(known(&store, used).await.is_some());
    }
}
