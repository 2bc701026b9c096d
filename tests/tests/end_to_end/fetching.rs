//! Fetching from a real Dovecot, as an admin sees it: what is filed, what stays on the server, what is said.

use postigo_tests::dovecot::{Dovecot, Options, PASSWORD};
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::mails::{large_mail, mail, mails, subject};
use serde_json::Value;
use std::fmt::Write as _;
use std::ops::Range;

/// An account on this server, with further keys.
pub fn account(name: &str, server: &Dovecot, more: &str) -> String {
    let port = if more.contains("protocol = \"imaps\"") { server.imaps } else { server.imap };
    let protocol = if more.contains("protocol =") { "" } else { "protocol = \"imap\"\n" };
    format!(
        "[[account]]\nname = \"{name}\"\n{protocol}host = \"127.0.0.1\"\nport = {port}\nuser = \"{name}\"\npassword = \"{PASSWORD}\"\ninterval = \"1s\"\n{more}\n"
    )
}

pub fn deliver(server: &Dovecot, user: &str, numbers: Range<usize>) {
    let mails = mails(numbers);
    server.deliver(user, "INBOX", mails.iter().map(Vec::as_slice));
}

pub fn subjects(numbers: Range<usize>) -> Vec<String> {
    numbers.map(subject).collect()
}

/// One fetch of an account by command.
pub fn fetch(gate: &Gate, account: &str) -> Value {
    gate.json(&["fetch", "--account", account]).pop().expect("a report")
}

#[test]
fn mail_is_filed_and_then_deleted_seen_moved_or_kept() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    let wishes = ["delete", "seen", "move:Erledigt & mehr ä", "keep"];
    let mut configuration = String::new();
    for (user, wish) in ["a", "b", "c", "d"].into_iter().zip(wishes) {
        configuration.push_str(&account(user, &server, &format!("after_fetch = \"{wish}\"")));
        deliver(&server, user, 0..3);
    }
    gate.configure(&configuration);
    for user in ["a", "b", "c", "d"] {
        let report = fetch(&gate, user);
        assert_eq!((&report["seen"], &report["new"]), (&3.into(), &3.into()), "{report}");
    }
    let mut expected = [subjects(0..3), subjects(0..3), subjects(0..3), subjects(0..3)].concat();
    expected.sort();
    assert_eq!(gate.titles(), expected);
    assert!(server.messages("a", "INBOX").is_empty());
    let seen = server.messages("b", "INBOX");
    assert!(seen.len() == 3 && seen.iter().all(|name| name.ends_with(":2,S")), "{seen:?}");
    assert!(server.messages("c", "INBOX").is_empty());
    assert_eq!(server.messages("c", "Erledigt &- mehr &AOQ-").len(), 3);
    let kept = server.messages("d", "INBOX");
    assert!(
        kept.len() == 3 && kept.iter().all(|name| !name.contains(":2,S")),
        "fetching marks nothing as seen: {kept:?}"
    );
    for user in ["a", "b", "c", "d"] {
        let report = fetch(&gate, user);
        assert_eq!(report["fetched"], 0, "a second fetch has nothing to do: {report}");
    }
    assert_eq!(gate.titles().len(), 12);
}

#[test]
fn tls_is_checked_against_the_authority_and_the_name() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    let ca = server.ca().display().to_string();
    let mut configuration = String::new();
    let right = format!("tls = {{ ca = \"{ca}\" }}");
    for (name, more) in [
        ("imaps", format!("protocol = \"imaps\"\n{right}")),
        ("starttls", format!("protocol = \"imap+starttls\"\n{right}")),
        ("unchecked", "protocol = \"imaps\"\ntls = { verify = false }".to_owned()),
        ("stranger", "protocol = \"imaps\"".to_owned()),
        ("stranger-starttls", "protocol = \"imap+starttls\"".to_owned()),
    ] {
        configuration.push_str(&account(name, &server, &more));
        deliver(&server, name, 0..1);
    }
    let _ = write!(
        configuration,
        "{}",
        account("wrong-name", &server, &format!("protocol = \"imaps\"\n{right}")).replace("127.0.0.1", "127.0.0.2")
    );
    gate.configure(&configuration);
    for name in ["imaps", "starttls", "unchecked"] {
        let tested = gate.run(&["account", "test", name]);
        assert!(tested.contains("TLSv1.3") && !tested.contains(PASSWORD), "{tested}");
        assert_eq!(fetch(&gate, name)["new"], 1);
    }
    for name in ["stranger", "stranger-starttls"] {
        let output = gate.try_run(["fetch", "--account", name]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        assert!(said.contains("certificate") && said.contains("tls.ca"), "{said}");
        assert_eq!(server.messages(name, "INBOX").len(), 1);
    }
    // Nobody listens on 127.0.0.2, and the certificate is not for it.
    assert_eq!(gate.try_run(["account", "test", "wrong-name"]).status.code(), Some(1));
    assert_eq!(gate.titles().len(), 3);
}

#[test]
fn a_wrong_password_and_a_missing_folder_are_said_in_sentences_without_the_password() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    let wrong = account("wrong", &server, "").replace(PASSWORD, "hunter2-wrong");
    gate.configure(&format!("{wrong}{}", account("missing", &server, "folder = \"Nirgends\"")));
    for (name, words) in [("wrong", "did not let wrong in"), ("missing", "The folder Nirgends cannot be opened")] {
        let output = gate.try_run(["account", "test", name]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(words) && !said.contains("hunter2"), "{said}");
    }
    let daemon = gate.serve("trace");
    daemon.wait_for("did not let wrong in");
    let lines: Vec<String> = daemon.lines.try_iter().collect();
    assert!(lines.iter().all(|line| !line.contains("hunter2") && !line.contains(PASSWORD)), "a password is in the log");
}

#[test]
fn too_large_mail_is_left_or_deleted_before_it_is_fetched() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    let limit = "[settings]\nmax_message_size = \"100 KiB\"\n";
    let large = large_mail(7, 150_000);
    server.deliver("main", "INBOX", [mail(0).as_slice(), &large, &mail(1)]);
    gate.configure(&format!("{limit}{}", account("main", &server, "")));
    let report = fetch(&gate, "main");
    assert_eq!((&report["new"], &report["oversize"]), (&2.into(), &1.into()), "{report}");
    assert_eq!(server.messages("main", "INBOX").len(), 1, "it is left");
    gate.configure(&format!("{limit}oversize = \"delete-and-log\"\n"));
    let report = fetch(&gate, "main");
    assert_eq!((&report["new"], &report["oversize"]), (&0.into(), &1.into()), "{report}");
    assert!(server.messages("main", "INBOX").is_empty(), "it is deleted");
    let id = report["communication"].as_str().expect("an id");
    let log = gate.run(&["log", "show", id, "--priority", "warning", "--json"]);
    assert!(log.contains(&subject(7)) && log.contains("max_message_size"), "the log says which mail it was: {log}");
    assert_eq!(gate.titles(), subjects(0..2));
}

#[test]
fn large_mail_comes_in_ranges_and_whole() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    // One of exactly two ranges, one of a little more, one of twenty.
    let sizes = [2 << 20, (2 << 20) + 1, 20 << 20];
    let mut expected = Vec::new();
    for (number, size) in sizes.into_iter().enumerate() {
        let mut mail = large_mail(number, size);
        mail.truncate(size);
        server.deliver("main", "INBOX", [mail.as_slice()]);
        expected.push(mail);
    }
    gate.configure(&account("main", &server, ""));
    assert_eq!(fetch(&gate, "main")["new"], 3);
    for (number, mail) in expected.iter().enumerate() {
        let tickets = gate.json(&["ticket", "list"]);
        let ticket = tickets.iter().find(|ticket| ticket["title"] == subject(number)).expect("it is filed");
        let shown = gate.json(&["ticket", "show", ticket["ticket_number"].as_str().expect("a number")]);
        let article = shown[0]["articles"][0]["id"].to_string();
        let raw = gate.try_run(["article", "show", &article, "--raw"]).stdout;
        // Dovecot stores and sends CRLF; what ends within a line end may gain one byte.
        assert!(raw == *mail || raw.len().abs_diff(mail.len()) <= 1, "{} bytes became {}", mail.len(), raw.len());
    }
}

#[test]
fn what_others_marked_as_deleted_survives_whatever_the_server_can() {
    for (capabilities, left) in [(None, 0), (Some("IMAP4rev1 MOVE"), 0), (Some("IMAP4rev1"), 3)] {
        let Some(server) = Dovecot::with(Options { capabilities, ..Options::default() }) else { return };
        let gate = Gate::new();
        deliver(&server, "main", 0..3);
        server.deliver_flagged("main", &mail(77), "T");
        gate.configure(&account("main", &server, ""));
        let report = fetch(&gate, "main");
        assert_eq!((&report["new"], &report["marked_deleted"]), (&3.into(), &1.into()), "{report}");
        let there = server.messages("main", "INBOX");
        assert!(there.iter().any(|name| name.starts_with("1600000000.")), "{capabilities:?}: {there:?}");
        assert_eq!(there.len(), 1 + left, "{capabilities:?}: {there:?}");
        let report = fetch(&gate, "main");
        assert_eq!((&report["fetched"], &report["told"]), (&0.into(), &0.into()), "{report}");
        assert_eq!(gate.titles(), subjects(0..3));
        if capabilities.is_some() {
            let log = gate.run(&["log", "list", "--json"]);
            let id =
                serde_json::Deserializer::from_str(&log).into_iter::<Value>().next().expect("a line").expect("JSON");
            let shown = gate.run(&["log", "show", id["id"].as_str().expect("an id"), "--json"]);
            assert!(shown.contains("UIDPLUS"), "the log says why they are not expunged: {shown}");
        }
    }
}

#[test]
fn a_renumbered_or_renamed_mailbox_files_nothing_twice_and_loses_nothing() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    deliver(&server, "main", 0..5);
    gate.configure(&account("main", &server, "after_fetch = \"keep\""));
    assert_eq!(fetch(&gate, "main")["new"], 5);

    server.stop();
    server.forget_uids("main");
    server.resume();
    deliver(&server, "main", 5..6);
    let report = fetch(&gate, "main");
    assert_eq!((&report["new"], &report["known"]), (&1.into(), &5.into()), "another UIDVALIDITY: {report}");

    gate.configure(&account("main", &server, "after_fetch = \"keep\"").replace("127.0.0.1", "localhost"));
    deliver(&server, "main", 6..7);
    let report = fetch(&gate, "main");
    assert_eq!((&report["new"], &report["known"]), (&1.into(), &6.into()), "another host: {report}");

    // The UIDs of another folder begin at 1 too: they are other mails.
    let other = mails(10..13);
    server.deliver("main", "Other", other.iter().map(Vec::as_slice));
    gate.configure(&account("main", &server, "after_fetch = \"keep\"\nfolder = \"Other\""));
    assert_eq!(fetch(&gate, "main")["new"], 3);
    assert_eq!(gate.titles(), [subjects(0..7), subjects(10..13)].concat());
}

#[test]
fn a_silent_server_is_given_up_and_keeps_no_other_account() {
    let Some(server) = Dovecot::start() else { return };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("a port").port();
    let gate = Gate::new();
    let quiet = account("quiet", &server, "timeout = \"1s\"")
        .replace(&format!("port = {}", server.imap), &format!("port = {port}"));
    gate.configure(&format!("{quiet}{}", account("main", &server, "")));
    let daemon = gate.serve("info");
    daemon.wait_for("silent for 1 s");
    deliver(&server, "main", 0..2);
    until("the other account's mail is filed", PATIENCE, || gate.titles() == subjects(0..2));
    let overview = gate.run(&["log", "overview", "--json"]);
    assert!(overview.contains("quiet"), "{overview}");
    daemon.stop();
}

#[test]
fn a_server_that_went_away_is_fetched_from_when_it_is_back() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    gate.configure(&account("main", &server, ""));
    let daemon = gate.serve("info");
    server.stop();
    daemon.wait_for("a fetch failed");
    deliver(&server, "main", 0..2);
    server.resume();
    until("the mail is filed", PATIENCE, || gate.titles() == subjects(0..2));
    daemon.stop();
    assert!(server.messages("main", "INBOX").is_empty());
}

#[test]
fn the_daemon_takes_up_new_accounts_and_fetches_when_asked() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    let daemon = gate.serve("info");
    gate.configure(&account("main", &server, "idle = false").replace("interval = \"1s\"", "interval = \"1h\""));
    daemon.wait_for("accounts=\"main\"");
    // Asked while the daemon holds the account, the answer comes after its own first fetch.
    assert!(fetch(&gate, "main")["error"].is_null());
    deliver(&server, "main", 0..3);
    let report = fetch(&gate, "main");
    assert_eq!(report["new"], 3, "{report}");
    assert_eq!(gate.titles(), subjects(0..3), "the command ends when its mail is filed");
    daemon.stop();
}

#[test]
fn a_maildir_is_fetched_from_like_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let maildir = folder.path().join("Maildir");
    std::fs::create_dir_all(maildir.join("cur")).expect("ours");
    std::fs::create_dir_all(maildir.join("new")).expect("ours");
    for number in 0..3 {
        std::fs::write(maildir.join("new").join(format!("170000000{number}.x.host")), mail(number)).expect("ours");
    }
    let gate = Gate::new();
    let here = maildir.display();
    gate.configure(&format!(
        "[[account]]\nname = \"files\"\nprotocol = \"maildir\"\nhost = \"{here}\"\nafter_fetch = \"seen\"\n"
    ));
    assert_eq!(fetch(&gate, "files")["new"], 3);
    assert_eq!(fetch(&gate, "files")["fetched"], 0);
    assert!(maildir.join("cur/1700000000.x.host:2,S").exists());
    gate.configure(&format!(
        "[[account]]\nname = \"files\"\nprotocol = \"maildir\"\nhost = \"{here}\"\nafter_fetch = \"delete\"\n"
    ));
    // Before they are removed they are read again: a name alone does not prove that its bytes are here.
    let report = fetch(&gate, "files");
    assert_eq!((&report["new"], &report["told"]), (&0.into(), &3.into()), "{report}");
    assert_eq!(gate.titles(), subjects(0..3));
    std::fs::write(maildir.join("new").join("1700000000.x.host"), mail(3)).expect("ours");
    let report = fetch(&gate, "files");
    assert_eq!((&report["new"], &report["told"]), (&1.into(), &1.into()), "{report}");
    assert_eq!(gate.titles(), subjects(0..4), "a name that is used again brings another mail");
}

#[test]
fn the_sender_of_too_large_mail_is_told_where_that_is_wished() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    server.deliver("main", "INBOX", [large_mail(7, 150_000).as_slice()]);
    gate.configure(&format!(
        "[settings]\nmax_message_size = \"100 KiB\"\noversize = \"refuse\"\n{}",
        account("main", &server, "")
    ));
    let report = fetch(&gate, "main");
    assert_eq!((&report["fetched"], &report["oversize"]), (&0.into(), &1.into()), "{report}");
    assert!(server.messages("main", "INBOX").is_empty());
    let log = gate.run(&["log", "show", report["communication"].as_str().expect("an id"), "--json"]);
    assert!(log.contains("jane@example.com will be told"), "{log}");
}

#[test]
fn the_sender_of_too_large_mail_that_the_server_does_not_remove_is_told_once() {
    let more = "mail_plugins = acl\nplugin {\n  acl = vfile\n}\n".to_owned();
    let Some(server) = Dovecot::with(Options { more, ..Options::default() }) else { return };
    let gate = Gate::new();
    server.deliver("main", "INBOX", [large_mail(7, 150_000).as_slice()]);
    // Whoever signs in may look and mark as seen, not delete.
    std::fs::write(server.mailboxes().0.join("main/dovecot-acl"), "owner lrws\n").expect("the folder is ours");
    let settings = "[settings]\nmax_message_size = \"100 KiB\"\noversize = \"refuse\"\n";
    // After a change of the account the whole folder is listed again.
    for (after_fetch, words) in
        [("delete", "jane@example.com will be told"), ("keep", "jane@example.com was told before")]
    {
        gate.configure(&format!("{settings}{}", account("main", &server, &format!("after_fetch = \"{after_fetch}\""))));
        let report = fetch(&gate, "main");
        let log = gate.run(&["log", "show", report["communication"].as_str().expect("an id"), "--json"]);
        assert!(log.contains(words), "{report} {log}");
    }
    assert_eq!(server.messages("main", "INBOX").len(), 1);
    assert_eq!(gate.json(&["outbound", "list", "--status", "due", "--status", "waiting"]).len(), 1);
}

#[test]
fn what_is_durable_is_told_later_without_being_fetched_again() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    deliver(&server, "main", 0..3);
    // As after a crash between the commit and the deletion: all is here, the server was told nothing.
    gate.configure(&account("main", &server, "after_fetch = \"keep\""));
    assert_eq!(fetch(&gate, "main")["new"], 3);
    gate.configure(&account("main", &server, "after_fetch = \"delete\""));
    deliver(&server, "main", 3..4);
    let report = fetch(&gate, "main");
    assert_eq!((&report["fetched"], &report["new"], &report["told"]), (&1.into(), &1.into(), &4.into()), "{report}");
    assert!(server.messages("main", "INBOX").is_empty());
    assert_eq!(gate.titles(), subjects(0..4));
}
