//! Postfix delivers over connections that break. It tries again what it has no answer for; that must be filed once all
//! the same.

use super::{HARMED, assert_filed_once, disturbances, is_same_body, mails};
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::ports::free_port;
use postigo_tests::postfix::{Options, Postfix};
use postigo_tests::proxy::{Disturbance, Proxy};

/// So many connections break side by side.
const LANES: usize = 7;

#[test]
fn lmtp_that_breaks_anywhere_loses_nothing_and_files_nothing_twice() {
    let gate = Gate::new();
    let port = free_port();
    let proxies: Vec<Proxy> = (0..LANES).map(|_| Proxy::before(port)).collect();
    let Some(postfix) = Postfix::start(options(&proxies)) else { return };
    gate.configure(&format!(
        "[[account]]\nname = \"door\"\nprotocol = \"lmtp\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"*\"\n"
    ));
    let daemon = gate.serve("warn");
    deliver(&postfix, 0, 0);
    postfix.wait_until_delivered();
    let disturbances = disturbances(&proxies[0], 12);
    let mut harmed = 0;
    for (round, disturbances) in disturbances.chunks(LANES).enumerate() {
        harmed += deliver_over_breaking_connections(&postfix, &proxies, round * LANES + 1, disturbances);
    }
    until("all is filed", PATIENCE, || gate.on_their_way() == 0);
    daemon.stop();
    assert_filed_once(&gate, disturbances.len() + 1, &disturbances, is_same_body);
    println!("{} deliveries by LMTP, {harmed} of them disturbed", disturbances.len());
    assert!(harmed * 10 >= disturbances.len() * 9, "only {harmed} of {} were disturbed", disturbances.len());
}

/// A round of cases, a lane each, from this one on; how many disturbances came.
fn deliver_over_breaking_connections(
    postfix: &Postfix,
    proxies: &[Proxy],
    first: usize,
    disturbances: &[Disturbance],
) -> usize {
    for (lane, disturbance) in disturbances.iter().enumerate() {
        proxies[lane].disturb(*disturbance);
        deliver(postfix, lane, first + lane);
    }
    let used = &proxies[..disturbances.len()];
    postfix.wait_until_delivered();
    used.iter()
        .filter(|proxy| proxy.harmed_within(if proxy.connections() > 1 { HARMED } else { std::time::Duration::ZERO }))
        .count()
}

fn deliver(postfix: &Postfix, lane: usize, case: usize) {
    let mails = mails(case);
    postfix.send_all("jane@example.com", &[&format!("support@lane{lane}.example")], mails.iter().map(Vec::as_slice));
}

/// A domain for each lane. Postfix delivers one mail after the other, over one connection, and gives up soon.
fn options(proxies: &[Proxy]) -> Options {
    let route =
        |(lane, proxy): (usize, &Proxy)| (format!("lane{lane}.example"), format!("lmtp:inet:127.0.0.1:{}", proxy.port));
    let waits = ["connect", "lhlo", "mail", "rcpt", "data_init", "data_xfer", "data_done", "quit", "rset"];
    let mut settings: Vec<(String, String)> =
        waits.iter().map(|wait| (format!("lmtp_{wait}_timeout"), "2s".into())).collect();
    settings.push(("lmtp_destination_concurrency_limit".into(), "1".into()));
    settings.push(("lmtp_destination_concurrency_failed_cohort_limit".into(), "100".into()));
    Options { transports: proxies.iter().enumerate().map(route).collect(), settings, ..Options::default() }
}
