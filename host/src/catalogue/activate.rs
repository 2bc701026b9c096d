//! What an admin does to an uploaded component: lets it act, or deletes it.

use super::{Catalogue, Unknown};
use crate::store::components::{self, ComponentRow, DeletionResult};
use crate::store::{Store, StoreError};
use postigo_model::timestamp::now;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// It is not clear what is meant.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Only an admin may.
    #[error("The component {0} is activated, so that only an admin may delete it.")]
    NotYours(String),
    /// A filter uses it, or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Lets valid filters be made of an uploaded component; gives it, and whether it was not activated before. A name is
/// enough where one version of it waits. No filter changes.
pub async fn activate(store: &Store, reference: &str, by: &str) -> Result<(ComponentRow, bool), ActivateError> {
    let catalogue = Catalogue::load(store).await?;
    let found = catalogue.find_uploaded(reference, |component| component.activated_at.is_none())?;
    let new = components::activate(store, &found.digest, by, now()).await?;
    let catalogue = Catalogue::load(store).await?;
    let found = catalogue.by_digest(&found.digest).unwrap_or(found);
    Ok((found.clone(), new))
}

/// Deletes an uploaded component that no filter uses or would go back to. Without `even_activated`, only one that is
/// not activated. `by` is who deletes it.
pub async fn delete(
    store: &Store,
    reference: &str,
    even_activated: bool,
    by: &str,
) -> Result<ComponentRow, ActivateError> {
    let catalogue = Catalogue::load(store).await?;
    let found = catalogue.find_uploaded(reference, |_| true)?.clone();
    match components::delete(store, &found.digest, even_activated, by, now()).await? {
        DeletionResult::Done => Ok(found),
        DeletionResult::Missing => Err(Unknown::Missing(format!("There is no component \"{reference}\".")).into()),
        DeletionResult::Activated => Err(ActivateError::NotYours(found.shown())),
    }
}
