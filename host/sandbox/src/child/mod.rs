//! The child process in which code of strangers is validated, compiled, configured and snapshotted for the first time.
//! What breaks it breaks nothing else; what it compiled is in the cache on disk, where the daemon finds it.

pub mod confinement;
pub mod frame;
mod places;
mod process;
mod program;
mod work;

pub use places::Asker;
pub(super) use process::{ChildFault, Children};
pub use program::{ProgramIdentity, own_program};
pub use work::main;

use super::component::code_bytes;
use super::contract::{ComponentDescription, GroupMember, GroupStart, SettingsMistake};
use super::refusal::{PrepareError, UploadRefusal};
use postigo_model::guest::Grant;
use postigo_model::guest::GuestLimits;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The first argument that makes the binary such a child.
pub const ARGUMENT: &str = "runtime-child";

/// Seconds of processor time to compile a MiB of code, beside what any component may take.
const COMPILING: u64 = 6;

/// What a child is to do. The component's bytes follow.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// The folder of the caches.
    pub(super) cache: PathBuf,
    /// The component's digest.
    pub(super) digest: String,
    pub(super) task: ChildTask,
}

/// The task.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ChildTask {
    /// Look at an upload.
    Inspect,
    /// Apply a settings schema to the settings of filters. No component follows.
    Check { schema: serde_json::Value, members: Vec<(String, serde_json::Value)> },
    /// Compile a component that was looked at before, or a snapshot of one.
    Compile,
    /// Configure a group and take its snapshot.
    Prepare { members: Vec<(String, serde_json::Value)>, grants: Vec<Grant>, limits: GuestLimits },
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

    /// Seconds of processor time that it may take with a component, or a snapshot of one.
    pub(super) fn processor_seconds(&self, component: &[u8]) -> u64 {
        // An interpreter compiles for a second and a half a MiB; what takes much longer than its code explains is a
        // bomb, whatever else it has.
        let compiling = 40 + COMPILING * (code_bytes(component) as u64 >> 20);
        match self {
            Self::Check { .. } => 10,
            Self::Inspect | Self::Compile => compiling,
            // Thirty of them are for `configure`.
            Self::Prepare { .. } => compiling + 30,
        }
    }
}

fn named(members: &[GroupMember]) -> Vec<(String, serde_json::Value)> {
    members.iter().map(|member| (member.name.to_string(), member.settings.clone())).collect()
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
        let plain = ChildTask::Inspect.processor_seconds(&component(""));
        assert!((40 + 4 * COMPILING..40 + 5 * COMPILING).contains(&plain), "{plain}");
        let padded = component(&data);
        assert!(padded.len() > 16 << 20);
        assert_eq!(ChildTask::Inspect.processor_seconds(&padded), plain);
        assert_eq!(ChildTask::Inspect.processor_seconds(b"no WebAssembly"), 40);
        // A section that says that it is longer than the file.
        assert_eq!(ChildTask::Inspect.processor_seconds(b"\0asm\x01\0\0\0\x0a\xff\xff\xff\x7f\x01"), 40);
    }
}
