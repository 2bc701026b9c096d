//! The chain's sandbox over the WebAssembly runtime.

use super::guests::{Guest, Guests, Job, Sandbox};
use crate::mail::Mail;
use crate::runtime::{Called, Cost, Failure, Group, GroupSpec, PrepareError, Runtime, RuntimeOptions, Screened, Session, Verdict};
use crate::supervision::{Work, caught_here};
use std::sync::{Arc, OnceLock};

/// A runtime that is started when the first group is prepared: without filters, none is needed.
pub struct LazySandbox {
    options: RuntimeOptions,
    runtime: OnceLock<Result<Arc<Runtime>, String>>,
}

impl std::fmt::Debug for LazySandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LazySandbox").field("options", &self.options).finish_non_exhaustive()
    }
}

impl LazySandbox {
    /// Nothing is started yet.
    pub fn new(options: RuntimeOptions) -> Self {
        Self { options, runtime: OnceLock::new() }
    }

    /// What the runtime is started with.
    pub fn options(&self) -> &RuntimeOptions {
        &self.options
    }

    /// The runtime, started if it was not; the error is a sentence.
    pub fn runtime(&self) -> Result<&Arc<Runtime>, &str> {
        let started = self.runtime.get_or_init(|| Runtime::start(self.options.clone()).map_err(|error| error.to_string()));
        started.as_ref().map_err(String::as_str)
    }
}

impl Sandbox for LazySandbox {
    fn prepare(&self, spec: &GroupSpec) -> Result<Arc<dyn Guests>, PrepareError> {
        let runtime = self.runtime().map_err(|error| PrepareError::Unavailable(error.to_owned()))?;
        let group = runtime.prepare(spec)?;
        Ok(Arc::new(InRuntime { runtime: Arc::clone(runtime), group }))
    }

    fn execute(&self, job: Job) {
        match self.runtime.get() {
            Some(Ok(runtime)) => drop(runtime.spawn(job)),
            // No group was prepared, so no guest runs: any thread will do.
            _ => drop(tokio::task::spawn_blocking(move || caught_here(Work::Guest, "", job))),
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

    fn open(&self) -> Result<Box<dyn Guest>, Failure> {
        Ok(Box::new(Group::open(&self.group)?))
    }

    fn open_full(&self) -> Result<Box<dyn Guest>, Failure> {
        Ok(Box::new(self.runtime.open_full(&self.group)?))
    }
}

impl Guest for Session {
    fn screen(&mut self, mail: Box<Mail>) -> Called<Screened> {
        Session::screen(self, mail)
    }

    fn evaluate(&mut self, filter: u32, mail: Box<Mail>) -> Called<Verdict> {
        Session::evaluate(self, filter, mail)
    }
}
