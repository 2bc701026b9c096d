//! Versions as they are noted: in the transaction of a change, before it is carried out.

use super::fingerprint::Fingerprint;
use super::{ChangeAct, Known, VersionRow, clean, known};
use crate::store::packing::pack;
use crate::store::sql::{self, Sql, pieces};
use crate::store::{StoreError, json};
use postigo_model::actor::Actor;
use postigo_model::configured::CustomerUser;
use postigo_model::configured::form::ConfiguredKind as _;
use postigo_model::configured::secret_keys::SecretNames;
use serde_json::{Map, Value};
use sqlx::{AnyConnection, Row as _};
use std::collections::HashMap;

/// What of a version's row is written.
const COLUMNS: &str =
    "kind, name, number, at, actor, way, act, keys, secrets, has_secrets, configuration, digest, body";

/// A change of a thing that is to be noted.
#[derive(Debug, Clone)]
pub(in crate::store) struct ThingChange {
    pub(in crate::store) kind: &'static str,
    pub(in crate::store) name: String,
    pub(in crate::store) act: ChangeAct,
    /// JSON, as it is from now on; none where it is gone.
    pub(in crate::store) body: Option<String>,
    /// Its secrets as its row has them from now on, sealed: they are not noted, but whether somebody changes them is seen.
    pub(in crate::store) sealed: Map<String, Value>,
    pub(in crate::store) keys: Vec<String>,
    pub(in crate::store) secrets: SecretNames,
}

/// Whose changes are noted.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Change<'c> {
    pub(in crate::store) actor: &'c Actor,
    /// Milliseconds since the epoch.
    pub(in crate::store) at: i64,
    /// Number of the version of the configuration that it makes.
    pub(in crate::store) configuration: i64,
    /// So many versions of each thing are kept.
    pub(in crate::store) kept: u32,
}

/// Notes changes, each of another thing, before they are carried out. Who calls has counted a version of the
/// configuration, or keeps others from doing so, so that two never number the same thing.
pub(in crate::store) async fn note(
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
            let (mut rows, mut bounds) = (Vec::new(), Vec::new());
            for change in piece {
                let known = known.remove(&change.name).unwrap_or_default();
                let mut number = known.latest.as_ref().map_or(0, |(number, _)| *number);
                if let Some(unnoted) = known.unnoted() {
                    rows.push(insertion(kind, &change.name, &unnoted, &NotedText::found(kind, &known))?);
                    number = unnoted.number;
                }
                number += 1;
                rows.push(insertion(kind, &change.name, &noted(change, number, made), &NotedText::of(change))?);
                bounds.push((change.name.as_str(), number - i64::from(made.kept)));
            }
            insert(connection, rows).await?;
            trim(connection, kind, &bounds).await?;
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
        secrets: change.secrets.changed.clone(),
        has_secrets: change.secrets.has.clone(),
        configuration: Some(made.configuration),
        is_forgotten: false,
    }
}

/// What a thing is from a version on, as its row keeps it.
struct NotedText {
    /// The column that tells whether somebody changes it who notes nothing.
    fingerprint: String,
    /// JSON, without secrets; none where the thing is gone, or is no JSON.
    text: Option<String>,
}

impl NotedText {
    fn of(change: &ThingChange) -> Self {
        let fingerprint = change.body.as_deref().map(|body| Fingerprint::of(body, &change.sealed)).unwrap_or_default();
        Self { fingerprint: fingerprint.column(), text: change.body.clone() }
    }

    /// Of what nobody noted: it may have been written by hand, with a secret in it.
    fn found(kind: &str, known: &Known) -> Self {
        let text = known.body().and_then(|body| clean(kind, body)).map(|body| body.to_string());
        Self { fingerprint: known.fingerprint().column(), text }
    }
}

fn insertion(kind: &str, name: &str, row: &VersionRow, noted: &NotedText) -> Result<[sql::Value; 13], StoreError> {
    let list = |names: &[String]| json("configured version", &names);
    let act = match row.act {
        ChangeAct::Created => "created",
        ChangeAct::Changed => "changed",
        ChangeAct::Deleted => "deleted",
        ChangeAct::Found => "found",
    };
    let body = noted.text.as_ref().map(|text| pack(text.as_bytes())).transpose()?.unwrap_or_default();
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
        (&noted.fingerprint).into(),
        body.into(),
    ])
}

async fn insert(connection: &mut AnyConnection, rows: Vec<[sql::Value; 13]>) -> Result<(), StoreError> {
    for piece in pieces(&rows) {
        let mut sql = Sql::new(format!("INSERT INTO configured_version ({COLUMNS}) VALUES "));
        sql.tuples(piece.iter().cloned()).execute(connection).await?;
    }
    Ok(())
}

/// Removes the versions of things of a kind up to this number each.
async fn trim(connection: &mut AnyConnection, kind: &str, bounds: &[(&str, i64)]) -> Result<(), StoreError> {
    // Numbers begin at 1.
    let bounds: Vec<_> = bounds.iter().filter(|(_, last)| *last > 0).collect();
    for piece in pieces(&bounds) {
        let mut sql = Sql::new("DELETE FROM configured_version WHERE kind = ");
        sql.bind(kind).push(" AND (");
        for (place, (name, last)) in piece.iter().enumerate() {
            sql.push(if place == 0 { "(name = " } else { " OR (name = " }).bind(*name);
            sql.push(" AND number <= ").bind(*last).push(")");
        }
        sql.push(")").execute(connection).await?;
    }
    Ok(())
}

/// Takes away what versions say of a customer user who is deleted: of people who are gone nothing is kept but who deleted
/// them, and when.
pub(in crate::store) async fn forget_customer(
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
        sealed: Map::new(),
        keys: Vec::new(),
        secrets: SecretNames::default(),
    };
    note(connection, &[deleted], made).await
}

/// Whether versions say anything of a customer user: also one whom a host of an earlier version deleted, which knows no
/// versions.
pub(in crate::store) async fn tells_of_customer(
    connection: &mut AnyConnection,
    login: &str,
) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT COUNT(*) FROM configured_version WHERE kind = ");
    sql.bind(CustomerUser::KIND).push(" AND name = ").bind(login).push(" AND LENGTH(body) > 0");
    let count: i64 = sql.one(connection).await?.try_get(0)?;
    Ok(count > 0)
}
