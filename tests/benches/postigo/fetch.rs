//! Fetching from Dovecot by IMAP and by POP3, beside a bare client that fetches the same in batches and syncs it to
//! disk.

use super::report::{line, once, section};
use super::rules::configuration;
use postigo_tests::dovecot::{Dovecot, PASSWORD};
use postigo_tests::gate::Gate;
use postigo_tests::mails::mails;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

const MESSAGES: usize = 10_000;
/// The bare client asks for so many at once, and syncs them together.
const BATCH: usize = 100;

/// Filters of the second account that is fetched from.
const FILTERS: usize = 20;

pub fn run() {
    for (protocol, bare) in [("imap", imap as fn(u16, &str, usize)), ("pop3", pop3)] {
        section(&format!("{MESSAGES} messages from Dovecot by {protocol}"));
        let Some(server) = Dovecot::start() else { return };
        let port = if protocol == "imap" { server.imap } else { server.pop3 };
        let raws = mails(0..MESSAGES);
        for user in ["bare", "gate", "filtered"] {
            server.deliver(user, "INBOX", raws.iter().map(Vec::as_slice));
            // Dovecot indexes a folder when it is first opened; that is not what is measured.
            bare(port, user, 1);
        }
        let (bare_took, ()) = once(|| bare(port, "bare", MESSAGES));
        let (durable, filed) = fetch(&server, protocol, port, "gate", "");
        let (_, filtered) = fetch(&server, protocol, port, "filtered", &configuration(FILTERS));
        let rate = |took: Duration| MESSAGES as f64 / took.as_secs_f64();
        let show = |what: &str, took: Duration| {
            let baseline =
                format!("the bare client {:.0}/s, ratio {:.2}", rate(bare_took), rate(took) / rate(bare_took));
            line(what, &format!("{:.0}/s", rate(took)), "≥ 0.7 of it", &baseline);
        };
        show("fetched, durable and deleted; filing goes on beside it", durable);
        show("all of it filed as well", filed);
        show(&format!("the same with {FILTERS} filters"), filtered);
    }
}

/// Fetches all from this user's mailbox into a gate with these filters; until it was durable and deleted, and until it
/// was filed.
fn fetch(server: &Dovecot, protocol: &str, port: u16, user: &str, filters: &str) -> (Duration, Duration) {
    let gate = Gate::new();
    let account =
        format!("[[account]]\nname = \"bench\"\nprotocol = \"{protocol}\"\nhost = \"127.0.0.1\"\nport = {port}\n");
    gate.configure(&format!("{account}user = \"{user}\"\npassword = \"{PASSWORD}\"\n{filters}"));
    let (took, reports) = once(|| gate.json(&["fetch", "--account", "bench"]));
    assert_eq!(gate.titles().len(), MESSAGES);
    assert!(server.messages(user, "INBOX").is_empty());
    (reports[0]["milliseconds"].as_u64().map(Duration::from_millis).expect("a time"), took)
}

/// A connection that is read line by line, and a file for what is read.
struct Bare {
    reader: BufReader<TcpStream>,
    file: std::fs::File,
}

impl Bare {
    fn connect(port: u16) -> Self {
        let mut bare = Self {
            reader: BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap()),
            file: tempfile::tempfile().unwrap(),
        };
        bare.read_until(|_| true);
        bare
    }

    fn say(&mut self, words: &str) {
        self.reader.get_mut().write_all(words.as_bytes()).unwrap();
    }

    /// Keeps lines up to one that is the last.
    fn read_until(&mut self, is_last: impl Fn(&[u8]) -> bool) {
        let mut read = Vec::new();
        let mut start = 0;
        loop {
            assert_ne!(self.reader.read_until(b'\n', &mut read).unwrap(), 0, "the server hung up");
            if is_last(&read[start..]) {
                break;
            }
            start = read.len();
        }
        self.file.write_all(&read).unwrap();
    }
}

/// Signs in and fetches the first `count` messages by IMAP.
fn imap(port: u16, user: &str, count: usize) {
    let mut bare = Bare::connect(port);
    let mut command = |words: &str| {
        bare.say(&format!("a {words}\r\n"));
        bare.read_until(|line| line.starts_with(b"a OK"));
        bare.file.sync_data().unwrap();
    };
    command(&format!("LOGIN {user} {PASSWORD}"));
    command("SELECT INBOX");
    for first in (1..=count).step_by(BATCH) {
        command(&format!("FETCH {first}:{} (UID INTERNALDATE BODY.PEEK[])", (first + BATCH - 1).min(count)));
    }
}

/// Signs in and fetches the first `count` messages by POP3.
fn pop3(port: u16, user: &str, count: usize) {
    let mut bare = Bare::connect(port);
    for words in [format!("USER {user}\r\n"), format!("PASS {PASSWORD}\r\n")] {
        bare.say(&words);
        bare.read_until(|line| line.starts_with(b"+OK"));
    }
    for first in (1..=count).step_by(BATCH) {
        let last = (first + BATCH - 1).min(count);
        bare.say(&(first..=last).map(|number| format!("RETR {number}\r\n")).collect::<String>());
        (first..=last).for_each(|_| bare.read_until(|line| line == b".\r\n"));
        bare.file.sync_data().unwrap();
    }
    bare.say("QUIT\r\n");
    bare.read_until(|line| line.starts_with(b"+OK"));
}
