//! The components that filters run: the shipped ones out of the binary, uploaded ones out of the store.

use super::component::{Components, FilterComponent};
use super::sandbox::LazySandbox;
use crate::secret_key::SecretKey;
use crate::store::{Store, StoreError, components, models};
use postigo_model::configured::{Configuration, Filter};
use postigo_model::hexadecimal::hexadecimal;
use postigo_sandbox::{Asker, Asset, ComponentDescription, shipped};
use postigo_supervision::{WorkKind, blocking};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What components call the model of a filter.
const MODEL: &str = "model";

/// The components that some filters need, in memory, and the models that these answer by.
#[derive(Debug, Default)]
pub struct NeededComponents {
    /// By name.
    shipped: HashMap<String, FilterComponent>,
    /// By digest.
    uploaded: HashMap<String, FilterComponent>,
    /// By digest: why what is stored of it cannot be read.
    unreadable: HashMap<String, String>,
    /// The models in force, by filter.
    models: HashMap<String, Asset>,
}

impl Components for NeededComponents {
    fn find(&self, filter: &Filter) -> Option<FilterComponent> {
        match &filter.digest {
            Some(digest) => self.uploaded.get(digest).cloned(),
            None => self.shipped.get(&filter.component).cloned(),
        }
    }

    fn assets(&self, filter: &Filter) -> Vec<Asset> {
        self.models.get(&filter.name).cloned().into_iter().collect()
    }

    fn unreadable(&self, filter: &Filter) -> Option<&str> {
        self.unreadable.get(filter.digest.as_ref()?).map(String::as_str)
    }
}

impl NeededComponents {
    /// The bytes of all of them, by the digest that plans know them by.
    pub fn by_digest(&self) -> HashMap<String, Arc<[u8]>> {
        let components = self.shipped.values().chain(self.uploaded.values());
        components.map(|known| (known.description.digest.clone(), Arc::clone(&known.bytes))).collect()
    }

    /// The same with the models of these filters that are in force. One that does not open, or is of a format that the
    /// filter's component does not read, is not there: the filter answers as one without a model, and the log says so.
    pub async fn with_models<'f>(
        mut self,
        filters: impl IntoIterator<Item = &'f Filter>,
        configuration: &Configuration,
        store: &Store,
        key: &SecretKey,
    ) -> Result<Self, StoreError> {
        for configured in filters {
            let filter = &configured.name;
            let Some(model) = configuration.models.get(filter) else { continue };
            let component = self.find(configured).and_then(|component| component.description.classifier());
            if !component.is_some_and(|classifier| classifier.formats.contains(&model.format)) {
                tracing::error!(
                    filter,
                    model = model.number,
                    format = model.format,
                    "the filter's component does not read a model of this format: the filter is to be trained anew"
                );
                continue;
            }
            let sealed = models::sealed(&mut *store.read().await?, filter, model.number).await?;
            // Deleted meanwhile: then there is another version of the configuration.
            let Some(sealed) = sealed else { continue };
            match key.open_bytes(&models::place(filter, &model.digest), &sealed) {
                Ok(bytes) => {
                    let asset = Asset::new(MODEL, model.format.as_str(), bytes);
                    self.models.insert(filter.clone(), asset);
                }
                Err(error) => tracing::error!(filter, model = model.number, %error, "a model cannot be used"),
            }
        }
        Ok(self)
    }

    /// Fetches the components of these filters, which are settled: of a digest the uploaded one of these bytes, else
    /// the shipped one of the name. One that does not exist is not there afterwards, nor is one that cannot be
    /// read: its filters fail, and the others go on.
    pub async fn of<'f>(
        filters: impl IntoIterator<Item = &'f Filter>,
        store: &Store,
        sandbox: &Arc<LazySandbox>,
    ) -> Result<Self, StoreError> {
        let mut gathered = Self::default();
        for filter in filters {
            if gathered.find(filter).is_some() {
                continue;
            }
            if let Some(digest) = &filter.digest {
                match uploaded_component(store, digest).await {
                    Ok(component) => gathered.uploaded.extend(component.map(|component| (digest.clone(), component))),
                    Err(StoreError::Corrupt { reason, .. }) => drop(gathered.unreadable.insert(digest.clone(), reason)),
                    Err(error) => return Err(error),
                }
            } else {
                let component = shipped_component(&filter.component, sandbox).await;
                gathered.shipped.extend(component.map(|component| (filter.component.clone(), component)));
            }
        }
        Ok(gathered)
    }
}

async fn uploaded_component(store: &Store, digest: &str) -> Result<Option<FilterComponent>, StoreError> {
    let Some(description) = components::description(store, digest).await? else { return Ok(None) };
    let bytes = components::bytes(store, digest).await?;
    Ok(bytes.map(|bytes| FilterComponent { description: Arc::new(description), bytes: bytes.into(), shipped: false }))
}

/// A component that ships with Postigo. What it says of itself is asked once and kept beside its compiled code.
pub async fn shipped_component(name: &str, sandbox: &Arc<LazySandbox>) -> Option<FilterComponent> {
    let (_, bytes) = shipped::components().iter().find(|(shipped, _)| *shipped == name)?;
    let sandbox = Arc::clone(sandbox);
    let inspected = blocking(WorkKind::Preparation, name, move || inspect_once(bytes, &sandbox)).await;
    match inspected {
        Ok(Ok(component)) => Some(component),
        Ok(Err(reason)) => {
            tracing::error!(component = name, reason, "a shipped component cannot be used");
            None
        }
        Err(_) => None,
    }
}

fn inspect_once(bytes: &'static [u8], sandbox: &LazySandbox) -> Result<FilterComponent, String> {
    let kept = ShippedCache::of(bytes, &sandbox.options().cache);
    if let Some(component) = kept.read() {
        return Ok(component);
    }
    let inspected = sandbox.runtime()?.inspect(bytes, Asker::Host).map_err(|refused| refused.to_string())?;
    kept.write(&inspected.description, &inspected.component);
    Ok(FilterComponent {
        description: Arc::new(inspected.description),
        bytes: inspected.component.into(),
        shipped: true,
    })
}

/// Where what is known of a shipped component is kept: a JSON file and the component, under the digest of the embedded
/// bytes.
struct ShippedCache {
    description: PathBuf,
    component: PathBuf,
}

impl ShippedCache {
    fn of(bytes: &[u8], cache: &Path) -> Self {
        let digest = hexadecimal(&Sha256::digest(bytes));
        let folder = cache.join("shipped").join(env!("CARGO_PKG_VERSION"));
        Self { description: folder.join(format!("{digest}.json")), component: folder.join(format!("{digest}.wasm")) }
    }

    /// None where nothing whole is kept.
    fn read(&self) -> Option<FilterComponent> {
        let description: ComponentDescription = serde_json::from_slice(&std::fs::read(&self.description).ok()?).ok()?;
        let bytes = std::fs::read(&self.component).ok()?;
        Some(FilterComponent { description: Arc::new(description), bytes: bytes.into(), shipped: true })
    }

    /// Keeps it, the description last: where that is, the component is whole. A cache that cannot be written costs time
    /// alone.
    fn write(&self, description: &ComponentDescription, component: &[u8]) {
        let written = serde_json::to_vec(description).map_err(std::io::Error::from).and_then(|json| {
            replace(&self.component, component)?;
            replace(&self.description, &json)
        });
        if let Err(error) = written {
            tracing::warn!(path = %self.description.display(), %error, "what is known of a shipped component could not be kept");
        }
    }
}

/// Writes a file beside its place and moves it there, so that no one reads half of it.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}
