//! The rows of API tokens. What a token is, and who may do what, is said above.

use super::{Store, StoreError};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// A token as it lies in the database: everything but the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessTokenRow {
    /// Row id.
    pub id: i64,
    /// What it is for, in its owner's words.
    pub name: String,
    /// The role's name.
    pub role: String,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// Who made it; none where it was not noted.
    pub created_by: Option<String>,
    /// Milliseconds since the epoch, exact to a minute; none: never.
    pub last_used_at: Option<i64>,
}

/// A token that is to be stored.
#[derive(Debug, Clone)]
pub struct NewAccessToken {
    /// What it is for.
    pub name: String,
    /// SHA-256 of the token, hexadecimal.
    pub digest: String,
    /// The role's name.
    pub role: String,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// Who makes it.
    pub created_by: String,
}

/// So long, in milliseconds, a token's last use is not written again: a busy client must not cost a commit a request.
const LAST_USE_PRECISION: i64 = 60_000;

fn token(row: &AnyRow) -> Result<AccessTokenRow, sqlx::Error> {
    Ok(AccessTokenRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        role: row.try_get("role")?,
        created_at: row.try_get("created_at")?,
        created_by: row.try_get("created_by")?,
        last_used_at: row.try_get("last_used_at")?,
    })
}

/// Stores a token and gives its row id.
pub async fn insert_token(store: &Store, new: NewAccessToken) -> Result<i64, StoreError> {
    store.write(new, |new, connection| Box::pin(insert(new, connection))).await
}

async fn insert(new: &NewAccessToken, connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let row =
        sqlx::query("INSERT INTO access_token (name, digest, role, created_at, created_by) VALUES ($1, $2, $3, $4, $5) RETURNING id")
            .bind(&new.name)
            .bind(&new.digest)
            .bind(&new.role)
            .bind(new.created_at)
            .bind(&new.created_by)
            .fetch_one(connection)
            .await?;
    Ok(row.try_get("id")?)
}

/// The token of this digest. Looking up by digest leaks nothing by its timing: who could steer the digest bit by bit
/// would have to invert SHA-256.
pub async fn find_token(store: &Store, digest: &str) -> Result<Option<AccessTokenRow>, StoreError> {
    let mut connection = store.read().await?;
    let row =
        sqlx::query("SELECT id, name, role, created_at, created_by, last_used_at FROM access_token WHERE digest = $1")
            .bind(digest)
            .fetch_optional(&mut *connection)
            .await?;
    Ok(row.as_ref().map(token).transpose()?)
}

/// Tokens by row id, those after `after`, at most `limit`.
pub async fn list_tokens(store: &Store, after: i64, limit: i64) -> Result<Vec<AccessTokenRow>, StoreError> {
    let mut connection = store.read().await?;
    let rows = sqlx::query(
        "SELECT id, name, role, created_at, created_by, last_used_at FROM access_token WHERE id > $1 ORDER BY id LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    Ok(rows.iter().map(token).collect::<Result<_, _>>()?)
}

/// How many tokens there are.
pub async fn count_tokens(store: &Store) -> Result<i64, StoreError> {
    let mut connection = store.read().await?;
    let row = sqlx::query("SELECT COUNT(*) AS tokens FROM access_token").fetch_one(&mut *connection).await?;
    Ok(row.try_get("tokens")?)
}

/// Removes a token; says whether there was one.
pub async fn delete_token(store: &Store, id: i64) -> Result<bool, StoreError> {
    store
        .write(id, |id, connection| {
            Box::pin(async move {
                let done = sqlx::query("DELETE FROM access_token WHERE id = $1").bind(*id).execute(connection).await?;
                Ok(done.rows_affected() > 0)
            })
        })
        .await
}

/// Whether this use of a token is to be written.
pub fn is_use_noteworthy(token: &AccessTokenRow, now: i64) -> bool {
    token.last_used_at.is_none_or(|last| now - last >= LAST_USE_PRECISION)
}

/// Notes that a token was used.
pub async fn note_token_use(store: &Store, id: i64, now: i64) -> Result<(), StoreError> {
    store
        .write((id, now), |(id, now), connection| {
            Box::pin(async move {
                sqlx::query("UPDATE access_token SET last_used_at = $2 WHERE id = $1")
                    .bind(*id)
                    .bind(*now)
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
}
