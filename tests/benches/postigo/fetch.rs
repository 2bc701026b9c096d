//! Fetching from Dovecot, beside a bare client that fetches the same in batches and keeps nothing.

use super::report::{line, once, section};
use postigo_tests::dovecot::{Dovecot, PASSWORD};
use postigo_tests::gate::Gate;
use postigo_tests::mails::mails;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

const MESSAGES: usize = 4_000;

pub fn run() {
    section(&format!("{MESSAGES} messages from Dovecot by IMAP"));
    let Some(server) = Dovecot::start() else { return };
    let raws = mails(0..MESSAGES);
    for user in ["bare", "gate"] {
        server.deliver(user, "INBOX", raws.iter().map(Vec::as_slice));
    }
    // Dovecot indexes a folder when it is first opened; that is not what is measured.
    bare(server.imap, "gate", 1);
    bare(server.imap, "bare", 1);
    let (bare_took, ()) = once(|| bare(server.imap, "bare", MESSAGES));
    let gate = Gate::new();
    gate.configure(&format!(
        "[[account]]\nname = \"bench\"\nprotocol = \"imap\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"gate\"\npassword = \"{PASSWORD}\"\n",
        server.imap
    ));
    let (took, _) = once(|| gate.run(&["fetch", "--account", "bench"]));
    assert_eq!(gate.json(&["ticket", "list", "--limit", "100000"]).len(), MESSAGES);
    assert!(server.messages("gate", "INBOX").is_empty());
    let rate = |took: std::time::Duration| MESSAGES as f64 / took.as_secs_f64();
    let ratio = rate(took) / rate(bare_took);
    line(
        "fetched, filed and deleted",
        &format!("{:.0}/s", rate(took)),
        "≥ 0.7 of it",
        &format!("the bare client {:.0}/s, ratio {ratio:.2}", rate(bare_took)),
    );
}

/// Signs in and fetches the first `count` messages, 50 at a time.
fn bare(port: u16, user: &str, count: usize) {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).unwrap();
    let mut say = |number: usize, command: &str| {
        write!(writer, "a{number} {command}\r\n").unwrap();
        let done = format!("a{number} OK");
        loop {
            line.clear();
            assert_ne!(reader.read_until(b'\n', &mut line).unwrap(), 0, "the server hung up");
            if line.starts_with(done.as_bytes()) {
                return;
            }
        }
    };
    say(0, &format!("LOGIN {user} {PASSWORD}"));
    say(1, "SELECT INBOX");
    for first in (1..=count).step_by(50) {
        say(first + 1, &format!("FETCH {first}:{} (UID INTERNALDATE BODY.PEEK[])", (first + 49).min(count)));
    }
}
