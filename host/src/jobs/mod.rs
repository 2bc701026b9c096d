//! Jobs: what takes long is a row that one host at a time works on, in steps, with progress that everybody sees, and
//! ends when somebody wants it to.
//!
//! A kind of job is one file behind the trait [`JobKind`], and a line in [`KINDS`]. Claims, progress, cancelling,
//! deadlines, panics and the end of hosts are [`run_next`]'s business, the same for all kinds.

mod kind;
mod replay;
mod run;

#[cfg(test)]
mod tests;

pub use kind::{JobError, JobKind, JobStep, JobSteps, JobTools, JobWork};
pub use run::{Pace, RunEnd, RunJob, Runner};

use replay::Replay;

/// The kinds that there are.
pub static KINDS: [&dyn JobKind; 1] = [&Replay];
