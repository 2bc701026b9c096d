//! The chain's sandbox over the WebAssembly runtime.

use super::guests::{Guest, Guests, Job, Sandbox};
use postigo_mail::Mail;
use postigo_model::classification::{Answer, Question, Scope};
use postigo_sandbox::{
    Asker, CallFailure, CallReport, Cost, Group, GroupSpec, GuestSession, PrepareError, Runtime, RuntimeOptions,
    ScreenResult, Verdict,
};
use postigo_supervision::{WorkKind, caught_here};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many pieces of work of one asker are under way at once; each occupies a thread while it waits for its child
/// processes.
const TURNS: usize = 2;

/// A runtime that is started when the first group is prepared: without filters, none is needed.
pub struct LazySandbox {
    options: RuntimeOptions,
    runtime: OnceLock<Result<Arc<Runtime>, String>>,
    turns: Mutex<HashMap<Asker, Arc<Semaphore>>>,
}

impl std::fmt::Debug for LazySandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LazySandbox").field("options", &self.options).finish_non_exhaustive()
    }
}

impl LazySandbox {
    /// Nothing is started yet.
    pub fn new(options: RuntimeOptions) -> Self {
        Self { options, runtime: OnceLock::new(), turns: Mutex::default() }
    }

    /// What the runtime is started with.
    pub fn options(&self) -> &RuntimeOptions {
        &self.options
    }

    /// The runtime, started if it was not; the error is a sentence.
    pub fn runtime(&self) -> Result<&Arc<Runtime>, &str> {
        let started =
            self.runtime.get_or_init(|| Runtime::start(self.options.clone()).map_err(|error| error.to_string()));
        started.as_ref().map_err(String::as_str)
    }

    /// The sandbox for one asker.
    pub fn asked_by(self: &Arc<Self>, asker: Asker) -> AskersSandbox {
        AskersSandbox { sandbox: Arc::clone(self), asker }
    }

    /// Deletes what of the cache nobody used for long; gives the bytes. Where no filter was prepared, nothing is done. Blocks.
    pub fn forget_unused(&self) -> std::io::Result<u64> {
        match self.runtime.get() {
            Some(Ok(runtime)) => runtime.forget_unused(),
            _ => Ok(0),
        }
    }

    fn prepare_for(&self, asker: Asker, spec: &GroupSpec) -> Result<Arc<dyn Guests>, PrepareError> {
        let runtime = self.runtime().map_err(|error| PrepareError::Unavailable(error.to_owned()))?;
        let group = runtime.prepare(spec, asker)?;
        Ok(Arc::new(InRuntime { runtime: Arc::clone(runtime), group }))
    }

    fn turns_of(&self, asker: Asker) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Those who neither work nor wait need not be remembered.
        turns.retain(|_, turns| Arc::strong_count(turns) > 1);
        Arc::clone(turns.entry(asker).or_insert_with(|| Arc::new(Semaphore::new(TURNS))))
    }
}

/// The sandbox as one asker has it: what is prepared for them takes their own places, and no one else's.
#[derive(Debug, Clone)]
pub struct AskersSandbox {
    sandbox: Arc<LazySandbox>,
    asker: Asker,
}

/// Leave to work, given back when it is dropped: take it along to where the work is done.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "it is held")] Option<OwnedSemaphorePermit>);

impl AskersSandbox {
    /// The sandbox itself.
    pub fn sandbox(&self) -> &Arc<LazySandbox> {
        &self.sandbox
    }

    /// Who asks.
    pub fn asker(&self) -> Asker {
        self.asker
    }

    /// Waits for the asker's turn, behind their own work alone. The host itself never waits.
    pub async fn turn(&self) -> Turn {
        if self.asker == Asker::Host {
            return Turn(None);
        }
        // Nobody closes it.
        Turn(self.sandbox.turns_of(self.asker).acquire_owned().await.ok())
    }
}

impl Sandbox for AskersSandbox {
    fn prepare(&self, spec: &GroupSpec) -> Result<Arc<dyn Guests>, PrepareError> {
        self.sandbox.prepare_for(self.asker, spec)
    }

    fn execute(&self, job: Job) {
        self.sandbox.execute(job);
    }
}

impl Sandbox for LazySandbox {
    fn prepare(&self, spec: &GroupSpec) -> Result<Arc<dyn Guests>, PrepareError> {
        self.prepare_for(Asker::Host, spec)
    }

    fn execute(&self, job: Job) {
        match self.runtime.get() {
            Some(Ok(runtime)) => drop(runtime.spawn(job)),
            // No group was prepared, so no guest runs: any thread will do.
            _ => drop(tokio::task::spawn_blocking(move || caught_here(WorkKind::Guest, "", job))),
        }
    }
}

struct InRuntime {
    runtime: Arc<Runtime>,
    group: Arc<Group>,
}

impl Guests for InRuntime {
    fn screens(&self) -> bool {
        self.group.screens()
    }

    fn cost(&self) -> Cost {
        self.group.cost()
    }

    fn time(&self) -> Duration {
        self.group.limits().time
    }

    fn questions(&self, filter: u32) -> &[Question] {
        self.group.questions(filter)
    }

    fn open(&self) -> Result<Box<dyn Guest>, CallFailure> {
        Ok(Box::new(GuestSession::open(&self.group)?))
    }

    fn open_full(&self) -> Result<Box<dyn Guest>, CallFailure> {
        Ok(Box::new(self.runtime.open_full(&self.group)?))
    }
}

impl Guest for GuestSession {
    fn screen(&mut self, mail: Box<Mail>, at_most: Option<Duration>) -> CallReport<ScreenResult> {
        GuestSession::screen(self, mail, at_most)
    }

    fn evaluate(&mut self, filter: u32, mail: Box<Mail>, at_most: Option<Duration>) -> CallReport<Verdict> {
        GuestSession::evaluate(self, filter, mail, at_most)
    }

    fn classify(
        &mut self,
        filter: u32,
        mail: Box<Mail>,
        scope: Scope,
        at_most: Option<Duration>,
    ) -> CallReport<Vec<Answer>> {
        GuestSession::classify(self, filter, mail, scope, at_most)
    }

    fn wait_for_room(&mut self) -> Result<(), CallFailure> {
        GuestSession::wait_for_room(self)
    }
}
