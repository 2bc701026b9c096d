//! The daemon: fetches, files and serves until it is told to stop.

pub mod lock;
