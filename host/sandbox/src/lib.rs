//! The sandbox: the only place that knows wasmtime.
//!
//! Bytes are uploaded and [inspected](Runtime::inspect), filters of one component are [prepared](Runtime::prepare) as a
//! group, both in a child process that hostile code may break; a message [opens](GuestSession::open) a session of the group
//! on a guest thread ([`Runtime::spawn`]), whose first call gets a fresh instance of the group's snapshot.

mod ahead;
mod asset_host;
mod assets;
mod bindings;
mod budget;
mod cache_folder;
pub mod child;
mod clock;
mod code;
mod component;
mod configure;
mod contract;
mod engine;
mod fit;
mod functions;
mod group;
mod guest_log;
mod image;
mod inspect;
mod lesson;
mod limits;
mod log_host;
mod mail_handle;
mod mail_host;
mod plugin;
mod refusal;
mod sandbox;
mod schema;
mod session;
pub mod shipped;
mod snapshot;
mod stopped;
mod template;
mod threads;
pub mod training;
mod unused;
mod wasi;
mod world;
mod worlds;

pub use child::Asker;
pub use contract::{
    Asset, CallFailure, CallReport, ComponentDescription, Cost, GroupMember, GroupSpec, Inspection, LogLine,
    SettingsMistake, WorldDescription,
};
pub use group::Group;
pub use refusal::{LostJob, PrepareError, StartError, UploadRefusal};
pub use session::GuestSession;
pub use worlds::classifier::ClassifierDescription;
pub use worlds::filter::{FilterDescription, GuestHeader, ScreenResult, Verdict};

use budget::GuestBudget;
use cache_folder::CacheFolder;
use child::{AssetBytes, ChildAnswer, ChildFault, ChildTask, Children, ProgramIdentity, Request};
use contract::GroupStart;
use engine::Engines;
use limits::ASSET;
use postigo_model::guest::FailureKind;
use postigo_model::hexadecimal::hexadecimal;
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use threads::Threads;
use unused::GroupFiles;
use worlds::WORLDS;

/// Bytes that all guests of a host may hold together, where nothing else is said.
pub const GUEST_MEMORY: u64 = 1 << 30;

/// What the runtime needs to start.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// The folder of compiled code and snapshots; made where it is missing. Whoever can write there can run code as
    /// this host.
    pub cache: PathBuf,
    /// The program that is run as `PROGRAM runtime-child`: the `postigo` binary, usually [`child::own_program`].
    pub program: PathBuf,
    /// Threads for guests; none means two more than there are cores.
    pub threads: Option<usize>,
    /// Bytes that all guests may hold together: living instances, and those that are kept ready.
    pub memory: u64,
}

impl RuntimeOptions {
    /// The usual options.
    pub fn new(cache: PathBuf, program: PathBuf) -> Self {
        Self { cache, program, threads: None, memory: GUEST_MEMORY }
    }
}

/// Engines, threads and caches. One for the process.
pub struct Runtime {
    engines: Arc<Engines>,
    threads: Arc<Threads>,
    children: Children,
    kept: CacheFolder,
    room: Arc<GuestBudget>,
    /// The groups that were prepared, and what of the cache each was loaded from.
    loaded: Mutex<Vec<(Weak<Group>, GroupFiles)>>,
}

impl Runtime {
    /// Starts engines and threads.
    pub fn start(options: RuntimeOptions) -> Result<Arc<Self>, StartError> {
        let cache = std::path::absolute(&options.cache).unwrap_or(options.cache);
        let kept = CacheFolder::open(&cache).map_err(|source| StartError::Cache { path: cache.clone(), source })?;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let threads = Threads::start(options.threads.unwrap_or(cores + 2)).map_err(StartError::Threads)?;
        Ok(Arc::new(Self {
            engines: Arc::new(Engines::start(&cache, WORLDS)?),
            threads: Arc::new(threads),
            children: Children::new(options.program),
            kept,
            room: GuestBudget::of(options.memory),
            loaded: Mutex::default(),
        }))
    }

    /// Looks at an upload: makes a component of a core module, checks what it imports and exports, compiles it and asks
    /// what it is. How large an upload may be is the caller's to say, before. Blocks for seconds at worst; call it
    /// where that is allowed.
    pub fn inspect(&self, bytes: &[u8], asker: Asker) -> Result<Inspection, UploadRefusal> {
        let request = self.request(hexadecimal(&Sha256::digest(bytes)), ChildTask::Inspect);
        let inspected = match self.children.run(asker, &request, bytes, &AssetBytes::new()) {
            Ok((ChildAnswer::Inspected { description, unsnapshotable }, component)) => {
                Inspection { description: *description, component, unsnapshotable }
            }
            Ok((ChildAnswer::Refused(refused), _)) => return Err(refused),
            Ok((ChildAnswer::Unable(reason), _)) | Err(ChildFault::Host(reason)) => {
                return Err(UploadRefusal::Unavailable(reason));
            }
            Ok(_) => return Err(UploadRefusal::Unavailable("the child process answered something else".into())),
            Err(ChildFault::Guest(reason)) => return Err(UploadRefusal::Compile(reason)),
        };
        // A schema that cannot be applied to anything is told now, not when a filter is saved.
        self.check_settings(&inspected.description.settings_schema, &[], asker)
            .inspect_err(|_| self.kept.forget_functions(&inspected.description.digest))?;
        Ok(inspected)
    }

    /// Every mistake in filters' settings by their component's schema, at most a thousand. The schema is applied in a
    /// child process; [`UploadRefusal::Description`] says that it cannot be, or that it takes too much with these
    /// settings. Blocks.
    pub fn check_settings(
        &self,
        schema: &serde_json::Value,
        members: &[GroupMember],
        asker: Asker,
    ) -> Result<Vec<SettingsMistake>, UploadRefusal> {
        let request = self.request(String::new(), ChildTask::check(schema, members));
        match self.children.run(asker, &request, &[], &AssetBytes::new()) {
            Ok((ChildAnswer::Checked(problems), _)) => Ok(problems),
            Ok((ChildAnswer::Refused(refused), _)) => Err(refused),
            Ok((ChildAnswer::Unable(reason), _)) | Err(ChildFault::Host(reason)) => {
                Err(UploadRefusal::Unavailable(reason))
            }
            Ok(_) => Err(UploadRefusal::Unavailable("the child process answered something else".into())),
            Err(ChildFault::Guest(reason)) => Err(UploadRefusal::Description(format!(
                "the settings schema could not be applied to these settings: {reason}"
            ))),
        }
    }

    /// Configures a group and takes its snapshot, or finds it among the kept ones. Blocks for a second or so when
    /// something changed. A group of several filters that takes more than half its memory fails as `memory`: it is
    /// to be split.
    pub fn prepare(&self, spec: &GroupSpec, asker: Asker) -> Result<Arc<Group>, PrepareError> {
        check_assets(&spec.members)?;
        let key = cache_folder::snapshot_key(spec);
        let made = match self.kept.snapshot(&key) {
            Some(made) => made,
            None => self.make(spec, &key, asker)?,
        };
        // A message needs memory of its own beside what the settings take; fewer filters take less.
        if spec.members.len() > 1 && made.0.memory > spec.limits.memory / 2 {
            let (used, limit) = (made.0.memory >> 20, spec.limits.memory >> 20);
            let message = format!("together the filters take {used} of {limit} MiB before any mail, more than half");
            return Err(PrepareError::Failed(CallFailure { kind: FailureKind::Memory, message }));
        }
        if made.0.memory > self.room.total() {
            let (used, total) = (made.0.memory >> 20, self.room.total() >> 20);
            let message = format!(
                "an instance takes {used} MiB before any mail, more than the {total} MiB that all guests of this host may have; give them \
                 more by `serve --guest-memory`"
            );
            return Err(PrepareError::Failed(CallFailure { kind: FailureKind::Memory, message }));
        }
        let build = || Group::build(&self.engines, &self.kept, (&self.threads, &self.room), spec, &made, key.clone());
        let built = match build() {
            // The code of a kept snapshot is gone: whoever owns the folder may delete it, and wasmtime deletes what is
            // old.
            Err(PrepareError::Refused(UploadRefusal::Compile(_))) => {
                let component = if made.0.unsnapshotable.is_some() { &spec.component } else { made.1.as_slice() };
                self.compile(&spec.digest, component, asker)?;
                build()
            }
            built => built,
        }?;
        let component = if made.0.unsnapshotable.is_some() { &spec.component } else { made.1.as_slice() };
        let files = GroupFiles {
            snapshot: self.kept.snapshot_path(&key),
            functions: self.kept.functions_path(&spec.digest),
            code: code::name(&self.engines.plain.engine, component),
        };
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::downgrade(&built), files));
        Ok(built)
    }

    /// Deletes what of the cache was not used for a week; what living groups were loaded from counts as used. Gives the
    /// bytes. Blocks.
    pub fn forget_unused(&self) -> io::Result<u64> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|(group, _)| group.strong_count() > 0);
        loaded.iter().for_each(|(_, files)| files.note_use(self.kept.folder()));
        drop(loaded);
        unused::forget(self.kept.folder(), unused::UNUSED)
    }

    /// Opens a session on the engine without pooling, for evaluations of all filters (dry runs, sampled checks of
    /// screens), which would leave many touched pages behind in a pool.
    pub fn open_full(&self, group: &Arc<Group>) -> Result<GuestSession, CallFailure> {
        Ok(GuestSession::new(Arc::clone(group), true))
    }

    /// Runs a job on a guest thread. Where calls of guests loop or wait, other jobs go on.
    pub fn spawn<T, J>(&self, job: J) -> impl Future<Output = Result<T, LostJob>> + Send + use<T, J>
    where
        T: Send + 'static,
        J: FnOnce() -> T + Send + 'static,
    {
        self.threads.spawn(job)
    }

    fn make(&self, spec: &GroupSpec, key: &str, asker: Asker) -> Result<(GroupStart, Vec<u8>), PrepareError> {
        let assets = child::bytes_of_assets(&spec.members);
        // A snapshot of other bytes would be found by this digest from now on.
        if let Some((digest, _)) = assets.iter().find(|(digest, bytes)| **digest != hexadecimal(&Sha256::digest(bytes)))
        {
            let reason = format!("the bytes of the asset {digest} are others than its digest says");
            return Err(PrepareError::Unavailable(reason));
        }
        let task = ChildTask::prepare(&spec.members, &spec.grants, spec.limits);
        let request = Request { assets: assets.len(), ..self.request(spec.digest.clone(), task) };
        let made = match self.children.run(asker, &request, &spec.component, &assets) {
            Ok((ChildAnswer::Made(made), snapshot)) => (made, snapshot),
            Ok((ChildAnswer::NotMade(error), _)) => return Err(error),
            Ok((ChildAnswer::Unable(reason), _)) | Err(ChildFault::Host(reason)) => {
                return Err(PrepareError::Unavailable(reason));
            }
            Ok(_) => return Err(PrepareError::Unavailable("the child process answered something else".into())),
            Err(ChildFault::Guest(reason)) => return Err(PrepareError::Refused(UploadRefusal::Compile(reason))),
        };
        if let Err(error) = self.kept.keep_snapshot(key, &made.0, &made.1) {
            tracing::warn!("a snapshot could not be kept, so the next start takes longer: {error}");
        }
        Ok(made)
    }

    /// Has a child compile what the engines here are to find.
    fn compile(&self, digest: &str, component: &[u8], asker: Asker) -> Result<(), PrepareError> {
        match self.children.run(
            asker,
            &self.request(digest.to_owned(), ChildTask::Compile),
            component,
            &AssetBytes::new(),
        ) {
            Ok((ChildAnswer::Compiled, _)) => Ok(()),
            Ok((ChildAnswer::Refused(refused), _)) => Err(refused.into()),
            Ok((ChildAnswer::Unable(reason), _)) | Err(ChildFault::Host(reason)) => {
                Err(PrepareError::Unavailable(reason))
            }
            Ok(_) => Err(PrepareError::Unavailable("the child process answered something else".into())),
            Err(ChildFault::Guest(reason)) => Err(PrepareError::Refused(UploadRefusal::Compile(reason))),
        }
    }

    /// The folder of compiled code and snapshots.
    fn cache_folder(&self) -> &Path {
        self.kept.folder()
    }

    /// What is started as a child, and which program that is to be.
    fn program(&self) -> (&Path, &ProgramIdentity) {
        self.children.program()
    }

    fn request(&self, digest: String, task: ChildTask) -> Request {
        Request { cache: self.kept.folder().to_owned(), digest, task, assets: 0 }
    }
}

/// Refuses assets that are too large, or two of one name.
fn check_assets(members: &[GroupMember]) -> Result<(), PrepareError> {
    let mut problems = Vec::new();
    for member in members {
        for (index, asset) in member.assets.iter().enumerate() {
            let before = member.assets.get(..index).unwrap_or_default();
            let reason = if asset.bytes.len() > ASSET {
                format!("the asset {:?} has {} bytes; at most {ASSET} are taken", asset.name, asset.bytes.len())
            } else if before.iter().any(|other| other.name == asset.name) {
                format!("there are two assets named {:?}; leave one out", asset.name)
            } else {
                continue;
            };
            problems.push(SettingsMistake { filter: member.name.to_string(), place: String::new(), reason });
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(PrepareError::Problems(problems)) }
}
