//! A PostgreSQL server of the machine's own packages, in a temporary folder, with a database for whoever asks.

use super::ports::free_port;
use postigo_skipped::skipped;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running server; stopped when dropped.
pub struct Postgres {
    folder: tempfile::TempDir,
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
        let Some(programs) = programs() else {
            skipped("PostgreSQL is not installed (no initdb in /usr/lib/postgresql/*/bin or PATH)");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("postigo-postgres-").tempdir().expect("a temporary folder");
        let user = unprivileged();
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group)).expect("the folder goes to the user postgres");
        }
        let server = Self { folder, programs, port: free_port(), user, databases: AtomicU32::new(0) };
        let data = server.data();
        succeeded(
            &server
                .command("initdb")
                .arg("-D")
                .arg(&data)
                .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"])
                .output(),
        );
        server.resume();
        Some(server)
    }

    /// Starts the server again after [`Self::stop`], and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn resume(&self) {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=on -c max_connections=200",
            self.port,
            self.folder.path().display()
        );
        let log = self.folder.path().join("log");
        let mut command = self.command("pg_ctl");
        command.arg("-D").arg(self.data()).arg("-l").arg(log).args(["-w", "-o", &options, "start"]);
        // The server outlives pg_ctl and would keep a pipe open.
        let status = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "PostgreSQL did not start; its log is in {}",
            self.folder.path().display()
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
        format!("postgres://postgres@127.0.0.1:{port}/{name}")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).env("LC_ALL", "C");
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
