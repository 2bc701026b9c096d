//! The rows of the spool. What they mean is said in [`crate::spool`].

use super::claims::LEASE;
use super::sql::{Sql, Value, pieces};
use super::{Engine, StoreError, configuration};
use postigo_model::claim::Claim;
use postigo_model::spool::{ClaimedMessage, SpoolStatus, TakenIn};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::HashMap;

use rows::read_known;

mod answering;
mod ending;
mod history;
mod query;
mod rows;
mod together;

pub use answering::{adopted, take_answer};
pub use ending::{
    FORGOTTEN_AT_ONCE, HeldAfterFailures, MessageEnding, MessageFailure, after_unclean_end, end, end_all, failed,
    forget_raw, put_off, release, remove, set_aside, set_result, shorten_results, unclaim,
};
pub use history::{HistoryFilter, PastMessage, count_past, ignored, past, shortened, with_bytes};
pub(super) use query::read_written;
pub use query::{
    MessageFilter, SpoolMessage, beginning_place, depths, latest, list, names_objects, raw_piece, raw_places, results,
    show,
};
pub use rows::{KnownMessage, MOST_FAILURES, NewRow, RawPlace};

/// The epoch of messages whose key is a UIDL.
pub const UIDL_EPOCH: &str = "uidl";
/// A batch of claimed messages has at most so many bytes, or one message.
const LARGEST_BATCH: i64 = 64 << 20;

/// Stores what is new; for each row, in order, what became of it.
pub async fn insert(connection: &mut AnyConnection, rows: &[NewRow]) -> Result<Vec<TakenIn>, StoreError> {
    let (mut taken, retired) = same_elsewhere(connection, rows).await?;
    known_again(connection, rows, &retired).await?;
    together::find(connection, rows, &mut taken).await?;
    let mut keys: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
    // Twice at most: a UID that stands for other bytes than before gets a key of its own in the second round.
    for _ in 0..2 {
        let open: Vec<usize> = (0..rows.len()).filter(|index| taken[*index].is_none()).collect();
        if open.is_empty() {
            break;
        }
        let inserted = insert_rows(connection, rows, &keys, &open).await?;
        let mut unplaced = Vec::new();
        let mut used: HashMap<&str, i64> = HashMap::new();
        for index in open {
            match inserted.get(&keys[index]) {
                Some(id) if used.contains_key(keys[index].as_str()) => taken[index] = Some(TakenIn::Known(*id)),
                Some(id) => {
                    used.insert(&keys[index], *id);
                    taken[index] = Some(TakenIn::New(*id));
                }
                None => unplaced.push(index),
            }
        }
        insert_raw(connection, rows, &taken).await?;
        let known = known(connection, unplaced.iter().map(|index| keys[*index].as_str())).await?;
        let mut superseded = Vec::new();
        for index in unplaced {
            match known.get(&keys[index]) {
                Some(known) if same_message(known, &rows[index]) => taken[index] = Some(known.taken_in()),
                // A POP3 server has one message of a UIDL: the other one is gone from there.
                Some(_) if rows[index].epoch == UIDL_EPOCH => superseded.push(keys[index].clone()),
                _ => {
                    keys[index] =
                        format!("{}/{}", rows[index].key, postigo_model::hexadecimal::hexadecimal(&rows[index].digest));
                }
            }
        }
        retire(connection, &superseded).await?;
    }
    let unplaced = || {
        StoreError::Conflict(
            "A message could not be stored: its key was taken while it was looked up. Try again.".into(),
        )
    };
    let taken: Vec<TakenIn> = taken.into_iter().map(|taken| taken.ok_or_else(unplaced)).collect::<Result<_, _>>()?;
    together::remember(connection, rows, &taken).await?;
    answering::note_adopted(connection, &taken).await?;
    Ok(taken)
}

/// Bytes that are here are compared themselves; a name or a UID may stand for others by now.
fn same_message(known: &KnownMessage, row: &NewRow) -> bool {
    known.digest == row.digest
}

/// Looks for the same bytes in other epochs: a UIDVALIDITY or a folder that changed, another way in, or a key that was
/// retired. Of the last the stored messages' ids, by the place of the row.
async fn same_elsewhere(
    connection: &mut AnyConnection,
    rows: &[NewRow],
) -> Result<(Vec<Option<TakenIn>>, HashMap<usize, i64>), StoreError> {
    let (mut taken, mut retired) = (vec![None; rows.len()], HashMap::new());
    let comparable: Vec<usize> = (0..rows.len()).filter(|index| rows[*index].comparable).collect();
    for piece in pieces(&comparable) {
        let mut sql =
            Sql::new("SELECT id, status, size, internal_date, digest, epoch, source_key FROM spool WHERE digest IN ");
        sql.list(piece.iter().map(|index| rows[*index].digest.clone())).push(" ORDER BY id");
        for found in sql.all(connection).await? {
            let (digest, epoch): (Vec<u8>, String) = (found.try_get(4)?, found.try_get(5)?);
            let is_retired = found.try_get::<Option<String>, _>(6)?.is_none();
            for index in piece {
                let row = &rows[*index];
                if row.digest == digest && (is_retired || row.epoch.is_empty() || row.epoch != epoch) {
                    let known = read_known(&found)?;
                    if is_retired {
                        retired.insert(*index, known.id);
                    }
                    taken[*index] = Some(known.taken_in());
                }
            }
        }
    }
    Ok((taken, retired))
}

/// Gives messages whose UIDL was retired the one that their bytes came under now, so that they need not be compared
/// each time.
async fn known_again(
    connection: &mut AnyConnection,
    rows: &[NewRow],
    retired: &HashMap<usize, i64>,
) -> Result<(), StoreError> {
    for (index, id) in retired {
        let Some(row) = rows.get(*index).filter(|row| row.epoch == UIDL_EPOCH) else { continue };
        let mut sql = Sql::new("UPDATE spool SET epoch = 'uidl', source_key = ");
        sql.bind(&row.key).push(" WHERE source_key IS NULL AND id = ").bind(*id);
        sql.push(" AND NOT EXISTS (SELECT 1 FROM spool WHERE source_key = ")
            .bind(&row.key)
            .push(")")
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn insert_rows(
    connection: &mut AnyConnection,
    rows: &[NewRow],
    keys: &[String],
    open: &[usize],
) -> Result<HashMap<String, i64>, StoreError> {
    let mut inserted = HashMap::new();
    for piece in pieces(open) {
        let mut sql = Sql::new(
            "INSERT INTO spool (account, source_key, epoch, digest, source, communication, received_at, internal_date, recipients, size, object, status) VALUES ",
        );
        sql.tuples(piece.iter().map(|index| {
            let row = &rows[*index];
            let object = match &row.raw {
                RawPlace::Object(name) => Some(name.clone()),
                _ => None,
            };
            let values: [Value; 12] = [
                (&row.account).into(),
                (&keys[*index]).into(),
                (&row.epoch).into(),
                row.digest.clone().into(),
                (&row.source).into(),
                (&row.communication).into(),
                row.received_at.into(),
                row.internal_date.into(),
                (&row.recipients).into(),
                row.size.into(),
                object.into(),
                SpoolStatus::Waiting.name().into(),
            ];
            values
        }));
        sql.push(" ON CONFLICT (source_key) DO NOTHING RETURNING source_key, id");
        for row in sql.all(connection).await? {
            inserted.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    Ok(inserted)
}

async fn insert_raw(
    connection: &mut AnyConnection,
    rows: &[NewRow],
    taken: &[Option<TakenIn>],
) -> Result<(), StoreError> {
    let new: Vec<(i64, &Vec<u8>, bool)> = rows
        .iter()
        .zip(taken)
        .filter_map(|(row, taken)| match (&row.raw, taken) {
            (RawPlace::Row(raw), Some(TakenIn::New(id))) => Some((*id, raw, false)),
            (RawPlace::Packed(packed), Some(TakenIn::New(id))) => Some((*id, packed, true)),
            _ => None,
        })
        .collect();
    for piece in pieces(&new) {
        let mut sql = Sql::new("INSERT INTO spool_raw (spool_id, raw, packed) VALUES ");
        sql.tuples(
            piece.iter().map(|(id, raw, is_packed)| -> [Value; 3] {
                [(*id).into(), (*raw).clone().into(), (*is_packed).into()]
            }),
        );
        sql.push(" ON CONFLICT (spool_id) DO NOTHING").execute(connection).await?;
    }
    Ok(())
}

/// What is stored under these keys.
pub async fn known<'k>(
    connection: &mut AnyConnection,
    keys: impl IntoIterator<Item = &'k str>,
) -> Result<HashMap<String, KnownMessage>, StoreError> {
    let keys: Vec<&str> = keys.into_iter().collect();
    let mut known = HashMap::new();
    for piece in pieces(&keys) {
        let mut sql =
            Sql::new("SELECT id, status, size, internal_date, digest, source_key FROM spool WHERE source_key IN ");
        for row in sql.list(piece.iter().copied()).all(connection).await? {
            known.insert(row.try_get(5)?, read_known(&row)?);
        }
    }
    Ok(known)
}

/// The identity of a mailbox, made on first sight.
pub async fn mailbox(
    connection: &mut AnyConnection,
    account: &str,
    host: &str,
    user: &str,
    folder: &str,
) -> Result<i64, StoreError> {
    let identity: [Value; 4] = [account.into(), host.to_lowercase().into(), user.into(), folder.into()];
    let mut sql = Sql::new("INSERT INTO mailbox (account, host, user_name, folder) VALUES ");
    sql.tuple(identity.clone())
        .push(" ON CONFLICT (account, host, user_name, folder) DO NOTHING")
        .execute(connection)
        .await?;
    let mut sql = Sql::new("SELECT id FROM mailbox WHERE (account, host, user_name, folder) = ");
    Ok(sql.tuple(identity).one(connection).await?.try_get(0)?)
}

/// The stored keys of an account's UIDLs that are not retired, and the messages' sizes.
pub async fn uidls(connection: &mut AnyConnection, account: &str) -> Result<Vec<(String, i64)>, StoreError> {
    // As the index spool_uidl says it, so that it is used.
    let mut sql =
        Sql::new("SELECT source_key, size FROM spool WHERE epoch = 'uidl' AND source_key IS NOT NULL AND account = ");
    let rows = sql.bind(account).all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Forgets keys whose messages are gone from their source, which may use them again; the messages are known by their
/// bytes from now on.
pub async fn retire(connection: &mut AnyConnection, keys: &[String]) -> Result<u64, StoreError> {
    let mut retired = 0;
    for piece in pieces(keys) {
        let mut sql = Sql::new("UPDATE spool SET source_key = NULL WHERE source_key IN ");
        retired += sql.list(piece.iter()).execute(connection).await?;
    }
    Ok(retired)
}

/// What a claim asks for.
#[derive(Debug, Clone)]
pub struct MessageClaimQuery {
    /// Which database is below.
    pub engine: Engine,
    /// Account name.
    pub account: String,
    /// The process that claims; must hold the account's lease.
    pub run: String,
    /// The token that the rows get.
    pub token: i64,
    /// Messages at most.
    pub limit: i64,
    /// Milliseconds since the epoch: what is put off until later is left.
    pub now: i64,
    /// What is done about suspects.
    pub suspects: SuspectRule,
}

/// What a claim does about suspects, which were claimed while their host ended uncleanly: each is worked on alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspectRule {
    /// One is claimed, alone and before the others.
    First,
    /// Where one waits that is said, and nothing is claimed: there must be a place for it.
    Announced,
    /// The others are claimed.
    PassedOver,
}

/// What was claimed.
#[derive(Debug, Clone, Default)]
pub struct MessageClaims {
    /// In their order.
    pub messages: Vec<ClaimedMessage>,
    /// Whether a suspect waits, for which nothing was claimed.
    pub suspect_waits: bool,
}

/// Claims the oldest waiting messages of an account, in their order, and a suspect as the rule says. One whose try failed
/// waits out of their order, as all do that are tried again. Nothing is claimed while a suspect is.
pub async fn claim(connection: &mut AnyConnection, claim: &MessageClaimQuery) -> Result<MessageClaims, StoreError> {
    if claim.engine == Engine::Postgres && !lease_locked(connection, claim).await? {
        return Ok(MessageClaims::default());
    }
    let mut sql = Sql::new("SELECT MIN(CASE WHEN suspect = 1 AND status = 'waiting' AND not_before <= ");
    sql.bind(claim.now).push(
        " THEN id END), COUNT(CASE WHEN status = 'claimed' THEN 1 END), COUNT(CASE WHEN suspect = 1 AND status = 'claimed' THEN 1 END)",
    );
    sql.push(
        " FROM spool WHERE status IN ('waiting', 'claimed') AND (suspect = 1 OR status = 'claimed') AND account = ",
    )
    .bind(&claim.account);
    let row = sql.one(connection).await?;
    let (suspect, claimed, alone): (Option<i64>, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if alone > 0 {
        return Ok(MessageClaims::default());
    }
    let suspect = match claim.suspects {
        SuspectRule::First if suspect.is_some() && claimed > 0 => return Ok(MessageClaims::default()),
        SuspectRule::Announced if suspect.is_some() => {
            return Ok(MessageClaims { suspect_waits: true, ..MessageClaims::default() });
        }
        SuspectRule::First | SuspectRule::Announced => suspect,
        SuspectRule::PassedOver => None,
    };
    let mut sql = Sql::new("UPDATE spool SET status = 'claimed', tries = tries + 1, claim = ");
    sql.bind(claim.token).push(" WHERE status = 'waiting' AND ");
    match suspect {
        Some(id) => sql.push("id = ").bind(id),
        None => oldest(&mut sql, claim),
    };
    sql.push(" AND EXISTS (SELECT 1 FROM lease WHERE run = ")
        .bind(&claim.run)
        .push(" AND account = ")
        .bind(&claim.account);
    LEASE.running(sql.push(" AND "), claim.engine).push(")");
    sql.push(
        " RETURNING id, tries, source, communication, received_at, recipients, size, put_off, failures, suspect, ",
    );
    // In the very statement: it sees one state of the database, and what came after a change sees the change.
    sql.push(configuration::VERSION);
    let mut rows = Vec::new();
    for row in sql.all(connection).await? {
        rows.push(read_claimed(&row, claim)?);
    }
    rows.sort_unstable_by_key(|claimed| claimed.claim.id);
    Ok(MessageClaims { messages: rows, suspect_waits: false })
}

/// Reads id, tries, source, communication, time of reception, recipients, size, how often it was put off, failures,
/// whether it is a suspect, and the configuration's version.
fn read_claimed(row: &AnyRow, asked: &MessageClaimQuery) -> Result<ClaimedMessage, StoreError> {
    Ok(ClaimedMessage {
        claim: Claim { id: row.try_get(0)?, token: asked.token },
        tries: u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX),
        source: row.try_get(2)?,
        communication: row.try_get(3)?,
        received_at: row.try_get(4)?,
        recipients: serde_json::from_str(row.try_get(5)?).unwrap_or_default(),
        size: u64::try_from(row.try_get::<i64, _>(6)?).unwrap_or(0),
        put_off: row.try_get::<i64, _>(7)? > 0,
        failures: u32::try_from(row.try_get::<i64, _>(8)?).unwrap_or(u32::MAX),
        suspect: row.try_get::<i64, _>(9)? > 0,
        account: asked.account.clone(),
        configuration: configuration::read_version(row, 10)?,
    })
}

/// The accounts under a lease that messages wait for. However many wait, each account costs one look.
pub async fn accounts_with_work(connection: &mut AnyConnection, now: i64) -> Result<Vec<String>, StoreError> {
    let mut sql =
        Sql::new("SELECT account FROM lease WHERE EXISTS (SELECT 1 FROM spool WHERE spool.account = lease.account");
    sql.push(" AND status IN ('waiting', 'claimed') AND status = 'waiting' AND not_before <= ").bind(now).push(")");
    sql.all(connection).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Holds the lease's row until the commit: whoever takes the lease over waits for it, and then sees what was claimed.
async fn lease_locked(connection: &mut AnyConnection, claim: &MessageClaimQuery) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT 1 FROM lease WHERE account = ");
    sql.bind(&claim.account).push(" AND run = ").bind(&claim.run);
    LEASE.running(sql.push(" AND "), claim.engine).push(" FOR SHARE");
    Ok(sql.optional(connection).await?.is_some())
}

/// The oldest waiting messages that are no suspects, as many as the batch holds.
fn oldest<'s>(sql: &'s mut Sql, claim: &MessageClaimQuery) -> &'s mut Sql {
    sql.push("id IN (SELECT id FROM (SELECT id, SUM(size) OVER (ORDER BY id) - size AS before FROM (SELECT id, size FROM spool WHERE status IN ('waiting', 'claimed') AND status = 'waiting' AND suspect = 0 AND account = ");
    sql.bind(&claim.account).push(" AND not_before <= ").bind(claim.now).push(" ORDER BY id LIMIT ").bind(claim.limit);
    sql.push(") oldest) sized WHERE before < ").bind(LARGEST_BATCH).push(")")
}
