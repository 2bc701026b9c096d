//! One process at a time works on the messages of a data folder: the daemon, or a command where no daemon runs. It
//! holds a lock on the file `worker.lock` there for as long as it lives, and is known to other hosts by the folder's
//! own id.

use crate::spool::leases::Host;
use postigo_files::data_folder;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
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
        let mut file = File::open(data.join(FILE)).ok()?;
        kept_id(&mut file).ok()?
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

/// The folder's id: made once, kept for ever.
fn folder_id(file: &mut File) -> io::Result<String> {
    let id = kept_id(file)?.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    write_lines(file, &id, &format!("command {}", std::process::id()))?;
    Ok(id)
}

/// The id that a file has, if it was made for this very file: a copy of a folder is another folder, and two daemons with
/// one id would take one another's work.
fn kept_id(file: &mut File) -> io::Result<Option<String>> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let mut lines = text.lines();
    let id = lines.next().and_then(|line| uuid::Uuid::parse_str(line).ok());
    let inode = lines.nth(1).and_then(|line| line.strip_prefix("inode ")?.parse::<u64>().ok());
    // Earlier versions did not write which file it is.
    let is_own = match inode {
        Some(inode) => file.metadata()?.ino() == inode,
        None => true,
    };
    Ok(id.filter(|_| is_own).map(|id| id.to_string()))
}

/// Writes the folder's id; who works, for people; which file this is.
fn write_lines(file: &mut File, id: &str, holder: &str) -> io::Result<()> {
    file.rewind()?;
    let text = format!("{id}\n{holder}\ninode {}\n", file.metadata()?.ino());
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_folder_has_an_id_of_its_own_and_keeps_it() {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = |data: &Path| WorkLock::try_acquire(data).unwrap().unwrap().host().id.clone();
        let own = id(folder.path());
        std::fs::copy(folder.path().join(FILE), copy.path().join(FILE)).unwrap();
        assert_eq!(WorkLock::folder_id(copy.path()), None, "nobody has worked in the copy");
        let other = id(copy.path());
        assert_ne!(other, own);
        assert_eq!((id(copy.path()), id(folder.path())), (other.clone(), own.clone()));
        assert_eq!(WorkLock::folder_id(copy.path()), Some(other));
        // An earlier version wrote two lines.
        std::fs::write(folder.path().join(FILE), format!("{own}\ncommand 1\n")).unwrap();
        assert_eq!(id(folder.path()), own);
    }

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
