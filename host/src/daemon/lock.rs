//! One daemon at a time works on a data folder: it holds a lock on the file `daemon.lock` there for as long as it lives. Commands see by it
//! that one runs; other hosts know it by the folder's id, which stands in the file.

use crate::store::leases::Host;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const FILE: &str = "daemon.lock";
/// A command that asks holds the lock for the blink of an eye; a daemon that starts waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Held by the daemon; the operating system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct DaemonLock {
    _file: File,
    host: Host,
}

/// Why a daemon cannot run on a folder.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another one does.
    #[error("Another daemon runs on the folder {} already (it holds {FILE}). Stop it first, or name another folder with --data.", .0.display())]
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

impl DaemonLock {
    /// Takes the lock of a data folder, which is made if it is missing.
    pub fn acquire(data: &Path) -> Result<Self, LockError> {
        let path = data.join(FILE);
        let failed = |reason| LockError::Io { path: path.clone(), reason };
        std::fs::create_dir_all(data).map_err(failed)?;
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                Err(TryLockError::WouldBlock) => return Err(LockError::Held(data.to_owned())),
                Err(TryLockError::Error(reason)) => return Err(failed(reason)),
            }
        }
        let id = folder_id(&mut file).map_err(failed)?;
        Ok(Self { _file: file, host: Host::new(id) })
    }

    /// Who works here: for leases.
    pub fn host(&self) -> &Host {
        &self.host
    }
}

/// Whether a daemon runs on this data folder now.
pub fn is_running(data: &Path) -> bool {
    File::open(data.join(FILE)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The first line of the file, made once and kept for ever. The second is the process id, for people.
fn folder_id(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let known = text.lines().next().and_then(|line| uuid::Uuid::parse_str(line).ok());
    let id = known.unwrap_or_else(uuid::Uuid::now_v7).to_string();
    let text = format!("{id}\n{}\n", std::process::id());
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_daemon_and_one_id_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_running(folder.path()));
        let held = DaemonLock::acquire(folder.path()).unwrap();
        let (id, run) = (held.host().id.clone(), held.host().run.clone());
        assert!(is_running(folder.path()));
        let error = DaemonLock::acquire(folder.path()).unwrap_err();
        assert!(matches!(error, LockError::Held(_)), "{error}");
        drop(held);
        assert!(!is_running(folder.path()));
        let again = DaemonLock::acquire(folder.path()).unwrap();
        assert_eq!(again.host().id, id);
        assert_ne!(again.host().run, run);
    }
}
