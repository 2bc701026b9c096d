//! The counters behind ticket numbers: no value is given twice, however many hosts ask.

use super::StoreError;
use super::sql::Sql;
use sqlx::{AnyConnection, Row};

/// Moves a counter on, and gives its new value; it starts at 0.
pub async fn advance(connection: &mut AnyConnection, scope: &str, count: u64) -> Result<u64, StoreError> {
    let mut sql = Sql::new("INSERT INTO ticket_counter (scope, value) VALUES (");
    sql.bind(scope).push(", ").bind(count);
    sql.push(") ON CONFLICT (scope) DO UPDATE SET value = ticket_counter.value + excluded.value RETURNING value");
    let value: i64 = sql.one(connection).await?.try_get(0)?;
    Ok(value.unsigned_abs())
}

/// A random number.
pub fn random() -> Result<u64, StoreError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::Conflict(format!("The system gives no random numbers: {error}")))?;
    Ok(u64::from_le_bytes(bytes))
}
