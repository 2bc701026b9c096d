//! What the commands work on, opened when the first of them needs it.

use super::{Failed, Output, Place};
use crate::config::Configuration;
use crate::secret::SecretKey;
use crate::store::{Location, Store, configuration};
use std::path::{Path, PathBuf};
use tokio::sync::OnceCell;

/// Where the state lies and how results are printed; opens the store on first use.
#[derive(Debug)]
pub struct Context {
    data: PathBuf,
    location: Location,
    key: SecretKey,
    cache: PathBuf,
    json: bool,
    store: OnceCell<Store>,
}

impl Context {
    pub(super) fn new(place: Place) -> Self {
        let location = match place.database {
            Some(url) => Location::Postgres(url),
            None => Location::Folder(place.data.clone()),
        };
        Self {
            key: SecretKey::at(place.key.unwrap_or_else(|| place.data.join("key"))),
            cache: place.cache.unwrap_or_else(|| place.data.join("cache")),
            data: place.data,
            location,
            json: place.json,
            store: OnceCell::new(),
        }
    }

    /// The data folder (`--data`).
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The folder of compiled code (`POSTIGO_CACHE`, else `cache` in the data folder).
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The key that secrets are sealed with (`--key`).
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Whether results are printed as JSON (`--json`).
    pub fn json(&self) -> bool {
        self.json
    }

    /// Where results are printed.
    pub fn output(&self) -> Output {
        Output::new(self.json)
    }

    /// The store, opened now if it was not.
    pub async fn store(&self) -> Result<&Store, Failed> {
        Ok(self.store.get_or_try_init(|| Store::open(&self.location)).await?)
    }

    /// The configuration as it is now.
    pub async fn configuration(&self) -> Result<Configuration, Failed> {
        Ok(configuration::load(self.store().await?, &self.key).await?)
    }
}
