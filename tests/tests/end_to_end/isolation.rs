//! What is wrong with one mail, or done twice at the same time, concerns no other mail.

use super::fetching::{account, deliver, subjects};
use postigo_tests::dovecot::{Dovecot, PASSWORD};
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::mails::mail;
use std::process::Stdio;

/// Mails as nobody should send them.
const BROKEN: [&[u8]; 8] = [
    b"Message-ID: \r\nSubject: empty id\r\n\r\none\r\n",
    b"Message-ID: \r\nSubject: empty id\r\n\r\ntwo\r\n",
    b"no header at all\r\n",
    b"Subject: =?utf-8?B?%%%%?= =?x-none?Q?=ZZ?=\r\nFrom: <<>>,,;\r\nDate: yesterday\r\n\r\n",
    b"Subject: open\r\nContent-Type: multipart/mixed; boundary=\"a\r\n\r\n--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n--a\r\n",
    b"Subject: encoded\r\nContent-Transfer-Encoding: base64\r\nContent-Type: text/plain; charset=none\r\n\r\n\xff\xfe=\xc3(=\r\n",
    b"Subject: attached\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n--b--\r\n",
    b"Subject: \x1b[2J\xe4\xf6\r\nTo: \x80\r\nX-OTOBO-Queue: \x01\r\n\r\n\x02\x03\r\n",
];

#[test]
fn broken_mails_keep_none_of_the_others_from_being_filed() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    let protocols = [("imap", server.imap), ("pop3", server.pop3)];
    for (protocol, port) in protocols {
        gate.configure(&format!(
            "[[account]]\nname = \"{protocol}\"\nprotocol = \"{protocol}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             user = \"{protocol}\"\npassword = \"{PASSWORD}\"\n"
        ));
        let good: Vec<Vec<u8>> = (0..BROKEN.len()).map(mail).collect();
        server.deliver(
            protocol,
            "INBOX",
            BROKEN.iter().zip(&good).flat_map(|(broken, good)| [*broken, good.as_slice()]),
        );
        let report = gate.json(&["fetch", "--account", protocol]).remove(0);
        assert_eq!(
            (&report["seen"], &report["new"]),
            (&(2 * BROKEN.len()).into(), &(2 * BROKEN.len()).into()),
            "{report}"
        );
        assert!(server.messages(protocol, "INBOX").is_empty(), "{protocol}");
    }
    let tickets = gate.titles();
    assert_eq!(tickets.len(), protocols.len() * 2 * BROKEN.len(), "{tickets:?}");
    assert_eq!(tickets.iter().filter(|title| *title == "empty id").count(), 4, "an empty Message-ID names no mail");
    assert_eq!(gate.on_their_way() + gate.json(&["spool", "list"]).len(), 0, "none is held or failed");
}

#[test]
fn fetched_by_several_at_once_each_mail_is_filed_once() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    deliver(&server, "main", 0..200);
    gate.configure(&account("main", &server, "after_fetch = \"keep\""));
    let fetch = |_| {
        gate.command()
            .args(["fetch", "--account", "main"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let fetchers: Vec<_> = (0..4).map(fetch).collect();
    let daemon = gate.serve("postigo=info");
    for fetcher in fetchers {
        let output = fetcher.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    until("all are filed", PATIENCE, || gate.titles().len() >= 200 && gate.on_their_way() == 0);
    daemon.stop();
    assert_eq!(gate.titles(), subjects(0..200));
    assert_eq!(server.messages("main", "INBOX").len(), 200);
}
