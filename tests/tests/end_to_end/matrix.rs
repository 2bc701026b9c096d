//! Every way of fetching, with passwords: what each files, and which servers each refuses to talk to.

use postigo_tests::dovecot::{Certificate, Dovecot, Options, PASSWORD};
use postigo_tests::gate::Gate;
use postigo_tests::mails::{mails, subject};

/// Protocols, and whether they use TLS.
const PROTOCOLS: [(&str, bool); 6] = [
    ("imap", false),
    ("imaps", true),
    ("imap+starttls", true),
    ("pop3", false),
    ("pop3s", true),
    ("pop3+starttls", true),
];

fn port(server: &Dovecot, protocol: &str) -> u16 {
    match protocol {
        "imaps" => server.imaps,
        "pop3" | "pop3+starttls" => server.pop3,
        "pop3s" => server.pop3s,
        _ => server.imap,
    }
}

/// Dovecot has no user with a plus sign.
fn user(name: &str) -> String {
    name.replace('+', "-")
}

/// An account of this name, and of the user of this name.
fn account(name: &str, protocol: &str, server: &Dovecot, ca: Option<&Dovecot>) -> String {
    let tls = ca.map(|server| format!("tls = {{ ca = \"{}\" }}\n", server.ca().display())).unwrap_or_default();
    let (port, user) = (port(server, protocol), user(name));
    format!(
        "[[account]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\npassword = \"{PASSWORD}\"\ntimeout = \"10s\"\n{tls}\n"
    )
}

fn deliver(server: &Dovecot, user: &str, numbers: std::ops::Range<usize>) {
    let mails = mails(numbers);
    server.deliver(user, "INBOX", mails.iter().map(Vec::as_slice));
}

#[test]
fn every_protocol_files_each_mail_once_and_empties_the_mailbox() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    let mut configuration = String::new();
    for (place, (protocol, _)) in PROTOCOLS.iter().enumerate() {
        configuration.push_str(&account(protocol, protocol, &server, Some(&server)));
        deliver(&server, &user(protocol), place * 3..place * 3 + 3);
    }
    gate.configure(&configuration);
    for (protocol, uses_tls) in PROTOCOLS {
        let tested = gate.run(&["account", "test", protocol]);
        assert_eq!(tested.contains("TLSv1.3"), uses_tls, "{protocol}: {tested}");
        assert!(
            tested.contains("greeting") && tested.contains("capabilities") && !tested.contains(PASSWORD),
            "{tested}"
        );
        let report = gate.json(&["fetch", "--account", protocol]).pop().expect("a report");
        let counts = ["seen", "fetched", "new", "told"].map(|key| report[key].as_u64());
        assert_eq!((counts, &report["error"]), ([Some(3); 4], &serde_json::Value::Null), "{protocol}: {report}");
        assert!(server.messages(&user(protocol), "INBOX").is_empty(), "{protocol}");
        let again = gate.json(&["fetch", "--account", protocol]).pop().expect("a report");
        assert_eq!((&again["seen"], &again["fetched"]), (&0.into(), &0.into()), "{protocol}: {again}");
        let log = gate.run(&["log", "show", report["communication"].as_str().expect("an id")]);
        assert!(log.contains("greeting") && log.contains("3 new") && !log.contains(PASSWORD), "{protocol}: {log}");
        assert_eq!(log.contains("TLSv1.3"), uses_tls, "{protocol}: {log}");
    }
    assert_eq!(gate.titles(), (0..3 * PROTOCOLS.len()).map(subject).collect::<Vec<_>>());
}

#[test]
fn a_wrong_expired_or_misnamed_certificate_and_an_old_tls_are_refused_with_advice() {
    let Some(server) = Dovecot::start() else { return };
    let with = |certificate, old_tls| {
        Dovecot::with(Options { certificate, old_tls, ..Options::default() }).expect("installed")
    };
    let (expired, misnamed, old) =
        (with(Certificate::Expired, false), with(Certificate::WrongHost, false), with(Certificate::Good, true));
    let cases = [
        ("stranger", &server, &expired, ["certificate of 127.0.0.1 is refused", "tls.ca"]),
        ("expired", &expired, &expired, ["certificate of 127.0.0.1 is refused", "renew"]),
        ("misnamed", &misnamed, &misnamed, ["certificate of 127.0.0.1 is refused", "Correct the account's host"]),
        ("old", &old, &old, ["TLS", "TLS 1.2 or 1.3"]),
    ];
    let gate = Gate::new();
    let mut configuration = String::new();
    for (protocol, _) in PROTOCOLS.into_iter().filter(|(_, uses_tls)| *uses_tls) {
        for (what, server, ca, _) in cases {
            let name = format!("{what}-{protocol}");
            configuration.push_str(&account(&name, protocol, server, Some(ca)));
            deliver(server, &user(&name), 0..1);
        }
    }
    gate.configure(&configuration);
    for (protocol, _) in PROTOCOLS.into_iter().filter(|(_, uses_tls)| *uses_tls) {
        for (what, server, _, words) in cases {
            let name = format!("{what}-{protocol}");
            for arguments in [["account", "test"].as_slice(), &["fetch", "--account"]] {
                let output = gate.try_run(arguments.iter().copied().chain([name.as_str()]));
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(1), "{name}: {said}");
                assert!(words.iter().all(|word| said.contains(word)) && !said.contains(PASSWORD), "{name}: {said}");
            }
            assert_eq!(server.messages(&user(&name), "INBOX").len(), 1, "{name}: nothing is fetched");
            assert!(!server.log().contains(&format!("user=<{}>", user(&name))), "{name}: no password was sent");
        }
    }
    assert!(gate.titles().is_empty());
}
