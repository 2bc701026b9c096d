//! Filters of before 0015, once: each is pinned to the component that its `component` meant, which then counts as
//! activated.

use super::configuration::lock;
use super::{Store, StoreError};
use futures_util::future::BoxFuture;
use postigo_sandbox::shipped;
use serde_json::Value;
use sqlx::{AnyConnection, Row};

/// Pins the filters that wait for it. Those whose component is not there keep what they say, and cannot run, as before.
pub async fn pin_filters(store: &Store) -> Result<(), StoreError> {
    let waiting =
        sqlx::query("SELECT name FROM filter_to_pin LIMIT 1").fetch_optional(&mut *store.read().await?).await?;
    match waiting {
        Some(_) => store.write(postigo_model::timestamp::now(), pin).await,
        None => Ok(()),
    }
}

fn pin<'c>(now: &'c i64, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<(), StoreError>> {
    Box::pin(async move {
        lock(connection).await?;
        let rows = sqlx::query(
            "SELECT configured.name, configured.body FROM configured JOIN filter_to_pin ON filter_to_pin.name = configured.name \
             WHERE configured.kind = 'filter' ORDER BY configured.name",
        );
        for row in rows.fetch_all(&mut *connection).await? {
            let (name, body): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let mut body: Value = serde_json::from_str(&body).map_err(|error| StoreError::Corrupt {
                what: "configuration row",
                reason: format!("filter {name:?}, {error}"),
            })?;
            let written = body.get("component").and_then(Value::as_str).unwrap_or_default().to_owned();
            let Some((digest, shown)) = meant(connection, &written).await? else { continue };
            body["component"] = Value::String(shown);
            let pinned =
                sqlx::query("UPDATE configured SET body = $2, digest = $3 WHERE kind = 'filter' AND name = $1");
            pinned.bind(name).bind(body.to_string()).bind(&digest).execute(&mut *connection).await?;
            let activated = sqlx::query(
                "UPDATE component SET activated_at = $2, activated_by = '' WHERE digest = $1 AND activated_at IS NULL",
            );
            activated.bind(digest).bind(*now).execute(&mut *connection).await?;
        }
        sqlx::query("DELETE FROM filter_to_pin").execute(connection).await?;
        Ok(())
    })
}

/// Digest and spelling of the uploaded component that this meant: the one of this digest, else the newest upload of
/// this name. None where a shipped one was meant, or nothing.
async fn meant(connection: &mut AnyConnection, written: &str) -> Result<Option<(String, String)>, StoreError> {
    if shipped::components().iter().any(|(name, _)| *name == written) {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT digest, title FROM component WHERE digest = $1 OR name = $1 \
         ORDER BY CASE WHEN digest = $1 THEN 0 ELSE 1 END, uploaded_at DESC, digest LIMIT 1",
    );
    let Some(row) = row.bind(written).fetch_optional(connection).await? else { return Ok(None) };
    let (digest, title): (String, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
    let shown = title.unwrap_or_else(|| format!("sha256:{digest}"));
    Ok(Some((digest, shown)))
}

#[cfg(test)]
mod tests {
    use crate::secret_key::SecretKey;
    use crate::store::{Location, Store, components, configuration};

    /// Rows as they lay before: two uploads of one name, one that is named like the digest of the other's older
    /// version, and filters.
    const BEFORE: [&str; 6] = [
        "INSERT INTO component (digest, name, version, description, bytes, uploaded_at) VALUES ('d1', 'urgent', '1.0.0', '{}', '', 1)",
        "INSERT INTO component (digest, name, version, description, bytes, uploaded_at) VALUES ('d2', 'urgent', '0.9.0', '{}', '', 2)",
        "INSERT INTO component (digest, name, version, description, bytes, uploaded_at) VALUES ('d3', 'd1', '1.0.0', '{}', '', 3)",
        "INSERT INTO configured (kind, name, body, secrets) VALUES ('filter', 'a', '{\"name\":\"a\",\"component\":\"urgent\"}', '{}')",
        "INSERT INTO configured (kind, name, body, secrets) VALUES ('filter', 'b', '{\"name\":\"b\",\"component\":\"d1\"}', '{}')",
        "INSERT INTO configured (kind, name, body, secrets) VALUES ('filter', 'c', '{\"name\":\"c\",\"component\":\"gone\"}', '{}')",
    ];

    #[tokio::test]
    async fn filters_of_before_are_pinned_once_to_what_they_meant_and_their_components_stay_active() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        let store = Store::open(&location).await.unwrap();
        for row in BEFORE {
            store.execute(row).await;
        }
        // What the migration does where such rows are there.
        store.execute("UPDATE component SET title = name || '@' || version").await;
        store.execute("INSERT INTO filter_to_pin (name) SELECT name FROM configured WHERE kind = 'filter'").await;

        let store = Store::open(&location).await.unwrap();
        let key = SecretKey::at(folder.path().join("key"));
        let filters = configuration::load(&store, &key).await.unwrap().filters;
        let made = |name: &str| (filters[name].component.as_str(), filters[name].digest.as_deref());
        assert_eq!(made("a"), ("urgent@0.9.0", Some("d2")), "the newest upload of the name was meant");
        assert_eq!(made("b"), ("urgent@1.0.0", Some("d1")), "the digest was meant, not what is named like it");
        assert_eq!(made("c"), ("gone", None));
        let active = |store: Store| async move {
            let uploaded = components::uploaded(&store).await.unwrap();
            let active = uploaded.into_iter().filter(|component| component.activated_at.is_some());
            active.map(|component| component.digest).collect::<Vec<_>>()
        };
        assert_eq!(
            active(store.clone()).await,
            ["d2", "d1"],
            "in use, so active; what nothing uses waits for an admin"
        );

        store.execute("INSERT INTO component (digest, name, version, title, description, bytes, uploaded_at) VALUES ('d4', 'urgent', '2.0.0', 'urgent@2.0.0', '{}', '', 4)").await;
        let store = Store::open(&location).await.unwrap();
        assert_eq!(
            configuration::load(&store, &key).await.unwrap().filters["a"].digest.as_deref(),
            Some("d2"),
            "only once"
        );
    }
}
