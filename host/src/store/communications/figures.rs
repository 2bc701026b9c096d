//! What communications amount to that are of one account or transport, direction, kind and status.

use super::time_span::{before, first_id};
use crate::store::StoreError;
use crate::store::sql::Sql;
use postigo_model::communication::{CommunicationKind, CommunicationStatus, Direction};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::str::FromStr;

/// What these have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    /// Account or transport; empty: of an answer that was never composed.
    pub account: String,
    /// Which way they go.
    pub direction: Direction,
    /// Connections or messages.
    pub kind: CommunicationKind,
    /// How they ended, or that they run.
    pub status: CommunicationStatus,
}

/// What they amount to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many they are.
    pub communications: i64,
    /// Of these, those that do not wait for the next mail.
    pub timed: i64,
    /// Milliseconds that those took which ended.
    pub took: i64,
    /// The last one's id.
    pub last_id: String,
    /// When the last of empty fetches began, milliseconds since the epoch; 0: there are none.
    pub last_at: i64,
}

impl Figures {
    /// Adds those of further communications.
    pub fn add(&mut self, other: &Self) {
        self.communications += other.communications;
        self.timed += other.timed;
        self.took += other.took;
        if other.last_id > self.last_id {
            self.last_id.clone_from(&other.last_id);
        }
        self.last_at = self.last_at.max(other.last_at);
    }
}

/// The columns of [`Group`].
pub const GROUP: &str = "account, direction, kind, status";

/// Connections that wait for the next mail.
const WAITS: &str = "kind = 'connection' AND (direction = 'outgoing' OR transport IN ('lmtp', 'smtp'))";

/// Reads a row of [`GROUP`], communications, timed, took, last id, last at.
pub fn read(row: &AnyRow) -> Result<(Group, Figures), StoreError> {
    let corrupt = |reason| StoreError::Corrupt { what: "communication", reason };
    let group = Group {
        account: row.try_get(0)?,
        direction: Direction::from_str(row.try_get(1)?).map_err(corrupt)?,
        kind: CommunicationKind::from_str(row.try_get(2)?).map_err(corrupt)?,
        status: CommunicationStatus::from_str(row.try_get(3)?).map_err(corrupt)?,
    };
    let figures = Figures {
        communications: row.try_get(4)?,
        timed: row.try_get(5)?,
        took: row.try_get(6)?,
        last_id: row.try_get(7)?,
        last_at: row.try_get(8)?,
    };
    Ok((group, figures))
}

/// Counts, row by row, the communications that started in this span of time (milliseconds since the epoch), empty
/// fetches left out.
pub async fn counted(
    connection: &mut AnyConnection,
    since: i64,
    until: Option<i64>,
) -> Result<Vec<(Group, Figures)>, StoreError> {
    let mut sql = Sql::new(format!(
        "SELECT {GROUP}, COUNT(*), CAST(SUM(CASE WHEN {WAITS} THEN 0 ELSE 1 END) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN {WAITS} THEN 0 ELSE ended_at - started_at END), 0) AS BIGINT), \
         MAX(id), CAST(0 AS BIGINT) FROM communication WHERE empty_day IS NULL AND id >= "
    ));
    sql.bind(first_id(since));
    before(&mut sql, until);
    sql.push(" GROUP BY ").push(GROUP).all(connection).await?.iter().map(read).collect()
}

/// In milliseconds.
const DAY: i64 = 86_400_000;

/// An id is drawn at most so many milliseconds before its fetch says that it begins.
const DRAWN_BEFORE: i64 = 60_000;

/// Counts the empty fetches of a span of time: of those of a day the ones in it, as if they came at even intervals.
pub async fn empty_fetches(
    connection: &mut AnyConnection,
    since: Option<i64>,
    until: Option<i64>,
) -> Result<Vec<(Group, Figures)>, StoreError> {
    let since = since.unwrap_or_default();
    let (before_all, count, last_at) = match until {
        None => (String::new(), from_then_on(since), "last_at".to_owned()),
        Some(until) => {
            let later = from_then_on(until);
            let last_at = format!(
                "CASE WHEN last_at >= {until} AND fetches > 1 THEN last_at - {later} * (last_at - started_at) / (fetches - 1) ELSE last_at END"
            );
            (format!(" AND id < '{}'", first_id(until)), format!("({} - {later})", from_then_on(since)), last_at)
        }
    };
    let took = format!("COALESCE(took, ended_at - started_at) * {count} / fetches");
    let mut sql = Sql::new(format!(
        "SELECT {GROUP}, CAST(SUM({count}) AS BIGINT), CAST(SUM(CASE WHEN {WAITS} THEN 0 ELSE {count} END) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN {WAITS} THEN 0 ELSE {took} END), 0) AS BIGINT), MAX(id), COALESCE(MAX({last_at}), 0) \
         FROM communication WHERE {count} > 0{before_all} \
         AND id IN (SELECT id FROM communication WHERE empty_day IS NOT NULL AND empty_day >= "
    ));
    sql.bind(since.saturating_sub(DRAWN_BEFORE).div_euclid(DAY));
    sql.push(") GROUP BY ").push(GROUP).all(connection).await?.iter().map(read).collect()
}

/// How many of the empty fetches of a row began at or after this time, milliseconds since the epoch; an expression.
fn from_then_on(at: i64) -> String {
    format!(
        "(CASE WHEN last_at < {at} THEN 0 WHEN last_at > started_at AND started_at < {at} \
         THEN 1 + (fetches - 1) * (last_at - {at}) / (last_at - started_at) ELSE fetches END)"
    )
}
