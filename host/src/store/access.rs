//! The rows of API tokens. What a token is, and who may do what, is said above.

use super::sql::{Sql, Value};
use super::{Engine, Store, StoreError, counters};
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
    let id = next_id(connection).await?;
    let mut values: Vec<Value> = vec![
        (&new.name).into(),
        (&new.digest).into(),
        (&new.role).into(),
        new.created_at.into(),
        (&new.created_by).into(),
    ];
    values.extend(id.map(Value::from));
    let mut sql = Sql::new("INSERT INTO access_token (name, digest, role, created_at, created_by");
    sql.push(if id.is_some() { ", id) VALUES " } else { ") VALUES " }).list(values).push(" RETURNING id");
    Ok(sql.one(connection).await?.try_get("id")?)
}

/// The counter behind the ids of tokens.
const IDS: &str = "access_token";

/// The id of the next token, which no token ever had, for what a deleted one did goes on naming it; none where the
/// database sees to that by itself, as PostgreSQL's sequences do.
async fn next_id(connection: &mut AnyConnection) -> Result<Option<i64>, StoreError> {
    if !keep_ids(connection).await? {
        return Ok(None);
    }
    Ok(Some(i64::try_from(counters::advance(connection, IDS, 1).await?).unwrap_or(i64::MAX)))
}

/// Brings the counter of ids to the highest that there is, where there is such a counter.
async fn keep_ids(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    if Engine::of(connection) == Engine::Postgres {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO ticket_counter (scope, value) SELECT $1, COALESCE(MAX(id), 0) FROM access_token WHERE 0 = 0 \
         ON CONFLICT (scope) DO UPDATE SET value = MAX(ticket_counter.value, excluded.value)",
    )
    .bind(IDS)
    .execute(connection)
    .await?;
    Ok(true)
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
                keep_ids(connection).await?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;

    async fn token(store: &Store, name: &str) -> i64 {
        let new = NewAccessToken {
            name: name.to_owned(),
            digest: name.to_owned(),
            role: "reader".to_owned(),
            created_at: 1,
            created_by: "daemon".to_owned(),
        };
        insert_token(store, new).await.unwrap()
    }

    #[tokio::test]
    async fn no_token_gets_the_id_of_one_that_was_deleted() {
        let (_folder, store, _key) = fresh().await;
        let first = token(&store, "a").await;
        // As in a database of before there was a counter.
        store.execute("DELETE FROM ticket_counter".to_owned()).await;
        assert!(delete_token(&store, first).await.unwrap());
        let second = token(&store, "b").await;
        assert!(second > first, "{second}");
        assert!(delete_token(&store, second).await.unwrap());
        assert!(token(&store, "c").await > second);
    }
}
