//! A PostgreSQL server of the machine's own packages, in a temporary folder, with a database for whoever asks.

use super::ports::free_port;
use postigo_skipped::skipped;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running server; stopped when dropped.
pub struct Postgres {
    folder: PathBuf,
    /// Removes the folder in the end, unless it is to be kept.
    _temporary: Option<tempfile::TempDir>,
    programs: PathBuf,
    port: u16,
    /// PostgreSQL refuses to run as root: then it runs as the user `postgres`.
    user: Option<(u32, u32)>,
    databases: AtomicU32,
}

impl Postgres {
    /// Starts a server with `fsync` on; none, and the reason printed, where PostgreSQL is not installed.
    ///
    /// # Panics
    /// If it is installed and does not start.
    pub fn start() -> Option<Self> {
        let programs = found()?;
        let temporary = tempfile::Builder::new().prefix("postigo-postgres-").tempdir().expect("a temporary folder");
        let folder = temporary.path().to_owned();
        Some(Self::start_in(folder, Some(temporary), programs))
    }

    /// The same in a folder that is kept, with the databases that are there.
    ///
    /// # Panics
    /// If it is installed and does not start, or the folder cannot be made.
    pub fn kept(folder: &Path) -> Option<Self> {
        let programs = found()?;
        std::fs::create_dir_all(folder).expect("a folder that can be made");
        Some(Self::start_in(folder.to_owned(), None, programs))
    }

    fn start_in(folder: PathBuf, temporary: Option<tempfile::TempDir>, programs: PathBuf) -> Self {
        let user = unprivileged();
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group)).expect("the folder goes to the user postgres");
        }
        let server =
            Self { folder, _temporary: temporary, programs, port: free_port(), user, databases: AtomicU32::new(0) };
        let data = server.data();
        if !data.exists() {
            succeeded(
                &server
                    .command("initdb")
                    .arg("-D")
                    .arg(&data)
                    .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"])
                    .output(),
            );
        }
        server.resume();
        server
    }

    /// Starts the server again after [`Self::stop`], and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn resume(&self) {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=on -c max_connections=200",
            self.port,
            self.folder.display()
        );
        let log = self.folder.join("log");
        let mut command = self.command("pg_ctl");
        command.arg("-D").arg(self.data()).arg("-l").arg(log).args(["-w", "-o", &options, "start"]);
        // The server outlives pg_ctl and would keep a pipe open.
        let status = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "PostgreSQL did not start; its log is in {}",
            self.folder.display()
        );
    }

    /// Ends the server as a crash would.
    pub fn stop(&self) {
        let _ = self.command("pg_ctl").arg("-D").arg(self.data()).args(["-m", "immediate", "-w", "stop"]).output();
    }

    /// Makes an empty database and gives its URL.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let port = self.port.to_string();
        succeeded(&self.command("createdb").args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", &name]).output());
        self.url(&name)
    }

    /// The URL of a database, which may be there or not.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Makes the database of this name anew, empty, and gives its URL.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn anew(&self, name: &str) -> String {
        let port = self.port.to_string();
        let place = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres"];
        succeeded(&self.command("dropdb").args(place).args(["--if-exists", name]).output());
        succeeded(&self.command("createdb").args(place).arg(name).output());
        self.url(name)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(&self.folder).env("LC_ALL", "C");
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn succeeded(output: &std::io::Result<Output>) {
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("PostgreSQL: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("PostgreSQL: {error}"),
    }
}

/// The programs, or why there are none.
fn found() -> Option<PathBuf> {
    let found = programs();
    if found.is_none() {
        skipped("PostgreSQL is not installed (no initdb in /usr/lib/postgresql/*/bin or PATH)");
    }
    found
}

/// The folder with `initdb`: Debian's newest version, else from PATH.
fn programs() -> Option<PathBuf> {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let mut folders: Vec<PathBuf> = versions.filter(|folder| folder.join("initdb").exists()).collect();
    folders.sort();
    folders.pop().or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    })
}

/// Ids of the user `postgres`, if this process is root.
fn unprivileged() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    (id(&["-u"])? == 0).then(|| Some((id(&["-u", "postgres"])?, id(&["-g", "postgres"])?)))?
}
