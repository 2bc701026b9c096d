//! The versions of configured things: a row for every change, written in the transaction of the change, with who made it
//! and when, and the thing as it was from then on. No secret is in them, sealed or not: their names are.
//!
//! What is there and nobody noted is a version, too: things of before there were versions, and what a host of an earlier
//! version, or somebody by hand, changed since. It is shown as if it were noted, without a time, and noted before the
//! next change.

use super::packing::{pack, unpack};
use super::sql::{self, Sql, pieces};
use super::{Store, StoreError, customers, json};
use postigo_model::actor::Actor;
use postigo_model::configured::form::{ConfiguredKind, write};
use postigo_model::configured::{CustomerUser, Settings};
use postigo_model::hexadecimal::hexadecimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::HashMap;
use utoipa::ToSchema;

/// Bytes of a thing, written out, at most: a filter's settings have one MiB.
const LARGEST: usize = 16 << 20;
/// The kind of the general settings, of which there are one, without a name.
pub const SETTINGS: &str = "settings";
/// What of a row is read of each version.
const COLUMNS: &str = "number, at, actor, way, act, keys, secrets, has_secrets, configuration";

/// What a change did to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeAct {
    /// It was not there before.
    Created,
    /// It was another before.
    Changed,
    /// It is gone.
    Deleted,
    /// It was there, or gone, and nobody noted how it came to that.
    Found,
}

/// A version of a thing, without the thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// Counted for each thing from 1 on.
    pub number: i64,
    /// When it was made, milliseconds since the epoch; none where that was not noted.
    pub at: Option<i64>,
    /// Who made it; none where that was not noted.
    pub actor: Option<String>,
    /// By which way the change came: `rest`, `command-line`, `file`; none where that was not noted.
    pub way: Option<String>,
    /// What the change did.
    pub act: ChangeAct,
    /// The keys that have another value than before.
    pub keys: Vec<String>,
    /// The names of the secrets that were set, changed or taken away.
    pub secrets: Vec<String>,
    /// The names of the secrets that it has.
    pub has_secrets: Vec<String>,
    /// Number of the version of the configuration that the change made; none where that was not noted.
    pub configuration: Option<i64>,
}

/// A version of a thing, with the thing.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionWithBody {
    /// The version.
    pub row: VersionRow,
    /// The thing as it was from then on, in the form of the configuration file; none where it is gone.
    pub body: Option<Value>,
}

/// Who made a thing, and who changed it last; none where that was not noted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    /// When it was made, milliseconds since the epoch.
    pub created_at: Option<i64>,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was changed last, milliseconds since the epoch.
    pub changed_at: Option<i64>,
    /// Who changed it last.
    pub changed_by: Option<String>,
}

/// A change of a thing that is to be noted.
#[derive(Debug, Clone)]
pub(super) struct ThingChange {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) act: ChangeAct,
    /// JSON, as it is from now on; none where it is gone.
    pub(super) body: Option<String>,
    pub(super) keys: Vec<String>,
    pub(super) secrets: Vec<String>,
    pub(super) has_secrets: Vec<String>,
}

/// Whose changes are noted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'c> {
    pub(super) actor: &'c Actor,
    /// Milliseconds since the epoch.
    pub(super) at: i64,
    /// Number of the version of the configuration that it makes.
    pub(super) configuration: i64,
    /// So many versions of each thing are kept.
    pub(super) kept: u32,
}

/// What is known of a thing: what it is now, and its latest version.
#[derive(Debug, Default)]
struct Known {
    /// None where there is none of this name.
    now: Option<StoredThing>,
    /// Number and digest of the latest version.
    latest: Option<(i64, String)>,
}

/// A thing as its row has it.
#[derive(Debug, Default)]
struct StoredThing {
    /// JSON.
    body: String,
    /// The names of its secrets.
    secrets: Vec<String>,
}

impl Known {
    fn body(&self) -> Option<&str> {
        self.now.as_ref().map(|now| now.body.as_str())
    }

    /// The version of what is there and nobody noted, where there is one.
    fn unnoted(&self) -> Option<VersionRow> {
        let (number, noted) = self.latest.as_ref().map_or((0, ""), |(number, digest)| (*number, digest.as_str()));
        let secrets = self.now.as_ref().map(|now| now.secrets.clone()).unwrap_or_default();
        (noted != digest(self.body())).then(|| found(number + 1, secrets))
    }
}

/// SHA-256 of a thing's text, hexadecimal; empty of none.
fn digest(body: Option<&str>) -> String {
    body.map(|body| hexadecimal(&Sha256::digest(body))).unwrap_or_default()
}

/// A version of nobody.
fn found(number: i64, has_secrets: Vec<String>) -> VersionRow {
    VersionRow {
        number,
        at: None,
        actor: None,
        way: None,
        act: ChangeAct::Found,
        keys: Vec::new(),
        secrets: Vec::new(),
        has_secrets,
        configuration: None,
    }
}

/// Notes changes, each of another thing, before they are carried out. Who calls has counted a version of the
/// configuration, or keeps others from doing so, so that two never number the same thing.
pub(super) async fn note(
    connection: &mut AnyConnection,
    changes: &[ThingChange],
    made: Change<'_>,
) -> Result<(), StoreError> {
    let mut by_kind: HashMap<&'static str, Vec<&ThingChange>> = HashMap::new();
    for change in changes {
        by_kind.entry(change.kind).or_default().push(change);
    }
    for (kind, changes) in by_kind {
        for piece in pieces(&changes) {
            let names: Vec<&str> = piece.iter().map(|change| change.name.as_str()).collect();
            let mut known = known(connection, kind, &names).await?;
            let mut rows = Vec::new();
            for change in piece {
                let known = known.remove(&change.name).unwrap_or_default();
                let mut number = known.latest.as_ref().map_or(0, |(number, _)| *number);
                if let Some(unnoted) = known.unnoted() {
                    rows.push(insertion(kind, &change.name, &unnoted, known.body())?);
                    number = unnoted.number;
                }
                rows.push(insertion(kind, &change.name, &noted(change, number + 1, made), change.body.as_deref())?);
            }
            insert(connection, rows).await?;
            trim(connection, kind, &names, made.kept).await?;
        }
    }
    Ok(())
}

fn noted(change: &ThingChange, number: i64, made: Change<'_>) -> VersionRow {
    VersionRow {
        number,
        at: Some(made.at),
        actor: Some(made.actor.to_string()),
        way: Some(made.actor.way().to_owned()),
        act: change.act,
        keys: change.keys.clone(),
        secrets: change.secrets.clone(),
        has_secrets: change.has_secrets.clone(),
        configuration: Some(made.configuration),
    }
}

fn insertion(kind: &str, name: &str, row: &VersionRow, body: Option<&str>) -> Result<[sql::Value; 13], StoreError> {
    let list = |names: &[String]| json("configured version", &names);
    let act = match row.act {
        ChangeAct::Created => "created",
        ChangeAct::Changed => "changed",
        ChangeAct::Deleted => "deleted",
        ChangeAct::Found => "found",
    };
    Ok([
        kind.into(),
        name.into(),
        row.number.into(),
        row.at.into(),
        (&row.actor).into(),
        (&row.way).into(),
        act.into(),
        list(&row.keys)?.into(),
        list(&row.secrets)?.into(),
        list(&row.has_secrets)?.into(),
        row.configuration.into(),
        digest(body).into(),
        body.map(|body| pack(body.as_bytes())).transpose()?.unwrap_or_default().into(),
    ])
}

async fn insert(connection: &mut AnyConnection, rows: Vec<[sql::Value; 13]>) -> Result<(), StoreError> {
    for piece in pieces(&rows) {
        let mut sql = Sql::new(format!("INSERT INTO configured_version (kind, name, {COLUMNS}, digest, body) VALUES "));
        sql.tuples(piece.iter().cloned()).execute(connection).await?;
    }
    Ok(())
}

/// Removes the versions of these things that are more than are kept.
async fn trim(connection: &mut AnyConnection, kind: &str, names: &[&str], kept: u32) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM configured_version WHERE kind = ");
    sql.bind(kind).push(" AND name IN ").list(names.iter().copied());
    sql.push(
        " AND number <= (SELECT MAX(latest.number) FROM configured_version latest \
         WHERE latest.kind = configured_version.kind AND latest.name = configured_version.name) - ",
    );
    sql.bind(i64::from(kept)).execute(connection).await?;
    Ok(())
}

/// What is known of things of a kind, in one look.
async fn known(
    connection: &mut AnyConnection,
    kind: &str,
    names: &[&str],
) -> Result<HashMap<String, Known>, StoreError> {
    let mut found: HashMap<String, Known> = HashMap::new();
    let mut sql = Sql::new(
        "SELECT version.name, version.number, version.digest FROM configured_version version WHERE version.kind = ",
    );
    sql.bind(kind).push(" AND version.name IN ").list(names.iter().copied());
    sql.push(
        " AND version.number = (SELECT MAX(latest.number) FROM configured_version latest \
         WHERE latest.kind = version.kind AND latest.name = version.name)",
    );
    for row in sql.all(connection).await? {
        found.entry(row.try_get(0)?).or_default().latest = Some((row.try_get(1)?, row.try_get(2)?));
    }
    for (name, thing) in things(connection, kind, Some(names)).await? {
        found.entry(name).or_default().now = Some(thing);
    }
    Ok(found)
}

/// The things of a kind as they are now, by name: those of these names, or all.
async fn things(
    connection: &mut AnyConnection,
    kind: &str,
    names: Option<&[&str]>,
) -> Result<HashMap<String, StoredThing>, StoreError> {
    if kind == CustomerUser::KIND {
        let logins = names.unwrap_or_default().iter().map(|name| (*name).to_owned()).collect();
        let users = customers::with_logins(connection, logins).await?;
        let stored = |user: CustomerUser| StoredThing { body: text(&user), secrets: Vec::new() };
        return Ok(users.into_iter().map(|(login, user)| (login, stored(user))).collect());
    }
    let mut sql = Sql::new("SELECT name, body, secrets FROM configured WHERE kind = ");
    sql.bind(kind);
    if let Some(names) = names {
        sql.push(" AND name IN ").list(names.iter().copied());
    }
    let rows = sql.all(connection).await?;
    let mut found = HashMap::new();
    for row in rows {
        // What is in no row has its defaults.
        let secrets: Value = parsed(row.try_get::<String, _>(2)?.as_bytes())?;
        let secrets = secrets.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        found.insert(row.try_get(0)?, StoredThing { body: row.try_get(1)?, secrets });
    }
    if kind == SETTINGS {
        let defaults = || Value::Object(write(&Settings::default())).to_string();
        found.entry(String::new()).or_insert_with(|| StoredThing { body: defaults(), secrets: Vec::new() });
    }
    Ok(found)
}

/// A thing's text, as it is noted.
pub(super) fn text<K: ConfiguredKind>(thing: &K) -> String {
    Value::Object(write(thing)).to_string()
}

/// The versions of a thing before this number, the latest first, at most `limit`; all from the latest on where there is
/// no number. Empty where there never was such a thing.
pub async fn list(
    store: &Store,
    kind: &str,
    name: &str,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<VersionRow>, StoreError> {
    let mut connection = store.read().await?;
    let unnoted = looked_at(&mut connection, kind, name).await?.unnoted();
    let before = before.unwrap_or(i64::MAX);
    let noted_before = unnoted.as_ref().map_or(before, |unnoted| before.min(unnoted.number));
    let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM configured_version WHERE kind = "));
    sql.bind(kind).push(" AND name = ").bind(name);
    // What is noted while this looks comes the next time.
    sql.push(" AND number < ").bind(noted_before);
    sql.push(" ORDER BY number DESC LIMIT ").bind(limit);
    let rows = sql.all(&mut connection).await?;
    let noted = rows.iter().map(version).collect::<Result<Vec<_>, _>>()?;
    let mut versions: Vec<VersionRow> = unnoted.into_iter().filter(|unnoted| unnoted.number < before).collect();
    versions.extend(noted);
    versions.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(versions)
}

/// A version of a thing.
pub async fn find(store: &Store, kind: &str, name: &str, number: i64) -> Result<Option<VersionWithBody>, StoreError> {
    let mut connection = store.read().await?;
    let mut sql = Sql::new(format!("SELECT {COLUMNS}, body FROM configured_version WHERE kind = "));
    sql.bind(kind).push(" AND name = ").bind(name).push(" AND number = ").bind(number);
    if let Some(row) = sql.optional(&mut connection).await? {
        let packed: Vec<u8> = row.try_get(9)?;
        let body =
            if packed.is_empty() { None } else { Some(parsed(&unpack("configured version", &packed, LARGEST)?)?) };
        return Ok(Some(VersionWithBody { row: version(&row)?, body }));
    }
    let known = looked_at(&mut connection, kind, name).await?;
    let Some(row) = known.unnoted().filter(|unnoted| unnoted.number == number) else { return Ok(None) };
    let body = known.body().map(|body| parsed(body.as_bytes())).transpose()?;
    Ok(Some(VersionWithBody { row, body }))
}

/// What is known of one thing.
async fn looked_at(connection: &mut AnyConnection, kind: &str, name: &str) -> Result<Known, StoreError> {
    Ok(known(connection, kind, &[name]).await?.remove(name).unwrap_or_default())
}

/// Who made and changed the things of a kind: those of these names, or all; by name. `names` must be given of customer
/// users, who may be many.
pub async fn attributions(
    store: &Store,
    kind: &str,
    names: Option<&[&str]>,
) -> Result<HashMap<String, Attribution>, StoreError> {
    let mut connection = store.read().await?;
    let mut found: HashMap<String, Attribution> = HashMap::new();
    let (table, key) = if kind == CustomerUser::KIND { ("customer_user", "login") } else { ("configured", "name") };
    let now = things(&mut connection, kind, names).await?;
    let mut sql = Sql::new(format!(
        "SELECT thing.{key}, thing.created_at, thing.created_by, version.at, version.actor, version.digest FROM {table} thing \
         LEFT JOIN configured_version version ON version.name = thing.{key} AND version.kind = "
    ));
    sql.bind(kind).push(
        " AND version.number = (SELECT MAX(latest.number) FROM configured_version latest \
         WHERE latest.kind = version.kind AND latest.name = version.name) WHERE ",
    );
    if kind == CustomerUser::KIND {
        sql.push("0 = 0");
    } else {
        sql.push("thing.kind = ").bind(kind);
    }
    if let Some(names) = names {
        sql.push(&format!(" AND thing.{key} IN ")).list(names.iter().copied());
    }
    for row in sql.all(&mut connection).await? {
        let name: String = row.try_get(0)?;
        let noted: Option<String> = row.try_get(5)?;
        // Of what is otherwise than its latest version nobody knows who changed it.
        let is_noted = noted.is_some_and(|noted| noted == digest(now.get(&name).map(|now| now.body.as_str())));
        let attribution = Attribution {
            created_at: row.try_get(1)?,
            created_by: row.try_get(2)?,
            changed_at: if is_noted { row.try_get(3)? } else { None },
            changed_by: if is_noted { row.try_get(4)? } else { None },
        };
        found.insert(name, attribution);
    }
    Ok(found)
}

/// Takes away what versions say of a customer user who is deleted: of people who are gone nothing is kept but who deleted
/// them, and when.
pub(super) async fn forget_customer(
    connection: &mut AnyConnection,
    login: &str,
    made: Change<'_>,
) -> Result<(), StoreError> {
    let made = Change { kept: 1, ..made };
    let deleted = ThingChange {
        kind: CustomerUser::KIND,
        name: login.to_owned(),
        act: ChangeAct::Deleted,
        body: None,
        keys: Vec::new(),
        secrets: Vec::new(),
        has_secrets: Vec::new(),
    };
    note(connection, &[deleted], made).await
}

fn parsed(text: &[u8]) -> Result<Value, StoreError> {
    serde_json::from_slice(text)
        .map_err(|error| StoreError::Corrupt { what: "configured version", reason: error.to_string() })
}

/// Reads a version that has [`COLUMNS`] first.
fn version(row: &AnyRow) -> Result<VersionRow, StoreError> {
    let text = |column: usize| row.try_get::<String, _>(column);
    let list = |column: usize| -> Result<Vec<String>, StoreError> {
        serde_json::from_str(&text(column)?)
            .map_err(|error| StoreError::Corrupt { what: "configured version", reason: error.to_string() })
    };
    let act = serde_json::from_value(Value::String(text(4)?))
        .map_err(|error| StoreError::Corrupt { what: "configured version", reason: error.to_string() })?;
    Ok(VersionRow {
        number: row.try_get(0)?,
        at: row.try_get(1)?,
        actor: row.try_get(2)?,
        way: row.try_get(3)?,
        act,
        keys: list(5)?,
        secrets: list(6)?,
        has_secrets: list(7)?,
        configuration: row.try_get(8)?,
    })
}
