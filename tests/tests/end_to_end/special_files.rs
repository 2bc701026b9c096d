//! What strangers may lay into folders that Postigo reads, and who may read the folder that is its own.

use postigo_tests::gate::Gate;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const MAIL: &str = "From: a@example.com\nSubject: true mail\nMessage-ID: <1@example.com>\n\nx\n";

/// A Maildir with one mail, and beside it a link to another's file, one to a device without end, and a named pipe.
fn maildir_with_traps(folder: &Path) -> PathBuf {
    let maildir = folder.join("Maildir");
    let new = maildir.join("new");
    std::fs::create_dir_all(&new).expect("ours");
    std::fs::create_dir(maildir.join("cur")).expect("ours");
    let other = folder.join("of another");
    std::fs::write(&other, "From: b@example.com\nSubject: of another\n\nx\n").expect("ours");
    symlink(&other, new.join("1700000000.link.host")).expect("ours");
    symlink("/dev/zero", new.join("1700000001.zero.host")).expect("ours");
    assert!(Command::new("mkfifo").arg(new.join("1700000002.pipe.host")).status().expect("mkfifo runs").success());
    std::fs::write(new.join("1700000003.mail.host"), MAIL).expect("ours");
    maildir
}

#[test]
fn links_pipes_and_devices_in_a_maildir_are_told_of_and_hold_up_neither_a_fetch_nor_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let maildir = maildir_with_traps(folder.path());
    let gate = Gate::new();
    let here = maildir.display();
    gate.configure(&format!("[[account]]\nname = \"files\"\nprotocol = \"maildir\"\nhost = \"{here}\"\nafter_fetch = \"delete\"\n"));
    let daemon = gate.serve("warn");
    let report = gate.json(&["fetch", "--account", "files"]).pop().expect("a report");
    let figures = ["seen", "new", "told", "unreadable"].map(|key| report[key].as_u64().unwrap_or_default());
    assert_eq!(figures, [4, 1, 1, 3], "{report}");
    assert_eq!(gate.titles(), ["true mail"]);
    let log = gate.run(&["log", "list", "--priority", "warning", "--json"]);
    let id = serde_json::from_str::<serde_json::Value>(log.lines().next().expect("a communication")).expect("JSON")["id"].to_string();
    let entries = gate.run(&["log", "show", id.trim_matches('"'), "--priority", "warning"]);
    for said in ["1700000000.link.host is a link", "1700000001.zero.host is a link", "1700000002.pipe.host is a named pipe"] {
        assert!(entries.contains(said), "{said:?} is not in {entries}");
    }
    assert!(maildir.join("new/1700000000.link.host").is_symlink() && folder.path().join("of another").exists());
    daemon.stop();
}

#[test]
fn links_pipes_and_devices_are_no_mail_for_ingest() {
    let folder = tempfile::tempdir().expect("a folder");
    let maildir = maildir_with_traps(folder.path());
    let gate = Gate::new();
    let output = gate.try_run(["ingest", &maildir.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("not a regular file").count(), 3, "{said}");
    assert_eq!(gate.titles(), ["true mail"]);
    for path in [maildir.join("new/1700000002.pipe.host"), "/dev/zero".into()] {
        let said = String::from_utf8_lossy(&gate.try_run(["ingest", &path.display().to_string()]).stderr).into_owned();
        assert!(said.contains("not a regular file"), "{said}");
    }
}

/// What others than the owner and its group may read, write or look into.
fn open_to_all(folder: &Path) -> Vec<String> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let mode = path.symlink_metadata().expect("it is there").mode();
        if mode & 0o007 != 0 {
            open.push(format!("{} {mode:o}", path.display()));
        } else if path.is_dir() {
            open.extend(open_to_all(&path));
        }
    }
    open
}

#[test]
fn in_a_data_folder_that_everybody_can_look_into_nobody_else_can_read_a_file() {
    let gate = Gate::new();
    std::fs::set_permissions(gate.folder(), std::fs::Permissions::from_mode(0o755)).expect("ours");
    let large = gate.folder().join("large.eml");
    std::fs::write(&large, [MAIL, &"a line of a large mail\n".repeat(20_000)].concat()).expect("ours");
    gate.run(&["ingest", &large.display().to_string()]);
    std::fs::remove_file(large).expect("ours");
    assert!(gate.folder().join("objects").is_dir());
    assert_eq!(open_to_all(gate.folder()), Vec::<String>::new());
    // As a release before this one left them.
    for name in ["postigo.db", "worker.lock", "objects"] {
        let mode = if name == "objects" { 0o755 } else { 0o644 };
        std::fs::set_permissions(gate.folder().join(name), std::fs::Permissions::from_mode(mode)).expect("ours");
    }
    gate.serve("warn").stop();
    assert_eq!(open_to_all(gate.folder()), Vec::<String>::new());
}
