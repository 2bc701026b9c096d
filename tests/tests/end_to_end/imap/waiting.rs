//! New mail is told by the server (IDLE), or asked for.

use crate::fetching::{account, deliver, fetch, subjects};
use postigo_tests::dovecot::{Dovecot, Options};
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::mails::mail;
use postigo_tests::proxy::{Disturbance, Harm, Place, Proxy, Side};
use std::time::{Duration, Instant};

/// As [`account`], but asked only once an hour.
fn patient(name: &str, server: &Dovecot, more: &str) -> String {
    account(name, server, more).replace("interval = \"1s\"", "interval = \"1h\"")
}

fn sign_ins(server: &Dovecot) -> usize {
    server.log().matches("imap-login: Info: Login: user=<main>").count()
}

#[test]
fn new_mail_is_filed_within_two_seconds_on_one_connection() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    deliver(&server, "main", 0..1);
    gate.configure(&patient("main", &server, ""));
    let daemon = gate.serve("info");
    until("the first mail is filed", PATIENCE, || gate.titles() == subjects(0..1));
    let mut took = Vec::new();
    for number in 1..6 {
        let begun = Instant::now();
        deliver(&server, "main", number..number + 1);
        until("it is filed", PATIENCE, || gate.titles() == subjects(0..number + 1));
        took.push(begun.elapsed());
    }
    took.sort();
    // The middle one: other tests run beside this one.
    assert!(took[2] < Duration::from_secs(2), "{took:?}");
    assert_eq!(sign_ins(&server), 1, "all came over the first connection: {}", server.log());
    daemon.stop();
    let logs = gate.json(&["log", "list", "--account", "main"]);
    let told: Vec<String> =
        logs.iter().map(|log| gate.run(&["log", "show", log["id"].as_str().expect("an id"), "--json"])).collect();
    assert!(told.iter().any(|log| log.contains("It goes on on the connection of communication")), "{told:?}");
    assert!(logs.iter().all(|log| log["status"] != "processing"), "each run's communication is ended: {logs:?}");
}

#[test]
fn a_server_without_idle_and_an_account_that_wants_none_are_asked_at_their_interval() {
    for (capabilities, more) in [(Some("IMAP4rev1 UIDPLUS"), ""), (None, "idle = false")] {
        let Some(server) = Dovecot::with(Options { capabilities, ..Options::default() }) else { return };
        let gate = Gate::new();
        gate.configure(&account("main", &server, more));
        let daemon = gate.serve("info");
        deliver(&server, "main", 0..1);
        until("it is filed", PATIENCE, || gate.titles() == subjects(0..1));
        deliver(&server, "main", 1..2);
        until("the next one too", PATIENCE, || gate.titles() == subjects(0..2));
        assert!(sign_ins(&server) > 1, "{}", server.log());
        daemon.stop();
    }
}

#[test]
fn a_wait_ends_at_once_for_a_command_a_change_and_the_end_of_the_daemon() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    deliver(&server, "main", 0..1);
    server.deliver("main", "Other", [mail(10).as_slice()]);
    gate.configure(&patient("main", &server, ""));
    let daemon = gate.serve("info");
    until("the first mail is filed", PATIENCE, || gate.titles() == subjects(0..1));
    assert!(fetch(&gate, "main")["error"].is_null());
    gate.configure(&patient("main", &server, "folder = \"Other\""));
    until("the other folder is fetched", PATIENCE, || gate.titles() == [subjects(0..1), subjects(10..11)].concat());
    let begun = Instant::now();
    daemon.stop();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_ends_while_it_is_waited_on_is_fetched_from_when_it_is_back() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    deliver(&server, "main", 0..1);
    gate.configure(&account("main", &server, ""));
    let daemon = gate.serve("info");
    until("the first mail is filed", PATIENCE, || gate.titles() == subjects(0..1));
    server.stop();
    server.resume();
    deliver(&server, "main", 1..2);
    until("the next one is filed", PATIENCE, || gate.titles() == subjects(0..2));
    daemon.stop();
    assert!(server.messages("main", "INBOX").is_empty());
}

#[test]
fn a_wait_that_breaks_anywhere_loses_nothing_and_files_nothing_twice() {
    let Some(server) = Dovecot::start() else { return };
    let proxy = Proxy::before(server.imap);
    let gate = Gate::new();
    deliver(&server, "main", 0..1);
    let behind = account("main", &server, "timeout = \"2s\"")
        .replace(&format!("port = {}", server.imap), &format!("port = {}", proxy.port));
    gate.configure(&behind);
    let daemon = gate.serve("info");
    until("the first mail is filed", PATIENCE, || gate.titles() == subjects(0..1));
    let harms = [Harm::Cut, Harm::HalfClose, Harm::Silence, Harm::Delay(Duration::from_secs(1))];
    // What the server tells of the mail, what the client says then, and what follows.
    let places = [
        (Side::Server, Place::Byte(3)),
        (Side::Server, Place::Line(1)),
        (Side::Client, Place::Byte(2)),
        (Side::Client, Place::Line(1)),
    ];
    let mut number = 1;
    for harm in harms {
        for (side, place) in places {
            proxy.disturb(Disturbance { side, place, harm });
            deliver(&server, "main", number..number + 1);
            number += 1;
            until(&format!("mail {number} is filed after {harm:?} at {place:?} of the {side:?}"), PATIENCE, || {
                gate.titles() == subjects(0..number)
            });
        }
    }
    proxy.pass();
    until("the mailbox is empty", PATIENCE, || server.messages("main", "INBOX").is_empty());
    daemon.stop();
    assert_eq!(gate.titles(), subjects(0..number), "none is filed twice");
}
