//! The spool's history: messages that came to their end, with what is needed to try them once more.

use super::query::{SpoolMessage, results};
use crate::store::StoreError;
use crate::store::sql::{Sql, pieces};
use sqlx::{AnyConnection, Row};
use std::collections::HashSet;

/// Which messages of the history are wanted. Those that were dropped, that failed or are held for failures are left out.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Received at or after, milliseconds since the epoch.
    pub since: Option<i64>,
    /// Received before, milliseconds since the epoch.
    pub until: Option<i64>,
    /// Of this account.
    pub account: Option<String>,
    /// Before the message with this id.
    pub before: Option<i64>,
    /// So many at most.
    pub limit: i64,
}

/// A message of the history.
#[derive(Debug, Clone, PartialEq)]
pub struct PastMessage {
    /// As it is shown, with its whole result.
    pub message: SpoolMessage,
    /// Envelope recipients, if the source told them.
    pub recipients: Vec<String>,
    /// Whether of its result the beginning alone is kept.
    pub in_short: bool,
}

fn conditions(sql: &mut Sql, filter: &HistoryFilter) {
    // What is held since it failed may have ended processes of its own: it is tried nowhere else.
    sql.push(" FROM spool WHERE (status IN ('filed', 'rejected', 'ignored') OR (status = 'held' AND failures = 0))");
    if let Some(since) = filter.since {
        sql.push(" AND received_at >= ").bind(since);
    }
    if let Some(until) = filter.until {
        sql.push(" AND received_at < ").bind(until);
    }
    if let Some(account) = &filter.account {
        sql.push(" AND account = ").bind(account);
    }
    if let Some(before) = filter.before {
        sql.push(" AND id < ").bind(before);
    }
}

/// The latest of these messages first.
pub async fn past(connection: &mut AnyConnection, filter: &HistoryFilter) -> Result<Vec<PastMessage>, StoreError> {
    let mut sql = Sql::new("SELECT id, recipients, in_short");
    conditions(&mut sql, filter);
    let rows = sql.push(" ORDER BY id DESC LIMIT ").bind(filter.limit).all(connection).await?;
    let ids = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<Vec<i64>, StoreError>>()?;
    let mut messages = results(connection, &ids).await?;
    let mut past = Vec::with_capacity(rows.len());
    for (row, id) in rows.iter().zip(ids) {
        // One that is worked on once more since is no part of the history now.
        let Some(message) = messages.remove(&id) else { continue };
        let recipients = serde_json::from_str(row.try_get(1)?).unwrap_or_default();
        past.push(PastMessage { message, recipients, in_short: row.try_get::<i64, _>(2)? != 0 });
    }
    Ok(past)
}

/// How many of these messages there are, as far as the limit.
pub async fn count_past(connection: &mut AnyConnection, filter: &HistoryFilter) -> Result<i64, StoreError> {
    let mut sql = Sql::new("SELECT COUNT(*) FROM (SELECT 1");
    conditions(&mut sql, filter);
    Ok(sql.push(" LIMIT ").bind(filter.limit).push(") AS found").one(connection).await?.try_get(0)?)
}

/// The messages that were ignored, received at or after this time (milliseconds since the epoch), the latest first.
pub async fn ignored(connection: &mut AnyConnection, since: i64, limit: i64) -> Result<Vec<i64>, StoreError> {
    // The first condition is an index's, in its words.
    let mut sql = Sql::new("SELECT id FROM spool WHERE status IN ('held', 'failed', 'ignored') AND status = 'ignored'");
    sql.push(" AND received_at >= ").bind(since).push(" ORDER BY id DESC LIMIT ").bind(limit);
    sql.all(connection).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Of these messages those of whose result the beginning alone is kept.
pub async fn shortened(connection: &mut AnyConnection, ids: &[i64]) -> Result<HashSet<i64>, StoreError> {
    let mut shortened = HashSet::new();
    for piece in pieces(ids) {
        let mut sql = Sql::new("SELECT id FROM spool WHERE in_short <> 0 AND id IN ");
        for row in sql.list(piece.iter().copied()).all(connection).await? {
            shortened.insert(row.try_get(0)?);
        }
    }
    Ok(shortened)
}

/// Of these messages those whose received bytes are kept.
pub async fn with_bytes(connection: &mut AnyConnection, ids: &[i64]) -> Result<HashSet<i64>, StoreError> {
    let mut kept = HashSet::new();
    for piece in pieces(ids) {
        let mut sql = Sql::new(
            "SELECT id FROM spool WHERE (object IS NOT NULL OR EXISTS (SELECT 1 FROM spool_raw WHERE spool_raw.spool_id = spool.id)) AND id IN ",
        );
        for row in sql.list(piece.iter().copied()).all(connection).await? {
            kept.insert(row.try_get(0)?);
        }
    }
    Ok(kept)
}
