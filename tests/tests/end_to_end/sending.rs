//! Mail on its way out: through Postfix by every kind of transport into Dovecot's mailboxes, by a command, into a
//! folder; and what holds it up.

use postigo_tests::dovecot::{self, Certificate, Dovecot, PASSWORD};
use postigo_tests::gate::{Daemon, Gate, PATIENCE, http_client, until};
use postigo_tests::mails::mail;
use postigo_tests::ports::free_port;
use postigo_tests::postfix::{Options, Postfix};
use postigo_tests::postgres::Postgres;
use postigo_tests::provider::{Provider, leaks};
use postigo_tests::sink::Sink;
use serde_json::Value;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A desk that answers every new ticket.
const DESK: &str = "[[queue]]\nname = \"Support\"\n[[system_address]]\naddress = \"support@example.org\"\nqueue = \"Support\"\n\
    [[auto_response]]\nname = \"Receipt\"\ntype = \"reply\"\nqueue = \"Support\"\nsubject = \"We have it\"\nbody = \"Thank you.\"\n";

/// Postfix that delivers into Dovecot's mailboxes, and only for those who sign in at Dovecot.
struct Servers {
    dovecot: Dovecot,
    postfix: Postfix,
}

impl Servers {
    fn start(settings: &[(&str, &str)]) -> Option<Self> {
        Self::with(&dovecot::Options::default(), settings)
    }

    fn with(options: &dovecot::Options, settings: &[(&str, &str)]) -> Option<Self> {
        let sasl = free_port();
        let listener =
            format!("service auth {{\n  inet_listener sasl {{\n    address = 127.0.0.1\n    port = {sasl}\n  }}\n}}\n");
        let more = format!("{}\n{listener}", options.more);
        let dovecot = Dovecot::with(dovecot::Options { more, ..options.clone() })?;
        let (folder, user, group) = dovecot.mailboxes();
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let postfix = Postfix::start(Options {
            mailboxes: Some(("example.com".into(), folder, user, group)),
            tls: Some((dovecot.ca().with_file_name("server.pem"), dovecot.ca().with_file_name("server.key"))),
            sasl: Some(format!("inet:127.0.0.1:{sasl}")),
            settings,
            ..Options::default()
        })?;
        Some(Self { dovecot, postfix })
    }

    fn transport(&self, kind: &str) -> String {
        self.transport_of(kind, &format!("password = \"{PASSWORD}\""), &self.dovecot.ca())
    }

    fn transport_of(&self, kind: &str, secret: &str, authority: &Path) -> String {
        let port = if kind == "smtps" { self.postfix.smtps } else { self.postfix.smtp };
        format!(
            "[[transport]]\nname = \"relay\"\nkind = \"{kind}\"\nhost = \"localhost\"\nport = {port}\nuser = \"support\"\n{secret}\n\
             tls = {{ ca = \"{}\" }}\n",
            authority.display()
        )
    }

    fn received(&self, user: &str) -> usize {
        self.dovecot.messages(user, "INBOX").len()
    }
}

/// A customer writes to the desk.
fn write(gate: &Gate, number: usize, user: &str) {
    let text =
        String::from_utf8(mail(number)).expect("text").replace("jane@example.com", &format!("{user}@example.com"));
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("a temporary file");
    gate.run(&["ingest", &file.path().display().to_string()]);
}

fn outgoing(gate: &Gate, status: &str) -> Vec<Value> {
    gate.json(&["outbound", "list", "--status", status])
}

#[test]
fn every_kind_and_mechanism_reaches_the_customers_mailbox() {
    for mechanism in ["plain", "login"] {
        let Some(servers) = Servers::start(&[("smtpd_sasl_mechanism_filter", mechanism)]) else { return };
        let gate = Gate::new();
        gate.configure(DESK);
        let daemon = gate.serve("postigo=info");
        for (turn, kind) in ["smtp", "smtps", "smtp+starttls"].into_iter().enumerate() {
            gate.configure(&servers.transport(kind));
            let facts = gate.json(&["transport", "test", "relay"]).remove(0);
            assert_eq!(facts["signed in"], format!("support by {}", mechanism.to_uppercase()), "{facts}");
            assert_eq!(facts["tls"].as_str().is_some_and(|tls| tls.starts_with("TLSv1.")), kind != "smtp", "{facts}");
            assert!(
                facts["greeting"].as_str().is_some_and(|greeting| greeting.starts_with("220 mx.example.net")),
                "{facts}"
            );
            write(&gate, turn, "jane");
            until("the answer arrives", PATIENCE, || servers.received("jane") == turn + 1);
            until("it is known to be sent", PATIENCE, || outgoing(&gate, "sent").len() == turn + 1);
        }
        let log = gate.run(&["log", "list", "--search", "jane@example.com", "--json"]);
        assert!(log.contains("\"outgoing\"") && !log.contains(PASSWORD), "{log}");
        daemon.stop();
        let output = gate.run(&["outbound", "show", "1", "--raw"]);
        assert!(output.contains("Subject:") && !output.contains("Bcc:"), "{output}");
    }
}

#[test]
fn every_kind_takes_access_tokens_by_both_mechanisms() {
    let Some(provider) = Provider::start() else { return };
    for mechanism in ["xoauth2", "oauthbearer"] {
        let Some(servers) = Servers::with(&provider.dovecot(mechanism), &[]) else { return };
        let authority = provider.authorities(&[servers.dovecot.ca()]);
        let gate = Gate::new();
        gate.configure(DESK);
        let daemon = gate.serve("postigo=info");
        for (turn, kind) in ["smtp", "smtps", "smtp+starttls"].into_iter().enumerate() {
            let table = provider.table("client-credentials", "http://localhost:9/");
            // Without a person the provider's tokens are the program's own, whose name is this.
            gate.configure(
                &servers.transport_of(kind, &table, &authority).replace("user = \"support\"", "user = \"app\""),
            );
            let facts = gate.json(&["transport", "test", "relay"]).remove(0);
            assert_eq!(facts["signed in"], format!("app by {}", mechanism.to_uppercase()), "{facts}");
            write(&gate, turn, "jane");
            until("the answer arrives", PATIENCE, || servers.received("jane") == turn + 1);
        }
        daemon.stop();
        assert!(!leaks(&gate.run(&["log", "list", "--json"])), "no token is in the log");
    }
}

#[test]
fn a_server_that_cannot_be_trusted_gets_nothing() {
    let Some(dovecot) = Dovecot::start() else { return };
    let expired = Dovecot::with(dovecot::Options { certificate: Certificate::Expired, ..dovecot::Options::default() })
        .expect("as before");
    let other = Dovecot::with(dovecot::Options { certificate: Certificate::WrongHost, ..dovecot::Options::default() })
        .expect("as before");
    let gate = Gate::new();
    for (server, authority, settings, words) in [
        (&expired, expired.ca().display().to_string(), vec![], "expired"),
        (&other, other.ca().display().to_string(), vec![], "not valid for name"),
        (&dovecot, other.ca().display().to_string(), vec![], "is refused"),
        (
            &dovecot,
            dovecot.ca().display().to_string(),
            ["smtpd_tls_protocols", "smtpd_tls_mandatory_protocols"]
                .map(|key| (key.to_owned(), "TLSv1.1".to_owned()))
                .to_vec(),
            "speaks no TLS newer than 1.1",
        ),
    ] {
        let tls = Some((server.ca().with_file_name("server.pem"), server.ca().with_file_name("server.key")));
        let Some(postfix) = Postfix::start(Options { tls, settings, ..Options::default() }) else { return };
        for (kind, port) in [("smtps", postfix.smtps), ("smtp+starttls", postfix.smtp)] {
            gate.configure(&format!(
                "[[transport]]\nname = \"relay\"\nkind = \"{kind}\"\nhost = \"localhost\"\nport = {port}\ntls = {{ ca = \"{authority}\" }}\n"
            ));
            let output = gate.try_run(["transport", "test", "relay"]);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && error.contains(words), "{kind} {words}: {error}");
        }
    }
}

#[test]
fn mail_waits_while_the_server_is_away_and_goes_out_when_it_is_back() {
    let Some(servers) = Servers::start(&[]) else { return };
    let gate = Gate::new();
    gate.configure(&(DESK.to_owned() + &servers.transport("smtp+starttls")));
    servers.postfix.stop();
    let daemon = gate.serve("postigo=info");
    write(&gate, 0, "jane");
    let waits = || {
        outgoing(&gate, "waiting")
            .iter()
            .any(|mail| mail["error"].as_str().is_some_and(|error| error.contains("No connection")))
    };
    until("the mail waits and says why", PATIENCE, waits);
    servers.postfix.resume();
    until("the answer arrives", PATIENCE, || servers.received("jane") == 1);
    until("it is known to be sent", PATIENCE, || outgoing(&gate, "sent").len() == 1);
    assert_eq!(outgoing(&gate, "sent")[0]["tries"], 1, "a server that is away costs no try");
    daemon.stop();
    let second = gate.serve("postigo=info");
    write(&gate, 1, "jane");
    until("the next answer arrives", PATIENCE, || servers.received("jane") == 2);
    second.stop();
}

#[test]
fn a_kill_in_the_midst_of_sending_loses_nothing_and_doubles_nothing() {
    const MAILS: usize = 30;
    let Some(servers) = Servers::start(&[]) else { return };
    let gate = Gate::new();
    gate.configure(&(DESK.to_owned() + &servers.transport("smtp+starttls")));
    servers.postfix.stop();
    let first = gate.serve("postigo=info");
    for number in 0..MAILS {
        write(&gate, number, &format!("customer{number}"));
    }
    until("all are composed", PATIENCE, || {
        outgoing(&gate, "waiting").len() + outgoing(&gate, "sending").len() == MAILS
    });
    first.kill();
    servers.postfix.resume();
    for _ in 0..3 {
        if outgoing(&gate, "waiting").is_empty() && outgoing(&gate, "sending").is_empty() {
            break;
        }
        let daemon = gate.serve("postigo=info");
        daemon.wait_for("sent");
        daemon.kill();
    }
    let daemon = gate.serve("postigo=info");
    until("all are done", PATIENCE, || outgoing(&gate, "sent").len() + outgoing(&gate, "uncertain").len() == MAILS);
    servers.postfix.wait_until_delivered();
    let sent: Vec<String> = outgoing(&gate, "sent")
        .iter()
        .map(|mail| mail["recipients"][0].as_str().unwrap_or_default().to_owned())
        .collect();
    for number in 0..MAILS {
        let user = format!("customer{number}");
        let received = servers.received(&user);
        assert!(received <= 1, "{user} got {received}");
        assert!(
            received == 1 || !sent.contains(&format!("{user}@example.com")),
            "{user} got nothing and it is called sent"
        );
    }
    daemon.stop();
}

#[test]
fn a_kill_between_two_transactions_of_a_mail_sends_nobody_a_second_copy() {
    const PEOPLE: [&str; 3] = ["jane@example.com", "joe@example.com", "jim@example.com"];
    let sink = Sink::start();
    sink.take_at_once(1);
    sink.fall_silent_after(1);
    let gate = Gate::new();
    gate.configure(&format!(
        "[settings]\noutbound = {{ retry = \"linear\", retry_increment = \"1s\" }}\n\
         [[queue]]\nname = \"Support\"\naddress = \"support@example.org\"\n\
         [[system_address]]\naddress = \"support@example.org\"\nqueue = \"Support\"\n\
         [[transport]]\nname = \"relay\"\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\n",
        sink.port
    ));
    let token = gate.json(&["token", "create", "--role", "agent"])[0]["token"].as_str().expect("a token").to_owned();
    let mut daemon = gate.serve("postigo=info");
    let body = serde_json::json!({ "queue": "Support", "to": PEOPLE, "subject": "News", "body": "News." });
    let answer = http_client(PATIENCE)
        .post(format!("{}/api/v1/tickets", daemon.url))
        .bearer_auth(token)
        .json(&body)
        .send()
        .expect("REST answers");
    assert!(answer.status().is_success(), "{}", answer.text().unwrap_or_default());
    // Between the first and the second, and between the second and the third.
    for taken in 1..PEOPLE.len() {
        until("a further transaction is to begin", PATIENCE, || sink.taken().len() == taken && sink.unbegun() == 1);
        daemon.kill();
        sink.fall_silent_after(taken + 1);
        until("the connection that was cut is forgotten", PATIENCE, || sink.unbegun() == 0);
        daemon = gate.serve("postigo=info");
    }
    until("all is sent", PATIENCE, || outgoing(&gate, "sent").len() == 1);
    assert_eq!(PEOPLE.map(|person| sink.received(person)), [1; 3], "{:?}", sink.taken());
    daemon.stop();
}

#[test]
fn a_command_and_a_folder_take_mail_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let command = folder.path().join("sendmail");
    let script = format!("#!/bin/sh\nprintf '%s ' \"$@\" > {0}/arguments\ncat > {0}/bytes\n", folder.path().display());
    std::fs::write(&command, script).expect("ours");
    std::fs::set_permissions(&command, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let gate = Gate::new();
    let transport = |kind: &str, host: &Path| {
        format!("[[transport]]\nname = \"relay\"\nkind = \"{kind}\"\nhost = \"{}\"\n", host.display())
    };
    gate.configure(&(DESK.to_owned() + &transport("sendmail", &command)));
    assert!(gate.run(&["transport", "test", "relay"]).contains("can be run"));
    let files = folder.path().join("out");
    let allowed = [format!("mta={}", command.display()), format!("trial={}", files.display())];
    let daemon = gate.serve_with("postigo=info", &["--allow-command", &allowed[0], "--allow-folder", &allowed[1]]);
    write(&gate, 0, "jane");
    until("the command took it", PATIENCE, || outgoing(&gate, "sent").len() == 1);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    assert_eq!(read("arguments"), "-i -f <> -- jane@example.com ", "an answer has the null sender");
    assert!(read("bytes").contains("Subject: ") && !read("bytes").contains('\r'));
    gate.configure(&transport("file", Path::new("trial")));
    write(&gate, 1, "jane");
    until("the folder has it", PATIENCE, || outgoing(&gate, "sent").len() == 2);
    assert!(std::fs::read_to_string(files.join("2.eml")).expect("the mail").contains("\r\n\r\n"));
    daemon.stop();
}

#[test]
fn a_command_that_the_daemon_was_not_started_with_is_not_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let command = folder.path().join("sendmail");
    std::fs::write(&command, format!("#!/bin/sh\ntouch {}/ran\ncat > /dev/null\n", folder.path().display()))
        .expect("ours");
    std::fs::set_permissions(&command, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let gate = Gate::new();
    let transport = format!("[[transport]]\nname = \"relay\"\nkind = \"sendmail\"\nhost = \"{}\"\n", command.display());
    gate.configure(&(DESK.to_owned() + &transport));
    let daemon = gate.serve("postigo=info");
    assert!(daemon.wait_for("a transport cannot be used").contains("--allow-command NAME=PATH"));
    write(&gate, 0, "jane");
    until("the mail waits and says why", PATIENCE, || {
        outgoing(&gate, "waiting")
            .iter()
            .any(|mail| mail["error"].as_str().is_some_and(|error| error.contains("--allow-command NAME=PATH")))
    });
    let ready =
        http_client(PATIENCE).get(format!("{}/readyz", daemon.url)).send().expect("an answer").text().expect("text");
    assert!(ready.contains("The transport \\\"relay\\\": host must name a command"), "{ready}");
    daemon.stop();
    assert!(!folder.path().join("ran").exists());
    let daemon = gate.serve_with("postigo=info", &["--allow-command", &format!("mta={}", command.display())]);
    until("it went out", PATIENCE, || outgoing(&gate, "sent").len() == 1);
    assert!(folder.path().join("ran").exists());
    daemon.stop();
}

#[test]
fn without_a_transport_mail_waits_and_can_be_cancelled() {
    let gate = Gate::new();
    gate.configure(DESK);
    let daemon = gate.serve("postigo=info");
    write(&gate, 0, "jane");
    daemon.wait_for("there is no valid transport");
    let waiting = outgoing(&gate, "waiting");
    let mut shown = String::new();
    let _ = write!(shown, "{}", waiting[0]);
    assert!(shown.contains("jane@example.com"), "{shown}");
    gate.run(&["outbound", "cancel", "1"]);
    assert_eq!(outgoing(&gate, "cancelled").len(), 1);
    let output = gate.try_run(["outbound", "cancel", "1"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("is cancelled; only one that is due or waiting"),
        "{output:?}"
    );
    daemon.stop();
}

#[test]
fn a_server_that_demands_a_certificate_of_its_clients_gets_it() {
    let settings =
        [("smtpd_tls_ask_ccert", "yes"), ("smtpd_tls_req_ccert", "yes"), ("smtpd_tls_security_level", "encrypt")];
    let Some(dovecot) = Dovecot::start() else { return };
    let (authority, certificate) = (dovecot.ca(), dovecot.ca().with_file_name("server.pem"));
    let key = certificate.with_extension("key");
    let mut settings: Vec<(String, String)> =
        settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    settings.push(("smtpd_tls_CAfile".to_owned(), authority.display().to_string()));
    let (folder, user, group) = dovecot.mailboxes();
    let options = Options {
        mailboxes: Some(("example.com".into(), folder, user, group)),
        tls: Some((certificate.clone(), key.clone())),
        settings,
        ..Options::default()
    };
    let Some(postfix) = Postfix::start(options) else { return };
    let gate = Gate::new();
    gate.configure(DESK);
    let daemon = gate.serve("postigo=info");
    for (turn, (kind, port)) in [("smtps", postfix.smtps), ("smtp+starttls", postfix.smtp)].into_iter().enumerate() {
        let transport = |tls: String| {
            format!(
                "[[transport]]\nname = \"relay\"\nkind = \"{kind}\"\nhost = \"localhost\"\nport = {port}\n\
                 tls = {{ ca = \"{}\"{tls} }}\n",
                authority.display()
            )
        };
        gate.configure(&transport(String::new()));
        write(&gate, turn, "jane");
        until("the mail waits and says why", PATIENCE, || {
            outgoing(&gate, "waiting")
                .iter()
                .any(|mail| mail["error"].as_str().is_some_and(|error| error.to_lowercase().contains("certificate")))
        });
        assert_eq!(dovecot.messages("jane", "INBOX").len(), turn, "without a certificate nothing is taken");
        let shown = format!(", client_certificate = \"{}\", client_key = \"{}\"", certificate.display(), key.display());
        gate.configure(&transport(shown));
        until("the answer arrives", PATIENCE, || dovecot.messages("jane", "INBOX").len() == turn + 1);
        until("it is known to be sent", PATIENCE, || outgoing(&gate, "sent").len() == turn + 1);
    }
    daemon.stop();
}

#[test]
fn two_daemons_share_a_queue_and_each_mail_goes_out_once() {
    const MAILS: usize = 20;
    let Some(postgres) = Postgres::start() else { return };
    let (database, sink) = (postgres.database(), Sink::start());
    let first = Gate::on_postgres(&database, None);
    let transport = format!(
        "[[transport]]\nname = \"relay\"\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\nconnections = 2\n",
        sink.port
    );
    first.configure(&(DESK.to_owned() + &transport));
    for number in 0..MAILS {
        write(&first, number, &format!("customer{number}"));
    }
    let second = Gate::on_postgres(&database, Some(&first));
    sink.hold();
    let daemons = [first.serve("postigo=info"), second.serve("postigo=info")];
    until("both send as much at once as they may", PATIENCE, || sink.unanswered() == 4);
    sink.release();
    until("all is sent", PATIENCE, || outgoing(&first, "sent").len() == MAILS);
    for number in 0..MAILS {
        assert_eq!(sink.received(&format!("customer{number}@example.com")), 1, "customer{number}");
    }
    assert_eq!(sink.taken().len(), MAILS);
    daemons.into_iter().for_each(Daemon::stop);
}
