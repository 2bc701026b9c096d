//! What an admin gave a filter besides its settings: models, tables, word lists.

/// What is known of an asset without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asset {
    /// What the component calls it: `model`, `words`. What a training gave is `model`.
    pub name: String,
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// Which bytes these are, by whoever made them: `acme-linear/1`; may be empty.
    pub format: String,
}

/// The assets of one filter. They can be read while the component is configured or trained, and never while it looks at
/// a mail.
#[derive(Debug, Clone, Copy)]
pub struct Assets<'a> {
    given: Given<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Given<'a> {
    /// By the host, to the filter of this index. Natively there is none, and it gives nothing.
    ByHost(u32),
    /// By a test.
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))]
    ByTest(&'a [(Asset, Vec<u8>)]),
}

impl<'a> Assets<'a> {
    pub(crate) fn of_filter(filter: u32) -> Self {
        Self { given: Given::ByHost(filter) }
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn of_test(assets: &'a [(Asset, Vec<u8>)]) -> Self {
        Self { given: Given::ByTest(assets) }
    }

    /// All of them, in byte order of their names.
    pub fn list(&self) -> Vec<Asset> {
        match self.given {
            Given::ByHost(filter) => by_host::list(filter),
            Given::ByTest(assets) => assets.iter().map(|(asset, _)| asset.clone()).collect(),
        }
    }

    /// The one of this name.
    pub fn find(&self, name: &str) -> Option<Asset> {
        self.list().into_iter().find(|asset| asset.name == name)
    }

    /// All bytes of the one of this name; none where there is none.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        match self.given {
            Given::ByHost(filter) => by_host::read(filter, &self.find(name)?),
            Given::ByTest(assets) => {
                assets.iter().find(|(asset, _)| asset.name == name).map(|(_, bytes)| bytes.clone())
            }
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod by_host {
    use super::Asset;
    use crate::bindings::plugin::postigo::plugin::assets;

    pub(super) fn list(filter: u32) -> Vec<Asset> {
        let given = assets::assets_of(filter).unwrap_or_default().into_iter();
        given.map(|one| Asset { name: one.name, digest: one.digest, size: one.size, format: one.format }).collect()
    }

    pub(super) fn read(filter: u32, asset: &Asset) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(usize::try_from(asset.size).ok()?);
        loop {
            let part = assets::read(filter, &asset.name, bytes.len() as u64, u32::MAX).ok()?;
            if part.is_empty() {
                return Some(bytes);
            }
            bytes.extend(part);
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod by_host {
    use super::Asset;

    pub(super) fn list(_filter: u32) -> Vec<Asset> {
        Vec::new()
    }

    pub(super) fn read(_filter: u32, _asset: &Asset) -> Option<Vec<u8>> {
        None
    }
}
