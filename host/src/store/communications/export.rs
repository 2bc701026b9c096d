//! Communications in the order of their ids, whole, for an export: however many there are, a piece costs the same.

use super::time_span::{before, first_id};
use super::{COLUMNS, read, read_whole, whole};
use crate::store::StoreError;
use crate::store::sql::Sql;
use postigo_model::communication::CommunicationRecord;
use sqlx::{AnyConnection, Row};

/// A piece of the log.
#[derive(Debug, Clone, Default)]
pub struct LogPiece {
    /// Started at or after, milliseconds since the epoch.
    pub since: Option<i64>,
    /// Started before, milliseconds since the epoch.
    pub until: Option<i64>,
    /// Of the account, or going out the transport, of this name.
    pub account: Option<String>,
    /// After the communication with this id; empty: from the first on.
    pub after: String,
    /// So many at most.
    pub limit: i64,
}

fn ids(sql: &mut Sql, piece: &LogPiece) {
    sql.push("FROM communication WHERE id > ").bind(&piece.after);
    if let Some(since) = piece.since {
        // Empty fetches reach to the last of them.
        sql.push(" AND (id >= ").bind(first_id(since)).push(" OR last_at >= ").bind(since).push(")");
    }
    before(sql, piece.until);
    if let Some(account) = &piece.account {
        sql.push(" AND account = ").bind(account);
    }
}

/// The communications of a piece, with their entries where these are wanted.
pub async fn piece(
    connection: &mut AnyConnection,
    piece: &LogPiece,
    entries: bool,
) -> Result<Vec<CommunicationRecord>, StoreError> {
    if !entries {
        let mut sql = Sql::new(format!("SELECT {COLUMNS} "));
        ids(&mut sql, piece);
        let rows = sql.push(" ORDER BY id LIMIT ").bind(piece.limit).all(connection).await?;
        return rows.iter().map(read).collect();
    }
    let mut sql = whole();
    ids(sql.push("communication.id IN (SELECT id "), piece);
    sql.push(" ORDER BY id LIMIT ").bind(piece.limit).push(") ORDER BY communication.id");
    sql.all(connection).await?.iter().map(read_whole).collect()
}

/// How many communications there are from a piece's beginning on, whatever its limit.
pub async fn count(connection: &mut AnyConnection, piece: &LogPiece) -> Result<i64, StoreError> {
    let mut sql = Sql::new("SELECT COUNT(*) ");
    ids(&mut sql, piece);
    Ok(sql.one(connection).await?.try_get(0)?)
}
