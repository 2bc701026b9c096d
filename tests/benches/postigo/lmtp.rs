//! Mail by LMTP into tickets, beside Dovecot's own LMTP, which delivers the same into a Maildir; and one very large
//! mail.

use super::daemon::peak_mebibytes;
use super::report::{line, once, section};
use super::rules::configuration;
use postigo_tests::dovecot::{Dovecot, Options};
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::mails::{large_mail, mail, mail_with_large_file};
use postigo_tests::ports::free_port;
use postigo_tests::speaker::Speaker;
use std::time::Duration;

const MESSAGES: usize = 10_000;
/// So many connections at once, as Postfix makes.
const CONNECTIONS: usize = 20;
const LARGE: usize = 100 << 20;

pub fn run() {
    section(&format!("{MESSAGES} messages by LMTP, over {CONNECTIONS} connections"));
    let port = free_port();
    let lmtp = format!(
        "protocols = imap pop3 lmtp\nmail_fsync = optimized\nservice lmtp {{\n  inet_listener lmtp {{\n    port = {port}\n  }}\n}}\n"
    );
    let Some(dovecot) = Dovecot::with(Options { more: lmtp, ..Options::default() }) else { return };
    let (bare, ()) = once(|| deliver(port, "box", MESSAGES));
    assert_eq!(dovecot.messages("box", "INBOX").len(), MESSAGES);
    let rate = |took: Duration| MESSAGES as f64 / took.as_secs_f64();
    let show = |what: &str, took: Duration| {
        let baseline = format!("Dovecot's LMTP {:.0}/s, ratio {:.2}", rate(bare), rate(took) / rate(bare));
        line(what, &format!("{:.0}/s", rate(took)), "≥ 3 of it", &baseline);
    };
    let (taken, filed) = take_in("");
    show("taken in: each 250 is durable", taken);
    show("taken in and filed", filed);
    show("the same with 20 filters", take_in(&configuration(20)).1);
    large("text", large_mail(0, LARGE));
    large("attachment", mail_with_large_file(0, LARGE));
}

/// Takes all in with these filters; until the last answer, and until all was filed.
fn take_in(filters: &str) -> (Duration, Duration) {
    let (gate, port) = listening(filters);
    let daemon = gate.serve("warn,postigo=info");
    daemon.wait_for("listens");
    let (filed, taken) = once(|| {
        let (taken, ()) = once(|| deliver(port, "support@example.org", MESSAGES));
        until("all is filed", PATIENCE, || gate.on_their_way() == 0);
        taken
    });
    assert_eq!(gate.titles().len(), MESSAGES);
    daemon.stop();
    (taken, filed)
}

fn large(what: &str, mail: Vec<u8>) {
    let (gate, port) = listening("");
    let daemon = gate.serve("warn,postigo=info");
    daemon.wait_for("listens");
    let (took, ()) = once(|| {
        send(port, "support@example.org", std::iter::once(mail));
        until("it is filed", PATIENCE, || gate.on_their_way() == 0 && gate.titles().len() == 1);
    });
    line(
        &format!("greatest resident memory with 100 MB of {what} coming in"),
        &format!("{:.0} MB", peak_mebibytes(&daemon)),
        "≤ 300 MB",
        &format!("filed in {took:.1?}"),
    );
    daemon.stop();
}

/// A data folder with a listener for everybody and these filters, and its port.
fn listening(filters: &str) -> (Gate, u16) {
    let (gate, port) = (Gate::new(), free_port());
    let settings = "[settings]\nmax_message_size = \"200 MiB\"\n";
    gate.configure(&format!(
        "{settings}[[account]]\nname = \"door\"\nprotocol = \"lmtp\"\nport = {port}\nuser = \"*\"\n{filters}"
    ));
    (gate, port)
}

/// Delivers so many mails over all connections; the time ends with the last answer.
fn deliver(port: u16, recipient: &str, count: usize) {
    std::thread::scope(|scope| {
        for place in 0..CONNECTIONS {
            scope.spawn(move || send(port, recipient, (place..count).step_by(CONNECTIONS).map(mail)));
        }
    });
}

fn send(port: u16, recipient: &str, mails: impl Iterator<Item = Vec<u8>>) {
    let (mut client, greeting) = Speaker::connect(port);
    let expect = |answer: &str, code: &str| assert!(answer.starts_with(code), "{answer}");
    expect(&greeting, "220");
    expect(&client.say("LHLO bench.example"), "250");
    for mut mail in mails {
        mail.extend_from_slice(b".\r\n");
        expect(&client.say("MAIL FROM:<jane@example.com>"), "250");
        expect(&client.say(&format!("RCPT TO:<{recipient}>")), "250");
        expect(&client.say("DATA"), "354");
        client.send(&mail);
        expect(&client.hear(), "250");
    }
    expect(&client.say("QUIT"), "221");
}
