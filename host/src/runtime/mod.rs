//! The sandbox: the only place that knows wasmtime.
//!
//! Bytes are uploaded and [inspected](Runtime::inspect), filters of one component are [prepared](Runtime::prepare) as a group, both in
//! a child process that hostile code may break; a message [opens](Group::open) a session of the group on a guest thread
//! ([`Runtime::spawn`]), whose first call gets a fresh instance of the group's snapshot.

pub mod child;
mod component;
mod contract;
mod group;
mod refusal;
mod session;

pub use contract::{
    Called, Change, Cost, Description, Failure, FailureKind, GroupMember, GroupSpec, Inspected, Limits, LogLine, Screened,
    SettingsProblem, Verdict,
};
pub use group::Group;
pub use refusal::{Lost, PrepareError, Refused, StartError};
pub use session::Session;

use std::path::PathBuf;
use std::sync::Arc;

/// What the runtime needs to start.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// The folder of compiled code and snapshots; made where it is missing. Whoever can write there can run code as this host.
    pub cache: PathBuf,
    /// The program that is run as `PROGRAM runtime-child`: the `postigo` binary, usually `std::env::current_exe()`.
    pub program: PathBuf,
    /// Threads for guests; none means two more than there are cores.
    pub threads: Option<usize>,
}

impl RuntimeOptions {
    /// The usual options.
    pub fn new(cache: PathBuf, program: PathBuf) -> Self {
        Self { cache, program, threads: None }
    }
}

/// Engines, threads and caches. One for the process.
pub struct Runtime {
    options: RuntimeOptions,
}

impl Runtime {
    /// Starts engines and threads.
    pub fn start(options: RuntimeOptions) -> Result<Arc<Self>, StartError> {
        Ok(Arc::new(Self { options }))
    }

    /// Looks at an upload: makes a component of a core module, checks what it imports and exports, compiles it and asks what it is.
    /// Blocks for seconds at worst; call it where that is allowed.
    pub fn inspect(&self, _bytes: &[u8]) -> Result<Inspected, Refused> {
        Err(Refused::Unavailable(format!("{} is not there", self.options.program.display())))
    }

    /// Configures a group and takes its snapshot, or finds it among the kept ones. Blocks for a second or so when something changed.
    pub fn prepare(&self, spec: &GroupSpec) -> Result<Arc<Group>, PrepareError> {
        Ok(Arc::new(Group::new(spec)))
    }

    /// Opens a session on the engine without pooling, for evaluations of all filters (dry runs, sampled checks of screens), which
    /// would leave many touched pages behind in a pool.
    pub fn open_full(&self, group: &Arc<Group>) -> Result<Session, Failure> {
        Group::open(group)
    }

    /// Runs a job on a guest thread. Where calls of guests loop or wait, other jobs go on.
    pub fn spawn<T, J>(&self, job: J) -> impl Future<Output = Result<T, Lost>> + Send + use<T, J>
    where
        T: Send + 'static,
        J: FnOnce() -> T + Send + 'static,
    {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || sender.send(job()).ok());
        async move { receiver.await.map_err(|_| Lost) }
    }
}
