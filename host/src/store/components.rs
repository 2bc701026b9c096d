//! Uploaded components, as rows.

use super::configuration::touch;
use super::sql::Sql;
use super::{Store, StoreError};
use crate::runtime::Description;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// So many may be uploaded.
const MOST: i64 = 500;
/// Bytes that they may have together. What filters name is held in memory while the chain is prepared.
const BYTES: i64 = 1 << 30;
/// Bytes of a description without its schema that a list reads. What is uploaded now has fewer.
const LISTED: usize = 128 << 10;
/// Bytes of a description, or of a schema, that is read to use a component. What is uploaded now has fewer.
const USABLE: usize = 1 << 20;

/// An uploaded component, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// What it says of itself.
    pub description: Description,
    /// When it was uploaded, milliseconds since the epoch.
    pub uploaded_at: i64,
}

/// An uploaded component as a list has it: without bytes and schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// SHA-256 of the uploaded bytes, hexadecimal.
    pub digest: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What else it says of itself; empty where that is more than a list reads.
    pub said: Said,
    /// When it was uploaded, milliseconds since the epoch.
    pub uploaded_at: i64,
}

/// What a component says of itself beside name, version and schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Said {
    /// One sentence.
    pub summary: String,
    /// The grants it wants.
    pub grants: Vec<String>,
    /// The headers it may set; a trailing `*` stands for any ending.
    pub headers: Vec<String>,
    /// Whether it exports `screening`.
    pub screens: bool,
}

/// A place in the list: the component that a page ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// Its name.
    pub name: String,
    /// When it was uploaded.
    pub uploaded_at: i64,
    /// Its digest.
    pub digest: String,
}

/// Uploaded components by name, the newest of a name first: that one is meant by the name. From the one behind `after` on, `limit` at most.
pub async fn list(store: &Store, after: Option<&After>, limit: u32) -> Result<Vec<Listed>, StoreError> {
    let said = format!("CASE WHEN length(description) <= {LISTED} THEN description END");
    let mut sql = Sql::new(format!("SELECT digest, name, version, uploaded_at, {said} FROM component"));
    if let Some(after) = after {
        sql.push(" WHERE name > ").bind(&after.name).push(" OR (name = ").bind(&after.name);
        sql.push(" AND (uploaded_at < ").bind(after.uploaded_at).push(" OR (uploaded_at = ").bind(after.uploaded_at);
        sql.push(" AND digest > ").bind(&after.digest).push(")))");
    }
    sql.push(" ORDER BY name, uploaded_at DESC, digest LIMIT ").bind(i64::from(limit));
    sql.all(&mut *store.read().await?).await?.iter().map(read_listed).collect()
}

fn read_listed(row: &AnyRow) -> Result<Listed, StoreError> {
    let said: Option<String> = row.try_get(4)?;
    Ok(Listed {
        digest: row.try_get(0)?,
        name: row.try_get(1)?,
        version: row.try_get(2)?,
        uploaded_at: row.try_get(3)?,
        said: said.map(|text| serde_json::from_str(&text).map_err(|error| corrupt(&error))).transpose()?.unwrap_or_default(),
    })
}

/// The uploaded component of this digest, or the newest of this name. One that says more of itself than is taken now is as good as none,
/// and the log says so.
pub async fn find(store: &Store, name: &str) -> Result<Option<Component>, StoreError> {
    let usable = |column: &str| format!("CASE WHEN length({column}) <= {USABLE} THEN {column} END");
    let mut sql = Sql::new(format!(
        "SELECT {}, {}, CASE WHEN settings_schema IS NULL THEN 1 ELSE 0 END, uploaded_at FROM component WHERE digest = ",
        usable("description"),
        usable("settings_schema")
    ));
    sql.bind(name).push(" OR name = ").bind(name);
    // A digest before a name that looks like one.
    sql.push(" ORDER BY CASE WHEN digest = ").bind(name).push(" THEN 0 ELSE 1 END, uploaded_at DESC, digest LIMIT 1");
    let Some(row) = sql.optional(&mut *store.read().await?).await? else { return Ok(None) };
    let (text, schema): (Option<String>, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    let is_inside = row.try_get::<i64, _>(2)? != 0;
    let (Some(text), true) = (text, schema.is_some() || is_inside) else {
        tracing::warn!(component = name, "an uploaded component says more of itself than Postigo takes; upload another version of it");
        return Ok(None);
    };
    let mut said: serde_json::Value = serde_json::from_str(&text).map_err(|error| corrupt(&error))?;
    if let (Some(schema), Some(said)) = (schema, said.as_object_mut()) {
        said.insert("settings_schema".to_owned(), serde_json::from_str(&schema).map_err(|error| corrupt(&error))?);
    }
    let description = serde_json::from_value(said).map_err(|error| corrupt(&error))?;
    Ok(Some(Component { description, uploaded_at: row.try_get(3)? }))
}

/// The name of the uploaded component of this digest.
pub async fn name_of(store: &Store, digest: &str) -> Result<Option<String>, StoreError> {
    text(store, Sql::new("SELECT name FROM component WHERE digest = ").bind(digest)).await
}

/// The digest of the newest uploaded component of this name.
pub async fn newest(store: &Store, name: &str) -> Result<Option<String>, StoreError> {
    let mut sql = Sql::new("SELECT digest FROM component WHERE name = ");
    text(store, sql.bind(name).push(" ORDER BY uploaded_at DESC, digest LIMIT 1")).await
}

async fn text(store: &Store, sql: &mut Sql) -> Result<Option<String>, StoreError> {
    let row = sql.optional(&mut *store.read().await?).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

fn corrupt(error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt { what: "component description", reason: error.to_string() }
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
        let mut said = serde_json::to_value(description).map_err(|error| corrupt(&error))?;
        let schema = said.as_object_mut().and_then(|said| said.remove("settings_schema")).unwrap_or_default();
        make_sure_of_room(connection, &description.digest, bytes.len()).await?;
        let done = sqlx::query(
            "INSERT INTO component (digest, name, version, description, settings_schema, bytes, uploaded_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(&description.digest)
        .bind(&description.name)
        .bind(&description.version)
        .bind(said.to_string())
        .bind(schema.to_string())
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

/// Whether there is room for one more; one that is there already needs none.
async fn make_sure_of_room(connection: &mut AnyConnection, digest: &str, size: usize) -> Result<(), StoreError> {
    let mut sql = Sql::new("SELECT COUNT(*), COALESCE(SUM(length(bytes)), 0), COALESCE(MAX(CASE WHEN digest = ");
    let row = sql.bind(digest).push(" THEN 1 ELSE 0 END), 0) FROM component").one(connection).await?;
    let (count, held, is_there): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let with_it = held.saturating_add(i64::try_from(size).unwrap_or(i64::MAX));
    if is_there != 0 || (count < MOST && with_it <= BYTES) {
        return Ok(());
    }
    let sentence = format!(
        "There are {count} uploaded components of {} MiB; there may be {MOST} of {} MiB together. Delete some that no filter uses.",
        held >> 20,
        BYTES >> 20
    );
    Err(StoreError::Conflict(sentence))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Location;
    use serde_json::json;

    fn description(name: &str, number: usize) -> Description {
        Description {
            digest: format!("{number:064}"),
            name: name.to_owned(),
            version: format!("1.0.{number}"),
            summary: "Says little.".into(),
            settings_schema: json!({ "type": "object", "description": "x".repeat(1000) }),
            grants: vec!["body".into()],
            headers: vec!["X-OTOBO-Queue".into()],
            screens: true,
        }
    }

    async fn store() -> (Store, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        (Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap(), folder)
    }

    /// Stores what earlier versions stored: the schema inside the description.
    async fn store_as_before(store: &Store, name: &str, description: &serde_json::Value) {
        let digest = format!("digest of {name}");
        let mut sql = Sql::new("INSERT INTO component (digest, name, version, description, bytes, uploaded_at) VALUES ");
        let row: [crate::store::sql::Value; 6] =
            [digest.into(), name.into(), "1.0.0".into(), description.to_string().into(), vec![0_u8].into(), 7_i64.into()];
        sql.tuple(row).execute(&mut store.read().await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn a_list_goes_on_where_its_last_page_ended() {
        let (store, _folder) = store().await;
        for number in 0..5 {
            upload_component(&store, description(["b", "a"][number % 2], number), vec![0], number as i64 / 3).await.unwrap();
        }
        let (mut versions, mut after) = (Vec::new(), None);
        while let [row] = list(&store, after.as_ref(), 1).await.unwrap().as_slice() {
            versions.push(format!("{} {}", row.name, row.version));
            assert_eq!((row.said.headers.len(), row.said.screens), (1, true));
            after = Some(After { name: row.name.clone(), uploaded_at: row.uploaded_at, digest: row.digest.clone() });
        }
        assert_eq!(versions, ["a 1.0.3", "a 1.0.1", "b 1.0.4", "b 1.0.0", "b 1.0.2"], "the newest of a name first");
        assert_eq!(newest(&store, "b").await.unwrap(), Some(format!("{:064}", 4)));
    }

    #[tokio::test]
    async fn a_component_comes_back_as_it_was_uploaded_by_name_and_by_digest() {
        let (store, _folder) = store().await;
        let uploaded = description("a", 1);
        assert!(upload_component(&store, uploaded.clone(), vec![0], 1).await.unwrap());
        assert!(!upload_component(&store, uploaded.clone(), vec![0], 2).await.unwrap());
        for name in ["a", uploaded.digest.as_str()] {
            assert_eq!(find(&store, name).await.unwrap().map(|found| found.description), Some(uploaded.clone()));
        }
        assert_eq!(find(&store, "b").await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_an_earlier_version_stored_is_used_as_far_as_it_is_no_more_than_is_taken() {
        let (store, _folder) = store().await;
        let before = |schema: serde_json::Value| {
            json!({ "digest": "d", "name": "n", "version": "1.0.0", "summary": "Before.", "settings_schema": schema,
                "grants": [], "headers": [], "screens": false })
        };
        store_as_before(&store, "cyclic", &before(json!({ "allOf": [{ "$ref": "#" }] }))).await;
        store_as_before(&store, "huge", &before(json!({ "description": "x".repeat(3_800_000) }))).await;
        let found = find(&store, "cyclic").await.unwrap().unwrap();
        assert_eq!(found.description.settings_schema["allOf"][0]["$ref"], "#", "it is shown; the child refuses to apply it");
        assert_eq!(find(&store, "huge").await.unwrap(), None);
        let listed: Vec<String> =
            list(&store, None, 9).await.unwrap().into_iter().map(|row| format!("{}: {}", row.name, row.said.summary)).collect();
        assert_eq!(listed, ["cyclic: Before.", "huge: "]);
    }

    #[tokio::test]
    async fn there_are_so_many_components_and_no_more() {
        let (store, _folder) = store().await;
        for number in 0..usize::try_from(MOST).unwrap() {
            upload_component(&store, description("a", number), vec![0], 1).await.unwrap();
        }
        let full = upload_component(&store, description("a", 9_999), vec![0], 1).await;
        assert!(matches!(&full, Err(StoreError::Conflict(sentence)) if sentence.contains("500")), "{full:?}");
        assert!(!upload_component(&store, description("a", 1), vec![0], 1).await.unwrap(), "one that is there may come again");
        delete_component(&store, &description("a", 1).digest).await.unwrap();
        assert!(upload_component(&store, description("a", 9_999), vec![0], 1).await.unwrap());
    }
}
