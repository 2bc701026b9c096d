//! A command's wish that the daemon fetches an account now, and the daemon's answer.

use super::sql::Sql;
use super::{Store, StoreError};
use sqlx::Row;

/// A wish that nobody has taken up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// Row id.
    pub id: i64,
    /// Account name.
    pub account: String,
}

/// Asks for a fetch of this account; gives the request's id.
pub async fn ask(store: &Store, account: &str) -> Result<i64, StoreError> {
    let input = (account.to_owned(), postigo_model::timestamp::now());
    store
        .write(input, |(account, now), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("INSERT INTO fetch_request (account, requested_at) VALUES ");
                sql.tuple::<2>([account.into(), (*now).into()]).push(" RETURNING id");
                Ok(sql.one(connection).await?.try_get(0)?)
            })
        })
        .await
}

/// Takes the open requests for these accounts up; each goes to one host.
pub async fn take(store: &Store, host: &str, accounts: &[String]) -> Result<Vec<FetchRequest>, StoreError> {
    let mut waiting = Sql::new("SELECT 1 FROM fetch_request WHERE taken_by IS NULL LIMIT 1");
    if waiting.optional(&mut *store.read().await?).await?.is_none() {
        return Ok(Vec::new());
    }
    store
        .write((host.to_owned(), accounts.to_vec()), |(host, accounts), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("UPDATE fetch_request SET taken_by = ");
                sql.bind(host)
                    .push(" WHERE taken_by IS NULL AND account IN ")
                    .list(accounts)
                    .push(" RETURNING id, account");
                let rows = sql.all(connection).await?;
                rows.iter().map(|row| Ok(FetchRequest { id: row.try_get(0)?, account: row.try_get(1)? })).collect()
            })
        })
        .await
}

/// Answers a request, in JSON.
pub async fn answer(store: &Store, id: i64, answer: &serde_json::Value) -> Result<(), StoreError> {
    store
        .write((id, answer.to_string()), |(id, answer), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("UPDATE fetch_request SET answer = ");
                sql.bind(answer).push(" WHERE id = ").bind(*id).execute(connection).await?;
                Ok(())
            })
        })
        .await
}

/// The answer to a request, once it is there.
pub async fn answered(store: &Store, id: i64) -> Result<Option<serde_json::Value>, StoreError> {
    let mut sql = Sql::new("SELECT answer FROM fetch_request WHERE id = ");
    let row = sql.bind(id).optional(&mut *store.read().await?).await?;
    let row = row.ok_or_else(|| StoreError::NotFound(format!("There is no fetch request {id} any more.")))?;
    let text: Option<String> = row.try_get(0)?;
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|error| StoreError::Corrupt { what: "answer", reason: error.to_string() })
    };
    text.map(read).transpose()
}

/// Removes a request: its command has the answer, or no longer waits.
pub async fn forget(store: &Store, id: i64) -> Result<(), StoreError> {
    store
        .write(id, |id, connection| {
            Box::pin(async move {
                Sql::new("DELETE FROM fetch_request WHERE id = ").bind(*id).execute(connection).await?;
                Ok(())
            })
        })
        .await
}
