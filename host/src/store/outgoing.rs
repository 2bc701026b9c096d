//! Mail that is to be sent: rows of the transaction that made them due.

use super::StoreError;
use super::sql::Sql;
use crate::ticket::{AutoResponsePlan, AutoResponseStatus};
use sqlx::{AnyConnection, Row};
use std::collections::HashMap;

/// The article that an automatic answer is for.
#[derive(Debug, Clone, Copy)]
pub struct Occasion {
    /// Its ticket's row id.
    pub ticket_id: i64,
    /// Its row id.
    pub article_id: i64,
    /// Milliseconds since the epoch.
    pub now: i64,
    /// Answers that an address gets within a day (UTC).
    pub per_day: u32,
}

/// Counts the addresses against their daily limit and writes the answer to those below it.
pub async fn answer(connection: &mut AnyConnection, plan: &AutoResponsePlan, occasion: Occasion) -> Result<AutoResponseStatus, StoreError> {
    if plan.suppressed.is_some() {
        return Ok(AutoResponseStatus::Suppressed);
    }
    let counts = count(connection, &plan.counted, occasion.now).await?;
    let below = |address: &&String| counts.get(&address.to_lowercase()).is_none_or(|count| *count <= i64::from(occasion.per_day));
    let recipients: Vec<&String> = plan.to.iter().filter(below).collect();
    if recipients.is_empty() {
        return Ok(AutoResponseStatus::Suppressed);
    }
    let mut sql =
        Sql::new("INSERT INTO outgoing (kind, status, ticket_id, article_id, occasion, response, recipients, created_at) VALUES ");
    let name = serde_json::to_value(plan.occasion).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    sql.tuple::<8>([
        "auto-response".into(),
        "waiting".into(),
        occasion.ticket_id.into(),
        occasion.article_id.into(),
        name.into(),
        (&plan.name).into(),
        serde_json::json!(recipients).to_string().into(),
        occasion.now.into(),
    ]);
    sql.execute(connection).await?;
    Ok(AutoResponseStatus::Queued)
}

async fn count(connection: &mut AnyConnection, addresses: &[String], now: i64) -> Result<HashMap<String, i64>, StoreError> {
    let mut folded: Vec<String> = addresses.iter().map(|address| address.to_lowercase()).collect();
    // In one order everywhere, so that two transactions never wait for each other's rows.
    folded.sort_unstable();
    folded.dedup();
    let mut counts = HashMap::new();
    if folded.is_empty() {
        return Ok(counts);
    }
    let day = (now.div_euclid(86_400_000)).to_string();
    let mut sql = Sql::new("INSERT INTO auto_response_count (address, day, answers) VALUES ");
    for (place, address) in folded.iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " }).tuple::<3>([address.into(), (&day).into(), 1_i64.into()]);
    }
    sql.push(" ON CONFLICT (address, day) DO UPDATE SET answers = auto_response_count.answers + 1 RETURNING address, answers");
    for row in sql.all(connection).await? {
        counts.insert(row.try_get(0)?, row.try_get(1)?);
    }
    Ok(counts)
}
