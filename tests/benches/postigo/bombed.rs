//! How long a mail of one account takes from its arrival to its ticket while another account is bombed, beside the same
//! without.

use super::report::{line, section};
use super::rules::configuration;
use postigo_tests::crowd::percentile;
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::mails::mail;
use postigo_tests::ports::free_port;
use postigo_tests::postgres::Postgres;
use postigo_tests::speaker::Speaker;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Mails that the bombed account gets.
const BOMBS: usize = 10_000;
/// Connections that bring them.
const CONNECTIONS: usize = 20;
/// Mails of the other account where nobody is bombed.
const CALM: usize = 100;
/// So far apart are the other account's mails.
const APART: Duration = Duration::from_millis(100);

pub fn run() {
    section(&format!(
        "A mail from its arrival to its ticket while another account gets {BOMBS} over {CONNECTIONS} connections, 20 filters"
    ));
    one("SQLite", &Gate::new());
    if let Some(server) = Postgres::start() {
        one("PostgreSQL", &Gate::on_postgres(&server.database(), None));
    }
}

fn one(database: &str, gate: &Gate) {
    let [bombed, other] = [free_port(), free_port()];
    let account = |name: &str, port: u16| {
        format!("[[account]]\nname = \"{name}\"\nprotocol = \"lmtp\"\nport = {port}\nuser = \"*\"\n")
    };
    gate.configure(&format!("{}{}{}", configuration(20), account("bombed", bombed), account("other", other)));
    let daemon = gate.serve("warn,postigo=info");
    for _ in 0..2 {
        daemon.wait_for("listens");
    }
    let mut sent = HashMap::new();
    for _ in 0..CALM {
        bring_one(other, &mut sent);
        std::thread::sleep(APART);
    }
    let calm = times(gate, &std::mem::take(&mut sent));
    let bombs_out = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let bombs: Vec<_> = (0..CONNECTIONS).map(|place| scope.spawn(move || bring_bombs(bombed, place))).collect();
        let bombs_out = &bombs_out;
        scope.spawn(move || {
            for bomb in bombs {
                bomb.join().unwrap();
            }
            until("the bombs are filed", PATIENCE, || gate.on_their_way() < CONNECTIONS);
            bombs_out.store(true, Ordering::Relaxed);
        });
        while !bombs_out.load(Ordering::Relaxed) {
            bring_one(other, &mut sent);
            std::thread::sleep(APART);
        }
    });
    let under = times(gate, &sent);
    daemon.stop();
    let at = |times: &[Duration], percent| percentile(times, percent).as_millis();
    let baseline = |percent| format!("while nobody is bombed {} ms", at(&calm, percent));
    line(&format!("{database}, half below"), &format!("{} ms", at(&under, 50)), "–", &baseline(50));
    line(
        &format!("{database}, 99 of 100 below, of {}", under.len()),
        &format!("{} ms", at(&under, 99)),
        "≤ 1 s",
        &baseline(99),
    );
}

fn bring_bombs(port: u16, place: usize) {
    let (mut client, _) = greeted(port);
    for number in (place..BOMBS).step_by(CONNECTIONS) {
        bring(&mut client, mail(number));
    }
}

/// Brings the next mail of the other account, and notes when it was begun.
fn bring_one(port: u16, sent: &mut HashMap<String, SystemTime>) {
    // A client of its own, as mails come that are few.
    let (mut client, _) = greeted(port);
    let now = SystemTime::now();
    let subject = format!("Alone {}", now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos());
    let text = format!(
        "From: joe@example.com\r\nTo: other@example.org\r\nSubject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\nHello.\r\n"
    );
    sent.insert(subject, now);
    bring(&mut client, text.into_bytes());
}

fn greeted(port: u16) -> (Speaker, String) {
    let (mut client, greeting) = Speaker::connect(port);
    client.say("LHLO bench.example");
    (client, greeting)
}

fn bring(client: &mut Speaker, mut mail: Vec<u8>) {
    mail.extend_from_slice(b".\r\n");
    client.say("MAIL FROM:<joe@example.com>");
    client.say("RCPT TO:<other@example.org>");
    client.say("DATA");
    client.send(&mail);
    let answer = client.hear();
    assert!(answer.starts_with("250"), "{answer}");
}

/// How long each took to its ticket, in rising order; all are filed.
fn times(gate: &Gate, sent: &HashMap<String, SystemTime>) -> Vec<Duration> {
    let filed = || gate.json(&["spool", "list", "--status", "filed", "--account", "other", "--limit", "100000"]);
    let mut ended: HashMap<String, SystemTime> = HashMap::new();
    until("the other account's mails are filed", PATIENCE, || {
        for message in filed() {
            let title = message["result"]["title"].as_str().unwrap_or_default().to_owned();
            let at = OffsetDateTime::parse(message["ended_at"].as_str().unwrap(), &Rfc3339).unwrap();
            ended.insert(title, at.into());
        }
        sent.keys().all(|subject| ended.contains_key(subject))
    });
    let mut times: Vec<Duration> =
        sent.iter().map(|(subject, begun)| ended[subject].duration_since(*begun).unwrap_or_default()).collect();
    times.sort();
    times
}
