//! What is configured, as rows: one for every thing, in the form of the configuration file.

mod saving;

pub use saving::{delete_customer, save};

use super::configured_versions::SETTINGS;
use super::{Engine, Store, StoreError, counters, models_in_force};
use crate::secret_key::{SecretError, SecretKey};
use postigo_model::configured::form::{ConfiguredKind, LoadedKind, in_clear, read, read_fields};
use postigo_model::configured::{
    Configuration, ConfigurationVersion, Destination, Filter, KindVisitor, Secret, Settings, visit_kinds,
};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// The version of the configuration, as two expressions of a statement that does something by it. [`read_version`]
/// reads them.
pub(super) const VERSION: &str =
    "(SELECT version FROM config_version WHERE id = 1), (SELECT stamp FROM config_version WHERE id = 1)";

/// Reads a version whose number is in this column, with its stamp in the next.
pub(super) fn read_version(row: &AnyRow, column: usize) -> Result<ConfigurationVersion, StoreError> {
    Ok(ConfigurationVersion { number: row.try_get(column)?, stamp: row.try_get(column + 1)? })
}

/// The version of the configuration; another one after every change.
pub async fn version(store: &Store) -> Result<ConfigurationVersion, StoreError> {
    let row = sqlx::query("SELECT version, stamp FROM config_version WHERE id = 1")
        .fetch_one(&mut *store.read().await?)
        .await?;
    read_version(&row, 0)
}

/// The version of the configuration, which stays what it is until this transaction ends: what is done in it is done by
/// that version, and whoever saves the next one sees it done.
pub(super) async fn kept_version(
    connection: &mut AnyConnection,
    engine: Engine,
) -> Result<ConfigurationVersion, StoreError> {
    let statement = match engine {
        Engine::Postgres => "SELECT version, stamp FROM config_version WHERE id = 1 FOR SHARE",
        // Nobody else writes meanwhile.
        Engine::Sqlite => "SELECT version, stamp FROM config_version WHERE id = 1",
    };
    read_version(&sqlx::query(statement).fetch_one(connection).await?, 0)
}

/// When a thing was made, milliseconds since the epoch; none where it is not there, or that was not noted.
pub async fn made_at(store: &Store, kind: &str, name: &str) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query("SELECT created_at FROM configured WHERE kind = $1 AND name = $2").bind(kind).bind(name);
    let row = row.fetch_optional(&mut *store.read().await?).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
}

/// The whole configuration, at one version.
pub async fn load(store: &Store, key: &SecretKey) -> Result<Configuration, StoreError> {
    let (configuration, lost) = load_what_opens(store, key).await?;
    match lost.into_iter().next() {
        None => Ok(configuration),
        Some(lost) => Err(lost.error.into()),
    }
}

/// The whole configuration, at one version, without the secrets that the key does not open; and these. To set them
/// again is the way on when a key is lost.
pub async fn load_what_opens(store: &Store, key: &SecretKey) -> Result<(Configuration, Vec<LostSecret>), StoreError> {
    let mut connection = store.read().await?;
    // One statement sees one state of the database, so that version and rows belong together.
    let rows = sqlx::query(
        "SELECT kind, body, secrets, digest, name, (SELECT version FROM config_version WHERE id = 1), (SELECT stamp FROM config_version WHERE id = 1) FROM configured",
    )
    .fetch_all(&mut *connection)
    .await?;
    // After the version: who puts another model in force counts one, so that who has a later model here reads anew.
    let models = models_in_force::all(&mut connection).await?;
    let (mut configuration, mut lost) = (Configuration { models, ..Configuration::default() }, Vec::new());
    for row in rows {
        configuration.version = read_version(&row, 5)?;
        let stored = ConfiguredRow::read(&row, [0, 4, 1, 2], Some(3))?;
        stored.load_into(&mut configuration, key, &mut lost)?;
    }
    Ok((configuration, lost))
}

/// A stored secret that the key does not open.
#[derive(Debug)]
pub struct LostSecret {
    /// The kind of the thing that it belongs to.
    pub kind: &'static str,
    /// The thing's name.
    pub name: String,
    /// Its key in the thing: `password`.
    pub field: &'static str,
    /// Why it does not open.
    pub error: SecretError,
}

/// Whether the database has a secret that is sealed.
pub async fn has_secrets(store: &Store) -> Result<bool, StoreError> {
    let statement =
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM configured WHERE secrets <> '{}') OR EXISTS (SELECT 1 FROM oauth2_token)";
    Ok(sqlx::query(statement).fetch_optional(&mut *store.read().await?).await?.is_some())
}

/// A stamp for the next version.
fn stamp() -> Result<i64, StoreError> {
    Ok(i64::try_from(counters::random()? >> 1).unwrap_or(i64::MAX))
}

/// Counts a change of something that the configuration depends on, so that every host reads it anew.
pub async fn touch(connection: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query("UPDATE config_version SET version = version + 1, stamp = $1 WHERE id = 1")
        .bind(stamp()?)
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps every other change of what depends on one another out until this transaction ends, without counting one.
pub(super) async fn lock(connection: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query("UPDATE config_version SET version = version WHERE id = 1").execute(connection).await?;
    Ok(())
}

/// Number of the version of the configuration, as this transaction sees it.
pub(super) async fn number(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query("SELECT version FROM config_version WHERE id = 1").fetch_one(connection).await?.try_get(0)?)
}

/// A row of `configured`.
struct ConfiguredRow {
    kind: String,
    name: String,
    body: Value,
    secrets: Value,
    /// Of a filter of an uploaded component; else empty.
    digest: String,
}

impl ConfiguredRow {
    /// Reads a row that has kind, name, body and secrets in these columns, and the digest in this one. Whatever is
    /// wrong with it, the error says which row it is.
    fn read(row: &AnyRow, [kind, name, body, secrets]: [usize; 4], digest: Option<usize>) -> Result<Self, StoreError> {
        let of = |column: usize| row.try_get::<String, _>(column);
        let (kind, name) = (of(kind)?, of(name)?);
        let text = |column: usize| of(column).map_err(|error| corrupt(&kind, &name, &error));
        let parsed =
            |column: usize| serde_json::from_str(&text(column)?).map_err(|error| corrupt(&kind, &name, &error));
        let (body, secrets) = (parsed(body)?, parsed(secrets)?);
        let digest = digest.map(text).transpose()?.unwrap_or_default();
        Ok(Self { kind, name, body, secrets, digest })
    }

    fn corrupt(&self, reason: &str) -> StoreError {
        corrupt(&self.kind, &self.name, &reason)
    }

    fn load_into(
        &self,
        configuration: &mut Configuration,
        key: &SecretKey,
        lost: &mut Vec<LostSecret>,
    ) -> Result<(), StoreError> {
        if self.kind == SETTINGS {
            return self.load_settings(&mut configuration.settings);
        }
        let mut loading = RowLoader { stored: self, configuration, key, lost, result: None };
        visit_kinds(&mut loading);
        let loaded = loading.result.unwrap_or_else(|| Err(self.corrupt("its kind is not known to this version")));
        let name = loaded?;
        if self.kind == Filter::KIND
            && let Some(filter) = configuration.filters.get_mut(&name)
        {
            filter.digest = Some(self.digest.clone()).filter(|digest| !digest.is_empty());
        }
        Ok(())
    }

    fn load_settings(&self, settings: &mut Settings) -> Result<(), StoreError> {
        let fields = self.body.as_object().ok_or_else(|| self.corrupt("it is no JSON object"))?;
        match read_fields(settings, fields, SETTINGS, &in_clear).first() {
            None => Ok(()),
            Some(problem) => Err(self.corrupt(&format!("{}: {}", problem.pointer, problem.sentence))),
        }
    }

    /// Loads a thing and gives its name.
    fn load_thing<K: LoadedKind>(
        &self,
        configuration: &mut Configuration,
        key: &SecretKey,
        lost: &mut Vec<LostSecret>,
    ) -> Result<String, StoreError> {
        let (mut thing, problems) = read(K::default(), &self.body, K::KIND, &in_clear);
        if let Some(problem) = problems.first() {
            return Err(self.corrupt(&format!("{}: {}", problem.pointer, problem.sentence)));
        }
        let name = thing.name();
        // Where they go is told by the thing as it was stored.
        let stored = thing.clone();
        for (field, secret) in thing.secrets() {
            if let Some(sealed) = self.secrets.get(field).and_then(Value::as_str) {
                let destination = stored.destination(field);
                match open(key, &secret_place::<K>(&name, field), &destination, sealed) {
                    Ok(clear) => *secret = Some(Secret::stored(clear, destination)),
                    Err(error @ SecretError::Sealed { .. }) => {
                        lost.push(LostSecret { kind: K::KIND, name: name.clone(), field, error });
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        K::all_mut(configuration).insert(name.clone(), thing);
        Ok(name)
    }
}

/// Loads a row as a thing of its kind.
struct RowLoader<'l> {
    stored: &'l ConfiguredRow,
    configuration: &'l mut Configuration,
    key: &'l SecretKey,
    lost: &'l mut Vec<LostSecret>,
    /// The thing's name; none as long as its kind was not found.
    result: Option<Result<String, StoreError>>,
}

impl KindVisitor for RowLoader<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        if self.stored.kind == K::KIND {
            self.result = Some(self.stored.load_thing::<K>(self.configuration, self.key, self.lost));
        }
    }

    /// They have a table of their own.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}

/// Binds the secrets of a row of any kind.
struct SecretBinder<'b> {
    stored: &'b ConfiguredRow,
    key: &'b SecretKey,
    bound: Option<Map<String, Value>>,
}

impl KindVisitor for SecretBinder<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        if self.stored.kind == K::KIND {
            self.bound = self.stored.bound::<K>(self.key);
        }
    }

    /// They have no secrets.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}

impl ConfiguredRow {
    /// Its secrets, all of them bound; none where they are already, or one does not open, which is told where it is
    /// needed.
    fn bound<K: LoadedKind>(&self, key: &SecretKey) -> Option<Map<String, Value>> {
        let secrets = self.secrets.as_object()?;
        if secrets.values().filter_map(Value::as_str).all(SecretKey::is_bound) {
            return None;
        }
        let (thing, _) = read(K::default(), &self.body, K::KIND, &in_clear);
        let bind = |(field, sealed): (&String, &Value)| {
            let (place, destination) = (secret_place::<K>(&thing.name(), field), thing.destination(field));
            let clear = open(key, &place, &destination, sealed.as_str()?).ok()?;
            Some((field.clone(), Value::String(key.seal_for(&place, &destination.text(), &clear).ok()?)))
        };
        secrets.iter().map(bind).collect()
    }
}

/// Opens a secret that is sealed for its destination, or, by an earlier version, for its place alone.
fn open(key: &SecretKey, place: &str, destination: &Destination, sealed: &str) -> Result<String, SecretError> {
    if SecretKey::is_bound(sealed) { key.open_for(place, &destination.text(), sealed) } else { key.open(place, sealed) }
}

/// Seals the secrets that an earlier version sealed for their place alone anew, each for where it goes now.
pub async fn bind_secrets(store: &Store, key: &SecretKey) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT kind, name, body, secrets FROM configured WHERE secrets <> '{}'")
        .fetch_all(&mut *store.read().await?)
        .await?;
    for row in rows {
        let stored = ConfiguredRow::read(&row, [0, 1, 2, 3], None)?;
        let earlier: String = row.try_get(3)?;
        let mut binding = SecretBinder { stored: &stored, key, bound: None };
        visit_kinds(&mut binding);
        if let Some(bound) = binding.bound {
            let input = (stored.kind, stored.name, earlier, Value::Object(bound).to_string());
            store.write(input, |input, connection| Box::pin(replace_secrets(connection, input))).await?;
        }
    }
    Ok(())
}

/// Of kind and name: the secrets as they were, and as they are to be. What somebody has changed meanwhile stays.
async fn replace_secrets(
    connection: &mut AnyConnection,
    input: &(String, String, String, String),
) -> Result<(), StoreError> {
    let (kind, name, earlier, bound) = input;
    let update = sqlx::query("UPDATE configured SET secrets = $1 WHERE kind = $2 AND name = $3 AND secrets = $4");
    update.bind(bound).bind(kind).bind(name).bind(earlier).execute(connection).await?;
    Ok(())
}

/// Whose secret it is: what it is sealed for, and how errors name it.
fn secret_place<K: ConfiguredKind>(name: &str, field: &str) -> String {
    format!("{} {name:?}, {field}", K::KIND)
}

fn corrupt(kind: &str, name: &str, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what: "configuration row", reason: format!("{kind} {name:?}, {reason}") }
}

#[cfg(test)]
mod tests;
