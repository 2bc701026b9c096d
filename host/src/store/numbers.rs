//! The counters behind ticket numbers: never given twice, however many hosts ask.

use super::StoreError;
use super::sql::Sql;
use crate::config::NumberGenerator;
use sqlx::{AnyConnection, Row};

/// The next counter of a scope (a day, or all time), from 1.
pub async fn next(connection: &mut AnyConnection, scope: &str) -> Result<i64, StoreError> {
    let mut sql = Sql::new("INSERT INTO ticket_counter (scope, value) VALUES (");
    sql.bind(scope).push(", 1) ON CONFLICT (scope) DO UPDATE SET value = ticket_counter.value + 1 RETURNING value");
    Ok(sql.one(connection).await?.try_get(0)?)
}

/// The next ticket number by this generator. `now` is milliseconds since the epoch; days are UTC.
pub async fn next_number(connection: &mut AnyConnection, generator: NumberGenerator, now: i64) -> Result<String, StoreError> {
    let day = day(now);
    match generator {
        NumberGenerator::DateChecksum | NumberGenerator::Date => {
            let counter = next(connection, &day).await?;
            Ok(format!("{day}{counter:05}"))
        }
        NumberGenerator::AutoIncrement | NumberGenerator::Random => Ok(format!("{:05}", next(connection, "").await?)),
    }
}

/// `YYYYMMDD`, UTC.
fn day(now: i64) -> String {
    let date = time::OffsetDateTime::from_unix_timestamp(now.div_euclid(1_000)).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day())
}
