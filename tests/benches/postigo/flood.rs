//! Healthy clients while others hold connections and bring nothing, beside an empty run: how long they wait, and what
//! it costs in memory.

use super::daemon::{mebibytes, peak_mebibytes};
use super::report::{line, once, section};
use postigo_tests::crowd::percentile;
use postigo_tests::flood::{Flood, Speech};
use postigo_tests::gate::{Daemon, Gate, PATIENCE, http_client, until};
use postigo_tests::mails::mail;
use postigo_tests::ports::free_port;
use postigo_tests::speaker::Speaker;
use std::time::{Duration, Instant};

const IDLE: usize = 2_000;
const DRIPPING: usize = 500;
/// So long healthy clients come, with the others there and without.
const RUN: Duration = Duration::from_mins(1);
/// One comes so often.
const COMES_EVERY: Duration = Duration::from_millis(50);

pub fn run() {
    section(&format!("{IDLE} silent and {DRIPPING} dripping clients on a listener for a minute"));
    // Each of them has a descriptor here too.
    postigo_net::listen::Descriptors::raised();
    for (name, speech) in [("REST", Speech::Http), ("LMTP", Speech::Lmtp), ("SMTP", Speech::Smtp)] {
        on(name, speech);
    }
}

fn on(name: &str, speech: Speech) {
    let (gate, port) = (Gate::new(), free_port());
    let protocol = if speech == Speech::Smtp { "smtp" } else { "lmtp" };
    gate.configure(&format!("[[account]]\nname = \"door\"\nprotocol = \"{protocol}\"\nport = {port}\nuser = \"*\"\n"));
    let daemon = gate.serve("warn,postigo=info");
    daemon.wait_for("listens");
    let port = if speech == Speech::Http { daemon.port() } else { port };
    let mut number = 0;
    let mut turn = || {
        number += 1;
        once(|| healthy(&daemon, speech, port, number)).0
    };
    let without = times(&mut turn);
    let before = mebibytes(&daemon);
    let flood = Flood::start(port, speech, IDLE, DRIPPING);
    until("all have come", PATIENCE, || flood.came() >= IDLE + DRIPPING);
    let with = times(&mut turn);
    let (open, came) = (flood.open(), flood.came());
    let of = |percent: usize| {
        format!(
            "p{percent} without them {:.1?}, with {:.1?}",
            percentile(&without, percent),
            percentile(&with, percent)
        )
    };
    let served = format!("{} and {} clients served; {}", without.len(), with.len(), of(50));
    let ratio = percentile(&with, 99).as_secs_f64() / percentile(&without, 99).as_secs_f64();
    line(
        &format!("{name}: p99 of healthy clients, times the empty run's"),
        &format!("{ratio:.1}"),
        "≤ 3",
        &format!("{}; {served}", of(99)),
    );
    let memory = format!("resident {before:.0} MB before, {:.0} MB with; {open} held, {came} came", mebibytes(&daemon));
    let more = peak_mebibytes(&daemon) - before;
    line(&format!("{name}: memory for them at most"), &format!("{more:.0} MB"), "≤ 100 MB", &memory);
    drop(flood);
    daemon.stop();
}

/// How long each healthy client waited, sorted.
fn times(turn: &mut impl FnMut() -> Duration) -> Vec<Duration> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while begun.elapsed() < RUN {
        let took = turn();
        all.push(took);
        std::thread::sleep(COMES_EVERY.saturating_sub(took));
    }
    all.sort();
    all
}

/// One on a connection of its own.
fn healthy(daemon: &Daemon, speech: Speech, port: u16, number: usize) {
    if speech == Speech::Http {
        let answer = http_client(PATIENCE).get(format!("{}/healthz", daemon.url)).send().unwrap();
        assert_eq!(answer.status(), 200);
        return;
    }
    let (mut client, greeting) = Speaker::connect(port);
    assert!(greeting.starts_with("220"), "{greeting}");
    let hello = if speech == Speech::Smtp { "EHLO" } else { "LHLO" };
    for said in [&format!("{hello} bench.example"), "MAIL FROM:<jane@example.com>", "RCPT TO:<support@example.org>"] {
        let answer = client.say(said);
        assert!(answer.starts_with("250"), "{answer}");
    }
    assert!(client.say("DATA").starts_with("354"));
    client.send(&mail(number));
    client.send(b".\r\n");
    assert!(client.hear().starts_with("250"));
}
