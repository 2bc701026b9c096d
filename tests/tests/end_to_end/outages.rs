//! The database goes away or the disk fills up in the midst of work: servers are left untouched, everything resumes,
//! and nothing is lost.

use postigo_tests::dovecot::{Dovecot, PASSWORD};
use postigo_tests::gate::{Gate, is_full, until};
use postigo_tests::mails::{mails, subject};
use postigo_tests::ports::free_port;
use postigo_tests::postfix::{Options, Postfix};
use postigo_tests::postgres::Postgres;
use postigo_tests::sink::Sink;
use postigo_tests::small_disk::SmallDisk;
use std::ops::Range;
use std::time::Duration;

/// Leases that ran out meanwhile are taken again, and failed fetches tried again.
const RESUMED: Duration = Duration::from_mins(3);

fn account(server: &Dovecot) -> String {
    format!(
        "[[account]]\nname = \"main\"\nprotocol = \"imap\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"main\"\npassword = \"{PASSWORD}\"\ninterval = \"1s\"\n",
        server.imap
    )
}

fn deliver(server: &Dovecot, numbers: Range<usize>) {
    let mails = mails(numbers);
    server.deliver("main", "INBOX", mails.iter().map(Vec::as_slice));
}

fn subjects(numbers: Range<usize>) -> Vec<String> {
    numbers.map(subject).collect()
}

#[test]
fn the_database_down_while_fetching_leaves_the_server_untouched_and_loses_nothing() {
    let (Some(server), Some(postgres)) = (Dovecot::start(), Postgres::start()) else { return };
    let (outages, portion) = if is_full() { (20, 300) } else { (2, 100) };
    let gate = Gate::on_postgres(&postgres.database(), None);
    gate.configure(&account(&server));
    let daemon = gate.serve("warn,postigo::inbound::imap=trace");
    for outage in 0..outages {
        deliver(&server, outage * portion..(outage + 1) * portion);
        daemon.wait_for("doing=\"fetch");
        postgres.stop();
        deliver(&server, outages * portion + outage..outages * portion + outage + 1);
        daemon.wait_for("a fetch failed");
        assert!(!server.messages("main", "INBOX").is_empty(), "what is not durable stays on the server");
        postgres.resume();
        until("the mailbox is empty", RESUMED, || server.messages("main", "INBOX").is_empty());
    }
    until("all is filed", RESUMED, || gate.on_their_way() == 0);
    daemon.stop();
    assert_eq!(gate.titles(), subjects(0..outages * portion + outages), "all are filed, none twice");
}

#[test]
fn a_full_disk_leaves_the_server_untouched_and_loses_nothing() {
    let Some(server) = Dovecot::start() else { return };
    let gate = Gate::new();
    let Some(disk) = SmallDisk::over(gate.folder(), 48) else { return };
    let outages = if is_full() { 10 } else { 2 };
    gate.configure(&account(&server));
    let daemon = gate.serve("warn");
    for outage in 0..outages {
        disk.fill();
        deliver(&server, outage * 100..(outage + 1) * 100);
        daemon.wait_for("a fetch failed");
        assert_eq!(server.messages("main", "INBOX").len(), 100, "what is not durable stays on the server");
        disk.free();
        until("the mailbox is empty", RESUMED, || server.messages("main", "INBOX").is_empty());
    }
    until("all is filed", RESUMED, || gate.on_their_way() == 0);
    daemon.stop();
    assert_eq!(gate.titles(), subjects(0..outages * 100), "all are filed, none twice");
}

/// A listener, and a Postfix that delivers to it.
fn listener_with_postfix(gate: &Gate) -> Option<Postfix> {
    let port = free_port();
    let transports = vec![("example.org".into(), format!("lmtp:inet:127.0.0.1:{port}"))];
    let postfix = Postfix::start(Options { transports, ..Options::default() })?;
    gate.configure(&format!("[[account]]\nname = \"door\"\nprotocol = \"lmtp\"\nport = {port}\nuser = \"*\"\n"));
    Some(postfix)
}

fn send(postfix: &Postfix, numbers: Range<usize>) {
    let mails = mails(numbers);
    postfix.send_all("jane@example.com", &["support@example.org"], mails.iter().map(Vec::as_slice));
}

/// What was sent is filed, once.
fn assert_delivered(gate: &Gate, postfix: &Postfix, count: usize) {
    until("Postfix has delivered all", RESUMED, || postfix.queued() == 0);
    until("all is filed", RESUMED, || gate.on_their_way() == 0);
    assert_eq!(gate.titles(), subjects(0..count), "all are filed, none twice");
}

#[test]
fn the_database_down_defers_what_is_delivered_and_loses_nothing() {
    let Some(postgres) = Postgres::start() else { return };
    let gate = Gate::on_postgres(&postgres.database(), None);
    let Some(postfix) = listener_with_postfix(&gate) else { return };
    let (outages, portion) = if is_full() { (20, 300) } else { (1, 100) };
    let daemon = gate.serve("warn,postigo=info");
    daemon.wait_for("listens");
    for outage in 0..outages {
        let first = outage * portion;
        send(&postfix, first..first + portion / 2);
        postgres.stop();
        send(&postfix, first + portion / 2..first + portion);
        until("Postfix is asked to wait", RESUMED, || postfix.log().matches("said: 451 4.3.0").count() > outage);
        postgres.resume();
        assert_delivered(&gate, &postfix, first + portion);
    }
    daemon.stop();
}

#[test]
fn a_full_disk_defers_what_is_delivered_and_loses_nothing() {
    let gate = Gate::new();
    let Some(disk) = SmallDisk::over(gate.folder(), 48) else { return };
    let Some(postfix) = listener_with_postfix(&gate) else { return };
    let outages = if is_full() { 10 } else { 2 };
    let daemon = gate.serve("warn,postigo=info");
    daemon.wait_for("listens");
    let mut sent = 0;
    for outage in 0..outages {
        disk.fill();
        let waits = || postfix.log().matches("said: 452 4.3.1").count() > outage;
        // The database takes as many as fit into the room that its files have already.
        while !waits() {
            assert!(sent < (outage + 1) * 5_000, "{sent} mails were taken on a full disk");
            send(&postfix, sent..sent + 50);
            sent += 50;
            until("Postfix is asked to wait, or has delivered all", RESUMED, || waits() || postfix.queued() == 0);
        }
        disk.free();
        assert_delivered(&gate, &postfix, sent);
    }
    daemon.stop();
}

/// Has a desk send so many mails of either kind: answers to customers, and agents'.
fn write(gate: &Gate, numbers: Range<usize>) {
    for number in numbers {
        let customer = String::from_utf8(mails(number..number + 1).remove(0))
            .unwrap()
            .replace("jane@", &format!("customer{number}@"));
        let (mail, text) = (gate.folder().join("mail"), gate.folder().join("text"));
        std::fs::write(&mail, customer).unwrap();
        std::fs::write(&text, "We come.").unwrap();
        let (mail, text) = (mail.display().to_string(), text.display().to_string());
        gate.run(&["ingest", &mail]);
        let to = format!("friend{number}@example.com");
        gate.run(&["ticket", "new", "--queue", "Support", "--to", &to, "--subject", "Visit", "--body-file", &text]);
    }
}

fn desk(sink: &Sink) -> String {
    format!(
        "[[queue]]\nname = \"Support\"\n[[system_address]]\naddress = \"support@example.org\"\nqueue = \"Support\"\n\
         [[auto_response]]\nname = \"Receipt\"\ntype = \"reply\"\nqueue = \"Support\"\nsubject = \"We have it\"\nbody = \"Thank you.\"\n\
         [[transport]]\nname = \"out\"\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\n",
        sink.port
    )
}

/// All are sent, and each recipient has one: a daemon that has got the answer keeps it until it can write it.
fn assert_sent(gate: &Gate, sink: &Sink, count: usize) {
    let sent = || gate.json(&["outbound", "list", "--status", "sent", "--limit", "100000"]);
    until("all is sent", RESUMED, || sent().len() == 2 * count);
    assert!(sent().iter().all(|mail| mail["uncertain_tries"] == 0), "{:?}", sent());
    for recipient in
        (0..count).flat_map(|number| [format!("customer{number}@example.com"), format!("friend{number}@example.com")])
    {
        assert_eq!(sink.received(&recipient), 1, "{recipient}");
    }
}

#[test]
fn the_database_down_while_mail_goes_out_loses_and_doubles_nothing() {
    let Some(postgres) = Postgres::start() else { return };
    let (outages, portion) = if is_full() { (20, 20) } else { (2, 6) };
    let (gate, sink) = (Gate::on_postgres(&postgres.database(), None), Sink::start());
    gate.configure(&desk(&sink));
    let daemon = gate.serve("warn,postigo=info");
    for outage in 0..outages {
        sink.hold();
        write(&gate, outage * portion..(outage + 1) * portion);
        until("mails went out whole and have no answer yet", RESUMED, || sink.unanswered() > 0);
        postgres.stop();
        sink.release();
        daemon.wait_for("what became of an outgoing mail could not be written");
        postgres.resume();
        assert_sent(&gate, &sink, (outage + 1) * portion);
    }
    daemon.stop();
}

#[test]
fn a_full_disk_while_mail_goes_out_loses_and_doubles_nothing() {
    let (gate, sink) = (Gate::new(), Sink::start());
    let Some(disk) = SmallDisk::over(gate.folder(), 48) else { return };
    let (outages, portion) = if is_full() { (10, 10) } else { (2, 4) };
    gate.configure(&desk(&sink));
    for outage in 0..outages {
        // A daemon that has just begun has no room left over in its log of writes.
        write(&gate, outage * portion..(outage + 1) * portion);
        sink.hold();
        let daemon = gate.serve("warn,postigo=info");
        until("mails went out whole and have no answer yet", RESUMED, || sink.unanswered() > 0);
        disk.fill();
        sink.release();
        daemon.wait_for("what became of an outgoing mail could not be written");
        disk.free();
        assert_sent(&gate, &sink, (outage + 1) * portion);
        daemon.stop();
    }
}
