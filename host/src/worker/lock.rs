//! One process at a time works on the messages of a data folder: the daemon, or a command where no daemon runs. It
//! holds a lock on the file `worker.lock` there for as long as it lives, and is known to other hosts by the folder's
//! own id.

use crate::spool::leases::Host;
use postigo_files::data_folder;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

const FILE: &str = "worker.lock";
/// A daemon that starts waits so long for a command that is at work.
const PATIENCE: Duration = Duration::from_secs(30);
/// A daemon never ends; but a command that asks whether one runs holds the lock for the blink of an eye.
const PATIENCE_WITH_DAEMONS: Duration = Duration::from_secs(1);
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// The right to work on a folder's messages. The operating system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct WorkLock {
    file: File,
    host: Host,
}

/// Why a process cannot work on a folder.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another one does.
    #[error("Another postigo works on the folder {} (it holds {FILE}). Stop it first, or name another folder with --data.", .0.display())]
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

impl WorkLock {
    /// Takes the lock of a data folder if nobody has it. The folder is made if it is missing.
    pub fn try_acquire(data: &Path) -> Result<Option<Self>, LockError> {
        let path = data.join(FILE);
        let failed = |reason| LockError::Io { path: path.clone(), reason };
        data_folder::make(data).map_err(failed)?;
        let mut file = data_folder::open_private(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                let id = folder_id(&mut file).map_err(failed)?;
                Ok(Some(Self { file, host: Host::new(id) }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(reason)) => Err(failed(reason)),
        }
    }

    /// Takes the lock, and waits a while for a command that is at work.
    pub async fn acquire(data: &Path) -> Result<Self, LockError> {
        let since = tokio::time::Instant::now();
        loop {
            if let Some(lock) = Self::try_acquire(data)? {
                return Ok(lock);
            }
            let patience = if held_by_daemon(data) { PATIENCE_WITH_DAEMONS } else { PATIENCE };
            if since.elapsed() > patience {
                return Err(LockError::Held(data.to_owned()));
            }
            tokio::time::sleep(LOOKS_EVERY).await;
        }
    }

    /// The id of a folder where a process has worked.
    pub fn folder_id(data: &Path) -> Option<String> {
        let text = std::fs::read_to_string(data.join(FILE)).ok()?;
        text.lines().next().map(str::to_owned)
    }

    /// Who works here: for leases.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Says that the holder is a daemon, with its process id.
    pub fn say_daemon(&mut self) -> io::Result<()> {
        write_lines(&mut self.file, &self.host.id, &format!("daemon {}", std::process::id()))
    }
}

/// Whether a daemon works on this data folder now.
pub fn is_daemon_running(data: &Path) -> bool {
    held_by_daemon(data)
        && File::open(data.join(FILE)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn held_by_daemon(data: &Path) -> bool {
    std::fs::read_to_string(data.join(FILE))
        .is_ok_and(|text| text.lines().nth(1).is_some_and(|line| line.starts_with("daemon ")))
}

/// The first line of the file: made once, kept for ever. The second tells, for people, who works.
fn folder_id(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let known = text.lines().next().and_then(|line| uuid::Uuid::parse_str(line).ok());
    let id = known.unwrap_or_else(uuid::Uuid::now_v7).to_string();
    write_lines(file, &id, &format!("command {}", std::process::id()))?;
    Ok(id)
}

fn write_lines(file: &mut File, id: &str, holder: &str) -> io::Result<()> {
    file.rewind()?;
    let text = format!("{id}\n{holder}\n");
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_has_one_worker_and_one_id_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let held = WorkLock::try_acquire(folder.path()).unwrap().unwrap();
        let (id, run) = (held.host().id.clone(), held.host().run.clone());
        assert!(WorkLock::try_acquire(folder.path()).unwrap().is_none());
        assert!(!is_daemon_running(folder.path()), "a command is no daemon");
        drop(held);
        let mut again = WorkLock::acquire(folder.path()).await.unwrap();
        again.say_daemon().unwrap();
        assert_eq!(again.host().id, id);
        assert_ne!(again.host().run, run);
        assert!(is_daemon_running(folder.path()));
        let error = WorkLock::acquire(folder.path()).await.unwrap_err();
        assert!(matches!(error, LockError::Held(_)), "{error}");
        drop(again);
        assert!(!is_daemon_running(folder.path()));
    }
}
