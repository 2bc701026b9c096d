//! The counters behind ticket numbers: no value is given twice, however many hosts ask.

use super::StoreError;
use super::sql::Sql;
use crate::config::NumberGenerator;
use crate::ticket::number;
use sqlx::{AnyConnection, Row};
use time::OffsetDateTime;

/// The next ticket number by this generator. `now` is milliseconds since the epoch; days are UTC.
pub async fn next_number(connection: &mut AnyConnection, generator: NumberGenerator, now: i64) -> Result<String, StoreError> {
    let date = OffsetDateTime::from_unix_timestamp(now.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH).date();
    let source = match number::counter(generator, date) {
        Some(scope) => next(connection, &scope).await?,
        None => random()?,
    };
    Ok(number::ticket_number(generator, date, source))
}

/// The next value of a counter, from 1.
async fn next(connection: &mut AnyConnection, scope: &str) -> Result<u64, StoreError> {
    let mut sql = Sql::new("INSERT INTO ticket_counter (scope, value) VALUES (");
    sql.bind(scope).push(", 1) ON CONFLICT (scope) DO UPDATE SET value = ticket_counter.value + 1 RETURNING value");
    let value: i64 = sql.one(connection).await?.try_get(0)?;
    Ok(value.unsigned_abs())
}

/// A random number.
pub(crate) fn random() -> Result<u64, StoreError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Conflict(format!("The system gives no random numbers: {error}")))?;
    Ok(u64::from_le_bytes(bytes))
}
