//! The data folder belongs to the user that the daemon runs as, and an admin runs commands as root; and the key is lost.

use postigo_tests::gate::{Daemon, Gate, PATIENCE, http_client};
use postigo_tests::mails::large_mail;
use serde_json::Value;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The daemon's user.
const NOBODY: u32 = 65_534;

/// Only root leaves files that others cannot read.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// With the caches in the data folder, as it is by default.
fn command(gate: &Gate) -> Command {
    let mut command = gate.command();
    command.env_remove("POSTIGO_CACHE");
    command
}

fn run(gate: &Gate, arguments: &[&str]) -> String {
    let output = command(gate).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn serve(gate: &Gate) -> Daemon {
    Daemon::start(command(gate).uid(NOBODY).gid(NOBODY).env("POSTIGO_LOG", "warn"))
}

/// Makes an account that has a password, and from which nothing is fetched.
fn set_account_with_password(gate: &Gate) {
    run(
        gate,
        &[
            "account",
            "set",
            "main",
            "protocol=imaps",
            "host=127.0.0.1",
            "port=1",
            "user=u",
            "password=secret",
            "valid=false",
        ],
    );
}

fn everything(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { [vec![path.clone()], everything(&path)].concat() } else { vec![path] })
        .collect()
}

fn readiness(daemon: &Daemon) -> (u16, Value) {
    let answer = http_client(PATIENCE).get(format!("{}/readyz", daemon.url)).send().unwrap();
    (answer.status().as_u16(), answer.json().unwrap())
}

#[test]
fn what_a_command_of_root_makes_is_read_by_the_daemon_of_another_user() {
    if !is_root() {
        return;
    }
    let gate = Gate::new();
    chown(gate.folder(), Some(NOBODY), Some(NOBODY)).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let (large, elsewhere) = (outside.path().join("large.eml"), outside.path().join("elsewhere"));
    std::fs::write(&large, large_mail(1, 600_000)).unwrap();
    std::fs::write(&elsewhere, "root's").unwrap();
    set_account_with_password(&gate);
    run(
        &gate,
        &[
            "filter",
            "set",
            "mark",
            "component=match",
            "settings.when=[{\"header\": \"Subject\", \"matches\": \"x\"}]",
            "settings.set=[{\"header\": \"X-OTOBO-Queue\", \"value\": \"Misc\"}]",
        ],
    );
    run(&gate, &["ingest", large.to_str().unwrap()]);
    // Compiled code may be written until the process ends: what the daemon cannot read of it, it makes anew.
    let code = gate.folder().join("cache/code");
    for path in everything(gate.folder()).into_iter().filter(|path| !path.starts_with(&code)) {
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY), "{}", path.display());
    }
    // What leads elsewhere, or stands there too, is not given away.
    symlink(&elsewhere, gate.folder().join("cache/link")).unwrap();
    std::fs::hard_link(&elsewhere, gate.folder().join("cache/linked")).unwrap();
    run(&gate, &["queue", "list"]);
    assert_eq!(std::fs::metadata(&elsewhere).unwrap().uid(), 0);

    let daemon = serve(&gate);
    assert_eq!(readiness(&daemon).0, 200);
    std::fs::write(&large, large_mail(2, 600_000)).unwrap();
    let filed = run(&gate, &["ingest", "--json", large.to_str().unwrap()]);
    assert!(filed.contains("\"status\":\"filed\""), "{filed}");
    run(&gate, &["account", "set", "main", "password=another"]);
    assert_eq!(readiness(&daemon).0, 200);

    // What something else made is named.
    for name in ["key", "objects"] {
        let path = gate.folder().join(name);
        chown(&path, Some(0), Some(0)).unwrap();
        let (status, report) = readiness(&daemon);
        let told = report["unreadable"].to_string();
        assert!(status == 503 && report["ready"] == false && told.contains(path.to_str().unwrap()), "{report:#}");
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        assert_eq!(readiness(&daemon).0, 200);
    }
    daemon.stop();
}

#[test]
fn a_lost_key_is_an_error_and_no_other_takes_its_place() {
    let gate = Gate::new();
    set_account_with_password(&gate);
    let (key, backup) = (gate.folder().join("key"), gate.folder().join("backup"));
    std::fs::rename(&key, &backup).unwrap();
    for arguments in [
        &["account", "list"][..],
        &["account", "set", "main", "password=another"],
        &["serve", "--listen", "127.0.0.1:0"],
        &["fetch", "--account", "main"],
    ] {
        let output = gate.try_run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(1) && said.contains("it is missing") && said.contains("--key FILE"),
            "{arguments:?}: {output:?}"
        );
        assert!(!key.exists(), "{arguments:?}");
    }
    std::fs::rename(&backup, &key).unwrap();
    gate.run(&["account", "list"]);
}
