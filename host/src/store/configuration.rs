//! What is configured, as rows: one for every thing, in the form of the configuration file.

use super::configured_versions::{self, Change, ChangeAct, SETTINGS, ThingChange};
use super::filter_components::{self, FilterMakeup, Move};
use super::{Engine, Store, StoreError, counters, customers};
use crate::secret_key::{SecretError, SecretKey};
use futures_util::future::BoxFuture;
use postigo_model::actor::Actor;
use postigo_model::configured::form::{ConfiguredKind, LoadedKind, in_clear, read, read_fields, write};
use postigo_model::configured::key_difference::key_differences;
use postigo_model::configured::{
    Configuration, ConfigurationVersion, CustomerUser, Destination, Filter, KindVisitor, Secret, Settings, visit_kinds,
};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

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
    // One statement sees one state of the database, so that version and rows belong together.
    let rows = sqlx::query(
        "SELECT kind, body, secrets, digest, name, (SELECT version FROM config_version WHERE id = 1), (SELECT stamp FROM config_version WHERE id = 1) FROM configured",
    )
    .fetch_all(&mut *store.read().await?)
    .await?;
    let (mut configuration, mut lost) = (Configuration::default(), Vec::new());
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

/// Makes `after` out of `before`, all or nothing, and gives the new version; that of `before` when nothing differs.
/// `customers` are created or updated beside it. `actor` is who made the change; it is noted with every thing that
/// changes, as a version of it, and with the components that filters run. [`StoreError::Conflict`] when the configuration is no longer at the version of `before`.
pub async fn save(
    store: &Store,
    key: &SecretKey,
    before: &Configuration,
    after: &Configuration,
    customers: Vec<CustomerUser>,
    actor: &Actor,
) -> Result<ConfigurationVersion, StoreError> {
    let mut change = SaveChange {
        expected: before.version,
        stamp: stamp()?,
        put: Vec::new(),
        remove: Vec::new(),
        customers,
        moves: Vec::new(),
        noted: Vec::new(),
        actor: actor.clone(),
        at: postigo_model::timestamp::now(),
        kept_versions: after.settings.kept_versions,
    };
    if before.settings != after.settings {
        let written = write(&after.settings);
        let earlier = write(&before.settings);
        change.note((SETTINGS, ""), ChangeAct::Changed, &earlier, Some(&written), ThingSecrets::default());
        change.put(SETTINGS, String::new(), written, Map::new());
    }
    let mut writing = ChangeWriter { change, before, after, key, result: Ok(()) };
    visit_kinds(&mut writing);
    let ChangeWriter { mut change, result, .. } = writing;
    result?;
    change.components(before, after);
    if change.put.is_empty() && change.remove.is_empty() && change.customers.is_empty() {
        return Ok(before.version);
    }
    store.write(change, carry_out).await
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

/// What a save does.
struct SaveChange {
    expected: ConfigurationVersion,
    /// Of the version that it makes.
    stamp: i64,
    put: Vec<PutRow>,
    remove: Vec<(&'static str, String)>,
    customers: Vec<CustomerUser>,
    /// Filters whose component becomes another.
    moves: Vec<Move>,
    /// What becomes of things, customer users aside, for their versions.
    noted: Vec<ThingChange>,
    actor: Actor,
    at: i64,
    /// So many versions of each thing are kept.
    kept_versions: u32,
}

/// The names of a thing's secrets.
#[derive(Default)]
struct ThingSecrets {
    /// Those that were set, changed or taken away.
    changed: Vec<String>,
    /// Those that it has.
    has: Vec<String>,
}

impl ThingSecrets {
    fn of<K: LoadedKind>(before: Option<&K>, after: Option<&K>) -> Self {
        let all = |thing: Option<&K>| -> BTreeMap<&'static str, Secret> {
            let mut thing = thing.cloned().unwrap_or_default();
            let secrets = thing.secrets().into_iter();
            secrets.filter_map(|(field, secret)| Some((field, secret.clone()?))).collect()
        };
        let (before, after) = (all(before), all(after));
        let mut changed: Vec<&'static str> = before.keys().chain(after.keys()).copied().collect();
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|field| before.get(field) != after.get(field));
        let names = |names: Vec<&'static str>| names.into_iter().map(str::to_owned).collect();
        Self { changed: names(changed), has: names(after.into_keys().collect()) }
    }
}

/// Notes what differs, kind by kind.
struct ChangeWriter<'w> {
    change: SaveChange,
    before: &'w Configuration,
    after: &'w Configuration,
    key: &'w SecretKey,
    result: Result<(), StoreError>,
}

impl KindVisitor for ChangeWriter<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        if self.result.is_ok() {
            self.result = self.change.kind::<K>(self.before, self.after, self.key);
        }
    }

    /// They have a table of their own.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}

/// A row that is written.
struct PutRow {
    kind: &'static str,
    name: String,
    body: String,
    secrets: String,
    digest: String,
}

impl SaveChange {
    fn put(&mut self, kind: &'static str, name: String, body: Map<String, Value>, secrets: Map<String, Value>) {
        let (body, secrets) = (Value::Object(body).to_string(), Value::Object(secrets).to_string());
        self.put.push(PutRow { kind, name, body, secrets, digest: String::new() });
    }

    /// Notes what becomes of a thing: what it is, none where it is gone, and what that differs from.
    fn note(
        &mut self,
        (kind, name): (&'static str, &str),
        act: ChangeAct,
        before: &Map<String, Value>,
        after: Option<&Map<String, Value>>,
        secrets: ThingSecrets,
    ) {
        let differing = after.map(|after| key_differences(before, after)).unwrap_or_default();
        let keys = differing.into_iter().map(|found| found.key).collect();
        self.noted.push(ThingChange {
            kind,
            name: name.to_owned(),
            act,
            body: after.map(|after| Value::Object(after.clone()).to_string()),
            keys,
            secrets: secrets.changed,
            has_secrets: secrets.has,
        });
    }

    /// What the filters that are written are made of: their rows keep the digest, and what is another than before is
    /// noted.
    fn components(&mut self, before: &Configuration, after: &Configuration) {
        let made =
            |filter: &Filter| FilterMakeup { component: filter.component.clone(), digest: filter.digest.clone() };
        for put in self.put.iter_mut().filter(|put| put.kind == Filter::KIND) {
            let Some(filter) = after.filters.get(&put.name) else { continue };
            put.digest = filter.digest.clone().unwrap_or_default();
            let before = before.filters.get(&put.name).map(made);
            if before.as_ref() != Some(&made(filter)) {
                self.moves.push(Move { filter: put.name.clone(), before, after: made(filter) });
            }
        }
    }

    fn kind<K: LoadedKind>(
        &mut self,
        before: &Configuration,
        after: &Configuration,
        key: &SecretKey,
    ) -> Result<(), StoreError> {
        let (before, after): (&BTreeMap<String, K>, &BTreeMap<String, K>) = (K::all(before), K::all(after));
        for (name, thing) in after.iter().filter(|(name, thing)| before.get(*name) != Some(*thing)) {
            let mut sealed = Map::new();
            for (field, secret) in thing.clone().secrets() {
                if let Some(secret) = secret {
                    let text = key.seal_for(
                        &secret_place::<K>(name, field),
                        &thing.destination(field).text(),
                        secret.reveal(),
                    )?;
                    sealed.insert(field.to_owned(), Value::String(text));
                }
            }
            let (earlier, written) = (before.get(name), write(thing));
            let secrets = ThingSecrets::of(earlier, Some(thing));
            let act = if earlier.is_none() { ChangeAct::Created } else { ChangeAct::Changed };
            // Of what is new the keys are told that say more than their defaults.
            let from = earlier.map_or_else(|| write(&K::default()), write);
            self.note((K::KIND, name), act, &from, Some(&written), secrets);
            self.put(K::KIND, name.clone(), written, sealed);
        }
        for (name, gone) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
            self.note((K::KIND, name), ChangeAct::Deleted, &write(gone), None, ThingSecrets::of(Some(gone), None));
            self.remove.push((K::KIND, name.clone()));
        }
        Ok(())
    }
}

fn carry_out<'c>(
    change: &'c SaveChange,
    connection: &'c mut AnyConnection,
) -> BoxFuture<'c, Result<ConfigurationVersion, StoreError>> {
    Box::pin(async move {
        let version: Option<ConfigurationVersion> = sqlx::query(
            "UPDATE config_version SET version = version + 1, stamp = $1 WHERE id = 1 AND version = $2 AND stamp = $3 RETURNING version, stamp",
        )
        .bind(change.stamp)
        .bind(change.expected.number)
        .bind(change.expected.stamp)
        .fetch_optional(&mut *connection)
        .await?
        .map(|row| read_version(&row, 0))
        .transpose()?;
        let version = version.ok_or_else(|| {
            StoreError::Conflict("The configuration was changed by somebody else meanwhile; nothing was saved.".into())
        })?;
        let mut noted = change.noted.clone();
        noted.extend(changed_customers(connection, &change.customers).await?);
        let made =
            Change { actor: &change.actor, at: change.at, configuration: version.number, kept: change.kept_versions };
        configured_versions::note(connection, &noted, made).await?;
        let actor = change.actor.to_string();
        for (kind, name) in &change.remove {
            sqlx::query("DELETE FROM configured WHERE kind = $1 AND name = $2")
                .bind(*kind)
                .bind(name)
                .execute(&mut *connection)
                .await?;
            if *kind == Filter::KIND {
                filter_components::forget(connection, name).await?;
            }
        }
        for PutRow { kind, name, body, secrets, digest } in &change.put {
            sqlx::query(
                "INSERT INTO configured (kind, name, body, secrets, digest, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7) \
                 ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, secrets = excluded.secrets, digest = excluded.digest",
            )
            .bind(*kind)
            .bind(name)
            .bind(body)
            .bind(secrets)
            .bind(digest)
            .bind(change.at)
            .bind(&actor)
            .execute(&mut *connection)
            .await?;
        }
        for moved in &change.moves {
            filter_components::note(connection, moved, &actor, change.at).await?;
        }
        for customer in &change.customers {
            sqlx::query(
                "INSERT INTO customer_user (login, email, email_folded, customer_number, first_name, last_name, language, created_at, created_by) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                 ON CONFLICT (login) DO UPDATE SET email = excluded.email, email_folded = excluded.email_folded, \
                 customer_number = excluded.customer_number, first_name = excluded.first_name, last_name = excluded.last_name, \
                 language = excluded.language",
            )
            .bind(&customer.login)
            .bind(&customer.email)
            .bind(postigo_model::mailbox::Mailbox::of(&customer.email).as_str())
            .bind(&customer.customer_number)
            .bind(&customer.first_name)
            .bind(&customer.last_name)
            .bind(&customer.language)
            .bind(change.at)
            .bind(&actor)
            .execute(&mut *connection)
            .await?;
        }
        Ok(version)
    })
}

/// What becomes of customer users, for their versions.
async fn changed_customers(
    connection: &mut AnyConnection,
    customers: &[CustomerUser],
) -> Result<Vec<ThingChange>, StoreError> {
    let logins = customers.iter().map(|customer| customer.login.clone()).collect();
    let before = customers::with_logins(connection, logins).await?;
    let changed = customers.iter().filter(|customer| before.get(&customer.login) != Some(*customer));
    let change = |customer: &CustomerUser| {
        let (earlier, written) = (before.get(&customer.login).map(write), write(customer));
        let from = earlier.clone().unwrap_or_else(|| write(&CustomerUser::default()));
        let keys = key_differences(&from, &written).into_iter().map(|found| found.key).collect();
        ThingChange {
            kind: CustomerUser::KIND,
            name: customer.login.clone(),
            act: if earlier.is_none() { ChangeAct::Created } else { ChangeAct::Changed },
            body: Some(configured_versions::text(customer)),
            keys,
            secrets: Vec::new(),
            has_secrets: Vec::new(),
        }
    };
    Ok(changed.map(change).collect())
}

/// Deletes a customer user, with what versions say of them but who deleted them; whether there was one.
pub async fn delete_customer(store: &Store, login: &str, actor: &Actor) -> Result<bool, StoreError> {
    type Input = (String, Actor);
    fn work<'c>(
        (login, actor): &'c Input,
        connection: &'c mut AnyConnection,
    ) -> BoxFuture<'c, Result<bool, StoreError>> {
        Box::pin(async move {
            // Who saves them meanwhile comes after this, or before.
            lock(connection).await?;
            if customers::by_login(connection, login).await?.is_none() {
                return Ok(false);
            }
            let at = postigo_model::timestamp::now();
            let made = Change { actor, at, configuration: number(connection).await?, kept: 1 };
            configured_versions::forget_customer(connection, login, made).await?;
            sqlx::query("DELETE FROM customer_user WHERE login = $1").bind(login).execute(connection).await?;
            Ok(true)
        })
    }
    store.write((login.to_owned(), actor.clone()), work).await
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
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;
    use postigo_model::configured::Account;
    use serde_json::json;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn a_fresh_store_has_the_four_queues_and_the_local_account() {
        let (folder, store, key) = fresh().await;
        let configuration = load(&store, &key).await.unwrap();
        assert_eq!(configuration.queues.keys().collect::<Vec<_>>(), ["Junk", "Misc", "Postmaster", "Raw"]);
        assert_eq!(configuration.accounts.keys().collect::<Vec<_>>(), ["local"]);
        assert_eq!(configuration.settings, Settings::default());
        assert!(crate::config::rules::check(&configuration).is_empty());
        assert!(!folder.path().join("key").exists(), "no secret, no key");
    }

    #[tokio::test]
    async fn what_was_saved_is_loaded_and_secrets_are_not_in_clear() {
        let (folder, store, key) = fresh().await;
        let before = load(&store, &key).await.unwrap();
        let mut after = before.clone();
        let account = Account {
            name: "main".into(),
            host: "h".into(),
            password: Some(Secret::new("pa55word")),
            ..Account::default()
        };
        after.accounts.insert("main".into(), account);
        after.queues.remove("Misc");
        after.settings.types.push("Incident".into());
        let version = save(&store, &key, &before, &after, Vec::new(), &Actor::Daemon).await.unwrap();
        assert_eq!(version.number, before.version.number + 1);
        assert_ne!(version.stamp, before.version.stamp);
        after.version = version;
        assert_eq!(load(&store, &key).await.unwrap(), after);
        assert_eq!(
            save(&store, &key, &after, &after, Vec::new(), &Actor::Daemon).await.unwrap(),
            version,
            "nothing differs, nothing is counted"
        );
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(8).any(|window| window == b"pa55word"));
        }
    }

    #[tokio::test]
    async fn a_change_of_an_old_version_is_refused() {
        let (_folder, store, key) = fresh().await;
        let before = load(&store, &key).await.unwrap();
        let mut after = before.clone();
        after.queues.remove("Misc");
        save(&store, &key, &before, &after, Vec::new(), &Actor::Daemon).await.unwrap();
        let late = save(&store, &key, &before, &after, Vec::new(), &Actor::Daemon).await;
        assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    }

    /// Stores an account with a password, and gives its row's secrets.
    async fn with_password(store: &Store, key: &SecretKey) -> String {
        let before = load(store, key).await.unwrap();
        let mut after = before.clone();
        let account = Account {
            name: "main".into(),
            host: "a.example".into(),
            password: Some(Secret::new("pa55word")),
            ..Account::default()
        };
        after.accounts.insert("main".into(), account);
        save(store, key, &before, &after, Vec::new(), &Actor::Daemon).await.unwrap();
        secrets(store).await
    }

    async fn secrets(store: &Store) -> String {
        let row = sqlx::query("SELECT secrets FROM configured WHERE name = 'main'")
            .fetch_one(&mut *store.read().await.unwrap())
            .await;
        row.unwrap().try_get(0).unwrap()
    }

    async fn execute(store: &Store, statement: &'static str, value: String) {
        store
            .write((statement, value), |(statement, value), connection| {
                Box::pin(async move {
                    sqlx::query(*statement).bind(value.clone()).execute(connection).await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_row_that_is_led_elsewhere_by_hand_does_not_open() {
        let (_folder, store, key) = fresh().await;
        with_password(&store, &key).await;
        execute(
            &store,
            "UPDATE configured SET body = REPLACE(body, 'a.example', $1) WHERE name = 'main'",
            "b.example".into(),
        )
        .await;
        let error = load(&store, &key).await.unwrap_err().to_string();
        assert!(
            error.contains("account \"main\", password") && error.contains("changed in the database by hand"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_an_earlier_version_sealed_is_taken_over_and_bound_once() {
        let (_folder, store, key) = fresh().await;
        with_password(&store, &key).await;
        let former = json!({ "password": key.seal("account \"main\", password", "pa55word").unwrap() }).to_string();
        execute(&store, "UPDATE configured SET secrets = $1 WHERE name = 'main'", former.clone()).await;
        let before = load(&store, &key).await.unwrap();
        assert_eq!(before.accounts["main"].password.as_ref().unwrap().reveal(), "pa55word");
        bind_secrets(&store, &key).await.unwrap();
        let bound = secrets(&store).await;
        assert!(bound != former && bound.contains("bound:"), "{bound}");
        assert_eq!(load(&store, &key).await.unwrap(), before);
        bind_secrets(&store, &key).await.unwrap();
        assert_eq!(secrets(&store).await, bound, "the second time there is nothing to do");
    }

    #[tokio::test]
    async fn a_wrong_key_is_told_and_names_the_account() {
        let (folder, store, key) = fresh().await;
        let before = load(&store, &key).await.unwrap();
        let mut after = before.clone();
        after.accounts.insert(
            "main".into(),
            Account { name: "main".into(), password: Some(Secret::new("x")), ..Account::default() },
        );
        save(&store, &key, &before, &after, Vec::new(), &Actor::Daemon).await.unwrap();
        let other = folder.path().join("other");
        std::fs::write(&other, format!("{}=", "A".repeat(43))).unwrap();
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
        let error = load(&store, &SecretKey::at(other)).await.unwrap_err().to_string();
        assert!(error.contains("account \"main\", password"), "{error}");
    }
}
