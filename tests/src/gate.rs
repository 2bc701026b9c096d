//! Postigo as its users have it: the binary, with a data folder of its own.

use super::postgres::Postgres;
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A wait longer than this has failed.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// A data folder, perhaps with its state in PostgreSQL.
pub struct Gate {
    folder: PathBuf,
    /// Removes the folder in the end, unless it is to be kept.
    _temporary: Option<tempfile::TempDir>,
    database: Option<String>,
    key: Option<PathBuf>,
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    child: Child,
    /// Where REST is served: `http://127.0.0.1:PORT`.
    pub url: String,
    /// What it says on standard error, line by line.
    pub lines: Receiver<String>,
}

impl Gate {
    /// A fresh folder with the embedded database.
    ///
    /// # Panics
    /// If there is no temporary folder.
    pub fn new() -> Self {
        let temporary = tempfile::Builder::new().prefix("postigo-data-").tempdir().expect("a temporary folder");
        Self { folder: temporary.path().to_owned(), _temporary: Some(temporary), database: None, key: None }
    }

    /// A folder that is kept, with the state in it, or in a database where one is named.
    pub fn kept(folder: &Path, database: Option<&str>) -> Self {
        Self { folder: folder.to_owned(), _temporary: None, database: database.map(str::to_owned), key: None }
    }

    /// A fresh folder with the state in this database; hosts that share one share the first one's key.
    pub fn on_postgres(url: &str, first: Option<&Self>) -> Self {
        Self { database: Some(url.to_owned()), key: first.map(|first| first.folder().join("key")), ..Self::new() }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its database is, as sqlx names it; the embedded one is there from the first command on.
    pub fn database_url(&self) -> String {
        let embedded = || format!("sqlite://{}/postigo.db", self.folder().display());
        self.database.clone().unwrap_or_else(embedded)
    }

    /// The binary with the options that name its folder and database.
    pub fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.arg("--data").arg(self.folder());
        if let Some(url) = &self.database {
            command.args(["--database", url]);
        }
        if let Some(key) = &self.key {
            command.arg("--key").arg(key);
        }
        command.env_remove("POSTIGO_LOG").env("POSTIGO_CACHE", cache());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// If the binary is missing.
    pub fn try_run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.command().args(arguments).output().expect("the binary postigo is built (cargo build)")
    }

    /// Runs a command that must be refused (status 1), and gives what it says on standard error.
    ///
    /// # Panics
    /// If it ends otherwise.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
        said
    }

    /// Runs a command that must succeed, and gives its standard output.
    ///
    /// # Panics
    /// If it fails.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "postigo {arguments:?} ended with {}: {error}{out}", output.status);
        out.into_owned()
    }

    /// Runs a command with `--json`: its lines, read.
    ///
    /// # Panics
    /// If it fails or prints something else.
    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let printed = self.run(&[arguments, &["--json"]].concat());
        serde_json::Deserializer::from_str(&printed).into_iter().collect::<Result<_, _>>().expect("JSON")
    }

    /// Applies a configuration.
    ///
    /// # Panics
    /// If it is refused.
    pub fn configure(&self, toml: &str) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(toml.as_bytes()).expect("a temporary file");
        self.run(&["config", "apply", &file.path().display().to_string()]);
    }

    /// Starts the daemon and waits until it serves. `log` is its `POSTIGO_LOG`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn serve(&self, log: &str) -> Daemon {
        Daemon::start(self.command().env("POSTIGO_LOG", log))
    }

    /// The same with further options of `serve`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn serve_with(&self, log: &str, options: &[&str]) -> Daemon {
        // Before the options that every daemon has.
        Daemon::start_with(self.command().env("POSTIGO_LOG", log), options)
    }

    /// The same with options of `serve`, where the process may open so many files.
    ///
    /// # Panics
    /// If it does not start.
    pub fn serve_within(&self, files: usize, log: &str, options: &[&str]) -> Daemon {
        let own = self.command();
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")])
            .arg(own.get_program())
            .args(own.get_args());
        for (name, value) in own.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        Daemon::start_with(command.env("POSTIGO_LOG", log), options)
    }

    /// How many tickets there are, by title.
    pub fn titles(&self) -> Vec<String> {
        let tickets = self.json(&["ticket", "list", "--limit", "100000"]);
        let mut titles: Vec<String> =
            tickets.iter().map(|ticket| ticket["title"].as_str().unwrap_or_default().to_owned()).collect();
        titles.sort();
        titles
    }

    /// How many messages wait or are worked on.
    pub fn on_their_way(&self) -> usize {
        ["waiting", "claimed"]
            .iter()
            .map(|status| self.json(&["spool", "list", "--status", status, "--limit", "100000"]).len())
            .sum()
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Daemon {
    /// Starts a daemon by a command that has everything but `serve`, and waits until it serves.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command, &[])
    }

    fn start_with(command: &mut Command, options: &[&str]) -> Self {
        let (mut daemon, said) = Self::spawn_with(command, options);
        let end = Instant::now() + PATIENCE;
        loop {
            let Ok(line) = said.recv_timeout(end.saturating_duration_since(Instant::now())) else {
                let _ = daemon.child.kill();
                panic!("the daemon did not start: {}", daemon.lines.iter().collect::<Vec<_>>().join("\n"));
            };
            if let Some((_, address)) = line.split_once("http://") {
                let address = address.split([' ', '"']).next().unwrap_or_default();
                daemon.url = format!("http://{address}");
                return daemon;
            }
        }
    }

    /// Starts a daemon and waits for nothing; what it says on standard output comes beside it.
    ///
    /// # Panics
    /// If there is no such program.
    pub fn spawn(command: &mut Command) -> (Self, Receiver<String>) {
        Self::spawn_with(command, &[])
    }

    fn spawn_with(command: &mut Command, options: &[&str]) -> (Self, Receiver<String>) {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary postigo is built (cargo build)");
        let lines = forward(child.stderr.take().expect("piped"));
        let said = forward(child.stdout.take().expect("piped"));
        (Self { child, url: String::new(), lines }, said)
    }

    /// Waits for a line on standard error.
    ///
    /// # Panics
    /// If it does not come.
    pub fn wait_for(&self, what: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(what) => return line,
                Ok(line) => seen.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("the daemon never said {what:?}, but: {}", seen.join("\n")),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the daemon ended before it said {what:?}: {}", seen.join("\n"))
                }
            }
        }
    }

    /// The port of its REST listener.
    ///
    /// # Panics
    /// If it does not serve.
    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }

    /// How many descriptors it has open.
    ///
    /// # Panics
    /// If it has ended.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("a process of ours").count()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGSTOP, SIGCONT, SIGTERM and the like.
    ///
    /// # Panics
    /// If there is no `kill`.
    pub fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// If it ends with an error.
    pub fn stop(mut self) {
        self.signal("TERM");
        let status = self.child.wait().expect("a child");
        assert!(
            status.success(),
            "the daemon ended with {status}: {}",
            self.lines.try_iter().collect::<Vec<_>>().join("\n")
        );
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client for REST that waits so long at most.
///
/// # Panics
/// If it cannot be made.
pub fn http_client(patience: Duration) -> reqwest::blocking::Client {
    // The first call counts; a second is refused, which is as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::blocking::Client::builder().timeout(patience).build().expect("a client for HTTP")
}

/// Whether the proofs are to run in full (`make proof`), not sampled.
pub fn is_full() -> bool {
    std::env::var("POSTIGO_PROOF").is_ok_and(|wish| wish == "full")
}

/// Tests a gate on the embedded database, and one on PostgreSQL where it is there.
pub fn on_both(test: impl Fn(&Gate)) {
    test(&Gate::new());
    if let Some(server) = Postgres::start() {
        test(&Gate::on_postgres(&server.database(), None));
    }
}

/// Waits until something holds, asking again and again: for what no event tells.
///
/// # Panics
/// If it does not come to hold.
pub fn until(what: &str, patience: Duration, holds: impl FnMut() -> bool) {
    until_or(patience, holds, || what.to_owned());
}

/// The same, where what is said in the end is only known then.
///
/// # Panics
/// If it does not come to hold.
pub fn until_or(patience: Duration, mut holds: impl FnMut() -> bool, what: impl Fn() -> String) {
    let end = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < end, "in vain: {}", what());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn forward(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                // Nobody listens, but the pipe must not fill.
            }
        }
    });
    lines
}

/// `POSTIGO_BINARY`, else the one of the profile that this test was built with.
///
/// # Panics
/// If the test lies nowhere.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("POSTIGO_BINARY") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/test");
    profile.join("postigo")
}

/// Compiled code is kept between tests.
fn cache() -> PathBuf {
    binary().with_file_name("test-cache")
}
