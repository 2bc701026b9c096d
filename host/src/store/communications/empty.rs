//! Fetches that brought nothing and met nothing worth telling: one row for each account and day.

use super::{sums, write_all};
use crate::store::sql::Sql;
use crate::store::{Engine, StoreError};
use postigo_model::communication::CommunicationRecord;
use sqlx::{AnyConnection, Row};

/// In milliseconds.
const DAY: i64 = 86_400_000;

/// Ends a fetch that brought nothing and met nothing worth telling: it becomes one with the others of its account and
/// day, whose entries are those of the last. Gives the id of their row.
pub async fn save_empty(connection: &mut AnyConnection, record: &CommunicationRecord) -> Result<String, StoreError> {
    let (day, ended_at) = (record.started_at.div_euclid(DAY), record.ended_at.unwrap_or(record.started_at));
    let mut sql = Sql::new("SELECT id, started_at FROM communication WHERE empty_day IS NOT NULL AND account = ");
    sql.bind(&record.account).push(" AND transport = ").bind(&record.protocol).push(" AND empty_day = ").bind(day);
    let row = sql.push(" ORDER BY id DESC LIMIT 1").optional(connection).await?;
    let known: Option<(String, i64)> = match row {
        Some(row) => Some((row.try_get(0)?, row.try_get(1)?)),
        None => None,
    };
    if known.is_some() {
        // It was written while it ran. A write of that kind may be under way still, which is waited for by writing the
        // same row; on SQLite one writes at a time.
        if Engine::of(connection) == Engine::Postgres {
            write_all(connection, std::slice::from_ref(record)).await?;
        }
        for table in ["communication_entries", "communication"] {
            Sql::new(format!("DELETE FROM {table} WHERE id = ")).bind(&record.id).execute(connection).await?;
        }
    }
    let is_first = known.is_none();
    // The row keeps the start of the first, and the times of entries are packed from the row's start on.
    let (id, row_started_at) = known.unwrap_or_else(|| (record.id.clone(), record.started_at));
    let row = CommunicationRecord { id, started_at: row_started_at, ..record.clone() };
    let summing_to = write_all(connection, std::slice::from_ref(&row)).await?;
    // While it ran it was one of those that are summed up; the row of empty fetches is none.
    sums::mark(connection, [record.id.as_str()].into_iter(), summing_to).await?;
    let mut sql = Sql::new("UPDATE communication SET fetches = fetches + ");
    sql.bind(i64::from(!is_first)).push(", took = COALESCE(took, 0) + ").bind(ended_at - record.started_at);
    sql.push(", last_at = ").bind(record.started_at).push(", empty_day = ").bind(day);
    sql.push(" WHERE id = ").bind(&row.id).execute(connection).await?;
    Ok(row.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commlog::Communication;
    use crate::store::communications::{LogFilter, list, overview, purge, save_all, show};
    use crate::store::{Location, Store, WriteWork};
    use postigo_model::communication::{CommunicationKind, CommunicationStatus, EmptyFetches, LogEntry, Priority};
    use postigo_model::timestamp::now;

    async fn keep_all(store: &Store, records: Vec<CommunicationRecord>) {
        store.write(records, |records, connection| Box::pin(save_all(connection, records))).await.unwrap();
    }

    #[tokio::test]
    async fn fetches_of_a_day_that_brought_nothing_are_one_row_and_count_as_what_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let noon = now().div_euclid(DAY) * DAY - DAY / 2;
        let fetch = |at: i64| {
            let digits = format!("{at:012x}");
            let mut record = Communication::start(CommunicationKind::Connection, "main", "imap").finish(false);
            record.id = format!("{}-{}-{}", &digits[..8], &digits[8..], &record.id[14..]);
            (record.started_at, record.ended_at) = (at, Some(at + 40));
            record.entries =
                vec![LogEntry { at, priority: Priority::Info, key: "transport".into(), value: at.to_string() }];
            record
        };
        let end = async |record: CommunicationRecord| {
            // It is shown while it runs.
            keep_all(&store, vec![CommunicationRecord { ended_at: None, ..record.clone() }]).await;
            store.write(record, |record, connection| Box::pin(save_empty(connection, record))).await.unwrap()
        };
        let minutes = |minutes: i64| noon + minutes * 60_000;
        let first = end(fetch(noon)).await;
        for minute in 1..=59 {
            assert_eq!(end(fetch(minutes(minute))).await, first);
        }
        let other_day = end(fetch(noon + DAY)).await;
        assert_ne!(other_day, first);
        let mut connection = store.read().await.unwrap();
        let all = LogFilter { limit: 10, until: Some(noon + DAY), ..LogFilter::default() };
        let listed = list(&mut connection, &all).await.unwrap();
        let last_at = minutes(59);
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(listed[0].empty_fetches, Some(EmptyFetches { count: 60, last_at }));
        let shown = show(&mut connection, &first, Priority::Debug).await.unwrap().unwrap().communication;
        assert_eq!((shown.started_at, shown.ended_at), (noon, Some(last_at + 40)));
        let entry = &shown.entries[0];
        assert_eq!((entry.at, entry.value.as_str()), (last_at, last_at.to_string().as_str()), "the last one's entries");
        let recent = LogFilter { since: Some(minutes(50)), ..all.clone() };
        assert_eq!(list(&mut connection, &recent).await.unwrap().len(), 1, "the last of them is of this time");
        assert!(list(&mut connection, &LogFilter { since: Some(minutes(60)), ..all }).await.unwrap().is_empty());
        for (since, count) in [(None, 60), (Some(noon), 60), (Some(minutes(50)), 10), (Some(minutes(59)), 1)] {
            let told = overview(&mut connection, since, Some(noon + DAY)).await.unwrap();
            let account = &told.accounts["main"];
            assert_eq!((account.communications, account.last), (count, last_at), "{since:?}");
            assert_eq!((told.statuses["successful"], told.mean_milliseconds), (count, Some(40.0)), "{since:?}");
        }
        // A failed one in between is told by the next one that goes well.
        let mut failed = fetch(minutes(65));
        failed.status = CommunicationStatus::Failed;
        keep_all(&store, vec![failed]).await;
        let status = async || overview(&mut store.read().await.unwrap(), None, Some(noon + DAY)).await.unwrap();
        assert_eq!(status().await.accounts["main"].status, CommunicationStatus::Failed);
        end(fetch(minutes(66))).await;
        let told = status().await.accounts.remove("main").unwrap();
        assert_eq!((told.status, told.last, told.communications), (CommunicationStatus::Successful, minutes(66), 62));
        // Their row is as old as the last of them.
        let purged = async |before: i64| {
            let work: WriteWork<i64, u64> = |before, connection| Box::pin(purge(connection, *before, *before));
            store.write(before, work).await.unwrap()
        };
        assert_eq!(purged(minutes(66)).await, 1, "the failed one");
        assert_eq!(status().await.accounts["main"].communications, 61);
        assert_eq!(purged(minutes(66) + 1).await, 1);
    }
}
