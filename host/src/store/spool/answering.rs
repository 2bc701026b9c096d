//! Who is told what became of a message, when it was brought again while it was on its way: one of those who brought it
//! is told that it was filed, all others that it is a duplicate. Whoever died before is no longer there to be told.

use crate::store::StoreError;
use crate::store::sql::{Sql, pieces};
use postigo_model::spool::TakenIn;
use sqlx::{AnyConnection, Row};
use std::collections::HashSet;

/// Notes of each message that was here already and is on its way that somebody else waits for it too.
pub async fn note_adopted(connection: &mut AnyConnection, taken: &[TakenIn]) -> Result<(), StoreError> {
    let adopted = taken.iter().filter_map(|taken| match taken {
        TakenIn::Adopted(id) => Some(*id),
        TakenIn::New(_) | TakenIn::Known(_) => None,
    });
    for piece in pieces(&adopted.collect::<Vec<_>>()) {
        let mut sql = Sql::new("UPDATE spool SET adopted = 1 WHERE adopted = 0 AND id IN ");
        sql.list(piece.iter().copied()).execute(connection).await?;
    }
    Ok(())
}

/// Which of these messages several wait for.
pub async fn adopted(connection: &mut AnyConnection, ids: &[i64]) -> Result<HashSet<i64>, StoreError> {
    let mut adopted = HashSet::new();
    for piece in pieces(ids) {
        let mut sql = Sql::new("SELECT id FROM spool WHERE adopted <> 0 AND id IN ");
        for row in sql.list(piece.iter().copied()).all(connection).await? {
            adopted.insert(row.try_get(0)?);
        }
    }
    Ok(adopted)
}

/// Takes the answer to a message that several wait for: whether it was still to be had.
pub async fn take_answer(connection: &mut AnyConnection, id: i64) -> Result<bool, StoreError> {
    let mut sql = Sql::new("UPDATE spool SET adopted = 2 WHERE adopted = 1 AND id = ");
    Ok(sql.bind(id).execute(connection).await? == 1)
}
