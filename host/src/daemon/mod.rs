//! The daemon: fetches, files and serves until it is told to stop.
//!
//! It meets commands and other daemons in the database alone: leases say who works on an account, the configuration's
//! version says what changed, requests say what is wanted now.

mod fetching;
mod jobs;
mod listening;
mod overview;
mod presence;
mod retention;
mod serve;
mod shares;
mod signing_in;
mod summing;
mod working;

#[cfg(test)]
mod tests;

pub use fetching::until_worked_off;
pub use serve::{Clients, Daemon, Front, ServeError};
