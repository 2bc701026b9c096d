//! What is there: shipped components by name, uploaded ones by name, version and digest.

use crate::store::components::{self, ComponentRow};
use crate::store::{Store, StoreError};
use postigo_model::component_reference::ComponentReference;
use postigo_sandbox::shipped;
use semver::Version;

/// All components, without their bytes and descriptions.
#[derive(Debug)]
pub struct Catalogue {
    shipped: Vec<&'static str>,
    uploaded: Vec<ComponentRow>,
}

/// A component that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownComponent<'c> {
    /// One of the binary's own, by its name.
    Shipped(&'static str),
    /// An uploaded one.
    Uploaded(&'c ComponentRow),
}

/// Nothing, or not one alone, is meant by what was written: sentences.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// There is none.
    #[error("{0}")]
    Missing(String),
    /// There are several, or it is not of the kind that this can be done to.
    #[error("{0}")]
    Unsuitable(String),
}

impl Catalogue {
    /// As it is now.
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let uploaded = components::uploaded(store).await?;
        Ok(Self::of(shipped::components().iter().map(|(name, _)| *name).collect(), uploaded))
    }

    /// Of these; the newest upload of a name comes first.
    pub(super) fn of(shipped: Vec<&'static str>, uploaded: Vec<ComponentRow>) -> Self {
        Self { shipped, uploaded }
    }

    /// Names of the components that ship with Postigo.
    pub fn shipped(&self) -> &[&'static str] {
        &self.shipped
    }

    /// The uploaded components by name, the newest upload of a name first.
    pub fn uploaded(&self) -> &[ComponentRow] {
        &self.uploaded
    }

    /// Whether a component of this name ships with Postigo.
    pub fn is_shipped(&self, name: &str) -> bool {
        self.shipped.contains(&name)
    }

    /// The uploaded one of this digest.
    pub fn by_digest(&self, digest: &str) -> Option<&ComponentRow> {
        self.uploaded.iter().find(|component| component.digest == digest)
    }

    /// The uploaded one of this name and version.
    pub fn by_version(&self, name: &str, version: &str) -> Option<&ComponentRow> {
        self.of_name(name).find(|component| component.version == version && component.title.is_some())
    }

    /// All versions of an uploaded name, the newest upload first.
    pub fn of_name<'c>(&'c self, name: &str) -> impl Iterator<Item = &'c ComponentRow> {
        let name = name.to_owned();
        self.uploaded.iter().filter(move |component| component.name == name)
    }

    /// The highest version of a name that an admin activated, by the precedence of Semantic Versioning.
    pub fn newest_activated(&self, name: &str) -> Option<&ComponentRow> {
        let activated = self.of_name(name).filter(|component| component.activated_at.is_some());
        activated.max_by_key(|component| (Version::parse(&component.version).ok(), component.activated_at))
    }

    /// What is shown by a name, a version or a digest; of a name the shipped one, else the newest version that is
    /// activated, else the newest upload.
    pub fn find(&self, text: &str) -> Result<KnownComponent<'_>, Unknown> {
        let found = match reference(text)? {
            ComponentReference::Name(name) => match self.shipped.iter().find(|shipped| **shipped == name) {
                Some(shipped) => Some(KnownComponent::Shipped(shipped)),
                None => {
                    self.newest_activated(&name).or_else(|| self.of_name(&name).next()).map(KnownComponent::Uploaded)
                }
            },
            other => self.exactly(&other).map(KnownComponent::Uploaded),
        };
        found.ok_or_else(|| missing(text))
    }

    /// The one uploaded component that an admin means to do something to: a name is enough where it has one version, of
    /// `those`.
    pub fn find_uploaded(&self, text: &str, those: impl Fn(&ComponentRow) -> bool) -> Result<&ComponentRow, Unknown> {
        let name = match reference(text)? {
            ComponentReference::Name(name) => name,
            other => return self.exactly(&other).ok_or_else(|| missing(text)),
        };
        if self.is_shipped(&name) {
            return Err(Unknown::Unsuitable(format!("The component {name} ships with Postigo and is part of it.")));
        }
        let fitting: Vec<&ComponentRow> = self.of_name(&name).filter(|component| those(component)).collect();
        match fitting.as_slice() {
            [one] => Ok(one),
            // What was to be done has been done to all of them.
            [] => self.newest_activated(&name).or_else(|| self.of_name(&name).next()).ok_or_else(|| missing(text)),
            several => {
                let shown: Vec<String> = several.iter().map(|component| component.shown()).collect();
                Err(Unknown::Unsuitable(format!(
                    "There are several components {name}: say which of {}.",
                    shown.join(", ")
                )))
            }
        }
    }

    fn exactly(&self, reference: &ComponentReference) -> Option<&ComponentRow> {
        match reference {
            ComponentReference::Name(_) => None,
            ComponentReference::Version { name, version } => self.by_version(name, version),
            ComponentReference::Digest(digest) => self.by_digest(digest),
        }
    }
}

fn reference(text: &str) -> Result<ComponentReference, Unknown> {
    text.parse().map_err(|error: postigo_model::component_reference::NoDigest| Unknown::Missing(error.to_string()))
}

fn missing(text: &str) -> Unknown {
    Unknown::Missing(format!("There is no component \"{text}\": none of this name ships with Postigo or was uploaded."))
}
