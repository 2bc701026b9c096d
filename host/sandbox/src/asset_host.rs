//! The assets of filters as guests read them: `assets` of `postigo:plugin` in `wit/`.

use super::bindings::postigo::plugin::assets::{Absence, Asset as GuestAsset, Host};
use super::contract::Asset;
use super::limits::ASSET_READ;
use super::mail_host::range;
use super::sandbox::StoreData;

impl Host for StoreData {
    fn assets_of(&mut self, filter: u32) -> wasmtime::Result<Result<Vec<GuestAsset>, Absence>> {
        self.host_call(|sandbox| {
            let Some(assets) = sandbox.assets() else { return Ok(Err(Absence::TooLate)) };
            let listed = assets.of_filter(filter).map(|assets| assets.iter().map(listed).collect::<Vec<_>>());
            let bytes =
                |one: &GuestAsset| one.name.len() + one.digest.len() + one.format.len() + size_of::<GuestAsset>();
            sandbox.hand_over(listed.as_deref().unwrap_or_default().iter().map(bytes).sum())?;
            Ok(listed.ok_or(Absence::Unknown))
        })
    }

    fn read(
        &mut self,
        filter: u32,
        name: String,
        offset: u64,
        length: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Absence>> {
        self.host_call(|sandbox| {
            let Some(assets) = sandbox.assets() else { return Ok(Err(Absence::TooLate)) };
            let read =
                assets.find(filter, &name).map(|asset| range(&asset.bytes, offset, length.min(ASSET_READ)).to_vec());
            sandbox.hand_over(read.as_ref().map_or(0, Vec::len))?;
            Ok(read.ok_or(Absence::Unknown))
        })
    }
}

fn listed(asset: &Asset) -> GuestAsset {
    GuestAsset {
        name: asset.name.to_string(),
        digest: asset.digest.clone(),
        size: asset.bytes.len() as u64,
        format: asset.format.clone(),
    }
}
