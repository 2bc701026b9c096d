//! Fetching by POP3 from a real Dovecot, as an admin sees it.

use postigo_tests::dovecot::{Dovecot, Options, PASSWORD};
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::mails::{large_mail, mail, mails, subject};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

fn account(name: &str, server: &Dovecot, more: &str) -> String {
    let port = server.pop3;
    format!(
        "[[account]]\nname = \"{name}\"\nprotocol = \"pop3\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{name}\"\npassword = \"{PASSWORD}\"\ninterval = \"1s\"\n{more}\n"
    )
}

fn fetch(gate: &Gate, account: &str) -> Value {
    gate.json(&["fetch", "--account", account]).pop().expect("a report")
}

fn deliver(server: &Dovecot, user: &str, numbers: std::ops::Range<usize>) {
    let mails = mails(numbers);
    server.deliver(user, "INBOX", mails.iter().map(Vec::as_slice));
}

/// Another mail program's session.
struct Session(BufReader<TcpStream>);

impl Session {
    fn open(server: &Dovecot, user: &str) -> Self {
        let mut session =
            Self(BufReader::new(TcpStream::connect(("127.0.0.1", server.pop3)).expect("Dovecot listens")));
        session.0.read_line(&mut String::new()).expect("a greeting");
        for command in [format!("USER {user}\r\n"), format!("PASS {PASSWORD}\r\n")] {
            session.0.get_mut().write_all(command.as_bytes()).expect("the connection is open");
            let mut answer = String::new();
            session.0.read_line(&mut answer).expect("an answer");
            assert!(answer.starts_with("+OK"), "{answer}");
        }
        session
    }
}

#[test]
fn kept_mail_is_filed_once_and_may_be_deleted_later() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    gate.configure(&account("main", &server, "after_fetch = \"keep\""));
    deliver(&server, "main", 0..3);
    assert_eq!(fetch(&gate, "main")["new"], 3);
    deliver(&server, "main", 3..4);
    let report = fetch(&gate, "main");
    let counts = ["seen", "earlier", "fetched", "new", "told"].map(|key| report[key].as_u64());
    assert_eq!(counts, [4, 3, 1, 1, 0].map(Some), "{report}");
    gate.configure(&account("main", &server, "after_fetch = \"delete\""));
    let report = fetch(&gate, "main");
    assert_eq!((&report["new"], &report["known"], &report["told"]), (&0.into(), &4.into(), &4.into()), "{report}");
    assert!(server.messages("main", "INBOX").is_empty());
    assert_eq!(gate.titles(), (0..4).map(subject).collect::<Vec<_>>());
}

#[test]
fn a_server_that_numbers_its_mailbox_anew_has_nothing_filed_twice() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    gate.configure(&account("main", &server, "after_fetch = \"keep\""));
    deliver(&server, "main", 0..3);
    assert_eq!(fetch(&gate, "main")["new"], 3);
    server.stop();
    server.forget_uids("main");
    server.resume();
    deliver(&server, "main", 3..4);
    let report = fetch(&gate, "main");
    assert_eq!((&report["new"], &report["known"]), (&1.into(), &3.into()), "{report}");
    let report = fetch(&gate, "main");
    assert_eq!(report["fetched"], 0, "they are known by their new unique-ids: {report}");
    assert_eq!(gate.titles(), (0..4).map(subject).collect::<Vec<_>>());
}

#[test]
fn the_bytes_come_as_they_were_sent() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    gate.configure(&account("main", &server, ""));
    let mut raw = mail(0);
    raw.extend_from_slice(b".\r\n..\r\n.hidden\r\n\r\n\xff\x80 8-bit\r\n");
    raw.extend_from_slice(&[b'x'; 10_000]);
    raw.extend_from_slice(b"\r\n.\r\n");
    server.deliver("main", "INBOX", [raw.as_slice()]);
    assert_eq!(fetch(&gate, "main")["new"], 1);
    let listed = gate.json(&["spool", "list", "--status", "filed"]);
    let id = listed[0]["id"].to_string();
    let output = gate.try_run(["spool", "show", &id, "--raw"]);
    assert!(output.stdout == raw, "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn too_large_mail_is_left_deleted_or_refused_before_it_is_fetched() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    let limit = "[settings]\nmax_message_size = \"100 KiB\"\n";
    let large = large_mail(7, 150_000);
    server.deliver("main", "INBOX", [mail(0).as_slice(), &large, &mail(1)]);
    gate.configure(&format!("{limit}{}", account("main", &server, "")));
    let report = fetch(&gate, "main");
    assert_eq!((&report["new"], &report["oversize"]), (&2.into(), &1.into()), "{report}");
    assert_eq!(server.messages("main", "INBOX").len(), 1, "it is left");
    gate.configure(&format!("{limit}oversize = \"refuse\"\n"));
    let report = fetch(&gate, "main");
    assert_eq!((&report["new"], &report["oversize"], &report["told"]), (&0.into(), &1.into(), &1.into()), "{report}");
    assert!(server.messages("main", "INBOX").is_empty(), "it is deleted");
    let id = report["communication"].as_str().expect("an id");
    let log = gate.run(&["log", "show", id, "--priority", "warning", "--json"]);
    assert!(
        log.contains(&subject(7)) && log.contains("max_message_size") && log.contains("jane@example.com will be told"),
        "{log}"
    );
    assert_eq!(gate.titles(), (0..2).map(subject).collect::<Vec<_>>());
}

#[test]
fn a_mailbox_in_use_and_a_wrong_password_are_said_in_sentences_without_the_password() {
    let Some(server) = Dovecot::with(Options { more: "pop3_lock_session = yes\n".into(), ..Options::default() }) else {
        return;
    };
    let gate = Gate::new();
    let wrong = account("wrong", &server, "").replace(PASSWORD, "hunter2-wrong");
    gate.configure(&format!("{wrong}{}", account("main", &server, "")));
    let output = gate.try_run(["account", "test", "wrong"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && said.contains("did not let wrong in") && !said.contains("hunter2"),
        "{said}"
    );
    deliver(&server, "main", 0..5);
    let other = Session::open(&server, "main");
    let output = gate.try_run(["fetch", "--account", "main"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("The mailbox is in use"), "{said}");
    let daemon = gate.serve("trace");
    daemon.wait_for("did not let wrong in");
    drop(other);
    until("the daemon fetches by POP3", PATIENCE, || {
        server.messages("main", "INBOX").is_empty() && gate.titles().len() == 5
    });
    let lines: Vec<String> = daemon.lines.try_iter().collect();
    assert!(lines.iter().all(|line| !line.contains("hunter2") && !line.contains(PASSWORD)), "a password is in the log");
}

#[test]
fn what_pop3_cannot_do_is_a_mistake_of_the_configuration() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    for (more, place) in [
        ("after_fetch = \"seen\"", "after_fetch"),
        ("after_fetch = \"move:Done\"", "after_fetch"),
        ("failed_folder = \"Bad\"", "failed_folder"),
    ] {
        let file = gate.folder().join("wrong.toml");
        std::fs::write(&file, account("main", &server, more)).expect("ours");
        let output = gate.try_run(["config", "check", &file.display().to_string()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains(place) && said.contains("Use IMAP"), "{more}: {said}");
    }
}

#[test]
fn more_mail_than_a_session_takes_is_deleted_in_steps() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    gate.configure(&account("main", &server, ""));
    deliver(&server, "main", 0..1_050);
    let report = fetch(&gate, "main");
    assert_eq!(
        (&report["seen"], &report["new"], &report["told"]),
        (&1_050.into(), &1_050.into(), &1_050.into()),
        "{report}"
    );
    assert!(server.messages("main", "INBOX").is_empty());
    assert_eq!(server.log().matches("Disconnected: Logged out").count(), 2, "{}", server.log());
    assert_eq!(gate.titles().len(), 1_050);
}
