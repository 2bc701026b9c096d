//! Messages that came for several recipients at once, and come again for some of them: a client whose connection broke
//! between the answers of one LMTP transaction (RFC 2033 section 4.2) retries those that it did not hear of.

use super::rows::{NewRow, read_known};
use crate::store::StoreError;
use crate::store::sql::{Sql, Value, pieces};
use postigo_model::spool::TakenIn;
use sqlx::{AnyConnection, Row};

/// Finds rows whose bytes were brought before for these recipients and others.
pub async fn find(
    connection: &mut AnyConnection,
    rows: &[NewRow],
    taken: &mut [Option<TakenIn>],
) -> Result<(), StoreError> {
    let open: Vec<(usize, &Vec<u8>)> = rows
        .iter()
        .enumerate()
        .filter(|(index, _)| matches!(taken.get(*index), Some(None)))
        .filter_map(|(index, row)| Some((index, row.content.as_ref()?)))
        .collect();
    for piece in pieces(&open) {
        let mut sql = Sql::new(
            "SELECT spool.id, status, size, internal_date, digest, content, recipients FROM delivered_together ",
        );
        sql.push("JOIN spool ON spool.id = delivered_together.spool_id WHERE content IN ");
        sql.list(piece.iter().map(|(_, content)| (*content).clone()));
        for found in sql.all(connection).await? {
            let (content, recipients): (Vec<u8>, String) = (found.try_get(5)?, found.try_get(6)?);
            for (index, _) in piece.iter().filter(|(_, wanted)| **wanted == content) {
                let all_there = rows.get(*index).is_some_and(|row| is_part(&row.recipients, &recipients));
                if let (true, Some(place)) = (all_there, taken.get_mut(*index)) {
                    *place = Some(read_known(&found)?.taken_in());
                }
            }
        }
    }
    Ok(())
}

/// Remembers the new rows that have several recipients.
pub async fn remember(connection: &mut AnyConnection, rows: &[NewRow], taken: &[TakenIn]) -> Result<(), StoreError> {
    let new: Vec<(&Vec<u8>, i64)> = rows
        .iter()
        .zip(taken)
        .filter_map(|(row, taken)| match taken {
            TakenIn::New(id) if read(&row.recipients).len() > 1 => Some((row.content.as_ref()?, *id)),
            _ => None,
        })
        .collect();
    for piece in pieces(&new) {
        let mut sql = Sql::new("INSERT INTO delivered_together (content, spool_id) VALUES ");
        sql.tuples(piece.iter().map(|(content, id)| -> [Value; 2] { [(*content).clone().into(), (*id).into()] }));
        sql.push(" ON CONFLICT (content, spool_id) DO NOTHING").execute(connection).await?;
    }
    Ok(())
}

/// Whether all recipients of one list are in the other.
fn is_part(some: &str, all: &str) -> bool {
    let (some, all) = (read(some), read(all));
    !some.is_empty() && some.iter().all(|recipient| all.contains(recipient))
}

/// The recipients as they are stored, a JSON array.
fn read(recipients: &str) -> Vec<String> {
    serde_json::from_str(recipients).unwrap_or_default()
}
