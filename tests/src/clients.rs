//! Tools that integrators use on the OpenAPI document, as `.ci/setup --tests` installs them: a validator, makers of
//! clients, a compiler.

use crate::gate::binary;
use postigo_skipped::skipped;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The tools, and a folder to work in, gone when dropped.
pub struct ClientTools {
    installed: PathBuf,
    folder: tempfile::TempDir,
}

impl ClientTools {
    /// Nothing where they are not installed.
    pub fn start() -> Option<Self> {
        let installed = binary().ancestors().nth(2).map(|target| target.join("clients"))?;
        for tool in ["python", "node"] {
            if !installed.join(tool).join("installed").exists() {
                skipped("what makes clients of the OpenAPI document is not installed (make setup)");
                return None;
            }
        }
        let folder = tempfile::Builder::new().prefix("postigo-clients-").tempdir().ok()?;
        Some(Self { installed, folder })
    }

    /// The folder to work in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Copies a program of `tests/clients` into the folder.
    ///
    /// # Panics
    /// If there is none of this name.
    pub fn take(&self, name: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name);
        std::fs::copy(from, self.folder().join(name)).expect("a program of tests/clients");
    }

    /// Runs Python with the packages that are pinned, in the folder; gives what it said, which is the error where it ends
    /// with one.
    pub fn python(&self, arguments: &[&str]) -> Result<String, String> {
        run(Command::new(self.installed.join("python/bin/python")).current_dir(self.folder()).args(arguments))
    }

    /// Runs a program of an npm package that is pinned, in the folder; likewise.
    pub fn node(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let program = self.installed.join("node/node_modules").join(program);
        run(Command::new("node").arg(program).current_dir(self.folder()).args(arguments))
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = [String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)].concat();
    if status.success() { Ok(said) } else { Err(format!("{command:?} ended with {status}:\n{said}")) }
}
