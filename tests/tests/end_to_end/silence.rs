//! Servers that say nothing, or speak TLS where it is not expected: what is waited for is seen while it is, and mistakes
//! about TLS are told within seconds.

use postigo_tests::dovecot::{self, Dovecot, PASSWORD};
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::mails::mail;
use postigo_tests::postfix::{Options, Postfix};
use serde_json::Value;
use std::fmt::Write as _;
use std::net::TcpListener;

/// The processing communications that go this way.
fn waiting(gate: &Gate, direction: &str) -> Vec<Value> {
    gate.json(&["log", "list", "--status", "processing", "--direction", direction])
}

/// Waits until a communication that runs says that it waits for this; gives its id.
fn waits_for(gate: &Gate, direction: &str, what: &str) -> String {
    let mut id = String::new();
    until(what, PATIENCE, || {
        let found = waiting(gate, direction).into_iter().find_map(|communication| {
            let id = communication["id"].as_str()?.to_owned();
            gate.run(&["log", "show", &id]).contains(&format!("It waits for {what}")).then_some(id)
        });
        id = found.unwrap_or_default();
        !id.is_empty()
    });
    id
}

#[test]
fn what_a_hanging_mail_fetch_or_test_waits_for_is_seen_while_it_does() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("a port").port();
    let gate = Gate::new();
    let server = format!("host = \"127.0.0.1\"\nport = {port}\n");
    gate.configure(&format!(
        "[[queue]]\nname = \"Support\"\n[[system_address]]\naddress = \"support@example.org\"\nqueue = \"Support\"\n\
         [[auto_response]]\nname = \"Receipt\"\ntype = \"reply\"\nqueue = \"Support\"\nsubject = \"We have it\"\nbody = \"Thank you.\"\n\
         [[transport]]\nname = \"relay\"\nkind = \"smtp+starttls\"\n{server}\
         [[account]]\nname = \"main\"\nprotocol = \"imap+starttls\"\nuser = \"main\"\npassword = \"{PASSWORD}\"\n{server}"
    ));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mail");
    std::fs::write(&path, mail(1)).expect("a file");
    let daemon = gate.serve("warn");
    gate.run(&["ingest", &path.display().to_string()]);
    let greeting = "the greeting of 127.0.0.1";
    let (sent, fetched) = (waits_for(&gate, "outgoing", greeting), waits_for(&gate, "incoming", greeting));
    assert!(gate.json(&["log", "overview"])[0]["active"].as_u64() >= Some(2));
    let mut test = gate.command().args(["transport", "test", "relay"]).spawn().expect("the binary is built");
    until("the test is a communication, too", PATIENCE, || waiting(&gate, "outgoing").len() == 2);
    test.kill().expect("it runs");
    test.wait().expect("it ran");
    // Whoever waits for a greeting is hung up on, and whoever comes is refused.
    silent.set_nonblocking(true).expect("it is ours");
    until("all have been hung up on", PATIENCE, || {
        while silent.accept().is_ok() {}
        let shown = |id: &str| gate.json(&["log", "show", id]).remove(0);
        shown(&sent)["status"] == "failed" && shown(&fetched)["status"] == "failed"
    });
    for id in [sent, fetched] {
        let shown = gate.run(&["log", "show", &id]);
        assert!(shown.contains("closed"), "how the wait ended is told: {shown}");
    }
    drop(silent);
    daemon.stop();
}

#[test]
fn tls_where_there_is_none_and_the_other_way_round_are_told_with_what_to_configure() {
    let Some(dovecot) = Dovecot::with(dovecot::Options::default()) else { return };
    let tls = Some((dovecot.ca().with_file_name("server.pem"), dovecot.ca().with_file_name("server.key")));
    let Some(postfix) = Postfix::start(Options { tls, ..Options::default() }) else { return };
    let gate = Gate::new();
    let mistakes = [
        ("account", "imaps", dovecot.imap, "in clear: * OK"),
        ("account", "imap+starttls", dovecot.imaps, "Use protocol imaps."),
        ("account", "imap", dovecot.imaps, "Use protocol imaps."),
        ("account", "pop3s", dovecot.pop3, "in clear: +OK"),
        ("account", "pop3+starttls", dovecot.pop3s, "Use protocol pop3s."),
        ("transport", "smtps", postfix.smtp, "in clear: 220 mx.example.net"),
        ("transport", "smtp+starttls", postfix.smtps, "Use kind = \"smtps\"."),
        ("transport", "smtp", postfix.smtps, "Use kind = \"smtps\"."),
    ];
    let mut configuration = String::new();
    for (table, kind, port, _) in &mistakes {
        let key = if *table == "account" { "protocol" } else { "kind" };
        let _ = writeln!(
            configuration,
            "[[{table}]]\nname = \"{kind}\"\n{key} = \"{kind}\"\nhost = \"localhost\"\nport = {port}\nuser = \"main\"\npassword = \"{PASSWORD}\"\n\
             tls = {{ ca = \"{}\" }}",
            dovecot.ca().display()
        );
    }
    gate.configure(&configuration);
    std::thread::scope(|scope| {
        for (table, kind, _, told) in &mistakes {
            let gate = &gate;
            scope.spawn(move || {
                let output = gate.try_run([table, "test", kind]);
                let error = String::from_utf8_lossy(&output.stderr);
                assert!(!output.status.success() && error.contains(told), "{kind}: {error}");
            });
        }
    });
    for (table, kind, ..) in &mistakes {
        let overview = gate.json(&["log", "overview"]).remove(0);
        assert_eq!(overview[format!("{table}s")][kind]["status"], "failed", "a test is told of, too: {overview}");
    }
}
