//! Many accounts on one daemon: those that hang, refuse or let nobody in keep none of the others waiting.

use postigo_tests::crowd::{Crowd, Sizes, server};
use postigo_tests::gate::{Gate, PATIENCE, until};
use postigo_tests::mails::{mail, subject};
use std::time::Duration;

/// A server that hangs is given up after a minute: whoever waited for it would be later than that.
const LATE: Duration = Duration::from_secs(10);

#[test]
fn accounts_that_hang_or_refuse_delay_no_other() {
    let Some(dovecot) = server() else { return };
    let crowd = Crowd::new(Sizes { healthy: 12, hanging: 3, refusing: 3, locked_out: 2 }, Duration::from_secs(1));
    let gate = Gate::new();
    gate.configure(&crowd.configuration(&dovecot));
    let daemon = gate.serve("warn");
    let healthy = crowd.healthy();
    for round in 0..3 {
        for (number, user) in healthy.iter().enumerate() {
            dovecot.deliver(user, "INBOX", [mail(round * 100 + number).as_slice()]);
        }
        until("the healthy accounts' mail is fetched", PATIENCE, || {
            healthy.iter().all(|user| dovecot.messages(user, "INBOX").is_empty())
        });
    }
    until("all is filed", PATIENCE, || gate.on_their_way() == 0);
    daemon.stop();
    let expected: Vec<String> =
        (0..3).flat_map(|round| (0..healthy.len()).map(move |number| subject(round * 100 + number))).collect();
    assert_eq!(gate.titles(), expected);
    let lateness = crowd.lateness(&gate);
    assert!(lateness.len() >= healthy.len(), "{} fetches", lateness.len());
    let worst = lateness.last().copied().unwrap_or_default();
    assert!(worst < LATE, "a fetch began {worst:?} late");
}
