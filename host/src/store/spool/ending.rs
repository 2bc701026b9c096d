//! How a claimed message leaves its claim, and how an admin sets messages going again or drops them.

use super::rows::{MOST_FAILURES, read_status};
use crate::store::claims::{fence, fenced};
use crate::store::packing::{pack_result, unpack_result};
use crate::store::sql::{Sql, Value, pieces};
use crate::store::{Engine, StoreError, communications, tickets};
use postigo_model::actor::Actor;
use postigo_model::claim::Claim;
use postigo_model::communication::CommunicationRecord;
use postigo_model::plan_version::ChainTrace;
use postigo_model::result::MessageResult;
use postigo_model::spool::SpoolStatus;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::HashMap;

/// The end of a claimed message, as its row says it.
#[derive(Debug, Clone)]
pub struct MessageEnding {
    /// The right to end it.
    pub claim: Claim,
    /// Where it stands now.
    pub status: SpoolStatus,
    /// Why, a sentence; empty: no reason is needed.
    pub reason: String,
    /// What its source is told, packed.
    result: Vec<u8>,
    /// Number of the plan's version that it was judged by.
    plan: Option<i64>,
}

impl MessageEnding {
    /// With what the message's source is told, and the trace of the chain that it went through, if it did.
    pub fn new(
        claim: Claim,
        status: SpoolStatus,
        reason: Option<String>,
        result: &MessageResult,
        chain: Option<&ChainTrace>,
    ) -> Result<Self, StoreError> {
        let plan = chain.map(|chain| chain.plan);
        Ok(Self { claim, status, reason: reason.unwrap_or_default(), result: pack_result(result, chain)?, plan })
    }
}

/// Ends a message that is not filed, but ignored, held or failed, with its communication. [`StoreError::Fenced`] if the
/// claim is no longer in force.
pub async fn end(
    connection: &mut AnyConnection,
    ending: &MessageEnding,
    communication: &CommunicationRecord,
) -> Result<(), StoreError> {
    end_all(connection, std::slice::from_ref(ending)).await?;
    let record = CommunicationRecord { spool_id: Some(ending.claim.id), ..communication.clone() };
    communications::save(connection, &record).await
}

/// The fence: rows are changed only while their claims are still their own. [`StoreError::Fenced`] if one is not; then
/// the transaction must be rolled back.
pub async fn end_all(connection: &mut AnyConnection, endings: &[MessageEnding]) -> Result<(), StoreError> {
    let now = postigo_model::timestamp::now();
    for piece in pieces(endings) {
        let rows = piece.iter().map(|end| -> [Value; 6] {
            [
                end.claim.id.into(),
                end.claim.token.into(),
                end.status.name().into(),
                (&end.reason).into(),
                end.result.clone().into(),
                // Of a value that may be missing in every row, no database knows what it is.
                end.plan.unwrap_or(NO_PLAN).into(),
            ]
        });
        let mut sql = Sql::new(
            "UPDATE spool SET claim = 0, suspect = 0, status = ended.column3, reason = NULLIF(ended.column4, ''), result = NULL, in_short = 0, packed = ended.column5, plan = NULLIF(ended.column6, ",
        );
        sql.bind(NO_PLAN).push("), ended_at = ").bind(now).push(" FROM (VALUES ").tuples(rows).push(") AS ended");
        sql.push(" WHERE spool.id = ended.column1 AND spool.claim = ended.column2 AND spool.status = 'claimed'");
        fenced(sql.execute(connection).await?, piece.len())?;
    }
    Ok(())
}

/// No plan's version has this number.
const NO_PLAN: i64 = -1;

fn in_force(sql: &mut Sql, claim: Claim) -> &mut Sql {
    fence(sql, "claimed", claim.id, claim.token)
}

/// A try that failed on the message itself, while the process that works went on.
#[derive(Debug, Clone)]
pub struct MessageFailure {
    /// The right to say so.
    pub claim: Claim,
    /// The next try comes then at the earliest, in milliseconds since the epoch.
    pub not_before: i64,
    /// Why it failed, a sentence.
    pub reason: String,
    /// Whether the next try is in a process of its own.
    pub suspect: bool,
}

/// Lets a message wait for its next try, or holds it if so many have failed; gives it if it is held. That is to be told
/// in the same transaction.
pub async fn failed(
    connection: &mut AnyConnection,
    failure: &MessageFailure,
) -> Result<Option<HeldAfterFailures>, StoreError> {
    let mut sql = Sql::new("UPDATE spool SET failures = failures + 1, status = CASE WHEN failures + 1 >= ");
    sql.bind(MOST_FAILURES)
        .push(" THEN 'held' ELSE 'waiting' END, claim = 0, suspect = ")
        .bind(i64::from(failure.suspect))
        .push(", not_before = ")
        .bind(failure.not_before);
    sql.push(", reason = ").bind(&failure.reason);
    let tried = in_force(&mut sql, failure.claim).push(RETURNING).optional(connection).await?;
    Ok(held(&[tried.ok_or(StoreError::Fenced)?])?.pop())
}

/// Lets a message wait until `not_before` (milliseconds since the epoch), with the reason: it could not be tried now.
/// The try is not counted.
pub async fn set_aside(
    connection: &mut AnyConnection,
    claim: Claim,
    not_before: i64,
    reason: &str,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE spool SET status = 'waiting', claim = 0, tries = tries - 1, not_before = ");
    sql.bind(not_before).push(", reason = ").bind(reason);
    fenced(in_force(&mut sql, claim).execute(connection).await?, 1)
}

/// Puts a claimed message off until there is time for it, `not_before` (milliseconds since the epoch), with the reason
/// and the communication of what was done so far; the try is not counted, and a suspect stays one, since its chain did
/// not end. [`StoreError::Fenced`] if the claim is no longer in force.
pub async fn put_off(
    connection: &mut AnyConnection,
    claim: Claim,
    not_before: i64,
    reason: &str,
    communication: &CommunicationRecord,
) -> Result<(), StoreError> {
    let mut sql = Sql::new(
        "UPDATE spool SET status = 'waiting', claim = 0, tries = tries - 1, put_off = put_off + 1, not_before = ",
    );
    sql.bind(not_before).push(", reason = ").bind(reason);
    fenced(in_force(&mut sql, claim).execute(connection).await?, 1)?;
    let record = CommunicationRecord { spool_id: Some(claim.id), ..communication.clone() };
    communications::save(connection, &record).await
}

/// After an unclean end: what is claimed of this account waits again as a suspect, each to be tried in a process of its
/// own. Nothing says that one of them is to blame, so that none is held for it.
pub async fn after_unclean_end(connection: &mut AnyConnection, account: &str) -> Result<u64, StoreError> {
    let mut sql = Sql::new("UPDATE spool SET status = 'waiting', claim = 0, suspect = 1, reason = NULL");
    sql.push(" WHERE status IN ('waiting', 'claimed') AND status = 'claimed' AND account = ").bind(account);
    sql.execute(connection).await
}

const RETURNING: &str = " RETURNING id, status, account, source, communication, reason";

/// A message that is held because so many tries failed on it.
#[derive(Debug, Clone)]
pub struct HeldAfterFailures {
    /// Row id.
    pub id: i64,
    /// Account name.
    pub account: String,
    /// Where it came from, for people.
    pub source: String,
    /// Id of the connection's communication that brought it.
    pub brought_by: Option<String>,
    /// Why the last try failed, a sentence.
    pub reason: String,
}

/// Those of the rows that are held now.
fn held(tried: &[AnyRow]) -> Result<Vec<HeldAfterFailures>, StoreError> {
    let mut held = Vec::new();
    for row in tried {
        if read_status(row, 1)? == SpoolStatus::Held {
            held.push(HeldAfterFailures {
                id: row.try_get(0)?,
                account: row.try_get(2)?,
                source: row.try_get(3)?,
                brought_by: row.try_get(4)?,
                reason: row.try_get::<Option<String>, _>(5)?.unwrap_or_default(),
            });
        }
    }
    Ok(held)
}

/// Writes what became of a message that is held, beside its row, and its communication.
pub async fn set_result(
    connection: &mut AnyConnection,
    id: i64,
    result: &MessageResult,
    told: &CommunicationRecord,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE spool SET result = NULL, plan = NULL, in_short = 0, packed = ");
    sql.bind(pack_result(result, None)?).push(" WHERE id = ").bind(id).execute(connection).await?;
    communications::save(connection, told).await
}

/// After an orderly end: what is still claimed of this account waits again as before.
pub async fn unclaim(connection: &mut AnyConnection, account: &str) -> Result<u64, StoreError> {
    let mut sql = Sql::new(
        "UPDATE spool SET status = 'waiting', claim = 0, tries = tries - 1 WHERE status IN ('waiting', 'claimed') AND status = 'claimed' AND account = ",
    );
    sql.bind(account).execute(connection).await
}

/// Sends held, failed and ignored messages the whole way again; those that tries failed on, and suspects, in a process of
/// their own, where they may fail again and harm nothing. All or none: an id that cannot be released is an error that names it.
pub async fn release(connection: &mut AnyConnection, ids: &[i64], by: &Actor) -> Result<(), StoreError> {
    let allowed = [SpoolStatus::Held, SpoolStatus::Failed, SpoolStatus::Ignored];
    check(connection, ids, &allowed, "released").await?;
    for piece in pieces(ids) {
        let mut sql = Sql::new(
            "UPDATE spool SET status = 'waiting', claim = 0, suspect = CASE WHEN failures > 0 OR suspect = 1 THEN 1 ELSE 0 END, failures = 0, tries = 0, not_before = 0, ended_at = NULL, reason = NULL, result = NULL, packed = NULL, plan = NULL, in_short = 0 WHERE id IN ",
        );
        sql.list(piece.iter().copied()).execute(connection).await?;
    }
    note_handled(connection, ids, by).await
}

/// Notes who released or dropped messages, and when.
async fn note_handled(connection: &mut AnyConnection, ids: &[i64], by: &Actor) -> Result<(), StoreError> {
    for piece in pieces(ids) {
        let mut sql = Sql::new("UPDATE spool SET handled_at = ");
        sql.bind(postigo_model::timestamp::now()).push(", handled_by = ").bind(by.to_string());
        sql.push(" WHERE id IN ").list(piece.iter().copied()).execute(connection).await?;
    }
    Ok(())
}

/// Drops messages that wait, are held, failed or were ignored; their bytes go, their keys stay. Gives the names of
/// objects that are no longer needed.
pub async fn remove(connection: &mut AnyConnection, ids: &[i64], by: &Actor) -> Result<Vec<String>, StoreError> {
    let allowed = [SpoolStatus::Waiting, SpoolStatus::Held, SpoolStatus::Failed, SpoolStatus::Ignored];
    check(connection, ids, &allowed, "dropped").await?;
    let mut objects = Vec::new();
    for piece in pieces(ids) {
        let mut sql = Sql::new("SELECT DISTINCT object FROM spool WHERE object IS NOT NULL AND id IN ");
        for row in sql.list(piece.iter().copied()).all(connection).await? {
            objects.push(row.try_get::<String, _>(0)?);
        }
        let mut sql = Sql::new("UPDATE spool SET status = 'dropped', claim = 0, object = NULL, ended_at = ");
        sql.bind(postigo_model::timestamp::now())
            .push(" WHERE id IN ")
            .list(piece.iter().copied())
            .execute(connection)
            .await?;
        delete_raw(connection, piece).await?;
    }
    note_handled(connection, ids, by).await?;
    Ok(objects)
}

/// So many messages one call of [`forget_raw`] deals with at most: other writes wait for it.
pub const FORGOTTEN_AT_ONCE: usize = 500;

/// Removes the received bytes of messages that ended before this time (milliseconds since the epoch) and need no more
/// work. Gives the number of messages and the names of objects that are no longer needed; if the number is
/// [`FORGOTTEN_AT_ONCE`] or above, there are more.
pub async fn forget_raw(connection: &mut AnyConnection, before: i64) -> Result<(usize, Vec<String>), StoreError> {
    const DONE: &str = "status IN ('filed', 'rejected', 'ignored') AND ended_at < ";
    let limit = i64::try_from(FORGOTTEN_AT_ONCE).unwrap_or(i64::MAX);
    // What was found has ended until the commit: a message that is released meanwhile keeps its bytes, or is not released.
    let locked = if Engine::of(connection) == Engine::Postgres { " FOR UPDATE OF spool" } else { "" };
    let mut sql = Sql::new("SELECT spool_id FROM spool_raw JOIN spool ON spool.id = spool_raw.spool_id WHERE ");
    sql.push(DONE).bind(before).push(" ORDER BY spool_id LIMIT ").bind(limit).push(locked);
    let small = sql.all(connection).await?;
    let small = small.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
    for piece in pieces(&small) {
        delete_raw(connection, piece).await?;
    }
    let mut sql = Sql::new("SELECT id, object FROM spool WHERE object IS NOT NULL AND ");
    sql.push(DONE).bind(before).push(" ORDER BY id LIMIT ").bind(limit).push(locked);
    let large = sql.all(connection).await?;
    let (mut ids, mut objects) = (Vec::new(), Vec::new());
    for row in &large {
        ids.push(row.try_get::<i64, _>(0)?);
        objects.push(row.try_get::<String, _>(1)?);
    }
    for piece in pieces(&ids) {
        Sql::new("UPDATE spool SET object = NULL WHERE id IN ").list(piece.iter().copied()).execute(connection).await?;
    }
    Ok((small.len() + objects.len(), objects))
}

/// Deletes bytes that lie in rows. What is packed over them is packed by itself first.
async fn delete_raw(connection: &mut AnyConnection, ids: &[i64]) -> Result<(), StoreError> {
    tickets::need_no_mails(connection, ids).await?;
    Sql::new("DELETE FROM spool_raw WHERE spool_id IN ").list(ids.iter().copied()).execute(connection).await?;
    Ok(())
}

/// Keeps of what became of messages that ended before this time (milliseconds since the epoch), and need no more work,
/// what a second copy of them is told, and the ticket. Gives their number; if that is [`FORGOTTEN_AT_ONCE`], there are
/// more.
pub async fn shorten_results(connection: &mut AnyConnection, before: i64) -> Result<usize, StoreError> {
    let limit = i64::try_from(FORGOTTEN_AT_ONCE).unwrap_or(i64::MAX);
    // As the index spool_history says it, so that it is used.
    let mut sql = Sql::new("SELECT id, packed FROM spool WHERE in_short = 0 AND packed IS NOT NULL");
    sql.push(" AND status IN ('filed', 'rejected', 'ignored', 'dropped') AND ended_at < ").bind(before);
    let rows = sql.push(" ORDER BY ended_at LIMIT ").bind(limit).all(connection).await?;
    let mut shortened: Vec<(i64, Vec<u8>)> = Vec::with_capacity(rows.len());
    for row in &rows {
        let (id, packed): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        // What cannot be read is told of when it is shown, and is not looked at again here.
        let short = unpack_result(&packed).and_then(|stored| pack_result(&stored.result.in_short(), None));
        shortened.push((id, short.unwrap_or(packed)));
    }
    for piece in pieces(&shortened) {
        let mut sql = Sql::new("UPDATE spool SET in_short = 1, plan = NULL, packed = shortened.column2 FROM (VALUES ");
        sql.tuples(piece.iter().map(|(id, packed)| -> [Value; 2] { [(*id).into(), packed.clone().into()] }));
        sql.push(") AS shortened WHERE spool.id = shortened.column1 AND spool.in_short = 0");
        sql.push(" AND spool.status IN ('filed', 'rejected', 'ignored', 'dropped')");
        // Others may have released it meanwhile, and it may have ended again.
        sql.push(" AND spool.ended_at < ").bind(before).execute(connection).await?;
    }
    Ok(rows.len())
}

async fn check(
    connection: &mut AnyConnection,
    ids: &[i64],
    allowed: &[SpoolStatus],
    doing: &str,
) -> Result<(), StoreError> {
    let mut found = HashMap::new();
    for piece in pieces(ids) {
        let mut sql = Sql::new("SELECT id, status FROM spool WHERE id IN ");
        sql.list(piece.iter().copied());
        if Engine::of(connection) == Engine::Postgres {
            // What was found stays so until the commit; on SQLite nobody else writes meanwhile.
            sql.push(" FOR UPDATE");
        }
        for row in sql.all(connection).await? {
            found.insert(row.try_get::<i64, _>(0)?, read_status(&row, 1)?);
        }
    }
    for id in ids {
        match found.get(id) {
            Some(status) if allowed.contains(status) => {}
            Some(status) => {
                return Err(StoreError::Conflict(format!(
                    "Message {id} cannot be {doing}: it is {status}. Nothing was changed."
                )));
            }
            None => {
                return Err(StoreError::NotFound(format!(
                    "There is no message {id} in the spool. Nothing was changed."
                )));
            }
        }
    }
    Ok(())
}
