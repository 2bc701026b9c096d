//! Mail survives whatever ends or stops a daemon, and none is filed twice.
//!
//! In full by `make proof` (`POSTIGO_PROOF=full`), else a sample of it. The moments are drawn by a fixed seed.

mod alone;
mod together;

use postigo_skipped::skipped;
use postigo_tests::dovecot::{Dovecot, PASSWORD};
use postigo_tests::draw::Draw;
use postigo_tests::gate::{Daemon, Gate, is_full, until};
use postigo_tests::mails::{mails, subject};
use postigo_tests::postgres::Postgres;
use std::collections::BTreeMap;
use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// The daemon tells of every commit and every IMAP command.
const TELL_ALL: &str = "warn,postigo::store::writer=trace,postigo::inbound=trace,postigo::outbound=trace";
/// A kill comes after so many commits and commands at most, counted from the first command to the server.
const LATEST: u64 = 16;
/// A daemon that is silent for so long has nothing to do.
const IDLE: Duration = Duration::from_secs(3);
/// Long enough for a lease to run out and another daemon to take over.
const TAKEN_OVER: Duration = Duration::from_mins(1);

fn account(name: &str, server: &Dovecot) -> String {
    format!(
        "[[account]]\nname = \"{name}\"\nprotocol = \"imap\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"{name}\"\npassword = \"{PASSWORD}\"\ninterval = \"1s\"\n",
        server.imap
    )
}

fn deliver(server: &Dovecot, user: &str, numbers: Range<usize>) {
    let mails = mails(numbers);
    server.deliver(user, "INBOX", mails.iter().map(Vec::as_slice));
}

fn subjects(numbers: Range<usize>) -> Vec<String> {
    numbers.map(subject).collect()
}

#[test]
fn killed_at_random_commits_and_commands_on_sqlite() {
    let Some(server) = Dovecot::start() else { return };
    killed_at_random(&server, &Gate::new(), 1);
}

#[test]
fn killed_at_random_commits_and_commands_on_postgres() {
    let (Some(server), Some(postgres)) = (Dovecot::start(), Postgres::start()) else { return };
    killed_at_random(&server, &Gate::on_postgres(&postgres.database(), None), 2);
}

fn killed_at_random(server: &Dovecot, gate: &Gate, seed: u64) {
    let (kills, portion) = if is_full() { (50, 40) } else { (6, 50) };
    gate.configure(&account("main", server));
    let mut draw = Draw(seed);
    let (mut at_work, mut lives) = (0, 0);
    let mut moments: BTreeMap<String, usize> = BTreeMap::new();
    // How many commits and commands there are before all is done depends on the machine: some kills come after it.
    while at_work < kills {
        assert!(lives < kills * 4 + 10, "only {at_work} of {lives} kills came while the daemon worked");
        deliver(server, "main", lives * portion..(lives + 1) * portion);
        lives += 1;
        let (daemon, _said) = Daemon::spawn(gate.command().env("POSTIGO_LOG", TELL_ALL));
        let last = watch(&daemon, draw.below(LATEST));
        // Not only at the moment of the event: somewhere before the next one.
        std::thread::sleep(Duration::from_micros(draw.below(3_000)));
        daemon.kill();
        let in_flight = !server.messages("main", "INBOX").is_empty() || gate.on_their_way() > 0;
        at_work += usize::from(in_flight && last.is_some());
        *moments.entry(last.unwrap_or_else(|| "idle".to_owned())).or_default() += 1;
    }
    let daemon = gate.serve("warn");
    until("the mailbox is empty and nothing waits", Duration::from_mins(5), || {
        server.messages("main", "INBOX").is_empty() && gate.on_their_way() == 0
    });
    assert_none_is_held(gate);
    daemon.stop();
    let messages = lives * portion;
    assert_eq!(gate.titles(), subjects(0..messages), "all are filed, none twice");
    println!("{lives} kills, {at_work} of them with work in flight; {messages} messages filed; after: {moments:#?}");
}

/// Kills say nothing of the messages that were worked on.
fn assert_none_is_held(gate: &Gate) {
    let held = gate.json(&["spool", "list", "--status", "held"]);
    assert!(held.is_empty(), "kills hold no message: {held:#?}");
}

/// Waits until the daemon has begun to speak with the server, and for so many commits and commands more; what the last
/// one was, or nothing if there were no more.
fn watch(daemon: &Daemon, events: u64) -> Option<String> {
    let next = || match daemon.lines.recv_timeout(IDLE) {
        Ok(line) => Some(line),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => panic!("the daemon ended by itself"),
    };
    let mut line = next()?;
    while !line.contains("commanded") {
        line = next()?;
    }
    for _ in 0..events {
        line = next()?;
    }
    let what = line.split_once("doing=").map_or("a commit", |(_, doing)| doing);
    Some(what.trim_matches('"').to_owned())
}

#[test]
fn two_daemons_share_the_work_and_take_over_from_one_another() {
    let (Some(server), Some(postgres)) = (Dovecot::start(), Postgres::start()) else { return };
    let (accounts, each) = if is_full() { (10, 200) } else { (10, 30) };
    let users: Vec<String> = (0..accounts).map(|number| format!("user{number}")).collect();
    let url = postgres.database();
    let first = Gate::on_postgres(&url, None);
    let second = Gate::on_postgres(&url, Some(&first));
    first.configure(&users.iter().map(|user| account(user, &server)).collect::<String>());
    // Every user has the mails of a third of the numbers at a time.
    let deliver_third = |third: usize| {
        for (place, user) in users.iter().enumerate() {
            deliver(&server, user, place * each + third * each / 3..place * each + (third + 1) * each / 3);
        }
    };
    let expected = |thirds: usize| -> Vec<String> {
        (0..accounts).flat_map(|place| subjects(place * each..place * each + thirds * each / 3)).collect()
    };
    let one = first.serve("info,sqlx=warn");
    one.wait_for("took accounts");
    let two = second.serve("info,sqlx=warn");
    one.wait_for("gives accounts to another daemon");
    two.wait_for("took accounts");
    deliver_third(0);
    one.wait_for("fetched");
    two.wait_for("fetched");
    two.signal("STOP");
    deliver_third(1);
    until("the first takes over from the one that stands still", TAKEN_OVER, || {
        first.titles().len() >= expected(2).len()
    });
    two.signal("CONT");
    deliver_third(2);
    until("both work again", TAKEN_OVER, || {
        two.lines.try_iter().any(|line| line.contains("fetched")) || first.titles() == expected(3)
    });
    one.kill();
    until("the second takes over from the one that was killed", TAKEN_OVER, || {
        users.iter().all(|user| server.messages(user, "INBOX").is_empty()) && second.titles().len() >= expected(3).len()
    });
    until("nothing waits", TAKEN_OVER, || second.on_their_way() == 0);
    two.stop();
    assert_eq!(second.titles(), expected(3), "all are filed, none twice");
}

#[test]
fn the_data_is_synced_before_the_server_is_told() {
    let Some(server) = Dovecot::start() else { return };
    if !Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        skipped("strace is not installed, or may not trace");
        return;
    }
    let gate = Gate::new();
    gate.configure(&account("main", &server));
    deliver(&server, "main", 0..3);
    let trace = gate.folder().join("trace");
    let postigo = gate.command();
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-y", "-s", "64", "-e", "trace=fsync,fdatasync,write,writev,sendto,recvfrom,read", "-o"])
        .arg(&trace);
    traced.arg(postigo.get_program()).args(postigo.get_args());
    for (name, value) in postigo.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    let output = traced.args(["fetch", "--account", "main"]).output().expect("strace runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(server.messages("main", "INBOX").is_empty());
    let calls = completed(&std::fs::read_to_string(&trace).expect("a trace"));
    let first = |what: &dyn Fn(&str) -> bool| calls.iter().position(|call| what(call));
    let fetched = first(&|call| call.contains("BODY[]")).expect("the mail was read from the server");
    let told = first(&|call| call.contains("UID STORE")).expect("the server was told");
    assert!(fetched < told);
    let synced = calls[fetched..told]
        .iter()
        .filter(|call| call.contains("sync(") && call.contains("postigo.db-wal") && call.ends_with("= 0"))
        .count();
    assert!(synced > 0, "the write-ahead log is synced between fetching and telling: {:#?}", &calls[fetched..told]);
}

/// The calls of a trace in the order in which they ended; what another thread interrupted is put together.
fn completed(trace: &str) -> Vec<String> {
    let mut begun = std::collections::HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim();
        if let Some(start) = call.strip_suffix("<unfinished ...>") {
            begun.insert(thread, start.to_owned());
        } else if let Some((_, end)) = call.split_once("resumed>") {
            calls.push(begun.remove(thread).unwrap_or_default() + end);
        } else {
            calls.push(call.to_owned());
        }
    }
    calls
}
