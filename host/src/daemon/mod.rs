//! The daemon: fetches, files and serves until it is told to stop.

mod lock;

pub use lock::{LockError, WorkLock, is_daemon_running};
