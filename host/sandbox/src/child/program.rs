//! The program that children run: the one that this process runs, whatever lies under its name by now. A package's
//! upgrade replaces the file while the daemon goes on, and the two of them may speak to one another in other words.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What the system has the running program under, whatever became of its name (proc(5)).
const RUNNING: &str = "/proc/self/exe";

/// What to start as a child of this very program: the running file itself where the system shows it, else its name.
pub fn own_program() -> io::Result<PathBuf> {
    if fs::metadata(RUNNING).is_ok() { Ok(RUNNING.into()) } else { std::env::current_exe() }
}

/// Which program a child was to be: the first word that its parent says, the same in all versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramIdentity {
    /// Of Postigo.
    version: String,
    /// Which build; none: it cannot be told.
    #[serde(default)]
    file: Option<FileIdentity>,
}

/// What differs where a file was replaced. Not its time: whoever touches a file changes nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileIdentity {
    device: u64,
    inode: u64,
    /// Bytes.
    size: u64,
}

impl ProgramIdentity {
    /// Of a program of this version; to be asked for before the program is replaced.
    pub fn of(program: &Path) -> Self {
        let file = fs::metadata(program).ok().map(|file| FileIdentity {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
        });
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), file }
    }

    /// Whether this process is that program. The error says what to do, a clause.
    pub fn check(&self) -> Result<(), String> {
        let own = Self::of(Path::new(RUNNING));
        let same_file = self.file.is_none() || own.file.is_none() || self.file == own.file;
        if self.version == own.version && same_file {
            return Ok(());
        }
        let what = if self.version == own.version { "another build of it" } else { "another version" };
        Err(format!(
            "the program was replaced since this host was started: that is version {}, and the program {what} ({}); start it again",
            self.version, own.version
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_replaced_is_told_from_the_one_that_runs() {
        let running = ProgramIdentity::of(&own_program().unwrap());
        assert!(running.file.is_some());
        assert_eq!(running.check(), Ok(()));
        assert_eq!(ProgramIdentity::of(Path::new("/nonexistent")).check(), Ok(()), "of what cannot be told nothing is");
        let copy = tempfile::NamedTempFile::new().unwrap();
        assert!(ProgramIdentity::of(copy.path()).check().unwrap_err().contains("another build"));
        let later = ProgramIdentity { version: "99.0.0".into(), ..running };
        assert!(later.check().unwrap_err().contains("that is version 99.0.0"));
        let read: ProgramIdentity = serde_json::from_str(r#"{"version":"99.0.0","more":1}"#).unwrap();
        assert!(read.check().is_err(), "what other versions say besides is no obstacle");
    }
}
