//! 200 accounts of which 50 hang, refuse or let nobody in: how late the others are fetched from, and what the daemon's
//! memory does.

use super::daemon::mebibytes;
use super::report::{line, section};
use postigo_tests::crowd::{Crowd, Sizes, percentile, server};
use postigo_tests::gate::Gate;
use postigo_tests::mails::mail;
use std::time::Duration;

const SIZES: Sizes = Sizes { healthy: 150, hanging: 20, refusing: 20, locked_out: 10 };
const INTERVAL: Duration = Duration::from_secs(10);
/// A hanging server is given up after a minute, then after longer and longer pauses tried again.
const WARM_UP: Duration = Duration::from_secs(65);
const MEASURED: Duration = Duration::from_mins(1);

pub fn run() {
    section("200 accounts, 20 of them hanging, 20 refusing, 10 with wrong passwords, interval 10 s");
    let Some(dovecot) = server() else { return };
    let crowd = Crowd::new(SIZES, INTERVAL);
    let gate = Gate::new();
    gate.configure(&crowd.configuration(&dovecot));
    let healthy = crowd.healthy();
    let daemon = gate.serve("error");
    let mut delivered = 0;
    let mut pass = |time: Duration| {
        for _ in 0..time.as_secs() {
            let user = &healthy[delivered * 7 % healthy.len()];
            dovecot.deliver(user, "INBOX", [mail(delivered).as_slice()]);
            delivered += 1;
            std::thread::sleep(Duration::from_secs(1));
        }
    };
    pass(WARM_UP);
    let before = mebibytes(&daemon);
    pass(MEASURED);
    let after = mebibytes(&daemon);
    daemon.stop();
    let lateness = crowd.lateness(&gate);
    let at = |percent: usize| percentile(&lateness, percent).as_millis();
    line(
        "lateness of the healthy ones, 99 of 100 below",
        &format!("{} ms", at(99)),
        "≤ 2 s",
        &format!("half below {} ms", at(50)),
    );
    line("fetches of the healthy ones", &lateness.len().to_string(), "–", "");
    line("resident memory after a minute more", &format!("{after:.0} MB"), "flat", &format!("before {before:.0} MB"));
}
