//! LMTP and SMTP intake: what Postfix delivers, and what a client of bad manners brings.

use postigo_tests::dovecot::{Certificate, certificates};
use postigo_tests::gate::{Daemon, Gate, PATIENCE, until};
use postigo_tests::mails::{large_mail, mail, mails, subject};
use postigo_tests::ports::free_port;
use postigo_tests::postfix::{Options, Postfix, share_with_postfix};
use postigo_tests::speaker::Speaker;
use serde_json::Value;
use std::fmt::Write as _;

/// Queues and addresses, and a listener for them.
fn desk(more: &str) -> String {
    let mut text = String::from("[settings]\ndefault_queue = \"Raw\"\n");
    for queue in ["Support", "Sales"] {
        let address = queue.to_lowercase();
        let _ = write!(
            text,
            "[[queue]]\nname = \"{queue}\"\n[[system_address]]\naddress = \"{address}@example.org\"\nqueue = \"{queue}\"\n"
        );
    }
    text + more
}

fn listener(name: &str, protocol: &str, port: u16, more: &str) -> String {
    format!("[[account]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nport = {port}\n{more}\n")
}

/// A daemon that listens.
fn serve(gate: &Gate) -> Daemon {
    let daemon = gate.serve("postigo=info");
    daemon.wait_for("listens");
    daemon
}

fn postfix(transports: &[(&str, String)], settings: &[(&str, &str)]) -> Option<Postfix> {
    let transports = transports.iter().map(|(place, transport)| ((*place).to_owned(), transport.clone())).collect();
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let aliases = vec![("everybody@example.org".into(), "sales@example.org, support@example.org".into())];
    Postfix::start(Options { transports, aliases, settings, ..Options::default() })
}

/// A mail whose headers tell nothing of whom it is for.
fn bcc_mail(number: usize) -> Vec<u8> {
    String::from_utf8(mail(number))
        .expect("text")
        .replace("To: support@example.org", "To: undisclosed-recipients:;")
        .into_bytes()
}

fn tickets(gate: &Gate) -> Vec<Value> {
    gate.json(&["ticket", "list", "--limit", "100000"])
}

fn wait_for_tickets(gate: &Gate, count: usize) {
    until(&format!("{count} tickets"), PATIENCE, || tickets(gate).len() >= count && gate.on_their_way() == 0);
    assert_eq!(tickets(gate).len(), count);
}

fn queue_of(gate: &Gate, number: usize) -> String {
    let found =
        tickets(gate).into_iter().find(|ticket| ticket["title"] == subject(number).as_str()).expect("the ticket");
    found["queue"].as_str().unwrap_or_default().to_owned()
}

/// Says all up to the data's end.
fn deliver(speaker: &mut Speaker, recipients: &[&str], mail: &[u8]) {
    assert!(speaker.say("MAIL FROM:<jane@example.com>").starts_with("250"));
    for recipient in recipients {
        assert!(speaker.say(&format!("RCPT TO:<{recipient}>")).starts_with("250"), "{recipient}");
    }
    assert!(speaker.say("DATA").starts_with("354"));
    speaker.send(mail);
    speaker.send(b".\r\n");
}

#[test]
fn postfix_delivers_by_tcp_by_unix_socket_and_by_smtp() {
    let folder = tempfile::Builder::new().prefix("postigo-socket-").tempdir().expect("a temporary folder");
    let (lmtp, smtp, socket) = (free_port(), free_port(), folder.path().join("lmtp"));
    let ways = [
        ("support+tcp@example.org", format!("lmtp:inet:127.0.0.1:{lmtp}")),
        ("support+unix@example.org", format!("lmtp:unix:{}", socket.display())),
        ("support+smtp@example.org", format!("smtp:[127.0.0.1]:{smtp}")),
    ];
    let Some(postfix) = postfix(&ways, &[]) else { return };
    share_with_postfix(folder.path());
    let gate = Gate::new();
    let at_socket = format!("[[account]]\nname = \"unix\"\nprotocol = \"lmtp\"\nhost = \"{}\"\n", socket.display());
    gate.configure(&desk(&(listener("tcp", "lmtp", lmtp, "") + &listener("smtp", "smtp", smtp, "") + &at_socket)));
    let daemon = gate.serve("postigo=info");
    (0..3).for_each(|_| drop(daemon.wait_for("listens")));
    for (turn, account) in ["tcp", "unix", "smtp"].into_iter().enumerate() {
        let sent: Vec<Vec<u8>> = (turn * 5..turn * 5 + 5).map(bcc_mail).collect();
        postfix.send_all("jane@example.com", &[ways[turn].0], sent.iter().map(Vec::as_slice));
        postfix.wait_until_delivered();
        wait_for_tickets(&gate, turn * 5 + 5);
        assert_eq!(queue_of(&gate, turn * 5 + 4), "Support", "the envelope alone says so");
        until("the connection is in the log", PATIENCE, || {
            !gate.json(&["log", "list", "--account", account, "--search", "jane"]).is_empty()
        });
    }
    let raw = gate.run(&["article", "show", "1", "--raw"]);
    assert!(
        raw.starts_with("Return-Path: <jane@example.com>\r\nReceived: from mx.example.net ([127.0.0.1])\r\n\tby "),
        "{raw}"
    );
    assert!(raw.contains("with LMTP id ") && raw.contains("\r\n\tfor <support+tcp@example.org>;"), "{raw}");
    daemon.stop();
    assert!(!socket.exists(), "the socket goes with its listener");
}

#[test]
fn one_ticket_a_transaction_however_many_recipients_in_the_first_ones_queue() {
    let port = free_port();
    let Some(postfix) = postfix(&[("example.org", format!("lmtp:inet:127.0.0.1:{port}"))], &[]) else { return };
    let gate = Gate::new();
    gate.configure(&desk(&listener("main", "lmtp", port, "")));
    let _daemon = serve(&gate);
    postfix.send("jane@example.com", &["sales@example.org", "support@example.org"], &bcc_mail(0));
    wait_for_tickets(&gate, 1);
    assert_eq!(queue_of(&gate, 0), "Sales");
    postfix.send("jane@example.com", &["everybody@example.org"], &bcc_mail(1));
    wait_for_tickets(&gate, 2);
    assert_eq!(queue_of(&gate, 1), "Sales", "an alias is resolved by Postfix, and its first address decides");
    let forged =
        String::from_utf8(bcc_mail(2)).expect("text").replacen("From:", "Envelope-To: sales@example.org\r\nFrom:", 1);
    postfix.send("jane@example.com", &["support@example.org"], forged.as_bytes());
    wait_for_tickets(&gate, 3);
    assert_eq!(queue_of(&gate, 2), "Support", "an Envelope-To from outside does not outrank the envelope");
    postfix.send("jane@example.com", &["nobody@example.org", "support@example.org"], &bcc_mail(3));
    wait_for_tickets(&gate, 4);
    until("Postfix has given the unknown address up", PATIENCE, || {
        postfix.log().contains("550 5.1.1 <nobody@example.org>")
    });
}

#[test]
fn a_retry_after_a_lost_answer_files_nothing_twice() {
    let port = free_port();
    let gate = Gate::new();
    gate.configure(&desk(&listener("main", "lmtp", port, "")));
    let _daemon = serve(&gate);
    let recipients = ["support@example.org", "sales@example.org"];
    let (mut cut, _) = Speaker::connect(port);
    cut.say("LHLO mx.example.net");
    deliver(&mut cut, &recipients, &mail(0));
    // Gone before the answer is read.
    drop(cut);
    wait_for_tickets(&gate, 1);
    let (mut again, _) = Speaker::connect(port);
    again.say("LHLO mx.example.net");
    deliver(&mut again, &recipients, &mail(0));
    for _ in recipients {
        assert!(again.hear().starts_with("250 2.0.0 Known"));
    }
    // The answer for the second recipient alone was lost.
    deliver(&mut again, &recipients[1..], &mail(0));
    assert!(again.hear().starts_with("250 2.0.0 Known"));
    deliver(&mut again, &["support+other@example.org"], &mail(0));
    assert!(again.hear().starts_with("250 2.0.0 Stored"), "for whom it was not brought before it is another message");
    deliver(&mut again, &recipients, &mail(1));
    for _ in recipients {
        assert!(again.hear().starts_with("250 2.0.0 Stored"));
    }
    wait_for_tickets(&gate, 3);
}

#[test]
fn a_message_that_the_daemons_end_cut_short_comes_again() {
    let port = free_port();
    let Some(postfix) = postfix(&[("example.org", format!("lmtp:inet:127.0.0.1:{port}"))], &[]) else { return };
    let gate = Gate::new();
    gate.configure(&desk(&listener("main", "lmtp", port, "")));
    postfix.send("jane@example.com", &["support@example.org"], &mail(0));
    let daemon = serve(&gate);
    wait_for_tickets(&gate, 1);
    daemon.kill();
    let sent = mails(1..20);
    postfix.send_all("jane@example.com", &["support@example.org"], sent.iter().map(Vec::as_slice));
    let daemon = serve(&gate);
    until("some are filed", PATIENCE, || tickets(&gate).len() > 3);
    daemon.kill();
    let _daemon = serve(&gate);
    wait_for_tickets(&gate, 20);
    postfix.wait_until_delivered();
}

#[test]
fn changes_of_the_configuration_are_taken_up() {
    let port = free_port();
    let gate = Gate::new();
    gate.configure(&desk(&listener("main", "lmtp", port, "")));
    let daemon = serve(&gate);
    let (mut speaker, greeting) = Speaker::connect(port);
    assert!(greeting.starts_with("220 ") && greeting.contains(" LMTP Postigo"), "{greeting}");
    speaker.say("LHLO x");
    speaker.say("MAIL FROM:<>");
    assert!(speaker.say("RCPT TO:<new@example.org>").starts_with("550 5.1.1"));
    gate.configure("[[system_address]]\naddress = \"new@example.org\"\nqueue = \"Sales\"\n");
    until("the new address is taken", PATIENCE, || {
        speaker.say("RSET");
        speaker.say("MAIL FROM:<>");
        speaker.say("RCPT TO:<new@example.org>").starts_with("250")
    });
    let test = gate.run(&["account", "test", "main"]);
    assert!(test.contains("LMTP Postigo"), "{test}");
    gate.configure(&listener("main", "lmtp", port, "networks = [\"10.0.0.0/8\"]"));
    until("a foreign network is turned away", PATIENCE, || Speaker::connect(port).1.starts_with("554 5.7.1"));
    let elsewhere = free_port();
    gate.configure(&listener("main", "lmtp", elsewhere, "networks = [\"127.0.0.1\"]"));
    daemon.wait_for("listens");
    assert!(Speaker::connect(elsewhere).1.starts_with("220"));
    until("the port before is free", PATIENCE, || std::net::TcpListener::bind(("127.0.0.1", port)).is_ok());
    daemon.stop();
    let test = gate.run(&["account", "test", "main"]);
    assert!(test.contains("nobody listens there now"), "{test}");
}

#[test]
fn what_is_wrong_with_a_listener_is_said() {
    let gate = Gate::new();
    for (configuration, place) in [
        ("protocol = \"lmtp\"\nhost = \"mail.example.org\"", "host"),
        ("protocol = \"lmtp\"\nnetworks = [\"10.0.0.1/8\"]", "networks"),
        ("protocol = \"smtp\"\nuser = \"nobody\"", "user"),
        ("protocol = \"lmtp\"\ntls = { certificate = \"/x\" }", "tls"),
        ("protocol = \"lmtp\"\nport = 99\n[[account]]\nname = \"b\"\nprotocol = \"smtp\"\nport = 99", "port"),
    ] {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::io::Write::write_all(&mut file, format!("[[account]]\nname = \"a\"\n{configuration}\n").as_bytes())
            .expect("written");
        let output = gate.try_run(["config", "check", &file.path().display().to_string()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(place), "{configuration}: {said}");
    }
}

#[test]
fn postfix_agrees_on_tls_and_large_mail_arrives_whole() {
    let folder = tempfile::Builder::new().prefix("postigo-certificate-").tempdir().expect("a temporary folder");
    let port = free_port();
    let secure = [("lmtp_tls_security_level", "encrypt"), ("message_size_limit", "209715200")];
    let Some(postfix) = postfix(&[("example.org", format!("lmtp:inet:127.0.0.1:{port}"))], &secure) else { return };
    certificates::make(folder.path(), Certificate::Good);
    let gate = Gate::new();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let tls = format!("tls = {{ certificate = \"{}\", key = \"{}\" }}", path("server.pem"), path("server.key"));
    gate.configure(
        &(desk(&listener("main", "lmtp", port, &tls))
            .replace("[settings]\n", "[settings]\nmax_message_size = \"20 MiB\"\n")),
    );
    let _daemon = serve(&gate);
    let large = large_mail(0, 15 << 20);
    postfix.send("jane@example.com", &["support@example.org"], &large);
    wait_for_tickets(&gate, 1);
    let raw = gate.run(&["article", "show", "1", "--raw"]);
    assert!(raw.contains("with LMTPS id "), "{}", raw.get(..1_000).unwrap_or_default());
    assert!(raw.as_bytes().ends_with(&large[large.len() - (14 << 20)..]), "the bytes are those that were sent");
    postfix.send("jane@example.com", &["support@example.org"], &large_mail(1, 21 << 20));
    until("Postfix hears that it is too large", PATIENCE, || {
        postfix.log().contains("552 5.3.4") || postfix.log().contains("size limit")
    });
    assert_eq!(tickets(&gate).len(), 1);
}
