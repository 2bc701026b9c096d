//! Uploaded components, as rows.

use super::configuration::touch;
use super::{Store, StoreError};
use crate::runtime::Description;
use futures_util::future::BoxFuture;
use sqlx::{AnyConnection, Row};

/// An uploaded component, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// What it says of itself.
    pub description: Description,
    /// When it was uploaded, milliseconds since the epoch.
    pub uploaded_at: i64,
}

/// The uploaded components, by name, the newest of a name first: that one is meant by the name.
pub async fn components(store: &Store) -> Result<Vec<Component>, StoreError> {
    let rows = sqlx::query("SELECT description, uploaded_at FROM component ORDER BY name, uploaded_at DESC, digest")
        .fetch_all(&mut *store.read().await?)
        .await?;
    rows.into_iter()
        .map(|row| {
            let text: String = row.try_get(0)?;
            let description = serde_json::from_str(&text)
                .map_err(|error| StoreError::Corrupt { what: "component description", reason: error.to_string() })?;
            Ok(Component { description, uploaded_at: row.try_get(1)? })
        })
        .collect()
}

/// The bytes of an uploaded component; none where no such digest is stored.
pub async fn component_bytes(store: &Store, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let row = sqlx::query("SELECT bytes FROM component WHERE digest = $1").bind(digest).fetch_optional(&mut *store.read().await?).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Stores a component; whether it was new. Filters that name it run it from the new version of the configuration on.
pub async fn upload_component(store: &Store, description: Description, component: Vec<u8>, now: i64) -> Result<bool, StoreError> {
    store.write((description, component, now), upload).await
}

/// Deletes an uploaded component; whether it was there. Whether a filter still uses it is for the caller to ask.
pub async fn delete_component(store: &Store, digest: &str) -> Result<bool, StoreError> {
    store.write(digest.to_owned(), delete).await
}

fn upload<'c>(input: &'c (Description, Vec<u8>, i64), connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<bool, StoreError>> {
    Box::pin(async move {
        let (description, bytes, now) = input;
        let text = serde_json::to_string(description)
            .map_err(|error| StoreError::Corrupt { what: "component description", reason: error.to_string() })?;
        let done = sqlx::query(
            "INSERT INTO component (digest, name, version, description, bytes, uploaded_at) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (digest) DO NOTHING",
        )
        .bind(&description.digest)
        .bind(&description.name)
        .bind(&description.version)
        .bind(text)
        .bind(bytes.clone())
        .bind(*now)
        .execute(&mut *connection)
        .await?;
        let new = done.rows_affected() > 0;
        if new {
            touch(connection).await?;
        }
        Ok(new)
    })
}

fn delete<'c>(digest: &'c String, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<bool, StoreError>> {
    Box::pin(async move {
        let done = sqlx::query("DELETE FROM component WHERE digest = $1").bind(digest).execute(&mut *connection).await?;
        let found = done.rows_affected() > 0;
        if found {
            touch(connection).await?;
        }
        Ok(found)
    })
}
