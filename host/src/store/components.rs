//! Uploaded components, as rows. What their names mean stands in [`crate::catalogue`].

use super::configuration::{lock, touch};
use super::sql::Sql;
use super::{Store, StoreError, filter_components};
use futures_util::future::BoxFuture;
use postigo_model::guest::Grant;
use postigo_sandbox::ComponentDescription;
use serde::Deserialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// So many may be uploaded.
const MOST: i64 = 500;
/// Bytes that they may have together. What filters name is held in memory while the chain is prepared.
const BYTES: i64 = 1 << 30;
/// So many are looked at together.
const PAGE: u32 = 50;
/// Bytes of a description without its schema that a list reads. What is uploaded now has fewer.
const LISTED: usize = 128 << 10;
/// Bytes of a description, or of a schema, that is read to use a component. What is uploaded now has fewer.
const USABLE: usize = 1 << 20;

/// An uploaded component, without its bytes and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentRow {
    /// SHA-256 of its bytes, hexadecimal.
    pub digest: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `name@version`; none where another one has it, as could be before these were unique.
    pub title: Option<String>,
    /// When it was uploaded, milliseconds since the epoch.
    pub uploaded_at: i64,
    /// Who uploaded it; empty where that was not noted.
    pub uploaded_by: String,
    /// When an admin activated it; none: it may be tried, and runs in no valid filter.
    pub activated_at: Option<i64>,
    /// Who activated it.
    pub activated_by: Option<String>,
}

impl ComponentRow {
    /// How it is shown, and named by what is written from then on: `name@version`, or its digest where another one has
    /// these.
    pub fn shown(&self) -> String {
        self.title.clone().unwrap_or_else(|| format!("sha256:{}", self.digest))
    }
}

/// An uploaded component as a list has it: without bytes and schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedComponent {
    /// What is known of it.
    pub uploaded: ComponentRow,
    /// What else it says of itself, empty where that is more than a list reads; or why that cannot be read, a clause.
    pub said: Result<DescriptionSummary, String>,
}

/// What a component says of itself beside name, version and schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DescriptionSummary {
    /// One sentence.
    pub summary: String,
    /// The grants it wants.
    pub grants: Vec<Grant>,
    /// The headers it may set; a trailing `*` stands for any ending.
    pub headers: Vec<String>,
    /// Whether it exports `screening`.
    pub screens: bool,
}

/// A place in the list: the component that a page ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAfter {
    /// Its name.
    pub name: String,
    /// When it was uploaded.
    pub uploaded_at: i64,
    /// Its digest.
    pub digest: String,
}

/// A component that is to be stored.
#[derive(Debug, Clone)]
pub struct NewComponent {
    /// What it says of itself.
    pub description: ComponentDescription,
    /// The component.
    pub bytes: Vec<u8>,
    /// What was uploaded, where the component was made of it.
    pub source: Option<Vec<u8>>,
    /// Who uploads it.
    pub by: String,
    /// Now, milliseconds since the epoch.
    pub at: i64,
}

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionResult {
    /// It is gone.
    Done,
    /// There was none of this digest.
    Missing,
    /// It is activated, and who asked may delete others only.
    Activated,
}

/// The uploaded components by name, the newest upload of a name first.
pub async fn uploaded(store: &Store) -> Result<Vec<ComponentRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT digest, name, version, title, uploaded_at, uploaded_by, activated_at, activated_by FROM component \
         ORDER BY name, uploaded_at DESC, digest",
    );
    let rows = rows.fetch_all(&mut *store.read().await?).await?;
    Ok(rows.iter().filter_map(|row| told(row, read(row))).collect())
}

/// What was read of a row. One that was changed by hand, so that it has not even the kinds of value that it should
/// have, is passed over, and told of in the log: it must not hide the others.
fn told<T>(row: &AnyRow, read: Result<T, sqlx::Error>) -> Option<T> {
    let tell = |error: &sqlx::Error| {
        let digest = row.try_get::<String, _>(0).unwrap_or_default();
        tracing::error!(component = digest, %error, "the row of an uploaded component cannot be read, so that it is passed over");
    };
    read.inspect_err(tell).ok()
}

fn read(row: &AnyRow) -> Result<ComponentRow, sqlx::Error> {
    Ok(ComponentRow {
        digest: row.try_get(0)?,
        name: row.try_get(1)?,
        version: row.try_get(2)?,
        title: row.try_get(3)?,
        uploaded_at: row.try_get(4)?,
        uploaded_by: row.try_get(5)?,
        activated_at: row.try_get(6)?,
        activated_by: row.try_get(7)?,
    })
}

/// Uploaded components by name, the newest upload of a name first, from the one behind `after` on, `limit` at most.
pub async fn list(store: &Store, after: Option<&ListedAfter>, limit: u32) -> Result<Vec<ListedComponent>, StoreError> {
    let mut sql =
        Sql::new("SELECT digest, name, version, title, uploaded_at, uploaded_by, activated_at, activated_by, ");
    sql.push(&format!("CASE WHEN length(description) <= {LISTED} THEN description END FROM component"));
    if let Some(after) = after {
        sql.push(" WHERE name > ").bind(&after.name).push(" OR (name = ").bind(&after.name);
        sql.push(" AND (uploaded_at < ").bind(after.uploaded_at).push(" OR (uploaded_at = ").bind(after.uploaded_at);
        sql.push(" AND digest > ").bind(&after.digest).push(")))");
    }
    sql.push(" ORDER BY name, uploaded_at DESC, digest LIMIT ").bind(i64::from(limit));
    Ok(sql.all(&mut *store.read().await?).await?.iter().filter_map(|row| told(row, read_listed(row))).collect())
}

fn read_listed(row: &AnyRow) -> Result<ListedComponent, sqlx::Error> {
    let said = match row.try_get::<Option<String>, _>(8) {
        Ok(Some(text)) => serde_json::from_str(&text).map_err(|error| error.to_string()),
        Ok(None) => Ok(DescriptionSummary::default()),
        Err(error) => Err(error.to_string()),
    };
    Ok(ListedComponent { uploaded: read(row)?, said })
}

/// The components whose descriptions cannot be read, as they are shown, and why, a clause.
pub async fn unreadable(store: &Store) -> Result<Vec<(String, String)>, StoreError> {
    let (mut unreadable, mut after) = (Vec::new(), None);
    loop {
        let page = list(store, after.as_ref(), PAGE).await?;
        let Some(last) = page.last().map(|listed| &listed.uploaded) else { return Ok(unreadable) };
        after =
            Some(ListedAfter { name: last.name.clone(), uploaded_at: last.uploaded_at, digest: last.digest.clone() });
        unreadable.extend(page.into_iter().filter_map(|listed| Some((listed.uploaded.shown(), listed.said.err()?))));
    }
}

/// What an uploaded component says of itself; none where no such digest is stored. One that says more of itself than is
/// taken now is as good as none, and the log says so. [`StoreError::Corrupt`] where its row was changed by hand, so
/// that it cannot be read.
pub async fn description(store: &Store, digest: &str) -> Result<Option<ComponentDescription>, StoreError> {
    let usable = |column: &str| format!("CASE WHEN length({column}) <= {USABLE} THEN {column} END");
    let (description, schema) = (usable("description"), usable("settings_schema"));
    let mut sql = Sql::new(format!(
        "SELECT {description}, {schema}, CASE WHEN settings_schema IS NULL THEN 1 ELSE 0 END FROM component WHERE digest = "
    ));
    let Some(row) = sql.bind(digest).optional(&mut *store.read().await?).await? else { return Ok(None) };
    let text = |column: usize| row.try_get::<Option<String>, _>(column).map_err(|error| corrupt(digest, &error));
    let (text, schema) = (text(0)?, text(1)?);
    let is_inside = row.try_get::<i64, _>(2)? != 0;
    let (Some(text), true) = (text, schema.is_some() || is_inside) else {
        tracing::warn!(
            component = digest,
            "an uploaded component says more of itself than Postigo takes; upload another version of it"
        );
        return Ok(None);
    };
    let corrupt = |error: serde_json::Error| corrupt(digest, &error);
    let mut said: serde_json::Value = serde_json::from_str(&text).map_err(corrupt)?;
    if let (Some(schema), Some(said)) = (schema, said.as_object_mut()) {
        said.insert("settings_schema".to_owned(), serde_json::from_str(&schema).map_err(corrupt)?);
    }
    serde_json::from_value(said).map(Some).map_err(corrupt)
}

fn corrupt(digest: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt {
        what: "component",
        reason: format!("sha256:{digest}: {error}. Uploading the same file again mends it"),
    }
}

/// The bytes that were uploaded, of which the digest is; of a core module that was uploaded before these were kept, the
/// component. None where no such digest is stored.
pub async fn source(store: &Store, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let row = sqlx::query("SELECT COALESCE(source, bytes) FROM component WHERE digest = $1").bind(digest);
    Ok(row.fetch_optional(&mut *store.read().await?).await?.map(|row| row.try_get(0)).transpose()?)
}

/// The component of a digest, as it is run; none where no such digest is stored.
pub async fn bytes(store: &Store, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let row = sqlx::query("SELECT bytes FROM component WHERE digest = $1")
        .bind(digest)
        .fetch_optional(&mut *store.read().await?)
        .await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Stores a component, not activated; whether it was new. Nothing that runs depends on it. [`StoreError::Conflict`]
/// where its name and version are those of other bytes, or were before these were deleted.
pub async fn upload(store: &Store, new: NewComponent) -> Result<bool, StoreError> {
    store.write(new, insert).await
}

/// Lets filters run an uploaded component; whether it was not activated before. [`StoreError::NotFound`] where there is
/// none.
pub async fn activate(store: &Store, digest: &str, by: &str, at: i64) -> Result<bool, StoreError> {
    store.write((digest.to_owned(), by.to_owned(), at), set_activated).await
}

/// Deletes an uploaded component that no filter uses and none would go back to; else [`StoreError::Conflict`] names
/// them. Unless `even_activated`, only one that is not activated. Its name and version go on meaning it; `by` is noted
/// beside them as who deleted it, and when.
pub async fn delete(
    store: &Store,
    digest: &str,
    even_activated: bool,
    by: &str,
    at: i64,
) -> Result<DeletionResult, StoreError> {
    store.write((digest.to_owned(), even_activated, by.to_owned(), at), remove).await
}

fn insert<'c>(new: &'c NewComponent, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<bool, StoreError>> {
    Box::pin(async move {
        let NewComponent { description, bytes, source, by, at } = new;
        lock(connection).await?;
        let there = sqlx::query("SELECT digest FROM component WHERE digest = $1 OR (name = $2 AND version = $3)");
        let there = there
            .bind(&description.digest)
            .bind(&description.name)
            .bind(&description.version)
            .fetch_all(&mut *connection)
            .await?;
        let there = there.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?;
        let mut said = serde_json::to_value(description).map_err(|error| corrupt(&description.digest, &error))?;
        let schema = said.as_object_mut().and_then(|said| said.remove("settings_schema")).unwrap_or_default();
        if there.contains(&description.digest) {
            mend(connection, &description.digest, &said.to_string(), &schema.to_string()).await?;
            return Ok(false);
        }
        let title = format!("{}@{}", description.name, description.version);
        if let Some(other) = there.first() {
            return Err(StoreError::Conflict(format!(
                "There is another component {title}, sha256:{other}. A version means the same bytes for good: give this one another version. \
                 Nothing was uploaded."
            )));
        }
        if let Some((other, by)) =
            meant_before(connection, description).await?.filter(|(digest, _)| *digest != description.digest)
        {
            let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
            return Err(StoreError::Conflict(format!(
                "{title} was another component, sha256:{other}, which was deleted{by}. A version means the same bytes for good: give this one \
                 another version. Nothing was uploaded."
            )));
        }
        make_sure_of_room(connection, bytes.len() + source.as_ref().map_or(0, Vec::len)).await?;
        sqlx::query(
            "INSERT INTO component (digest, name, version, title, description, settings_schema, bytes, source, uploaded_at, uploaded_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(&description.digest)
        .bind(&description.name)
        .bind(&description.version)
        .bind(title)
        .bind(said.to_string())
        .bind(schema.to_string())
        .bind(bytes.clone())
        .bind(source.clone())
        .bind(*at)
        .bind(by)
        .execute(connection)
        .await?;
        Ok(true)
    })
}

/// The digest that this name and version had before it was deleted, and who deleted it, where that was noted.
async fn meant_before(
    connection: &mut AnyConnection,
    description: &ComponentDescription,
) -> Result<Option<(String, Option<String>)>, StoreError> {
    let row = sqlx::query("SELECT digest, deleted_by FROM deleted_component WHERE name = $1 AND version = $2");
    let row = row.bind(&description.name).bind(&description.version).fetch_optional(connection).await?;
    Ok(row.map(|row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?))).transpose()?)
}

/// Writes down anew what a component says of itself, where that was changed by hand. It is as good as its bytes: they
/// are the same.
async fn mend(connection: &mut AnyConnection, digest: &str, said: &str, schema: &str) -> Result<(), StoreError> {
    let update = "UPDATE component SET description = $2, settings_schema = $3 \
                  WHERE digest = $1 AND (description <> $2 OR settings_schema IS NULL OR settings_schema <> $3)";
    let mended =
        sqlx::query(update).bind(digest).bind(said).bind(schema).execute(&mut *connection).await?.rows_affected();
    if mended > 0 {
        // Filters may wait for it, on every host.
        touch(connection).await?;
    }
    Ok(())
}

/// Whether there is room for one more.
async fn make_sure_of_room(connection: &mut AnyConnection, size: usize) -> Result<(), StoreError> {
    let held = "SELECT COUNT(*), COALESCE(SUM(length(bytes) + COALESCE(length(source), 0)), 0) FROM component";
    let row = Sql::new(held).one(connection).await?;
    let (count, held): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let with_it = held.saturating_add(i64::try_from(size).unwrap_or(i64::MAX));
    if count < MOST && with_it <= BYTES {
        return Ok(());
    }
    let sentence = format!(
        "There are {count} uploaded components of {} MiB; there may be {MOST} of {} MiB together. Delete some that no filter uses.",
        held >> 20,
        BYTES >> 20
    );
    Err(StoreError::Conflict(sentence))
}

fn set_activated<'c>(
    input: &'c (String, String, i64),
    connection: &'c mut AnyConnection,
) -> BoxFuture<'c, Result<bool, StoreError>> {
    Box::pin(async move {
        let (digest, by, at) = input;
        lock(connection).await?;
        let done = sqlx::query(
            "UPDATE component SET activated_at = $2, activated_by = $3 WHERE digest = $1 AND activated_at IS NULL",
        );
        if done.bind(digest).bind(*at).bind(by).execute(&mut *connection).await?.rows_affected() > 0 {
            return Ok(true);
        }
        let there = sqlx::query("SELECT digest FROM component WHERE digest = $1")
            .bind(digest)
            .fetch_optional(connection)
            .await?;
        there
            .map(|_| false)
            .ok_or_else(|| StoreError::NotFound(format!("There is no uploaded component sha256:{digest}.")))
    })
}

fn remove<'c>(
    input: &'c (String, bool, String, i64),
    connection: &'c mut AnyConnection,
) -> BoxFuture<'c, Result<DeletionResult, StoreError>> {
    Box::pin(async move {
        let (digest, even_activated, by, at) = input;
        // Whoever made a filter of it meanwhile comes second, and finds that the configuration has changed.
        touch(&mut *connection).await?;
        let row = sqlx::query("SELECT activated_at FROM component WHERE digest = $1")
            .bind(digest)
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(DeletionResult::Missing) };
        if row.try_get::<Option<i64>, _>(0)?.is_some() && !even_activated {
            return Ok(DeletionResult::Activated);
        }
        let rows =
            sqlx::query("SELECT name FROM configured WHERE kind = 'filter' AND digest = $1 ORDER BY name").bind(digest);
        let users = rows.fetch_all(&mut *connection).await?;
        let users = users.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        if !users.is_empty() {
            return Err(StoreError::Conflict(format!(
                "Filters use this component: {}. Nothing was deleted.",
                quoted(&users)
            )));
        }
        let users = filter_components::who_would_go_back_to(connection, digest).await?;
        if !users.is_empty() {
            return Err(StoreError::Conflict(format!(
                "A rollback of these filters goes back to this component: {}. Nothing was deleted.",
                quoted(&users)
            )));
        }
        // Whoever wrote `name@version` down, in a file or another gate, meant these bytes. One whose name and version
        // are another's was never meant by them.
        sqlx::query(
            "INSERT INTO deleted_component (name, version, digest, deleted_at, deleted_by) \
             SELECT name, version, digest, CAST($2 AS BIGINT), CAST($3 AS TEXT) FROM component WHERE digest = $1 AND title IS NOT NULL \
             ON CONFLICT (name, version) DO UPDATE SET deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by",
        )
        .bind(digest)
        .bind(*at)
        .bind(by)
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM component WHERE digest = $1").bind(digest).execute(connection).await?;
        Ok(DeletionResult::Done)
    })
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::configuration;
    use crate::store::fresh_store::fresh;
    use postigo_model::configured::Filter;
    use postigo_sandbox::{FilterDescription, WorldDescription};
    use serde_json::json;

    fn new(version: &str, digest: &str) -> NewComponent {
        let description = ComponentDescription {
            digest: digest.into(),
            name: "urgent".into(),
            version: version.into(),
            summary: String::new(),
            settings_schema: serde_json::json!({}),
            grants: Vec::new(),
            of_world: WorldDescription::default(),
        };
        NewComponent {
            description,
            bytes: b"component".to_vec(),
            source: Some(b"module".to_vec()),
            by: "a test".into(),
            at: 1,
        }
    }

    #[tokio::test]
    async fn a_component_is_never_deleted_while_somebody_makes_a_filter_of_it() {
        let (_folder, store, key) = fresh().await;
        for round in 0..20 {
            let digest = format!("d{round}");
            assert!(upload(&store, new(&format!("{round}.0.0"), &digest)).await.unwrap());
            let before = configuration::load(&store, &key).await.unwrap();
            let mut after = before.clone();
            let filter = Filter {
                name: digest.clone(),
                component: "urgent".into(),
                digest: Some(digest.clone()),
                ..Filter::default()
            };
            after.filters.insert(digest.clone(), filter);
            let save =
                configuration::save(&store, &key, &before, &after, Vec::new(), &postigo_model::actor::Actor::Daemon);
            // In turns, who is first in the queue differs.
            let (saved, deleted) = if round % 2 == 0 {
                tokio::join!(save, delete(&store, &digest, true, "an admin", 3))
            } else {
                let (deleted, saved) = tokio::join!(delete(&store, &digest, true, "an admin", 3), save);
                (saved, deleted)
            };
            match (saved, deleted) {
                (Ok(_), Err(StoreError::Conflict(sentence))) => assert!(sentence.contains(&digest), "{sentence}"),
                (Err(StoreError::Conflict(_)), Ok(DeletionResult::Done)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn name_and_version_are_unique_and_what_was_uploaded_is_given_back() {
        let (_folder, store, _) = fresh().await;
        assert!(upload(&store, new("1.0.0", "one")).await.unwrap());
        assert!(!upload(&store, new("1.0.0", "one")).await.unwrap());
        assert!(matches!(upload(&store, new("1.0.0", "two")).await, Err(StoreError::Conflict(_))));
        assert_eq!(source(&store, "one").await.unwrap().as_deref(), Some(&b"module"[..]));
        assert_eq!(bytes(&store, "one").await.unwrap().as_deref(), Some(&b"component"[..]));
        assert!(activate(&store, "one", "an admin", 2).await.unwrap());
        assert!(!activate(&store, "one", "another", 3).await.unwrap());
        assert_eq!(uploaded(&store).await.unwrap()[0].activated_by.as_deref(), Some("an admin"));
        assert_eq!(delete(&store, "one", false, "an admin", 3).await.unwrap(), DeletionResult::Activated);
        assert!(matches!(activate(&store, "two", "an admin", 2).await, Err(StoreError::NotFound(_))));
    }

    #[tokio::test]
    async fn of_two_of_one_name_and_version_from_before_the_titled_one_is_meant_for_good() {
        let (_folder, store, _) = fresh().await;
        for (digest, title) in [("one", "'urgent@1.0.0'"), ("two", "NULL")] {
            let insert = "INSERT INTO component (digest, name, version, title, description, bytes, uploaded_at) VALUES";
            store.execute(format!("{insert} ('{digest}', 'urgent', '1.0.0', {title}, '{{}}', '', 1)")).await;
        }
        for digest in ["two", "one"] {
            assert_eq!(delete(&store, digest, true, "an admin", 3).await.unwrap(), DeletionResult::Done);
        }
        let refused = upload(&store, new("1.0.0", "two")).await;
        assert!(
            matches!(&refused, Err(StoreError::Conflict(sentence)) if sentence.contains("sha256:one, which was deleted")),
            "{refused:?}"
        );
        assert!(upload(&store, new("1.0.0", "one")).await.unwrap());
    }

    fn described(name: &str, number: usize) -> ComponentDescription {
        ComponentDescription {
            digest: format!("{number:064}"),
            name: name.to_owned(),
            version: format!("1.0.{number}"),
            summary: "Says little.".into(),
            settings_schema: json!({ "type": "object", "description": "x".repeat(1000) }),
            grants: vec![Grant::Body],
            of_world: FilterDescription { headers: vec!["X-OTOBO-Queue".into()], screens: true }.into(),
        }
    }

    async fn store() -> (Store, tempfile::TempDir) {
        let (folder, store, _) = fresh().await;
        (store, folder)
    }

    async fn upload_component(
        store: &Store,
        description: ComponentDescription,
        bytes: Vec<u8>,
        at: i64,
    ) -> Result<bool, StoreError> {
        upload(store, NewComponent { description, bytes, source: None, by: "a test".into(), at }).await
    }

    /// Stores what earlier versions stored: the schema inside the description.
    async fn store_as_before(store: &Store, name: &str, description: &serde_json::Value) {
        let digest = format!("digest of {name}");
        let mut sql =
            Sql::new("INSERT INTO component (digest, name, version, description, bytes, uploaded_at) VALUES ");
        let row: [crate::store::sql::Value; 6] = [
            digest.into(),
            name.into(),
            "1.0.0".into(),
            description.to_string().into(),
            vec![0_u8].into(),
            7_i64.into(),
        ];
        sql.tuple(row).execute(&mut store.read().await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn a_list_goes_on_where_its_last_page_ended() {
        let (store, _folder) = store().await;
        for number in 0..5 {
            upload_component(&store, described(["b", "a"][number % 2], number), vec![0], number as i64 / 3)
                .await
                .unwrap();
        }
        let (mut versions, mut after) = (Vec::new(), None);
        while let [row] = list(&store, after.as_ref(), 1).await.unwrap().as_slice() {
            versions.push(format!("{} {}", row.uploaded.name, row.uploaded.version));
            let said = row.said.as_ref().unwrap();
            assert_eq!((said.headers.len(), said.screens), (1, true));
            after = Some(ListedAfter {
                name: row.uploaded.name.clone(),
                uploaded_at: row.uploaded.uploaded_at,
                digest: row.uploaded.digest.clone(),
            });
        }
        assert_eq!(versions, ["a 1.0.3", "a 1.0.1", "b 1.0.4", "b 1.0.0", "b 1.0.2"], "the newest of a name first");
    }

    #[tokio::test]
    async fn a_component_comes_back_as_it_was_uploaded() {
        let (store, _folder) = store().await;
        let uploaded = described("a", 1);
        assert!(upload_component(&store, uploaded.clone(), vec![0], 1).await.unwrap());
        assert!(!upload_component(&store, uploaded.clone(), vec![0], 2).await.unwrap());
        assert_eq!(description(&store, &uploaded.digest).await.unwrap(), Some(uploaded));
        assert_eq!(description(&store, "b").await.unwrap(), None);
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
        let found = description(&store, "digest of cyclic").await.unwrap().unwrap();
        assert_eq!(found.settings_schema["allOf"][0]["$ref"], "#", "it is shown; the child refuses to apply it");
        assert_eq!(description(&store, "digest of huge").await.unwrap(), None);
        let listed: Vec<String> = list(&store, None, 9)
            .await
            .unwrap()
            .into_iter()
            .map(|row| format!("{}: {}", row.uploaded.name, row.said.unwrap().summary))
            .collect();
        assert_eq!(listed, ["cyclic: Before.", "huge: "]);
    }

    #[tokio::test]
    async fn there_are_so_many_components_and_no_more() {
        let (store, _folder) = store().await;
        for number in 0..usize::try_from(MOST).unwrap() {
            upload_component(&store, described("a", number), vec![0], 1).await.unwrap();
        }
        let full = upload_component(&store, described("a", 9_999), vec![0], 1).await;
        assert!(matches!(&full, Err(StoreError::Conflict(sentence)) if sentence.contains("500")), "{full:?}");
        assert!(
            !upload_component(&store, described("a", 1), vec![0], 1).await.unwrap(),
            "one that is there may come again"
        );
        assert_eq!(
            delete(&store, &described("a", 1).digest, false, "an admin", 3).await.unwrap(),
            DeletionResult::Done
        );
        assert!(upload_component(&store, described("a", 9_999), vec![0], 1).await.unwrap());
    }
}
