//! Versions of what is configured as the command line and REST show them, and who made and changed a thing.

use super::Object;
use crate::service::ServiceError;
use crate::store::Store;
use crate::store::configured_versions::{self, Attribution, ChangeAct, VersionRow};
use postigo_model::configured::key_difference::KeyDifference;
use postigo_model::timestamp::rfc3339;
use serde::Serialize;
use serde_json::json;
use std::collections::HashMap;
use utoipa::ToSchema;

/// A version of a configured thing.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ConfiguredVersion)]
pub struct VersionDocument {
    /// Counted for each thing from 1 on; it goes on where one is deleted and made again.
    pub number: i64,
    /// RFC 3339, UTC; null where it was not noted.
    #[schema(format = DateTime, required)]
    pub at: Option<String>,
    /// Who made it; null where it was not noted.
    #[schema(required)]
    pub actor: Option<String>,
    /// By which way the change came: `rest`, `command-line`, `file`, `daemon`; null where it was not noted.
    #[schema(required)]
    pub way: Option<String>,
    /// What the change did; `found`: it was there, and nobody noted how it came.
    pub act: ChangeAct,
    /// The keys that have another value than before, `limits.time` for one of a table inside; of a new thing those that
    /// say more than their defaults.
    pub keys: Vec<String>,
    /// The names of the secrets that were set, changed or taken away.
    pub secrets: Vec<String>,
    /// The names of the secrets that it has. The secrets themselves are in no version.
    pub has_secrets: Vec<String>,
    /// Number of the version of the configuration that the change made; null where it was not noted.
    #[schema(required)]
    pub configuration: Option<i64>,
    /// Whether what the thing was is forgotten, since an admin asked for that.
    pub forgotten: bool,
}

impl From<VersionRow> for VersionDocument {
    fn from(row: VersionRow) -> Self {
        Self {
            number: row.number,
            at: row.at.map(rfc3339),
            actor: row.actor,
            way: row.way,
            act: row.act,
            keys: row.keys,
            secrets: row.secrets,
            has_secrets: row.has_secrets,
            configuration: row.configuration,
            forgotten: row.is_forgotten,
        }
    }
}

/// A version of a configured thing, with the thing.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ConfiguredVersionWithThing)]
pub struct VersionWithThing {
    /// The version.
    #[serde(flatten)]
    pub version: VersionDocument,
    /// The thing as it was from then on, without its secrets, in the form in which it is shown; null where it is gone,
    /// or that is forgotten.
    #[schema(value_type = Option<std::collections::BTreeMap<String, serde_json::Value>>, required)]
    pub thing: Option<Object>,
}

/// What differs between two versions.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Number of the one.
    pub from: i64,
    /// Number of the other.
    pub to: i64,
    /// The keys that differ.
    pub differences: Vec<KeyDifference>,
    /// The names of the secrets that were set, changed or taken away from the one to the other.
    pub secrets: Vec<String>,
}

/// The keys that tell who made and changed a thing. They are shown with it and are none of its own.
pub const ATTRIBUTION: [&str; 4] = ["created_at", "created_by", "changed_at", "changed_by"];

/// Who made and changed things of a kind.
pub struct Attributed(HashMap<String, Attribution>);

impl Attributed {
    /// Of the things of these names, or of all; of customer users names must be given. The names are those by which the
    /// things are kept.
    pub async fn of(store: &Store, kind: &str, names: Option<&[&str]>) -> Result<Self, ServiceError> {
        Ok(Self(configured_versions::attributions(store, kind, names).await?))
    }

    /// Adds to a thing that is shown who made and changed it.
    pub fn add_to(&self, kept_name: &str, shown: &mut Object) {
        let Attribution { created_at, created_by, changed_at, changed_by } =
            self.0.get(kept_name).cloned().unwrap_or_default();
        let values =
            [json!(created_at.map(rfc3339)), json!(created_by), json!(changed_at.map(rfc3339)), json!(changed_by)];
        for (key, value) in ATTRIBUTION.into_iter().zip(values) {
            shown.insert(key.to_owned(), value);
        }
    }
}

/// Takes out of a thing that is given what only things that are shown have.
pub fn without_attribution(fields: &mut Object) {
    for key in ATTRIBUTION {
        fields.shift_remove(key);
    }
}
