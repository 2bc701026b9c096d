//! The versions of configured things: a row for every change, written in the transaction of the change, with who made it
//! and when, and the thing as it was from then on. No secret is in them, sealed or not: their names are.
//!
//! What is there and nobody noted is a version, too: things of before there were versions, and what a host of an earlier
//! version, or somebody by hand, changed since. It is shown as if it were noted, without a time, and noted before the
//! next change.

mod fingerprint;
mod forgetting;
mod noting;

pub use forgetting::{forget, purge_deleted};
pub(super) use noting::{Change, ThingChange, forget_customer, note, tells_of_customer};

use super::packing::unpack;
use super::snapshot::snapshot;
use super::sql::{Sql, pieces};
use super::{Store, StoreError, customers};
use fingerprint::Fingerprint;
use postigo_model::configured::form::{ConfiguredKind, write};
use postigo_model::configured::secret_keys::remove_secrets;
use postigo_model::configured::{CustomerUser, Settings};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeSet, HashMap};
use utoipa::ToSchema;

/// Bytes of a thing, written out, at most: a filter's settings have one MiB.
const LARGEST: usize = 16 << 20;
/// The kind of the general settings, of which there are one, without a name.
pub const SETTINGS: &str = "settings";
/// What of a row is read of each version; of what is gone the digest is empty, too.
const COLUMNS: &str = "number, at, actor, way, act, keys, secrets, has_secrets, configuration, \
                       CAST(CASE WHEN LENGTH(body) = 0 AND digest <> '' THEN 1 ELSE 0 END AS BIGINT)";
/// Where the body is, read after them.
const BODY: usize = 10;

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
    /// Whether what the thing was is forgotten, or was nothing that can be kept.
    pub is_forgotten: bool,
}

/// A version of a thing, with the thing.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionWithBody {
    /// The version.
    pub row: VersionRow,
    /// The thing as it was from then on, in the form of the configuration file, without secrets; none where it is gone,
    /// or that is forgotten.
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

/// What is known of a thing: what it is now, and its latest version.
#[derive(Debug, Default)]
struct Known {
    /// None where there is none of this name.
    now: Option<StoredThing>,
    /// Number and digests of the latest version.
    latest: Option<(i64, Fingerprint)>,
}

/// A thing as its row has it.
#[derive(Debug, Default)]
struct StoredThing {
    /// JSON.
    body: String,
    /// Its secrets, sealed, by name.
    secrets: Map<String, Value>,
}

impl Known {
    fn body(&self) -> Option<&str> {
        self.now.as_ref().map(|now| now.body.as_str())
    }

    fn fingerprint(&self) -> Fingerprint {
        self.now.as_ref().map(StoredThing::fingerprint).unwrap_or_default()
    }

    /// The version of what is there and nobody noted, where there is one.
    fn unnoted(&self) -> Option<VersionRow> {
        let now = self.fingerprint();
        let (number, secrets) = match &self.latest {
            Some((_, noted)) if *noted == now => return None,
            None if self.now.is_none() => return None,
            Some((number, noted)) => (*number, now.differing_secrets(noted)),
            None => (0, Vec::new()),
        };
        let has_secrets = self.now.iter().flat_map(|now| now.secrets.keys().cloned()).collect();
        Some(VersionRow {
            number: number + 1,
            at: None,
            actor: None,
            way: None,
            act: ChangeAct::Found,
            keys: Vec::new(),
            secrets,
            has_secrets,
            configuration: None,
            is_forgotten: false,
        })
    }
}

impl StoredThing {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.body, &self.secrets)
    }
}

/// A text of a row as versions keep and show it: without what a kind has as secrets, which somebody may have written
/// there by hand. None where it is no JSON.
fn clean(kind: &str, text: &str) -> Option<Value> {
    let mut body = serde_json::from_str(text).ok()?;
    remove_secrets(kind, &mut body);
    Some(body)
}

/// What is known of things of a kind. What is read is of one instant where the connection sees to that.
async fn known(
    connection: &mut AnyConnection,
    kind: &str,
    names: &[&str],
) -> Result<HashMap<String, Known>, StoreError> {
    let mut found: HashMap<String, Known> = HashMap::new();
    let mut sql = Sql::new(
        "SELECT version.name, version.number, version.digest FROM configured_version version \
         JOIN (SELECT name, MAX(number) AS number FROM configured_version WHERE kind = ",
    );
    sql.bind(kind).push(" AND name IN ").list(names.iter().copied());
    sql.push(
        " GROUP BY name) latest ON latest.name = version.name AND latest.number = version.number WHERE version.kind = ",
    );
    for row in sql.bind(kind).all(connection).await? {
        let digests: String = row.try_get(2)?;
        found.entry(row.try_get(0)?).or_default().latest = Some((row.try_get(1)?, Fingerprint::read(&digests)));
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
        let stored = |user: CustomerUser| StoredThing { body: text(&user), secrets: Map::new() };
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
        let secrets = match parsed(row.try_get::<String, _>(2)?.as_bytes())? {
            Value::Object(secrets) => secrets,
            _ => Map::new(),
        };
        found.insert(row.try_get(0)?, StoredThing { body: row.try_get(1)?, secrets });
    }
    if kind == SETTINGS {
        // What is in no row has its defaults.
        let defaults = || Value::Object(write(&Settings::default())).to_string();
        found.entry(String::new()).or_insert_with(|| StoredThing { body: defaults(), secrets: Map::new() });
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
    let mut connection = snapshot(&mut connection).await?;
    let unnoted = looked_at(&mut connection, kind, name).await?.unnoted();
    let before = before.unwrap_or(i64::MAX);
    let noted_before = unnoted.as_ref().map_or(before, |unnoted| before.min(unnoted.number));
    let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM configured_version WHERE kind = "));
    sql.bind(kind).push(" AND name = ").bind(name);
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
    let mut connection = snapshot(&mut connection).await?;
    let mut sql = Sql::new(format!("SELECT {COLUMNS}, body FROM configured_version WHERE kind = "));
    sql.bind(kind).push(" AND name = ").bind(name).push(" AND number = ").bind(number);
    if let Some(row) = sql.optional(&mut connection).await? {
        let packed: Vec<u8> = row.try_get(BODY)?;
        let mut body =
            if packed.is_empty() { None } else { Some(parsed(&unpack("configured version", &packed, LARGEST)?)?) };
        if let Some(body) = &mut body {
            remove_secrets(kind, body);
        }
        return Ok(Some(VersionWithBody { row: version(&row)?, body }));
    }
    let known = looked_at(&mut connection, kind, name).await?;
    let Some(row) = known.unnoted().filter(|unnoted| unnoted.number == number) else { return Ok(None) };
    let body = known.body().and_then(|body| clean(kind, body));
    let is_forgotten = body.is_none() && known.now.is_some();
    Ok(Some(VersionWithBody { row: VersionRow { is_forgotten, ..row }, body }))
}

/// The numbers of the first version of a thing that is kept and of the latest; none where there never was such a thing.
pub async fn numbers(store: &Store, kind: &str, name: &str) -> Result<Option<(i64, i64)>, StoreError> {
    let mut connection = store.read().await?;
    let mut connection = snapshot(&mut connection).await?;
    let unnoted = looked_at(&mut connection, kind, name).await?.unnoted().map(|unnoted| unnoted.number);
    let mut sql = Sql::new("SELECT MIN(number), MAX(number) FROM configured_version WHERE kind = ");
    let row = sql.bind(kind).push(" AND name = ").bind(name).one(&mut connection).await?;
    let (first, latest): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(first.or(unnoted).zip(unnoted.or(latest)))
}

/// The names of the secrets that changed by the versions after the one number and up to the other.
pub async fn changed_secrets(
    store: &Store,
    kind: &str,
    name: &str,
    (after, until): (i64, i64),
) -> Result<BTreeSet<String>, StoreError> {
    let mut connection = store.read().await?;
    let mut connection = snapshot(&mut connection).await?;
    let unnoted = looked_at(&mut connection, kind, name).await?.unnoted();
    let unnoted = unnoted.filter(|unnoted| unnoted.number > after && unnoted.number <= until);
    let mut changed: BTreeSet<String> = unnoted.into_iter().flat_map(|unnoted| unnoted.secrets).collect();
    let mut sql = Sql::new("SELECT DISTINCT secrets FROM configured_version WHERE kind = ");
    sql.bind(kind).push(" AND name = ").bind(name);
    sql.push(" AND number > ").bind(after).push(" AND number <= ").bind(until);
    for row in sql.all(&mut connection).await? {
        changed.extend(names(&row.try_get::<String, _>(0)?)?);
    }
    Ok(changed)
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
    let mut connection = snapshot(&mut connection).await?;
    let mut found = HashMap::new();
    match names {
        None => attribute(&mut connection, kind, None, &mut found).await?,
        Some(names) => {
            for piece in pieces(names) {
                attribute(&mut connection, kind, Some(piece), &mut found).await?;
            }
        }
    }
    Ok(found)
}

/// The same of as many names as a statement takes.
async fn attribute(
    connection: &mut AnyConnection,
    kind: &str,
    names: Option<&[&str]>,
    found: &mut HashMap<String, Attribution>,
) -> Result<(), StoreError> {
    let (table, key) = if kind == CustomerUser::KIND { ("customer_user", "login") } else { ("configured", "name") };
    let now = things(connection, kind, names).await?;
    let mut sql = Sql::new(format!(
        "SELECT thing.{key}, thing.created_at, thing.created_by, version.at, version.actor, version.digest FROM {table} thing \
         LEFT JOIN configured_version version ON version.name = thing.{key} AND version.kind = "
    ));
    sql.bind(kind);
    // Looked up once a thing, not once a version.
    sql.push(" AND version.number = (SELECT MAX(latest.number) FROM configured_version latest WHERE latest.kind = ");
    sql.bind(kind).push(&format!(" AND latest.name = thing.{key}) WHERE "));
    if kind == CustomerUser::KIND {
        sql.push("0 = 0");
    } else {
        sql.push("thing.kind = ").bind(kind);
    }
    if let Some(names) = names {
        sql.push(&format!(" AND thing.{key} IN ")).list(names.iter().copied());
    }
    for row in sql.all(connection).await? {
        let name: String = row.try_get(0)?;
        let noted: Option<String> = row.try_get(5)?;
        // Of what is otherwise than its latest version nobody knows who changed it.
        let is_noted = noted.is_some_and(|noted| {
            Fingerprint::read(&noted) == now.get(&name).map(StoredThing::fingerprint).unwrap_or_default()
        });
        let attribution = Attribution {
            created_at: row.try_get(1)?,
            created_by: row.try_get(2)?,
            changed_at: if is_noted { row.try_get(3)? } else { None },
            changed_by: if is_noted { row.try_get(4)? } else { None },
        };
        found.insert(name, attribution);
    }
    Ok(())
}

fn parsed(text: &[u8]) -> Result<Value, StoreError> {
    serde_json::from_slice(text)
        .map_err(|error| StoreError::Corrupt { what: "configured version", reason: error.to_string() })
}

/// Names as a row has them.
fn names(list: &str) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(list)
        .map_err(|error| StoreError::Corrupt { what: "configured version", reason: error.to_string() })
}

/// Reads a version that has [`COLUMNS`] first.
fn version(row: &AnyRow) -> Result<VersionRow, StoreError> {
    let text = |column: usize| row.try_get::<String, _>(column);
    let list = |column: usize| names(&text(column)?);
    let is_forgotten: i64 = row.try_get(9)?;
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
        is_forgotten: is_forgotten != 0,
    })
}
