//! What the command line and REST ask the spool.

use super::rows::{RawPlace, read_status};
use crate::store::packing::{StoredResult, unpack_result, unpacked_length};
use crate::store::sql::{Sql, pieces};
use crate::store::{StoreError, plan_versions};
use postigo_model::plan_version::{PlanVersion, shown_number};
use postigo_model::result::MessageResult;
use postigo_model::spool::SpoolStatus;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeMap, HashMap};

/// A message of the spool, as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct SpoolMessage {
    /// Row id.
    pub id: i64,
    /// Account name.
    pub account: String,
    /// Where it came from.
    pub source: String,
    /// Where it stands.
    pub status: SpoolStatus,
    /// Milliseconds since the epoch.
    pub received_at: i64,
    /// Milliseconds since the epoch.
    pub ended_at: Option<i64>,
    /// Bytes.
    pub size: i64,
    /// Tries so far.
    pub tries: i64,
    /// Why it is where it is, a sentence.
    pub reason: Option<String>,
    /// When somebody released or dropped it last, milliseconds since the epoch; none where nobody did.
    pub handled_at: Option<i64>,
    /// Who did.
    pub handled_by: Option<String>,
    /// What became of it, once something did.
    pub result: Option<MessageResult>,
}

/// Which messages a list has.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// Empty: those that wait, are worked on, are held, failed or were ignored.
    pub status: Vec<SpoolStatus>,
    /// Of this account alone.
    pub account: Option<String>,
    /// After the message with this id.
    pub after: Option<i64>,
    /// So many at most.
    pub limit: i64,
}

const COLUMNS: &str = "id, account, source, status, received_at, ended_at, size, tries, reason, plan, result, packed, handled_at, handled_by";

/// Bytes of a result that a list reads: filters write into it, and a list has up to 500 of them.
const LISTED_RESULT: usize = 64 << 10;

/// [`COLUMNS`] with a result only where it is short enough for a list.
fn listed_columns() -> String {
    let short = |column: &str| format!("CASE WHEN length({column}) <= {LISTED_RESULT} THEN {column} END");
    COLUMNS.replace("result, packed", &format!("{}, {}", short("result"), short("packed")))
}

/// How much of a result is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// None that is too long for a list.
    Listed,
    /// All of it.
    Whole,
    /// With the filters' versions.
    WithVersions,
}

/// A message as its row has it.
struct StoredMessage {
    message: SpoolMessage,
    /// Number of the plan's version, and how many of its filters ran.
    chain: Option<(i64, usize)>,
    /// Bytes of the result, written out.
    length: usize,
}

/// What a filter's result takes in a document beside its name, in bytes, where it is not kept itself.
const LEFT_OUT: usize = 110;

impl StoredMessage {
    /// The message, its filters from the plan's version where there is one.
    fn complete(self, plans: &HashMap<i64, PlanVersion>, detail: Detail) -> SpoolMessage {
        let Self { mut message, chain, mut length } = self;
        let plan = chain.and_then(|(number, ran)| Some((plans.get(&number)?, number, ran)));
        if let (Some((plan, number, ran)), Some(result)) = (plan, &mut message.result) {
            length += plan.filters.iter().map(|filter| filter.name.len() + LEFT_OUT).sum::<usize>();
            result.filters = plan.results(ran, std::mem::take(&mut result.filters));
            result.plan = Some(shown_number(number));
            if detail == Detail::WithVersions {
                plan.add_versions(&mut result.filters);
            }
        }
        if detail == Detail::Listed && length > LISTED_RESULT {
            message.result = None;
        }
        message
    }
}

async fn read_all(
    connection: &mut AnyConnection,
    rows: &[AnyRow],
    detail: Detail,
) -> Result<Vec<SpoolMessage>, StoreError> {
    let stored = rows.iter().map(|row| read(row, detail)).collect::<Result<Vec<_>, _>>()?;
    let numbers = stored.iter().filter_map(|stored| stored.chain).map(|(number, _)| number);
    let plans = plan_versions::find(connection, numbers).await?;
    Ok(stored.into_iter().map(|stored| stored.complete(&plans, detail)).collect())
}

fn read(row: &AnyRow, detail: Detail) -> Result<StoredMessage, StoreError> {
    let (plan, written): (Option<i64>, Option<&str>) = (row.try_get(9)?, row.try_get(10)?);
    let packed: Option<Vec<u8>> = row.try_get(11)?;
    let status = read_status(row, 3)?;
    let length = match (written, &packed) {
        (Some(text), _) => text.len(),
        (None, Some(packed)) => unpacked_length(packed).unwrap_or_default(),
        (None, None) => 0,
    };
    // A program of before that released a message left what is packed as it was.
    let is_under_way = matches!(status, SpoolStatus::Waiting | SpoolStatus::Claimed);
    let is_left_out = is_under_way || (detail == Detail::Listed && length > LISTED_RESULT);
    let result = match (written, packed) {
        _ if is_left_out => None,
        (Some(text), _) => Some(StoredResult { result: read_written(text)?, ran: None }),
        (None, Some(packed)) => Some(unpack_result(&packed)?),
        (None, None) => None,
    };
    let chain = plan.zip(result.as_ref().and_then(|stored| stored.ran));
    let message = SpoolMessage {
        id: row.try_get(0)?,
        account: row.try_get(1)?,
        source: row.try_get(2)?,
        status,
        received_at: row.try_get(4)?,
        ended_at: row.try_get(5)?,
        size: row.try_get(6)?,
        tries: row.try_get(7)?,
        reason: row.try_get(8)?,
        handled_at: row.try_get(12)?,
        handled_by: row.try_get(13)?,
        result: result.map(|stored| stored.result),
    };
    Ok(StoredMessage { message, chain, length })
}

/// Reads a result as it was written before results were packed.
pub(in crate::store) fn read_written(text: &str) -> Result<MessageResult, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt { what: "result", reason: error.to_string() })
}

/// The statuses that an index of their own makes quick to find, in its words; all others are found among all messages.
const INDEXED: [(&str, &[SpoolStatus]); 3] = [
    ("status IN ('waiting', 'claimed')", &[SpoolStatus::Waiting, SpoolStatus::Claimed]),
    ("status IN ('held', 'failed', 'ignored')", &[SpoolStatus::Held, SpoolStatus::Failed, SpoolStatus::Ignored]),
    ("status IN ('rejected', 'dropped')", &[SpoolStatus::Rejected, SpoolStatus::Dropped]),
];
/// Of these, those that somebody has to look at, or that are on their way.
const OPEN: usize = 2;

/// The condition of all messages.
const EVERY: &str = "1 = 1";

/// Messages in the order of their arrival, without the results that are longer than 64 KiB.
pub async fn list(connection: &mut AnyConnection, filter: &MessageFilter) -> Result<Vec<SpoolMessage>, StoreError> {
    let mut asked = filter.status.clone();
    if asked.is_empty() {
        asked = INDEXED[..OPEN].iter().flat_map(|(_, statuses)| *statuses).copied().collect();
    }
    let mut messages = Vec::new();
    for (condition, statuses) in INDEXED.into_iter().chain([(EVERY, &SpoolStatus::ALL[..])]) {
        let (here, others) = asked.into_iter().partition(|status| statuses.contains(status));
        asked = others;
        messages.extend(list_part(connection, condition, &here, filter).await?);
    }
    messages.sort_unstable_by_key(|message| message.id);
    messages.truncate(usize::try_from(filter.limit).unwrap_or(0));
    Ok(messages)
}

async fn list_part(
    connection: &mut AnyConnection,
    condition: &'static str,
    statuses: &[SpoolStatus],
    filter: &MessageFilter,
) -> Result<Vec<SpoolMessage>, StoreError> {
    if statuses.is_empty() {
        return Ok(Vec::new());
    }
    // The ids first: for rows in their order SQLite reads the whole table rather than an index that has a few of them.
    let is_indexed = condition != EVERY;
    let mut sql = Sql::new(format!("SELECT {} FROM spool WHERE ", listed_columns()));
    if is_indexed {
        sql.push("id IN (SELECT id FROM spool WHERE ");
    }
    sql.push(condition).push(" AND status IN ").list(statuses.iter().map(|status| status.name()));
    if let Some(account) = &filter.account {
        sql.push(" AND account = ").bind(account);
    }
    if let Some(after) = filter.after {
        sql.push(" AND id > ").bind(after);
    }
    if is_indexed {
        // No order of the primary key.
        sql.push(" ORDER BY id + 0 LIMIT ").bind(filter.limit).push(")");
    }
    let rows = sql.push(" ORDER BY id LIMIT ").bind(filter.limit).all(connection).await?;
    read_all(connection, &rows, Detail::Listed).await
}

/// The messages that something became of, the last to arrive first. Their results have those filters alone that did
/// something; what is too long for a list is left out.
pub async fn latest(connection: &mut AnyConnection, limit: i64) -> Result<Vec<SpoolMessage>, StoreError> {
    let mut sql = Sql::new(format!("SELECT {} FROM spool WHERE ", listed_columns()));
    sql.push("(packed IS NOT NULL OR result IS NOT NULL) AND status NOT IN ('waiting', 'claimed') ORDER BY id DESC");
    let rows = sql.push(" LIMIT ").bind(limit).all(connection).await?;
    rows.iter().map(|row| Ok(read(row, Detail::Listed)?.message)).collect()
}

/// One message.
pub async fn show(connection: &mut AnyConnection, id: i64) -> Result<Option<SpoolMessage>, StoreError> {
    let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM spool WHERE id = "));
    let rows = sql.bind(id).all(connection).await?;
    Ok(read_all(connection, &rows, Detail::WithVersions).await?.pop())
}

/// What became of these messages; those that are still on their way are left out.
pub async fn results(connection: &mut AnyConnection, ids: &[i64]) -> Result<HashMap<i64, SpoolMessage>, StoreError> {
    let mut results = HashMap::new();
    for piece in pieces(ids) {
        let mut sql =
            Sql::new(format!("SELECT {COLUMNS} FROM spool WHERE status NOT IN ('waiting', 'claimed') AND id IN "));
        let rows = sql.list(piece.iter().copied()).all(connection).await?;
        let messages = read_all(connection, &rows, Detail::Whole).await?;
        results.extend(messages.into_iter().map(|message| (message.id, message)));
    }
    Ok(results)
}

/// Where the bytes of a message are; of those that lie in a row as they came in the first so many.
pub async fn beginning_place(connection: &mut AnyConnection, id: i64, most: usize) -> Result<RawPlace, StoreError> {
    // What is packed is not long.
    let beginning = format!("CASE WHEN spool_raw.packed = 1 THEN raw ELSE substr(raw, 1, {most}) END");
    Ok(places(connection, &[id], &beginning).await?.remove(&id).unwrap_or(RawPlace::Gone))
}

/// The bytes that lie in a row as they came in, from this one on, so many at most; none where there are none any more.
pub async fn raw_piece(
    connection: &mut AnyConnection,
    id: i64,
    from: usize,
    most: usize,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut sql =
        Sql::new(format!("SELECT substr(raw, {}, {most}) FROM spool_raw WHERE packed = 0 AND spool_id = ", from + 1));
    let row = sql.bind(id).optional(connection).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Where the bytes of these messages are.
pub async fn raw_places(connection: &mut AnyConnection, ids: &[i64]) -> Result<HashMap<i64, RawPlace>, StoreError> {
    places(connection, ids, "raw").await
}

async fn places(connection: &mut AnyConnection, ids: &[i64], raw: &str) -> Result<HashMap<i64, RawPlace>, StoreError> {
    let mut places = HashMap::new();
    for piece in pieces(ids) {
        let mut sql = Sql::new(format!(
            "SELECT spool.id, object, {raw}, spool_raw.packed FROM spool LEFT JOIN spool_raw ON spool_raw.spool_id = spool.id WHERE spool.id IN "
        ));
        for row in sql.list(piece.iter().copied()).all(connection).await? {
            let place = match (row.try_get::<Option<String>, _>(1)?, row.try_get::<Option<Vec<u8>>, _>(2)?) {
                (Some(name), _) => RawPlace::Object(name),
                (None, Some(packed)) if row.try_get::<Option<i64>, _>(3)? == Some(1) => RawPlace::Packed(packed),
                (None, Some(raw)) => RawPlace::Row(raw),
                (None, None) => RawPlace::Gone,
            };
            places.insert(row.try_get(0)?, place);
        }
    }
    Ok(places)
}

/// How many messages stand where: waiting, claimed, held, failed, ignored.
pub async fn depths(connection: &mut AnyConnection) -> Result<BTreeMap<SpoolStatus, i64>, StoreError> {
    let mut depths = BTreeMap::new();
    for (condition, statuses) in INDEXED.into_iter().take(OPEN) {
        depths.extend(statuses.iter().map(|status| (*status, 0)));
        let mut sql = Sql::new(format!("SELECT status, COUNT(*) FROM spool WHERE {condition} GROUP BY status"));
        for row in sql.all(connection).await? {
            depths.insert(read_status(&row, 0)?, row.try_get(1)?);
        }
    }
    Ok(depths)
}

/// Whether the bytes of any message lie in the folder of large ones.
pub async fn names_objects(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    Ok(Sql::new("SELECT 1 FROM spool WHERE object IS NOT NULL LIMIT 1").optional(connection).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Location, Store};

    #[tokio::test]
    async fn a_list_leaves_out_long_results_and_the_message_by_itself_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        for length in [LISTED_RESULT / 2, LISTED_RESULT] {
            let result = MessageResult { warnings: vec!["x".repeat(length)], ..MessageResult::default() };
            let mut sql = Sql::new(
                "INSERT INTO spool (account, epoch, digest, source, received_at, recipients, size, status, result) VALUES ",
            );
            let row: [crate::store::sql::Value; 9] = [
                "a".into(),
                "".into(),
                vec![0_u8].into(),
                "test".into(),
                0_i64.into(),
                "[]".into(),
                0_i64.into(),
                "held".into(),
                serde_json::to_string(&result).unwrap().into(),
            ];
            sql.tuple(row).execute(&mut store.read().await.unwrap()).await.unwrap();
        }
        let mut connection = store.read().await.unwrap();
        let listed = list(&mut connection, &MessageFilter { limit: 9, ..MessageFilter::default() }).await.unwrap();
        assert_eq!(listed.iter().map(|message| message.result.is_some()).collect::<Vec<_>>(), [true, false]);
        let shown = show(&mut connection, listed[1].id).await.unwrap().unwrap();
        assert_eq!(shown.result.unwrap().warnings[0].len(), LISTED_RESULT);
        // It says that it has 2 MiB written out, and is not read: nothing would come of that.
        store.execute("UPDATE spool SET result = NULL, packed = x'018080800100'").await;
        let listed = list(&mut connection, &MessageFilter { limit: 9, ..MessageFilter::default() }).await.unwrap();
        assert_eq!(listed.iter().filter(|message| message.result.is_some()).count(), 0);
        assert_eq!(latest(&mut connection, 9).await.unwrap().len(), 2);
        assert!(show(&mut connection, listed[0].id).await.is_err());
    }
}
