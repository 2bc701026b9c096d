//! Filters, beside what all configured things have in common: let run, kept from running, and what they ran.

use super::ServiceError;
use super::configured::{self, Editor, SavedChange};
use crate::secret_key::SecretKey;
use crate::store::{Store, filter_components};
use postigo_model::configured::form::ConfiguredKind as _;
use postigo_model::configured::{Filter, Validity};
use postigo_model::timestamp::rfc3339;
use serde::Serialize;
use utoipa::ToSchema;

/// So many changes of a filter's component are shown.
const LATEST: i64 = 100;

/// A component that a filter ran for a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ran {
    /// As it was shown.
    pub component: String,
    /// SHA-256 of its bytes, hexadecimal; null for one that ships with Postigo.
    #[schema(required)]
    pub digest: Option<String>,
    /// RFC 3339, UTC; null where it was not noted.
    #[schema(format = DateTime, required)]
    pub since: Option<String>,
    /// Who made it so; empty where it was not noted.
    pub actor: String,
}

/// Lets a filter run, or keeps it without running it.
pub async fn set_validity(editor: Editor<'_>, name: &str, valid: Validity) -> Result<SavedChange<()>, ServiceError> {
    configured::change(editor, |configuration| {
        let missing = || ServiceError::Missing { what: Filter::KIND.to_owned(), name: name.to_owned() };
        configuration.filters.get_mut(name).ok_or_else(missing)?.valid = valid;
        Ok(())
    })
    .await
}

/// Which components a filter ran, the latest first, at most 100; the first is what it runs.
pub async fn history(store: &Store, key: &SecretKey, name: &str) -> Result<Vec<Ran>, ServiceError> {
    configured::find::<Filter>(&configured::load(store, key).await?, name)?;
    let past = filter_components::of(store, name, LATEST).await?.into_iter().map(|past| Ran {
        component: past.made.component,
        digest: past.made.digest,
        since: (past.since > 0).then(|| rfc3339(past.since)),
        actor: past.actor,
    });
    Ok(past.collect())
}
