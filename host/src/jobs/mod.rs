//! Jobs: what takes long is a row that one host at a time works on, in steps, with progress that everybody sees, and
//! ends when somebody wants it to.
//!
//! A kind of job is one file behind the trait [`JobKind`], and a line in [`KINDS`]. Claims, progress, cancelling,
//! deadlines, panics and the end of hosts are [`Runner::run_next`]'s business, the same for all kinds.

pub mod exports;
mod kind;
mod log_export;
mod replay;
mod run;
mod training;

#[cfg(test)]
mod tests;

pub use kind::{JobError, JobKind, JobStep, JobSteps, JobTools, JobWork};
pub use run::{NOTED, Pace, RunEnd, RunJob, Runner};

use log_export::LogExport;
use replay::Replay;
use training::Training;

/// Refuses a name that no kind has: a sentence.
pub fn check_kind(name: &str) -> Result<(), String> {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
    if names.contains(&name) {
        return Ok(());
    }
    Err(format!("\"{name}\" is no kind of job; there are: {}.", names.join(", ")))
}

/// The kinds that there are.
pub static KINDS: [&dyn JobKind; 3] = [&Replay, &LogExport, &Training];
