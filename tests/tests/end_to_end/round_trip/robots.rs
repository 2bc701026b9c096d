//! Robots that answer every mail they get, as out-of-office programs do: each loop ends.

use super::{Town, customers_mail};
use postigo_tests::gate::{PATIENCE, until};
use serde_json::Value;

/// So many automatic answers does one address get in a day here.
const PER_DAY: usize = 5;

/// How a robot answers.
struct Robot {
    user: &'static str,
    /// The sender of its envelopes.
    sender: &'static str,
    /// Its further headers.
    headers: &'static str,
}

impl Robot {
    fn answer(&self, town: &Town, number: usize) {
        let Self { user, sender, headers } = self;
        let mail = format!(
            "From: <{user}@customer.example>\r\nTo: support@example.org\r\nSubject: I am on holiday {user} {number}\r\n\
             Message-ID: <{user}.{number}.robot@customer.example>\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n{headers}\r\nUntil Monday.\r\n"
        );
        town.postfix.send(sender, &["support@example.org"], mail.as_bytes());
    }
}

/// Lets a customer write, and their robot answer whatever it gets, until nothing comes any more; how many mails it got.
fn let_loop(town: &Town, robot: &Robot) -> usize {
    let sender = format!("{}@customer.example", robot.user);
    town.postfix.send(&sender, &["support@example.org"], &customers_mail(robot.user, robot.user, "Hello."));
    town.wait_for_mail(robot.user, 1);
    let mut answered = 0;
    loop {
        let there = town.dovecot.messages(robot.user, "INBOX").len();
        assert!(there <= PER_DAY + 1, "{} got {there} mails: the loop does not end", robot.user);
        for number in answered..there {
            robot.answer(town, number);
        }
        answered = there;
        until("all that is on its way has arrived", PATIENCE, || {
            town.postfix.queued() == 0
                && town.gate.on_their_way() == 0
                && unsent(town) == 0
                && town.postfix.queued() == 0
        });
        if town.dovecot.messages(robot.user, "INBOX").len() == answered {
            return answered;
        }
    }
}

/// How many outgoing mails are not sent yet.
fn unsent(town: &Town) -> usize {
    let all: Vec<Value> = town.gate.json(&["outbound", "list", "--limit", "100000"]);
    all.iter()
        .filter(|mail| ["due", "waiting", "sending"].contains(&mail["status"].as_str().unwrap_or_default()))
        .count()
}

#[test]
fn three_loops_of_out_of_office_robots_end() {
    let Some(town) = Town::start(&format!("[settings]\nauto_responses_per_day = {PER_DAY}\n")) else { return };
    let polite = Robot { user: "polite", sender: "", headers: "Auto-Submitted: auto-replied\r\n" };
    assert_eq!(let_loop(&town, &polite), 1, "what says that it is automatic is not answered");
    let returned = Robot { user: "returned", sender: "", headers: "Precedence: bulk\r\n" };
    assert_eq!(let_loop(&town, &returned), 1, "what has no sender is not answered");
    let rude = Robot { user: "rude", sender: "rude@customer.example", headers: "" };
    assert_eq!(let_loop(&town, &rude), PER_DAY, "an address gets no more automatic answers than a day allows");
    town.daemon.stop();
}
