//! The child process in which code of strangers is validated, compiled, configured and snapshotted for the first time.
//! What breaks it breaks nothing else; what it compiled is in the cache on disk, where the daemon finds it.

pub mod confinement;
pub mod frame;
mod places;
mod process;
mod program;
mod work;

pub use places::Asker;
pub(super) use process::{ChildFault, Children, command};
pub use program::{ProgramIdentity, own_program};
pub use work::main;

use super::component::code_bytes;
use super::contract::{Asset, ComponentDescription, GroupMember, GroupStart, SettingsMistake};
use super::refusal::{PrepareError, UploadRefusal};
use postigo_model::guest::Grant;
use postigo_model::guest::GuestLimits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The first argument that makes the binary such a child.
pub const ARGUMENT: &str = "runtime-child";

/// Seconds of processor time to compile a MiB of code, beside what any component may take.
const COMPILING: u64 = 6;
/// Seconds of processor time for each MiB of assets.
const SNAPSHOTTING: u64 = 1;

/// What a child is to do. The component's bytes follow, then a frame with the bytes of each asset.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// The folder of the caches.
    pub(super) cache: PathBuf,
    /// The component's digest.
    pub(super) digest: String,
    pub(super) task: ChildTask,
    /// How many assets follow.
    pub(super) assets: usize,
}

/// The task.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ChildTask {
    /// Look at an upload.
    Inspect,
    /// Apply a settings schema to the settings of filters. No component follows.
    Check { schema: serde_json::Value, members: Vec<NamedSettings> },
    /// Compile a component that was looked at before, or a snapshot of one.
    Compile,
    /// Configure a group and take its snapshot.
    Prepare { members: Vec<NamedSettings>, grants: Vec<Grant>, limits: GuestLimits },
}

/// A filter on its way to the child. The bytes of its assets go their own way, each once.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NamedSettings {
    name: String,
    settings: serde_json::Value,
    assets: Vec<NamedAsset>,
}

/// An asset without its bytes, which are known by their digest.
#[derive(Debug, Serialize, Deserialize)]
struct NamedAsset {
    name: String,
    digest: String,
    format: String,
}

/// What came of it. A component or snapshot follows where there is one.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ChildAnswer {
    Inspected {
        description: Box<ComponentDescription>,
        unsnapshotable: Option<String>,
    },
    Refused(UploadRefusal),
    Compiled,
    /// The mistakes by the schema.
    Checked(Vec<SettingsMistake>),
    Made(GroupStart),
    NotMade(PrepareError),
    /// The child itself could not work.
    Unable(String),
}

impl ChildTask {
    /// The task to apply a schema.
    pub(super) fn check(schema: &serde_json::Value, members: &[GroupMember]) -> Self {
        Self::Check { schema: schema.clone(), members: named(members) }
    }

    /// The task to prepare a group.
    pub(super) fn prepare(members: &[GroupMember], grants: &[Grant], limits: GuestLimits) -> Self {
        Self::Prepare { members: named(members), grants: grants.to_vec(), limits }
    }

    /// Bytes of memory with something in it that it may take.
    pub(super) fn memory(&self) -> u64 {
        match self {
            Self::Check { .. } => 512 << 20,
            Self::Inspect | Self::Compile | Self::Prepare { .. } => 3 << 30,
        }
    }

    /// Seconds of processor time that it may take with a component, or a snapshot of one, and with assets.
    pub(super) fn processor_seconds(&self, component: &[u8], assets: &AssetBytes) -> u64 {
        // An interpreter compiles for a second and a half a MiB; what takes much longer than its code explains is a
        // bomb, whatever else it has.
        let compiling = 40 + COMPILING * (code_bytes(component) as u64 >> 20);
        match self {
            Self::Check { .. } => 10,
            Self::Inspect | Self::Compile => compiling,
            // Thirty of them are for `configure`. What it reads lies in the snapshot, which is written, and compiled.
            Self::Prepare { .. } => compiling + 30 + SNAPSHOTTING * (asset_bytes(assets) >> 20),
        }
    }
}

fn named(members: &[GroupMember]) -> Vec<NamedSettings> {
    members.iter().map(NamedSettings::of).collect()
}

impl NamedSettings {
    /// Those of a filter.
    pub(super) fn of(member: &GroupMember) -> Self {
        let asset = |asset: &Asset| NamedAsset {
            name: asset.name.to_string(),
            digest: asset.digest.clone(),
            format: asset.format.clone(),
        };
        Self {
            name: member.name.to_string(),
            settings: member.settings.clone(),
            assets: member.assets.iter().map(asset).collect(),
        }
    }
}

/// The bytes of assets, by their digest: what comes behind a request, a frame each.
pub(super) type AssetBytes = BTreeMap<String, Arc<[u8]>>;

fn asset_bytes(assets: &AssetBytes) -> u64 {
    assets.values().map(|bytes| bytes.len() as u64).sum()
}

/// Those of these filters.
pub(super) fn bytes_of_assets(members: &[GroupMember]) -> AssetBytes {
    let assets = members.iter().flat_map(|member| &member.assets);
    assets.map(|asset| (asset.digest.clone(), Arc::clone(&asset.bytes))).collect()
}

/// The filters as they were; an asset whose bytes did not come has none.
pub(super) fn group_members(named: &[NamedSettings], bytes: &AssetBytes) -> Vec<GroupMember> {
    let asset = |asset: &NamedAsset| Asset {
        name: asset.name.as_str().into(),
        digest: asset.digest.clone(),
        format: asset.format.clone(),
        bytes: bytes.get(&asset.digest).cloned().unwrap_or_default(),
    };
    let members = named.iter().map(|member| GroupMember {
        name: member.name.as_str().into(),
        settings: member.settings.clone(),
        assets: member.assets.iter().map(asset).collect(),
    });
    members.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_buys_time_to_compile() {
        let code = "nop ".repeat(4 << 20);
        let module = format!("(core module (func {code}))");
        let component = |rest: &str| wat::parse_str(format!("(component {module} {rest})")).unwrap();
        let data = format!("(core module (memory 1) (data (i32.const 0) \"{}\"))", "x".repeat(13 << 20));
        let plain = ChildTask::Inspect.processor_seconds(&component(""), &AssetBytes::new());
        assert!((40 + 4 * COMPILING..40 + 5 * COMPILING).contains(&plain), "{plain}");
        let padded = component(&data);
        assert!(padded.len() > 16 << 20);
        assert_eq!(ChildTask::Inspect.processor_seconds(&padded, &AssetBytes::new()), plain);
        assert_eq!(ChildTask::Inspect.processor_seconds(b"no WebAssembly", &AssetBytes::new()), 40);
        // A section that says that it is longer than the file.
        assert_eq!(
            ChildTask::Inspect.processor_seconds(b"\0asm\x01\0\0\0\x0a\xff\xff\xff\x7f\x01", &AssetBytes::new()),
            40
        );
    }
}
