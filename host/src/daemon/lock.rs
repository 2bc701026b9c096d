//! Tells commands whether a daemon runs on a data folder: it holds a lock on the file `daemon.lock` there for as long as it lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Commands hold the lock for the blink of an eye when they ask; a daemon that starts waits for them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Held by the daemon; the operating system releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct DaemonLock(#[expect(dead_code, reason = "held, never read")] File);

/// Why a daemon cannot run on a folder.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another one does.
    #[error("Another daemon runs on the folder {} already (it holds {}). Stop it first, or name another folder with --data.", .0.display(), file_name())]
    Held(PathBuf),
    /// The file cannot be made or locked.
    #[error("The lock file {} cannot be used: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

fn file_name() -> &'static str {
    "daemon.lock"
}

impl DaemonLock {
    /// Takes the lock of a data folder, which exists, and writes the process id into its file, for people.
    pub fn acquire(data: &Path) -> Result<Self, LockError> {
        let path = data.join(file_name());
        let failed = |reason| LockError::Io { path: path.clone(), reason };
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                Err(TryLockError::WouldBlock) => return Err(LockError::Held(data.to_owned())),
                Err(TryLockError::Error(reason)) => return Err(failed(reason)),
            }
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self(file))
    }
}

/// Whether a daemon runs on this data folder now.
pub fn is_running(data: &Path) -> bool {
    File::open(data.join(file_name())).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_daemon_and_commands_see_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_running(folder.path()));
        let held = DaemonLock::acquire(folder.path()).unwrap();
        assert!(is_running(folder.path()));
        let error = DaemonLock::acquire(folder.path()).unwrap_err();
        assert!(matches!(error, LockError::Held(_)), "{error}");
        drop(held);
        assert!(!is_running(folder.path()));
        DaemonLock::acquire(folder.path()).unwrap();
    }
}
