//! Uploads: bytes are looked at in the sandbox and stored, and nothing that runs changes.

use super::Catalogue;
use crate::chain::AskersSandbox;
use crate::store::components::{self, NewComponent};
use crate::store::{Store, StoreError};
use bytes::Bytes;
use postigo_model::timestamp::now;
use postigo_sandbox::{ComponentDescription, Inspection};
use postigo_supervision::{WorkKind, blocking};

/// What an upload came to.
#[derive(Debug, Clone)]
pub struct Upload {
    /// What the component says of itself.
    pub description: ComponentDescription,
    /// Whether it was not there before.
    pub new: bool,
    /// Why it cannot be snapshotted, a sentence; none where it can.
    pub unsnapshotable: Option<String>,
}

/// Why nothing was uploaded.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It is no component that Postigo takes: a clause that says why.
    #[error("The component is not taken: {0}")]
    Refused(String),
    /// Its name is one of the binary's own.
    #[error(
        "The component is not taken: {0} ships with Postigo, and the name means that one. Give this one another name."
    )]
    Shipped(String),
    /// Its version is another's, or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Says what a component is, in a process of its own and in the asker's turn, and stores nothing.
pub async fn inspect(sandbox: &AskersSandbox, bytes: Bytes) -> Result<Inspection, UploadError> {
    let turn = sandbox.turn().await;
    let sandbox = sandbox.clone();
    let looked = blocking(WorkKind::Preparation, "", move || {
        let _turn = turn;
        let runtime = sandbox.sandbox().runtime().map_err(|reason| UploadError::Refused(reason.to_owned()))?;
        runtime.inspect(&bytes, sandbox.asker()).map_err(|refused| UploadError::Refused(refused.to_string()))
    });
    looked.await.map_err(|panic| UploadError::Refused(panic.to_string()))?
}

/// Stores a component, not activated; `by` is who uploads it.
pub async fn upload(store: &Store, sandbox: &AskersSandbox, bytes: Bytes, by: &str) -> Result<Upload, UploadError> {
    let Inspection { description, component, unsnapshotable } = inspect(sandbox, bytes.clone()).await?;
    if Catalogue::load(store).await?.is_shipped(&description.name) {
        return Err(UploadError::Shipped(description.name));
    }
    let source = (bytes != component).then(|| bytes.to_vec());
    let new = NewComponent { description: description.clone(), bytes: component, source, by: by.to_owned(), at: now() };
    let new = components::upload(store, new).await?;
    Ok(Upload { description, new, unsnapshotable })
}
