//! Automatic answers that are due: rows of the transaction that decided them, and what composing asks of them.

use super::read_word;
use crate::store::StoreError;
use crate::store::indexed::indexed;
use crate::store::sql::{Sql, Value, pieces};
use postigo_model::mailbox::Person;
use postigo_model::outgoing::{OutgoingKind, OutgoingStatus};
use postigo_model::ticket::{AutoResponsePlan, AutoResponseStatus};
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// In milliseconds.
pub(super) const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;

/// An automatic answer that is due, and for what.
#[derive(Debug, Clone, Copy)]
pub struct DueResponse<'p> {
    /// What was decided.
    pub plan: &'p AutoResponsePlan,
    /// The ticket's row id.
    pub ticket_id: i64,
    /// The article's row id.
    pub article_id: i64,
    /// Milliseconds since the epoch.
    pub now: i64,
    /// Answers that an address gets within a day (UTC).
    pub per_day: u32,
}

/// What became of an automatic answer that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerOutcome {
    /// Whether its row was written.
    pub status: AutoResponseStatus,
    /// Of the addresses that it was to go to, those that have had all answers of the day, with how many were asked for
    /// on that day, this one included.
    pub over_limit: Vec<(String, i64)>,
}

/// Counts the addresses against their daily limit and writes the answers to those below it; says what became of each.
pub async fn answer_all(
    connection: &mut AnyConnection,
    due: &[DueResponse<'_>],
) -> Result<Vec<AnswerOutcome>, StoreError> {
    let mut counted: BTreeMap<(String, String), i64> = BTreeMap::new();
    for due in due.iter().filter(|due| due.plan.suppressed.is_none()) {
        for key in addresses(due) {
            *counted.entry(key).or_default() += 1;
        }
    }
    let mut before = count(connection, &counted).await?;
    let mut outcomes = Vec::with_capacity(due.len());
    let mut rows: Vec<[Value; 10]> = Vec::new();
    for due in due {
        let (recipients, over_limit) = recipients(due, &mut before);
        let is_sent = !recipients.is_empty();
        let status = if is_sent { AutoResponseStatus::Queued } else { AutoResponseStatus::Suppressed };
        outcomes.push(AnswerOutcome { status, over_limit });
        if is_sent {
            rows.push(row(due, &recipients));
        }
    }
    for piece in pieces(&rows) {
        Sql::new(INSERT).tuples(piece.iter().cloned()).execute(connection).await?;
    }
    Ok(outcomes)
}

pub(super) const INSERT: &str = "INSERT INTO outgoing (kind, status, ticket_id, article_id, occasion, response, recipients, created_at, changed_at, queue) VALUES ";

/// Counts one more automatic mail to an address against its daily limit; says whether it is below.
pub async fn count_one(
    connection: &mut AnyConnection,
    address: &str,
    per_day: u32,
    now: i64,
) -> Result<bool, StoreError> {
    let key = key(address, now);
    let before = count(connection, &BTreeMap::from([(key.clone(), 1)])).await?;
    Ok(before.get(&key).is_none_or(|count| *count < i64::from(per_day)))
}

/// Whether all automatic answers of this hour have gone out; `per_hour` 0: there is no limit.
pub async fn is_hour_full(connection: &mut AnyConnection, per_hour: u32, now: i64) -> Result<bool, StoreError> {
    if per_hour == 0 {
        return Ok(false);
    }
    let (everybody, hour) = hour_key(now);
    let mut sql = Sql::new("SELECT answers FROM auto_response_count WHERE address = ");
    let row = sql.bind(everybody).push(" AND day = ").bind(hour).optional(connection).await?;
    let answers: i64 = row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    Ok(answers >= i64::from(per_hour))
}

/// Counts one more automatic answer against the hour (UTC); says whether it is below the limit.
pub async fn count_in_hour(connection: &mut AnyConnection, per_hour: u32, now: i64) -> Result<bool, StoreError> {
    // What comes after the limit waits for nobody else's row.
    if per_hour == 0 || is_hour_full(connection, per_hour, now).await? {
        return Ok(per_hour == 0);
    }
    let key = hour_key(now);
    let before = count(connection, &BTreeMap::from([(key.clone(), 1)])).await?;
    Ok(before.get(&key).is_none_or(|count| *count < i64::from(per_hour)))
}

/// No address is called so.
fn hour_key(now: i64) -> (String, String) {
    ("*".to_owned(), format!("hour {}", now.div_euclid(HOUR)))
}

/// Forgets what was counted on other days and hours than this one and its neighbours, which it may still be where
/// another host's clock is off.
pub async fn forget_counts(connection: &mut AnyConnection, now: i64) -> Result<u64, StoreError> {
    let mut sql = Sql::new("DELETE FROM auto_response_count WHERE day NOT IN ");
    let days = [-1, 0, 1].map(|days| day(now.saturating_add(days * DAY)));
    let hours = [-1, 0, 1].map(|hours| hour_key(now.saturating_add(hours * HOUR)).1);
    sql.list(days.into_iter().chain(hours));
    sql.execute(connection).await
}

/// Person and day; each once.
fn addresses(due: &DueResponse<'_>) -> BTreeSet<(String, String)> {
    due.plan.counted.iter().map(|address| key(address, due.now)).collect()
}

fn key(address: &str, now: i64) -> (String, String) {
    (indexed(Person::of(address).as_str()).into_owned(), day(now))
}

fn day(now: i64) -> String {
    now.div_euclid(DAY).to_string()
}

/// Who gets this answer, and who has had all of the day, with the count; counts it.
fn recipients<'p>(
    due: &DueResponse<'p>,
    before: &mut HashMap<(String, String), i64>,
) -> (Vec<&'p String>, Vec<(String, i64)>) {
    let (mut below, mut over) = (Vec::new(), Vec::new());
    if due.plan.suppressed.is_some() {
        return (below, over);
    }
    for key in addresses(due) {
        *before.entry(key).or_default() += 1;
    }
    for address in &due.plan.to {
        match before.get(&key(address, due.now)).copied().unwrap_or_default() {
            count if count > i64::from(due.per_day) => over.push((address.clone(), count)),
            _ => below.push(address),
        }
    }
    (below, over)
}

fn row(due: &DueResponse<'_>, recipients: &[&String]) -> [Value; 10] {
    [
        OutgoingKind::AutoResponse.name().into(),
        OutgoingStatus::Due.name().into(),
        due.ticket_id.into(),
        due.article_id.into(),
        due.plan.occasion.name().into(),
        (&due.plan.name).into(),
        serde_json::json!(recipients).to_string().into(),
        due.now.into(),
        due.now.into(),
        "".into(),
    ]
}

/// Adds to the counts of these addresses on their days; gives what they were before.
async fn count(
    connection: &mut AnyConnection,
    counted: &BTreeMap<(String, String), i64>,
) -> Result<HashMap<(String, String), i64>, StoreError> {
    // In one order everywhere, so that two transactions never wait for each other's rows.
    let rows: Vec<[Value; 3]> =
        counted.iter().map(|((address, day), answers)| [address.into(), day.into(), (*answers).into()]).collect();
    let mut before = HashMap::new();
    for piece in pieces(&rows) {
        let mut sql = Sql::new("INSERT INTO auto_response_count (address, day, answers) VALUES ");
        sql.tuples(piece.iter().cloned());
        sql.push(" ON CONFLICT (address, day) DO UPDATE SET answers = auto_response_count.answers + excluded.answers");
        for row in sql.push(" RETURNING address, day, answers").all(connection).await? {
            let key = (row.try_get(0)?, row.try_get(1)?);
            let added = counted.get(&key).copied().unwrap_or_default();
            before.insert(key, row.try_get::<i64, _>(2)? - added);
        }
    }
    Ok(before)
}

/// A row that is to be composed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRow {
    /// Row id.
    pub id: i64,
    /// [`OutgoingKind::AutoResponse`] or [`OutgoingKind::Refusal`].
    pub kind: OutgoingKind,
    /// The ticket's row id; 0 for a refusal.
    pub ticket_id: i64,
    /// The row id of the article that is answered; 0 for a refusal.
    pub article_id: i64,
    /// The kind of automatic answer (`reply`, `follow-up`, …) or of refusal (`oversize`).
    pub occasion: String,
    /// The configured answer's name; of a refusal its text.
    pub response: String,
    /// Bare addresses.
    pub recipients: Vec<String>,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// The queue that a refusal is sent from; empty: not said. An answer is sent from its ticket's.
    pub queue: String,
}

/// The rows that are due, oldest first, at most `limit`.
pub async fn due(connection: &mut AnyConnection, limit: u32) -> Result<Vec<DueRow>, StoreError> {
    let mut sql = Sql::new(
        "SELECT id, kind, ticket_id, article_id, occasion, response, recipients, created_at, queue FROM outgoing WHERE status = 'due' ORDER BY id LIMIT ",
    );
    let rows = sql.bind(limit).all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(DueRow {
                id: row.try_get(0)?,
                kind: read_word(row, 1)?,
                ticket_id: row.try_get(2)?,
                article_id: row.try_get(3)?,
                occasion: row.try_get(4)?,
                response: row.try_get(5)?,
                recipients: super::read_addresses(row, 6)?,
                created_at: row.try_get(7)?,
                queue: row.try_get(8)?,
            })
        })
        .collect()
}

/// Notes an automatic answer that was decided and is not sent, with the reason, a sentence: as a row that is cancelled.
pub async fn note_unsent(
    connection: &mut AnyConnection,
    due: &DueResponse<'_>,
    reason: &str,
) -> Result<(), StoreError> {
    let row = row(due, &due.plan.to.iter().collect::<Vec<_>>());
    let id: i64 = Sql::new(INSERT).tuple(row).push(" RETURNING id").one(connection).await?.try_get(0)?;
    drop_due(connection, id, reason, due.now).await.map(drop)
}

/// Ends a row that is due without sending it: its answer is no longer configured, or would no longer be right. Says
/// whether it was still due.
pub async fn drop_due(connection: &mut AnyConnection, id: i64, reason: &str, now: i64) -> Result<bool, StoreError> {
    let mut sql = Sql::new("UPDATE outgoing SET status = 'cancelled', last_error = ");
    sql.bind(reason).push(", changed_at = ").bind(now).push(" WHERE status = 'due' AND id = ").bind(id);
    Ok(sql.execute(connection).await? == 1)
}
