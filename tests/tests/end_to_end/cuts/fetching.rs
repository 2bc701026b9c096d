//! Fetching over connections that break.

use super::{HARMED, LANES, assert_filed_once, disturbances, mails};
use postigo_tests::dovecot::{Dovecot, PASSWORD};
use postigo_tests::gate::Gate;
use postigo_tests::proxy::{Disturbance, Proxy};
use std::fmt::Write as _;

/// A mailbox, and the way to it that is disturbed.
struct Lane {
    user: String,
    proxy: Proxy,
}

#[test]
fn imap_that_breaks_anywhere_loses_nothing_and_doubles_nothing() {
    let Some(server) = Dovecot::start() else { return };
    fetch_over_breaking_connections(&server, "imap", server.imap, 11);
}

#[test]
fn pop3_that_breaks_anywhere_loses_nothing_and_doubles_nothing() {
    let Some(server) = Dovecot::start() else { return };
    fetch_over_breaking_connections(&server, "pop3", server.pop3, 13);
}

fn fetch_over_breaking_connections(server: &Dovecot, protocol: &str, port: u16, seed: u64) {
    let gate = Gate::new();
    let lanes: Vec<Lane> =
        (0..LANES).map(|number| Lane { user: format!("lane{number}"), proxy: Proxy::before(port) }).collect();
    let mut configuration = String::new();
    for Lane { user, proxy } in &lanes {
        let head = format!(
            "[[account]]\nname = \"{user}\"\nprotocol = \"{protocol}\"\nhost = \"127.0.0.1\"\nport = {}\n",
            proxy.port
        );
        let _ = write!(configuration, "{head}user = \"{user}\"\npassword = \"{PASSWORD}\"\ntimeout = \"1s\"\n");
    }
    gate.configure(&configuration);
    // The first case is not disturbed: its session is the measure.
    let first = &lanes[0];
    deliver(server, &first.user, 0);
    gate.run(&["fetch", "--account", &first.user]);
    let disturbances = disturbances(&first.proxy, seed);
    let cases: Vec<(usize, &Disturbance)> =
        disturbances.iter().enumerate().map(|(index, disturbance)| (index + 1, disturbance)).collect();
    let run = |place: usize| {
        let lane = &lanes[place];
        cases
            .iter()
            .skip(place)
            .step_by(LANES)
            .filter(|(case, disturbance)| one(server, &gate, lane, *case, disturbance))
            .count()
    };
    let harmed: usize = std::thread::scope(|scope| {
        let run = &run;
        let running: Vec<_> = (0..LANES).map(|place| scope.spawn(move || run(place))).collect();
        running.into_iter().map(|lane| lane.join().expect("a lane's cases hold")).sum()
    });
    assert_filed_once(&gate, cases.len() + 1, &disturbances, |filed, sent| filed == sent);
    println!(
        "{} sessions of {protocol}, {harmed} of them disturbed; {} mails filed once each",
        cases.len(),
        (cases.len() + 1) * super::MAILS
    );
    assert!(harmed * 10 >= cases.len() * 9, "only {harmed} of {} were disturbed", cases.len());
}

/// One session that is disturbed, and those after it until all is fetched; whether the disturbance came.
fn one(server: &Dovecot, gate: &Gate, lane: &Lane, case: usize, disturbance: &Disturbance) -> bool {
    deliver(server, &lane.user, case);
    lane.proxy.disturb(*disturbance);
    let disturbed = gate.try_run(["fetch", "--account", &lane.user]);
    let harmed = lane.proxy.harmed_within(if disturbed.status.success() { std::time::Duration::ZERO } else { HARMED });
    lane.proxy.pass();
    let mut said = String::new();
    // A server with much to do may be silent for longer than this account waits; then it is asked again.
    for _ in 0..10 {
        let output = gate.try_run(["fetch", "--account", &lane.user]);
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() && server.messages(&lane.user, "INBOX").is_empty() {
            return harmed;
        }
    }
    panic!("case {case}: after {disturbance} the mailbox was not emptied: {said}");
}

fn deliver(server: &Dovecot, user: &str, case: usize) {
    let mails = mails(case);
    server.deliver(user, "INBOX", mails.iter().map(Vec::as_slice));
}
