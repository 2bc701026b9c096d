//! A MariaDB server of the machine's own packages, in a temporary folder, on a socket alone.

use postigo_skipped::skipped;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that does not answer by then never will.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running server; stopped when dropped.
pub struct MariaDb {
    folder: tempfile::TempDir,
    server: Child,
}

impl MariaDb {
    /// Starts a server with an empty database `desk`; none, and the reason printed, where MariaDB is not installed.
    ///
    /// # Panics
    /// If it is installed and does not start.
    pub fn start() -> Option<Self> {
        if !["/usr/sbin/mariadbd", "/usr/bin/mariadb-install-db"].iter().all(|path| Path::new(path).exists()) {
            skipped("MariaDB is not installed (no /usr/sbin/mariadbd)");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("postigo-mariadb-").tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let user = user();
        let made = Command::new("/usr/bin/mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--user={user}"))
            .output();
        let made = made.expect("mariadb-install-db can be run");
        assert!(made.status.success(), "MariaDB: {}", String::from_utf8_lossy(&made.stderr));
        let server = Command::new("/usr/sbin/mariadbd")
            .args(["--no-defaults", "--skip-networking", "--innodb-buffer-pool-size=16M"])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", folder.path().join("socket").display()))
            .arg(format!("--pid-file={}", folder.path().join("pid").display()))
            .arg(format!("--user={user}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mariadbd can be run");
        let started = Self { folder, server };
        let begun = Instant::now();
        while started.try_run("mysql", "SELECT 1;").is_err() {
            assert!(begun.elapsed() < PATIENCE, "MariaDB did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        started.try_run("mysql", "CREATE DATABASE desk CHARACTER SET utf8mb4;").expect("a database that is made");
        Some(started)
    }

    /// Runs statements in the database `desk`, as the command `mysql --batch --raw --skip-column-names` does, and gives what it
    /// prints.
    ///
    /// # Panics
    /// If the server refuses.
    pub fn run(&self, statements: &str) -> String {
        self.try_run("desk", statements).unwrap_or_else(|error| panic!("MariaDB: {error}"))
    }

    fn try_run(&self, database: &str, statements: &str) -> Result<String, String> {
        let mut client = Command::new("/usr/bin/mariadb")
            .args(["--no-defaults", "--default-character-set=utf8mb4", "--batch", "--raw", "--skip-column-names"])
            .arg(format!("--socket={}", self.folder.path().join("socket").display()))
            .args(["--user=root", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let written = client.stdin.take().map(|mut input| input.write_all(statements.as_bytes()));
        let output = client.wait_with_output().map_err(|error| error.to_string())?;
        if !output.status.success() || !matches!(written, Some(Ok(()))) {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        String::from_utf8(output.stdout).map_err(|error| error.to_string())
    }
}

/// The user that runs these tests: MariaDB runs as root where it is told so.
fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("`id` can be run");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
