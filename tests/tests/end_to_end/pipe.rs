//! `ingest -` as the pipe of a mail server: behind Postfix's pipe(8), in the manner of procmail, with a daemon and
//! without.

use postigo_skipped::skipped;
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::mails::{mail, mails, subject};
use postigo_tests::postfix::{Options, Postfix};
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const DESK: &str =
    "[[queue]]\nname = \"Support\"\n[[system_address]]\naddress = \"support@example.org\"\nqueue = \"Support\"\n";

fn pipe(gate: &Gate, arguments: &[&str], mail: &[u8]) -> Output {
    let mut command = gate.command();
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that is misused reads nothing.
    let _ = child.stdin.take().unwrap().write_all(mail);
    child.wait_with_output().unwrap()
}

#[test]
fn a_pipe_says_by_sysexits_whether_the_mail_is_ours() {
    let gate = Gate::new();
    gate.configure(&format!("{DESK}[[account]]\nname = \"pipe\"\nprotocol = \"local\"\nvalid = false\n"));
    for (arguments, mail, status) in [
        (&["ingest", "-"][..], &mail(0)[..], 0),
        (&["ingest", "--account", "pipe", "-"], &mail(2), 0),
        (&["ingest", "-"], &mail(0), 0),
        (&["ingest", "-"], b"", 65),
        (&["ingest", "--account", "nobody", "-"], &mail(1), 75),
        (&["ingest", "--nonsense", "-"], &mail(1), 75),
        (&["--data", "/dev/null/nowhere", "ingest", "-"], &mail(1), 75),
        (&["--database", "postgres://127.0.0.1:1/x", "ingest", "-"], &mail(1), 75),
        (&["ingest", "--nonsense", "file"], b"", 2),
    ] {
        let output = pipe(&gate, arguments, mail);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(gate.titles(), [subject(0), subject(2)]);
}

#[test]
fn the_envelope_comes_by_options_and_a_separator_line_is_not_the_mails() {
    let gate = Gate::new();
    gate.configure(DESK);
    let text = String::from_utf8(mail(0)).unwrap();
    let text = text
        .strip_prefix("Return-Path: <jane@example.com>\r\n")
        .unwrap()
        .replace("To: support@example.org\r\n", "")
        .replace("\r\n", "\n");
    let arguments = [
        "ingest",
        "--json",
        "--sender=jane@example.com",
        "--recipient=x@example.com",
        "--recipient=support+a@example.org",
        "-",
    ];
    let output = pipe(&gate, &arguments, format!("From jane@example.com  Tue Nov 24 10:00:00 2026\n{text}").as_bytes());
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&result["queue"], &result["queue_by"]),
        (&"Support".into(), &"address:support@example.org".into()),
        "{result}"
    );
    let raw = gate.run(&["article", "show", "1", "--raw"]);
    assert_eq!(raw, format!("Return-Path: <jane@example.com>\n{text}"));
    let again = pipe(&gate, &arguments, text.as_bytes());
    assert!(
        String::from_utf8_lossy(&again.stdout).contains("\"duplicate\""),
        "the separator has the time in it, and does not count"
    );
}

#[test]
fn postfix_pipes_its_mail_with_a_daemon_and_without() {
    let folder = tempfile::Builder::new().prefix("postigo-pipe-").tempdir().unwrap();
    let gate = Gate::new();
    gate.configure(DESK);
    // pipe(8) runs nothing as root.
    let Some(user) = nobody() else {
        skipped("there is no user `nobody`");
        return;
    };
    let binary = reachable_binary(&gate, folder.path());
    let service = format!(
        "postigo unix - n n - 4 pipe\n  user=nobody null_sender= argv={} --data {} --cache {} ingest --sender=${{sender}} --recipient=${{recipient}} -",
        binary.display(),
        gate.folder().display(),
        gate.folder().join("cache").display()
    );
    let transports = vec![("example.org".into(), "postigo:".into())];
    let Some(postfix) = Postfix::start(Options { transports, services: vec![service], ..Options::default() }) else {
        return;
    };
    give_away(gate.folder(), user);
    let sent = mails(0..5);
    postfix.send_all("jane@example.com", &["support@example.org"], sent.iter().map(Vec::as_slice));
    postfix.wait_until_delivered();
    assert_eq!(gate.titles(), (0..5).map(subject).collect::<Vec<_>>(), "{}", postfix.log());

    give_away(gate.folder(), user);
    let daemon = gate.serve("postigo=info");
    give_away(gate.folder(), user);
    let sent = mails(5..20);
    postfix.send_all("", &["support@example.org"], sent.iter().map(Vec::as_slice));
    postfix.wait_until_delivered();
    until("all are filed", PATIENCE, || gate.on_their_way() == 0);
    assert_eq!(gate.titles(), (0..20).map(subject).collect::<Vec<_>>(), "{}", postfix.log());
    daemon.stop();
}

/// The binary where every user may run it.
fn reachable_binary(gate: &Gate, folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (there, here) = (PathBuf::from(gate.command().get_program()), folder.join("postigo"));
    if std::fs::hard_link(&there, &here).is_err() {
        std::fs::copy(&there, &here).unwrap();
    }
    here
}

fn nobody() -> Option<u32> {
    let output = Command::new("id").args(["-u", "nobody"]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Gives a data folder to a user, with all that is in it.
fn give_away(folder: &Path, user: u32) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            give_away(&entry.path(), user);
        } else {
            // A file of the database may go while it is looked at.
            let _ = chown(entry.path(), Some(user), None);
        }
    }
    let _ = chown(folder, Some(user), None);
}
