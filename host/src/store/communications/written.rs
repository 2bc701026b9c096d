//! Packs entries that programs of before they were packed wrote as JSON in the communication's own row.

use super::{APART, entries_row, read_whole, whole};
use crate::store::sql::{Sql, pieces};
use crate::store::{Engine, StoreError};
use postigo_model::communication::CommunicationRecord;
use sqlx::AnyConnection;

/// Packs the entries of those of these communications that have ended; gives their number. What cannot be read stays as
/// it is, and is told of when it is shown.
pub async fn lay_apart(connection: &mut AnyConnection, ids: &[String]) -> Result<u64, StoreError> {
    let mut count = 0;
    for piece in pieces(ids) {
        let mut sql = whole();
        sql.push("communication.entries <> '[]' AND status <> 'processing' AND communication.id IN ").list(piece);
        if Engine::of(connection) == Engine::Postgres {
            sql.push(" FOR UPDATE OF communication");
        }
        let rows = sql.all(connection).await?;
        let records: Vec<CommunicationRecord> = rows.iter().filter_map(|row| read_whole(row).ok()).collect();
        if records.is_empty() {
            continue;
        }
        let mut sql = Sql::new("INSERT INTO communication_entries (id, plan, entries) VALUES ");
        sql.tuples(records.iter().map(entries_row).collect::<Result<Vec<_>, _>>()?);
        sql.push(" ON CONFLICT (id) DO UPDATE SET plan = excluded.plan, entries = excluded.entries");
        sql.execute(connection).await?;
        let mut sql = Sql::new("UPDATE communication SET entries = ");
        sql.bind(APART).push(" WHERE id IN ").list(records.iter().map(|record| &record.id));
        count += sql.execute(connection).await?;
    }
    Ok(count)
}
