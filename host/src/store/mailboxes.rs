//! What is remembered of IMAP folders from one fetch to the next, and which held messages were put aside on the server.

use super::StoreError;
use super::sql::{Sql, Value};
use sqlx::{AnyConnection, Row};

/// What is remembered of a folder under one UIDVALIDITY.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailboxState {
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// Mail below this UID was there before the account began, and is left alone; 0: none.
    pub first_uid: u32,
    /// Mail with an INTERNALDATE before this was among it, milliseconds since the epoch; 0: none was. It tells it once
    /// the server has renumbered it.
    pub left_before: i64,
    /// Below this UID nothing is left to do.
    pub settled: u32,
    /// The settings under which that is so.
    pub settled_for: String,
    /// When the folder was last listed from its beginning, milliseconds since the epoch.
    pub listed_at: i64,
}

/// A held message that is not put aside yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMessage {
    /// Row id in the spool.
    pub id: i64,
    /// Its key as stored; none where it was retired.
    pub source_key: Option<String>,
    /// Where it came from, for people.
    pub source: String,
    /// Bytes.
    pub size: i64,
    /// IMAP's INTERNALDATE, else when it was received; milliseconds since the epoch.
    pub date: i64,
    /// Whether it may be there already: an earlier attempt was cut off.
    pub begun: bool,
}

/// What is remembered of a folder under this UIDVALIDITY.
pub async fn state(
    connection: &mut AnyConnection,
    mailbox: i64,
    uid_validity: u32,
) -> Result<Option<MailboxState>, StoreError> {
    let mut sql =
        Sql::new("SELECT first_uid, left_before, settled, settled_for, listed_at FROM mailbox_state WHERE mailbox = ");
    let Some(row) = sql.bind(mailbox).push(" AND uid_validity = ").bind(uid_validity).optional(connection).await?
    else {
        return Ok(None);
    };
    let uid = |value: i64| u32::try_from(value).unwrap_or(0);
    Ok(Some(MailboxState {
        uid_validity,
        first_uid: uid(row.try_get(0)?),
        left_before: row.try_get(1)?,
        settled: uid(row.try_get(2)?),
        settled_for: row.try_get(3)?,
        listed_at: row.try_get(4)?,
    }))
}

/// The date before which mail of a folder is left alone, whatever its UIDVALIDITY was; none where the folder was never
/// seen.
pub async fn left_before(connection: &mut AnyConnection, mailbox: i64) -> Result<Option<i64>, StoreError> {
    let mut sql = Sql::new("SELECT MAX(left_before) FROM mailbox_state WHERE mailbox = ");
    Ok(sql.bind(mailbox).one(connection).await?.try_get(0)?)
}

/// Remembers a folder's state in place of the one before.
pub async fn remember(connection: &mut AnyConnection, mailbox: i64, state: &MailboxState) -> Result<(), StoreError> {
    let row: [Value; 7] = [
        mailbox.into(),
        state.uid_validity.into(),
        state.first_uid.into(),
        state.left_before.into(),
        state.settled.into(),
        (&state.settled_for).into(),
        state.listed_at.into(),
    ];
    let mut sql = Sql::new(
        "INSERT INTO mailbox_state (mailbox, uid_validity, first_uid, left_before, settled, settled_for, listed_at) VALUES ",
    );
    sql.tuple(row).push(
        " ON CONFLICT (mailbox, uid_validity) DO UPDATE SET first_uid = excluded.first_uid, left_before = excluded.left_before, settled = excluded.settled, settled_for = excluded.settled_for, listed_at = excluded.listed_at",
    );
    sql.execute(connection).await?;
    Ok(())
}

/// The oldest held messages of an account that are not put aside, `limit` at most.
pub async fn held(connection: &mut AnyConnection, account: &str, limit: i64) -> Result<Vec<HeldMessage>, StoreError> {
    let mut sql = Sql::new(
        "SELECT id, source_key, source, size, COALESCE(internal_date, received_at), set_aside.status FROM spool LEFT JOIN set_aside ON spool_id = id WHERE spool.status IN ('held', 'failed', 'ignored') AND spool.status = 'held' AND COALESCE(set_aside.status, 'begun') = 'begun' AND account = ",
    );
    let rows = sql.bind(account).push(" ORDER BY id LIMIT ").bind(limit).all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(HeldMessage {
                id: row.try_get(0)?,
                source_key: row.try_get(1)?,
                source: row.try_get(2)?,
                size: row.try_get(3)?,
                date: row.try_get(4)?,
                begun: row.try_get::<Option<String>, _>(5)?.is_some(),
            })
        })
        .collect()
}

/// Notes that a held message is about to be put aside, or (`done`) was.
pub async fn set_aside(connection: &mut AnyConnection, id: i64, done: bool) -> Result<(), StoreError> {
    let row: [Value; 3] =
        [id.into(), (if done { "done" } else { "begun" }).into(), postigo_model::timestamp::now().into()];
    let mut sql = Sql::new("INSERT INTO set_aside (spool_id, status, changed_at) VALUES ");
    sql.tuple(row)
        .push(" ON CONFLICT (spool_id) DO UPDATE SET status = excluded.status, changed_at = excluded.changed_at");
    sql.execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Location, Store};

    #[tokio::test]
    async fn a_folder_is_remembered_for_each_uidvalidity_and_what_was_left_for_all() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let first = MailboxState {
            uid_validity: u32::MAX,
            first_uid: 5,
            left_before: 77,
            settled: 9,
            settled_for: "x".into(),
            listed_at: 3,
        };
        let later = MailboxState { settled: 11, ..first.clone() };
        let renumbered = MailboxState { uid_validity: 2, left_before: 0, ..first.clone() };
        for state in [first, later.clone(), renumbered] {
            store.write(state, |state, connection| Box::pin(remember(connection, 1, state))).await.unwrap();
        }
        let mut connection = store.read().await.unwrap();
        assert_eq!(state(&mut connection, 1, u32::MAX).await.unwrap(), Some(later));
        assert_eq!(state(&mut connection, 1, 3).await.unwrap(), None);
        assert_eq!(left_before(&mut connection, 1).await.unwrap(), Some(77));
        assert_eq!(left_before(&mut connection, 2).await.unwrap(), None, "never seen");
    }
}
