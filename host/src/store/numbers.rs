//! The counters behind ticket numbers: no value is given twice, however many hosts ask.

use super::StoreError;
use super::sql::Sql;
use crate::ticket::number;
use postigo_model::configured::NumberGenerator;
use sqlx::{AnyConnection, Row};
use time::OffsetDateTime;

/// The next `count` ticket numbers by this generator. `now` is milliseconds since the epoch; days are UTC.
pub async fn take(connection: &mut AnyConnection, generator: NumberGenerator, now: i64, count: usize) -> Result<Vec<String>, StoreError> {
    let date = OffsetDateTime::from_unix_timestamp(now.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH).date();
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let sources: Vec<u64> = match number::counter(generator, date) {
        Some(scope) => {
            let last = advance(connection, &scope, count).await?;
            (last.saturating_sub(count) + 1..=last).collect()
        }
        None => (0..count).map(|_| random()).collect::<Result<_, _>>()?,
    };
    Ok(sources.into_iter().map(|source| number::ticket_number(generator, date, source)).collect())
}

/// Moves a counter on, and gives its new value; it starts at 0.
async fn advance(connection: &mut AnyConnection, scope: &str, count: u64) -> Result<u64, StoreError> {
    let mut sql = Sql::new("INSERT INTO ticket_counter (scope, value) VALUES (");
    sql.bind(scope).push(", ").bind(count);
    sql.push(") ON CONFLICT (scope) DO UPDATE SET value = ticket_counter.value + excluded.value RETURNING value");
    let value: i64 = sql.one(connection).await?.try_get(0)?;
    Ok(value.unsigned_abs())
}

/// A random number.
pub(crate) fn random() -> Result<u64, StoreError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Conflict(format!("The system gives no random numbers: {error}")))?;
    Ok(u64::from_le_bytes(bytes))
}
