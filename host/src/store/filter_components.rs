//! What each filter ran: a row for every change of its component, with who made it and when, and with the row that a
//! rollback goes to.
//!
//! Going back takes the latest change away from what can be gone back to, so that several rollbacks lead ever further
//! back, never in a ring.

use super::{Store, StoreError};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// What a filter is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterMakeup {
    /// As it is shown: a shipped one's name, or `name@version`.
    pub component: String,
    /// None for a shipped one.
    pub digest: Option<String>,
}

/// What a filter was made of for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// What it was.
    pub made: FilterMakeup,
    /// From when on, milliseconds since the epoch; 0 where that was not noted.
    pub since: i64,
    /// Who made it so; empty where that was not noted.
    pub actor: String,
}

/// A filter's change from one component to another.
#[derive(Debug, Clone)]
pub struct Move {
    /// The filter.
    pub filter: String,
    /// None: it is new.
    pub before: Option<FilterMakeup>,
    /// What it runs now.
    pub after: FilterMakeup,
}

/// A row, as far as going back needs it.
struct FilterRevision {
    id: i64,
    previous: Option<i64>,
    made: FilterMakeup,
}

fn noted(row: &AnyRow) -> Result<FilterRevision, sqlx::Error> {
    Ok(FilterRevision { id: row.try_get(0)?, previous: row.try_get(1)?, made: made(row, 2)? })
}

fn made(row: &AnyRow, first: usize) -> Result<FilterMakeup, sqlx::Error> {
    let digest: String = row.try_get(first + 1)?;
    Ok(FilterMakeup { component: row.try_get(first)?, digest: Some(digest).filter(|digest| !digest.is_empty()) })
}

/// What a filter has been made of, the latest first, at most `limit`.
pub async fn of(store: &Store, filter: &str, limit: i64) -> Result<Vec<Past>, StoreError> {
    let rows = sqlx::query(
        "SELECT component, digest, since, actor FROM filter_component WHERE filter = $1 ORDER BY id DESC LIMIT $2",
    );
    let rows = rows.bind(filter).bind(limit).fetch_all(&mut *store.read().await?).await?;
    let read = |row: &AnyRow| Ok(Past { made: made(row, 0)?, since: row.try_get(2)?, actor: row.try_get(3)? });
    Ok(rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
}

/// What a rollback of a filter goes to; none where nothing is before.
pub async fn before(store: &Store, filter: &str) -> Result<Option<FilterMakeup>, StoreError> {
    let mut connection = store.read().await?;
    let Some(latest) = latest(&mut connection, filter).await? else { return Ok(None) };
    Ok(row(&mut connection, latest.previous).await?.map(|noted| noted.made))
}

/// The filters whose rollback goes to this component.
pub(super) async fn who_would_go_back_to(
    connection: &mut AnyConnection,
    digest: &str,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(
        "SELECT latest.filter FROM filter_component latest JOIN filter_component earlier ON earlier.id = latest.previous \
         WHERE earlier.digest = $1 AND latest.id = (SELECT MAX(id) FROM filter_component every WHERE every.filter = latest.filter) \
         ORDER BY latest.filter",
    );
    let rows = rows.bind(digest).fetch_all(connection).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Notes a filter's change. One to what it was before the last change is a rollback: what was before that is before it
/// again.
pub(super) async fn note(
    connection: &mut AnyConnection,
    moved: &Move,
    actor: &str,
    now: i64,
) -> Result<(), StoreError> {
    let mut current = latest(connection, &moved.filter).await?;
    if let (None, Some(made)) = (&current, &moved.before) {
        // It is from before changes were noted.
        let id = insert(connection, &moved.filter, made, (None, 0, "")).await?;
        current = Some(FilterRevision { id, previous: None, made: made.clone() });
    }
    let earlier = match &current {
        Some(current) => row(connection, current.previous).await?,
        None => None,
    };
    let previous = match earlier {
        Some(earlier) if earlier.made == moved.after => earlier.previous,
        _ => current.map(|current| current.id),
    };
    insert(connection, &moved.filter, &moved.after, (previous, now, actor)).await?;
    Ok(())
}

/// Forgets a filter that is removed: another of its name has a history of its own.
pub(super) async fn forget(connection: &mut AnyConnection, filter: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM filter_component WHERE filter = $1").bind(filter).execute(connection).await?;
    Ok(())
}

async fn latest(connection: &mut AnyConnection, filter: &str) -> Result<Option<FilterRevision>, StoreError> {
    let row = sqlx::query(
        "SELECT id, previous, component, digest FROM filter_component WHERE filter = $1 ORDER BY id DESC LIMIT 1",
    );
    let row = row.bind(filter).fetch_optional(connection).await?;
    Ok(row.as_ref().map(noted).transpose()?)
}

async fn row(connection: &mut AnyConnection, id: Option<i64>) -> Result<Option<FilterRevision>, StoreError> {
    let Some(id) = id else { return Ok(None) };
    let row = sqlx::query("SELECT id, previous, component, digest FROM filter_component WHERE id = $1").bind(id);
    let row = row.fetch_optional(connection).await?;
    Ok(row.as_ref().map(noted).transpose()?)
}

async fn insert(
    connection: &mut AnyConnection,
    filter: &str,
    made: &FilterMakeup,
    (previous, since, actor): (Option<i64>, i64, &str),
) -> Result<i64, StoreError> {
    let insert = "INSERT INTO filter_component (filter, component, digest, previous, since, actor) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
    let row = sqlx::query(insert)
        .bind(filter)
        .bind(&made.component)
        .bind(made.digest.as_deref().unwrap_or_default())
        .bind(previous)
        .bind(since)
        .bind(actor)
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret_key::SecretKey;
    use crate::store::{Location, configuration};
    use postigo_model::configured::Filter;

    /// Has a filter run a component, as a save does; none removes it.
    async fn run(store: &Store, key: &SecretKey, component: Option<&str>) {
        let before = configuration::load(store, key).await.unwrap();
        let mut after = before.clone();
        let made = component.map(|component| Filter {
            name: "f".into(),
            component: component.into(),
            digest: component.contains('@').then(|| format!("digest of {component}")),
            ..Filter::default()
        });
        after.filters.remove("f");
        after.filters.extend(made.map(|filter| (filter.name.clone(), filter)));
        configuration::save(store, key, &before, &after, Vec::new(), &postigo_model::actor::Actor::Daemon)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn rollbacks_lead_ever_further_back_and_never_in_a_ring() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let key = SecretKey::at(folder.path().join("key"));
        let back = || async { before(&store, "f").await.unwrap().map(|made| made.component) };
        for component in ["match", "urgent@1.0.0", "urgent@2.0.0", "urgent@3.0.0"] {
            run(&store, &key, Some(component)).await;
        }
        for expected in ["urgent@2.0.0", "urgent@1.0.0", "match"] {
            assert_eq!(back().await.as_deref(), Some(expected));
            run(&store, &key, Some(expected)).await;
        }
        assert_eq!(back().await, None);
        run(&store, &key, Some("urgent@3.0.0")).await;
        assert_eq!(back().await.as_deref(), Some("match"));
        let ran = of(&store, "f", 100).await.unwrap();
        assert_eq!(ran.len(), 8, "every change is noted");
        assert_eq!((ran[0].made.digest.as_deref(), ran[0].actor.as_str()), (Some("digest of urgent@3.0.0"), "daemon"));
        assert!(ran[0].since > 0);

        // Another filter of the same name begins anew.
        run(&store, &key, None).await;
        run(&store, &key, Some("urgent@1.0.0")).await;
        assert_eq!(back().await, None);
    }
}
