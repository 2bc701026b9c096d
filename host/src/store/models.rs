//! What classifiers have learnt: models of a filter, of which one is in force. The bytes are sealed.
//!
//! Which one is in force is part of the configuration: another one is another version of it, noted with the filter.

use super::configuration::{lock, number, touch};
use super::configured_versions::{self, Change, ChangeAct, ThingChange};
use super::sql::Sql;
use super::{Store, StoreError, json};
use futures_util::future::BoxFuture;
use postigo_model::actor::Actor;
use postigo_model::configured::Filter;
use postigo_model::configured::form::ConfiguredKind as _;
use postigo_model::configured::secret_keys::SecretNames;
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// So many models of a filter are kept, the last ones; the one in force besides.
const KEPT: i64 = 3;

/// A model, without its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRow {
    /// The filter that it is of.
    pub filter: String,
    /// Counted for each filter from 1 on.
    pub number: i64,
    /// The component that learnt it.
    pub component: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub digest: String,
    /// Its bytes' number.
    pub size: i64,
    /// Of its bytes, in the component's words.
    pub format: String,
    /// For people, in the component's words.
    pub summary: String,
    /// Question → label → examples and given.
    pub labels: Value,
    /// How many mails it was made of.
    pub examples: i64,
    /// With which the examples were shuffled.
    pub seed: i64,
    /// Milliseconds since the epoch.
    pub trained_at: i64,
    /// Who asked for it.
    pub trained_by: String,
    /// Whether the filter answers by it.
    pub in_force: bool,
}

/// A model that is to be kept.
#[derive(Debug, Clone)]
pub struct NewModel {
    /// What is known of it, but for its number; and whether it is to be in force.
    pub row: ModelRow,
    /// Its bytes, sealed.
    pub sealed: Vec<u8>,
    /// Who has it made.
    pub actor: Actor,
    /// So many versions of the filter are kept.
    pub kept_versions: u32,
}

/// Which model is to be in force.
#[derive(Debug, Clone)]
pub struct ModelChoice {
    /// The filter.
    pub filter: String,
    /// Its number; none: the filter is to have none.
    pub number: Option<i64>,
    /// Who wants it.
    pub actor: Actor,
    /// So many versions of the filter are kept.
    pub kept_versions: u32,
    /// Now, milliseconds since the epoch.
    pub at: i64,
}

/// What the bytes of a model are sealed for.
pub fn place(filter: &str, digest: &str) -> String {
    format!("model of filter {filter}, {digest}")
}

const SELECT: &str = "SELECT model.filter, model.number, component, digest, size, format, summary, labels, examples, seed, trained_at, trained_by, \
     CASE WHEN model_in_force.number IS NULL THEN 0 ELSE 1 END FROM model \
     LEFT JOIN model_in_force ON model_in_force.filter = model.filter AND model_in_force.number = model.number";

fn read(row: &AnyRow) -> Result<ModelRow, StoreError> {
    let value = |column: usize| {
        let corrupt = |error: serde_json::Error| StoreError::Corrupt { what: "model", reason: error.to_string() };
        serde_json::from_str::<Value>(row.try_get(column)?).map_err(corrupt)
    };
    Ok(ModelRow {
        filter: row.try_get(0)?,
        number: row.try_get(1)?,
        component: row.try_get(2)?,
        digest: row.try_get(3)?,
        size: row.try_get(4)?,
        format: row.try_get(5)?,
        summary: row.try_get(6)?,
        labels: value(7)?,
        examples: row.try_get(8)?,
        seed: row.try_get(9)?,
        trained_at: row.try_get(10)?,
        trained_by: row.try_get(11)?,
        in_force: row.try_get::<i64, _>(12)? != 0,
    })
}

/// The models of a filter, the latest first.
pub async fn list(connection: &mut AnyConnection, filter: &str) -> Result<Vec<ModelRow>, StoreError> {
    let mut sql = Sql::new(format!("{SELECT} WHERE model.filter = "));
    let rows = sql.bind(filter).push(" ORDER BY model.number DESC").all(connection).await?;
    rows.iter().map(read).collect()
}

/// One of them.
pub async fn show(connection: &mut AnyConnection, filter: &str, number: i64) -> Result<Option<ModelRow>, StoreError> {
    let mut sql = Sql::new(format!("{SELECT} WHERE model.filter = "));
    let row = sql.bind(filter).push(" AND model.number = ").bind(number).optional(connection).await?;
    row.as_ref().map(read).transpose()
}

/// The sealed bytes of a model, with their digest in clear.
pub async fn sealed(connection: &mut AnyConnection, filter: &str, number: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let mut sql =
        Sql::new("SELECT sealed FROM model_bytes JOIN model ON model.id = model_bytes.model_id WHERE model.filter = ");
    let row = sql.bind(filter).push(" AND model.number = ").bind(number).optional(connection).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Keeps a model, and lets those go that are too many; gives its number. It is in force where its row says so, and where the
/// filter has none yet. The very same as the latest one is not kept twice.
/// [`StoreError::NotFound`] where there is no such filter.
pub async fn add(store: &Store, new: NewModel) -> Result<i64, StoreError> {
    fn work<'c>(new: &'c NewModel, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<i64, StoreError>> {
        Box::pin(async move {
            let ModelRow { filter, trained_at: at, .. } = &new.row;
            // Two that are kept at once have two numbers; and the filter does not go meanwhile.
            lock(connection).await?;
            if written(connection, filter).await?.is_none() {
                return Err(StoreError::NotFound(format!(
                    "There is no filter \"{filter}\" any more, so that its model is not kept."
                )));
            }
            let latest = list(connection, filter).await?.into_iter().next();
            let number = match latest.filter(|latest| latest.digest == new.row.digest) {
                // The very same, as when a host ended before it said that it was done.
                Some(latest) => latest.number,
                None => insert(connection, new).await?,
            };
            let mut sql = Sql::new("SELECT 1 FROM model_in_force WHERE filter = ");
            if new.row.in_force || sql.bind(filter).optional(connection).await?.is_none() {
                let (actor, kept_versions) = (new.actor.clone(), new.kept_versions);
                let choice =
                    ModelChoice { filter: filter.clone(), number: Some(number), actor, kept_versions, at: *at };
                choose(connection, &choice).await?;
            }
            trim(connection, filter).await?;
            Ok(number)
        })
    }
    store.write(new, work).await
}

async fn insert(connection: &mut AnyConnection, new: &NewModel) -> Result<i64, StoreError> {
    let ModelRow { filter, component, digest, size, format, summary, labels, .. } = &new.row;
    // A number is not used again, so that what was noted of it stays true.
    let mut sql = Sql::new("INSERT INTO model_number (filter, number) VALUES ");
    sql.tuple([filter.into(), 1_i64.into()]);
    sql.push(" ON CONFLICT (filter) DO UPDATE SET number = model_number.number + 1 RETURNING number");
    let number: i64 = sql.one(connection).await?.try_get(0)?;
    let mut sql = Sql::new(
        "INSERT INTO model (filter, number, component, digest, size, format, summary, labels, examples, seed, trained_at, trained_by) VALUES ",
    );
    sql.tuple([
        filter.into(),
        number.into(),
        component.into(),
        digest.into(),
        (*size).into(),
        format.into(),
        summary.into(),
        json("model", labels)?.into(),
        new.row.examples.into(),
        new.row.seed.into(),
        new.row.trained_at.into(),
        (&new.row.trained_by).into(),
    ]);
    let id: i64 = sql.push(" RETURNING id").one(connection).await?.try_get(0)?;
    let mut sql = Sql::new("INSERT INTO model_bytes (model_id, sealed) VALUES ");
    sql.tuple([id.into(), new.sealed.clone().into()]).execute(connection).await?;
    Ok(number)
}

/// Puts a model in force, or none, as a version of the configuration that every host takes up.
/// [`StoreError::NotFound`] where there is no such filter or model.
pub async fn put_in_force(store: &Store, choice: ModelChoice) -> Result<(), StoreError> {
    fn work<'c>(choice: &'c ModelChoice, connection: &'c mut AnyConnection) -> BoxFuture<'c, Result<(), StoreError>> {
        Box::pin(async move {
            lock(connection).await?;
            choose(connection, choice).await
        })
    }
    store.write(choice, work).await
}

async fn choose(connection: &mut AnyConnection, choice: &ModelChoice) -> Result<(), StoreError> {
    let ModelChoice { filter, number: wanted, actor, kept_versions, at } = choice;
    let Some((body, sealed)) = written(connection, filter).await? else {
        return Err(StoreError::NotFound(format!("There is no filter \"{filter}\". Nothing was changed.")));
    };
    if let Some(wanted) = wanted
        && show(connection, filter, *wanted).await?.is_none()
    {
        return Err(StoreError::NotFound(format!(
            "The filter \"{filter}\" has no model {wanted} (any more). Nothing was changed."
        )));
    }
    let mut sql = Sql::new("SELECT number FROM model_in_force WHERE filter = ");
    let before: Option<i64> = sql.bind(filter).optional(connection).await?.map(|row| row.try_get(0)).transpose()?;
    if before == *wanted {
        return Ok(());
    }
    touch(connection).await?;
    let noted = ThingChange {
        kind: Filter::KIND,
        name: filter.clone(),
        act: ChangeAct::Changed,
        body: Some(body),
        sealed,
        keys: vec!["model".to_owned()],
        secrets: SecretNames::default(),
    };
    let made = Change { actor, at: *at, configuration: number(connection).await?, kept: *kept_versions };
    configured_versions::note(connection, &[noted], made).await?;
    match wanted {
        Some(wanted) => {
            let mut sql = Sql::new("INSERT INTO model_in_force (filter, number, since, actor) VALUES ");
            sql.tuple([filter.into(), (*wanted).into(), (*at).into(), actor.to_string().into()]);
            sql.push(" ON CONFLICT (filter) DO UPDATE SET number = excluded.number, since = excluded.since, actor = excluded.actor");
            sql.execute(connection).await?;
        }
        None => {
            Sql::new("DELETE FROM model_in_force WHERE filter = ").bind(filter).execute(connection).await?;
        }
    }
    Ok(())
}

/// Deletes a model. [`StoreError::Conflict`] where it is in force, [`StoreError::NotFound`] where there is none.
pub async fn delete(store: &Store, filter: String, number: i64) -> Result<(), StoreError> {
    type Input = (String, i64);
    fn work<'c>(
        (filter, number): &'c Input,
        connection: &'c mut AnyConnection,
    ) -> BoxFuture<'c, Result<(), StoreError>> {
        Box::pin(async move {
            lock(connection).await?;
            match show(connection, filter, *number).await? {
                None => Err(StoreError::NotFound(format!("The filter \"{filter}\" has no model {number}."))),
                Some(row) if row.in_force => Err(StoreError::Conflict(format!(
                    "The model {number} of the filter \"{filter}\" is in force. Put another in force first, or none."
                ))),
                Some(_) => remove(connection, filter, *number).await,
            }
        })
    }
    store.write((filter, number), work).await
}

/// Lets the models go that are older than the last ones, and not in force.
async fn trim(connection: &mut AnyConnection, filter: &str) -> Result<(), StoreError> {
    let models = list(connection, filter).await?;
    let kept = usize::try_from(KEPT).unwrap_or(usize::MAX);
    for model in models.iter().skip(kept).filter(|model| !model.in_force) {
        remove(connection, filter, model.number).await?;
    }
    Ok(())
}

async fn remove(connection: &mut AnyConnection, filter: &str, number: i64) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM model_bytes WHERE model_id IN (SELECT id FROM model WHERE filter = ");
    sql.bind(filter).push(" AND number = ").bind(number).push(")").execute(connection).await?;
    let mut sql = Sql::new("DELETE FROM model WHERE filter = ");
    sql.bind(filter).push(" AND number = ").bind(number).execute(connection).await?;
    Ok(())
}

/// A filter as its row has it: its keys, and its sealed secrets.
async fn written(
    connection: &mut AnyConnection,
    filter: &str,
) -> Result<Option<(String, Map<String, Value>)>, StoreError> {
    let mut sql = Sql::new("SELECT body, secrets FROM configured WHERE kind = ");
    let row = sql.bind(Filter::KIND).push(" AND name = ").bind(filter).optional(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let sealed = serde_json::from_str(row.try_get(1)?)
        .map_err(|error| StoreError::Corrupt { what: "filter", reason: error.to_string() })?;
    Ok(Some((row.try_get(0)?, sealed)))
}
