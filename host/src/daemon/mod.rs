//! The daemon: fetches, files and serves until it is told to stop.

mod fetching;
mod lock;
mod pause;
mod shares;

pub use lock::{LockError, WorkLock, is_daemon_running};
