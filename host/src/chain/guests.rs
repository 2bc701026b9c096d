//! What the chain needs of the sandbox, so that its own rules can be tested without WebAssembly.

use crate::mail::Mail;
use crate::runtime::{Called, Cost, Failure, GroupSpec, PrepareError, Screened, Verdict};
use std::sync::Arc;

/// Work for a thread that guests may run on.
pub type Job = Box<dyn FnOnce() + Send>;

/// Prepares groups and runs what calls them.
pub trait Sandbox: Send + Sync {
    /// Configures a group; takes as long as compiling and configuring take.
    fn prepare(&self, spec: &GroupSpec) -> Result<Arc<dyn Guests>, PrepareError>;
    /// Runs a job on a thread that guests may occupy, soon.
    fn execute(&self, job: Job);
}

/// A prepared group of filters.
pub trait Guests: Send + Sync {
    /// Whether it can say beforehand which of its filters might match.
    fn screens(&self) -> bool;
    /// What a message pays for it.
    fn cost(&self) -> Cost;
    /// An instance for one message.
    fn open(&self) -> Result<Box<dyn Guest>, Failure>;
    /// An instance for one message whose every evaluation is a full one, for dry runs and checks of the screening.
    fn open_full(&self) -> Result<Box<dyn Guest>, Failure>;
}

/// An instance of a group for one message.
pub trait Guest {
    /// Which filters might match the mail as it is now.
    fn screen(&mut self, mail: Box<Mail>) -> Called<Screened>;
    /// Judges the mail by one filter of the group.
    fn evaluate(&mut self, filter: u32, mail: Box<Mail>) -> Called<Verdict>;
}
