//! Components, what filters are made of: listed, shown, uploaded, let act, deleted.

mod document;

pub use document::ComponentDocument;

use super::ServiceError;
use crate::catalogue::{self, ActivateError, Catalogue, KnownComponent, Unknown, Upload, UploadError};
use crate::chain::{AskersSandbox, LazySandbox, shipped_component};
use crate::secret_key::SecretKey;
use crate::store::components::{self, ComponentRow, DescriptionSummary, ListedAfter, ListedComponent};
use crate::store::{Store, StoreError, configuration};
use bytes::Bytes;
use postigo_model::actor::Actor;
use postigo_sandbox::{ComponentDescription, Inspection, shipped};
use serde_json::Value;
use std::sync::Arc;

/// A component.
pub enum CatalogueComponent {
    /// One that ships with Postigo.
    Shipped(ShippedComponent),
    /// One that was uploaded.
    Uploaded(Box<ComponentDetails<ComponentDescription>>),
}

impl CatalogueComponent {
    /// The JSON Schema of its filters' settings; none where what is stored of it cannot be read.
    pub fn settings_schema(&self) -> Option<&Value> {
        match self {
            Self::Shipped(shipped) => Some(&shipped.description.settings_schema),
            Self::Uploaded(stored) => stored.said.as_ref().ok().map(|description| &description.settings_schema),
        }
    }
}

/// A component that ships with Postigo.
pub struct ShippedComponent {
    /// Its name, by which filters name it.
    pub name: &'static str,
    /// What it says of itself.
    pub description: Arc<ComponentDescription>,
    /// The filters that are made of it, valid or not.
    pub used_by: Vec<String>,
}

/// A component that was uploaded. `S` is what is read of what it says of itself: all, or what a list has.
pub struct ComponentDetails<S> {
    /// Who uploaded and activated it, and what it is called.
    pub row: ComponentRow,
    /// What it says of itself, or why that cannot be read, a clause.
    pub said: Result<S, String>,
    /// The filters that are made of it, valid or not.
    pub used_by: Vec<String>,
}

/// The components that are there, and which filters are made of them.
pub struct Shelf<'s> {
    store: &'s Store,
    sandbox: &'s Arc<LazySandbox>,
    /// By filter: its component as it is shown, and its digest.
    filters: Vec<(String, String, Option<String>)>,
}

impl<'s> Shelf<'s> {
    /// As it is now.
    pub async fn of(store: &'s Store, key: &SecretKey, sandbox: &'s Arc<LazySandbox>) -> Result<Self, ServiceError> {
        let filters = configuration::load(store, key).await?.filters.into_values();
        let filters = filters.map(|filter| (filter.name, filter.component, filter.digest)).collect();
        Ok(Self { store, sandbox, filters })
    }

    /// The components that ship with Postigo by name, those after this one, at most so many.
    pub async fn shipped(&self, after: Option<&str>, limit: usize) -> Vec<ShippedComponent> {
        let mut names: Vec<&'static str> = shipped::components().iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let left = names.into_iter().filter(|name| after.is_none_or(|after| *name > after));
        let mut found = Vec::new();
        for name in left.take(limit) {
            found.extend(self.one_shipped(name).await);
        }
        found
    }

    /// The uploaded components by name, the newest upload of a name first: those after this place, at most so many.
    pub async fn uploaded(
        &self,
        after: Option<&ListedAfter>,
        limit: u32,
    ) -> Result<Vec<ComponentDetails<DescriptionSummary>>, ServiceError> {
        let listed = components::list(self.store, after, limit).await?.into_iter();
        Ok(listed.map(|ListedComponent { uploaded, said }| self.stored(uploaded, said)).collect())
    }

    /// Finds a component by its name, `name@version` or `sha256:` and its digest.
    pub async fn find(&self, reference: &str) -> Result<CatalogueComponent, ServiceError> {
        let catalogue = Catalogue::load(self.store).await?;
        let found = match catalogue.find(reference)? {
            KnownComponent::Shipped(name) => self.one_shipped(name).await.map(CatalogueComponent::Shipped),
            KnownComponent::Uploaded(uploaded) => {
                self.described(uploaded).await?.map(|found| CatalogueComponent::Uploaded(Box::new(found)))
            }
        };
        found.ok_or_else(|| missing(reference))
    }

    /// What an uploaded component says of itself; none where it was deleted meanwhile.
    pub async fn described(
        &self,
        uploaded: &ComponentRow,
    ) -> Result<Option<ComponentDetails<ComponentDescription>>, ServiceError> {
        let said = match components::description(self.store, &uploaded.digest).await {
            Ok(None) => return Ok(None),
            Ok(Some(description)) => Ok(description),
            Err(StoreError::Corrupt { reason, .. }) => Err(reason),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(self.stored(uploaded.clone(), said)))
    }

    async fn one_shipped(&self, name: &'static str) -> Option<ShippedComponent> {
        let component = shipped_component(name, self.sandbox).await?;
        let users = self.filters.iter().filter(|(_, component, digest)| component == name && digest.is_none());
        Some(ShippedComponent {
            name,
            description: component.description,
            used_by: users.map(|(filter, ..)| filter.clone()).collect(),
        })
    }

    fn stored<S>(&self, row: ComponentRow, said: Result<S, String>) -> ComponentDetails<S> {
        let users = self.filters.iter().filter(|(.., digest)| digest.as_ref() == Some(&row.digest));
        let used_by = users.map(|(filter, ..)| filter.clone()).collect();
        ComponentDetails { row, said, used_by }
    }
}

/// The JSON Schema of the settings of a component's filters, as the component gives it.
pub async fn schema(store: &Store, sandbox: &Arc<LazySandbox>, reference: &str) -> Result<Value, ServiceError> {
    let catalogue = Catalogue::load(store).await?;
    let schema = match catalogue.find(reference)? {
        KnownComponent::Shipped(name) => {
            shipped_component(name, sandbox).await.map(|component| component.description.settings_schema.clone())
        }
        KnownComponent::Uploaded(uploaded) => {
            components::description(store, &uploaded.digest).await?.map(|description| description.settings_schema)
        }
    };
    schema.ok_or_else(|| missing(reference))
}

/// The bytes that were uploaded of a component. Their SHA-256 is its digest.
pub async fn download(store: &Store, reference: &str) -> Result<Vec<u8>, ServiceError> {
    let catalogue = Catalogue::load(store).await?;
    let bytes = match catalogue.find(reference)? {
        KnownComponent::Shipped(name) => shipped::bytes(name).map(<[u8]>::to_vec),
        KnownComponent::Uploaded(uploaded) => components::source(store, &uploaded.digest).await?,
    };
    bytes.ok_or_else(|| missing(reference))
}

/// Refuses a component of more bytes than `most`, which is the setting `max_component_size`. Whoever knows the size
/// before the bytes asks before reading them.
pub fn check_size(size: u64, most: u64) -> Result<(), ServiceError> {
    if size <= most {
        return Ok(());
    }
    Err(ServiceError::TooLarge(format!(
        "The component has {size} bytes; the setting `max_component_size` allows {most}."
    )))
}

/// The setting `max_component_size`, in bytes.
pub async fn largest(store: &Store, key: &SecretKey) -> Result<u64, ServiceError> {
    Ok(configuration::load(store, key).await?.settings.max_component_size)
}

/// Says what a component is, and stores nothing.
pub async fn inspect(sandbox: &AskersSandbox, bytes: Bytes) -> Result<Inspection, ServiceError> {
    Ok(catalogue::inspect(sandbox, bytes).await?)
}

/// Stores a component, not activated: nothing that is in force changes. `by` is who uploads it.
pub async fn upload(
    store: &Store,
    key: &SecretKey,
    sandbox: &AskersSandbox,
    bytes: Bytes,
    by: &Actor,
) -> Result<Upload, ServiceError> {
    check_size(bytes.len() as u64, largest(store, key).await?)?;
    Ok(catalogue::upload(store, sandbox, bytes, &by.to_string()).await?)
}

/// Lets filters be made of an uploaded component; gives it, and whether it was not activated before. No filter changes.
pub async fn activate(store: &Store, reference: &str, by: &Actor) -> Result<(ComponentRow, bool), ServiceError> {
    Ok(catalogue::activate(store, reference, &by.to_string()).await?)
}

/// Deletes an uploaded component that no filter uses or would go back to. Who is no admin deletes only one that is not
/// activated. `by` is noted beside what its name and version meant.
pub async fn delete(store: &Store, reference: &str, is_admin: bool, by: &Actor) -> Result<ComponentRow, ServiceError> {
    Ok(catalogue::delete(store, reference, is_admin, &by.to_string()).await?)
}

fn missing(reference: &str) -> ServiceError {
    ServiceError::Missing { what: "component".to_owned(), name: reference.to_owned() }
}

impl From<Unknown> for ServiceError {
    fn from(error: Unknown) -> Self {
        match error {
            Unknown::Missing(sentence) => Self::NotFound(sentence),
            Unknown::Unsuitable(sentence) => Self::Conflict(sentence),
        }
    }
}

impl From<ActivateError> for ServiceError {
    fn from(error: ActivateError) -> Self {
        match error {
            ActivateError::Unknown(error) => error.into(),
            error @ ActivateError::NotYours(_) => Self::NotAllowed(error.to_string()),
            ActivateError::Store(error) => error.into(),
        }
    }
}

impl From<UploadError> for ServiceError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Refused(clause) => Self::NotTaken(clause),
            error @ UploadError::Shipped(_) => Self::Conflict(error.to_string()),
            UploadError::Store(error) => error.into(),
        }
    }
}
