//! The names of requests, so that one which is sent again has no further effect.

use super::StoreError;
use super::sql::Sql;
use sqlx::{AnyConnection, Row};

/// A request that was made under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRequest {
    /// SHA-256 of all that it asked for, hexadecimal.
    pub digest: String,
    /// What it was answered, JSON; empty while it is under way.
    pub answer: String,
}

/// The earlier request of this name; none where there was none.
pub async fn find(connection: &mut AnyConnection, scope: &str, name: &str) -> Result<Option<NamedRequest>, StoreError> {
    let mut sql = Sql::new("SELECT digest, answer FROM idempotency WHERE scope = ");
    let row = sql.bind(scope).push(" AND name = ").bind(name).optional(connection).await?;
    row.map(|row| Ok(NamedRequest { digest: row.try_get(0)?, answer: row.try_get(1)? })).transpose()
}

/// Takes the name for a request; says whether it was free. A request of the same name that runs now is waited for.
pub async fn take(
    connection: &mut AnyConnection,
    scope: &str,
    name: &str,
    digest: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let mut sql = Sql::new("INSERT INTO idempotency (scope, name, digest, answer, created_at) VALUES ");
    sql.tuple([scope.into(), name.into(), digest.into(), "".into(), now.into()]);
    Ok(sql.push(" ON CONFLICT (scope, name) DO NOTHING").execute(connection).await? == 1)
}

/// Keeps what the request was answered, JSON.
pub async fn set_answer(
    connection: &mut AnyConnection,
    scope: &str,
    name: &str,
    answer: &str,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE idempotency SET answer = ");
    sql.bind(answer).push(" WHERE scope = ").bind(scope).push(" AND name = ").bind(name).execute(connection).await?;
    Ok(())
}

/// Gives the name back: the request is not carried out after all.
pub async fn give_back(connection: &mut AnyConnection, scope: &str, name: &str) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM idempotency WHERE scope = ");
    sql.bind(scope).push(" AND name = ").bind(name).execute(connection).await?;
    Ok(())
}

/// Forgets the names of requests from before this time, milliseconds since the epoch; gives their number.
pub async fn forget_before(connection: &mut AnyConnection, before: i64) -> Result<u64, StoreError> {
    Sql::new("DELETE FROM idempotency WHERE created_at < ").bind(before).execute(connection).await
}
