//! Sending over connections that break: all arrives, and twice only what the queue says was uncertain.

use super::disturbances;
use postigo_tests::dovecot::Dovecot;
use postigo_tests::gate::{Daemon, Gate, PATIENCE, http_client, until};
use postigo_tests::postfix::{Options, Postfix};
use postigo_tests::proxy::{Disturbance, Proxy};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// So many connections break side by side.
const LANES: usize = 7;

/// A daemon that sends to a Postfix, each queue over a way of its own.
struct Sending {
    gate: Gate,
    daemon: Daemon,
    token: String,
    postfix: Postfix,
    dovecot: Dovecot,
    proxies: Vec<Proxy>,
}

impl Sending {
    fn start() -> Option<Self> {
        let dovecot = Dovecot::start()?;
        let (folder, user, group) = dovecot.mailboxes();
        let mailboxes = Some(("customer.example".into(), folder, user, group));
        let postfix = Postfix::start(Options { mailboxes, ..Options::default() })?;
        let proxies: Vec<Proxy> = (0..LANES).map(|_| Proxy::before(postfix.smtp)).collect();
        let gate = Gate::new();
        gate.configure(&configuration(&proxies));
        let token =
            gate.json(&["token", "create", "--role", "agent"])[0]["token"].as_str().expect("a token").to_owned();
        Some(Self { daemon: gate.serve("warn"), gate, token, postfix, dovecot, proxies })
    }

    /// Two mails of an agent and an automatic answer, over this lane.
    fn bring(&self, lane: usize, case: usize) {
        let client = http_client(PATIENCE);
        let post = |path: &str| client.post(format!("{}/api/v1{path}", self.daemon.url)).bearer_auth(&self.token);
        for number in 0..2 {
            let body = json!({ "queue": format!("lane{lane}"), "to": [address(case, number)], "subject": "News", "body": "..\n.\nNews." });
            let answer = post("/tickets").json(&body).send().expect("REST answers");
            assert!(answer.status().is_success(), "{}", answer.text().unwrap_or_default());
        }
        let mail = format!(
            "From: <{}>\r\nTo: lane{lane}@example.org\r\nSubject: Hello\r\nMessage-ID: <{case}@x.test>\r\n\r\nHello.\r\n",
            address(case, 2)
        );
        let answer =
            post("/messages").header("content-type", "message/rfc822").body(mail).send().expect("REST answers");
        assert!(answer.status().is_success(), "{}", answer.text().unwrap_or_default());
    }

    fn outbound(&self, status: &[&str]) -> Vec<Value> {
        let statuses: Vec<&str> = status.iter().flat_map(|status| ["--status", status]).collect();
        self.gate.json(&[&["outbound", "list", "--limit", "100000"], statuses.as_slice()].concat())
    }

    /// Waits until all is sent, or given up as uncertain, and in the customers' mailboxes.
    fn wait(&self, rows: usize) {
        until("all is sent", PATIENCE, || self.outbound(&["sent", "uncertain"]).len() >= rows);
        self.postfix.wait_until_delivered();
    }

    /// A round of cases, a lane each, from this one on; how many disturbances came.
    fn round(&self, first: usize, disturbances: &[Disturbance]) -> usize {
        for (lane, disturbance) in disturbances.iter().enumerate() {
            self.proxies[lane].hang_up();
            self.proxies[lane].disturb(*disturbance);
            self.bring(lane, first + lane);
        }
        self.wait((first + disturbances.len()) * 3);
        self.proxies[..disturbances.len()].iter().filter(|proxy| proxy.harmed_within(std::time::Duration::ZERO)).count()
    }

    /// What became of a case's mails; how many came twice, and how many are uncertain.
    fn assert_sent(&self, rows: &[Value], case: usize, disturbance: &str) -> (usize, usize) {
        let (mut doubled, mut uncertain) = (0, 0);
        for number in 0..3 {
            let address = address(case, number);
            let to = |row: &&Value| row["recipients"][0] == address.as_str();
            let found: Vec<&Value> = rows.iter().filter(to).collect();
            let [row] = found.as_slice() else { panic!("case {case}, {disturbance}: {found:#?}") };
            let times = self.dovecot.messages(address.split('@').next().unwrap_or_default(), "INBOX").len();
            let lost = usize::try_from(row["uncertain_tries"].as_i64().unwrap_or(0)).expect("not negative");
            let said = format!("case {case}, {disturbance}: came {times} times: {row}");
            if row["kind"] == "auto-response" {
                let fits = if row["status"] == "uncertain" { times <= 1 } else { times == 1 };
                assert!(fits, "{said}");
                uncertain += usize::from(row["status"] == "uncertain");
            } else {
                assert!(row["status"] == "sent" && times >= 1 && times <= 1 + lost, "{said}");
                doubled += times - 1;
            }
        }
        (doubled, uncertain)
    }
}

#[test]
fn smtp_that_breaks_anywhere_loses_nothing_and_doubles_only_what_is_uncertain() {
    let Some(sending) = Sending::start() else { return };
    sending.bring(0, 0);
    sending.wait(3);
    sending.proxies[0].hang_up();
    let disturbances = disturbances(&sending.proxies[0], 14);
    let rounds = disturbances.chunks(LANES).enumerate();
    let harmed: usize = rounds.map(|(round, disturbances)| sending.round(round * LANES + 1, disturbances)).sum();
    let rows = sending.outbound(&["sent", "uncertain", "failed", "cancelled"]);
    assert_eq!(rows.len(), (disturbances.len() + 1) * 3);
    let (mut doubled, mut uncertain) = sending.assert_sent(&rows, 0, "nothing");
    assert_eq!((doubled, uncertain), (0, 0), "without a disturbance");
    for (index, disturbance) in disturbances.iter().enumerate() {
        let (twice, unknown) = sending.assert_sent(&rows, index + 1, &disturbance.to_string());
        doubled += twice;
        uncertain += unknown;
    }
    sending.daemon.stop();
    println!(
        "{} sessions of SMTP, {harmed} disturbed; {doubled} mails of people came twice, {uncertain} automatic answers are uncertain",
        disturbances.len()
    );
    assert!(harmed * 10 >= disturbances.len() * 9, "only {harmed} of {} were disturbed", disturbances.len());
}

fn address(case: usize, number: usize) -> String {
    format!("{}@customer.example", user(case, number))
}

fn user(case: usize, number: usize) -> String {
    format!("case{case}-{number}")
}

fn configuration(proxies: &[Proxy]) -> String {
    let mut toml = String::from("[settings]\noutbound = { retry = \"linear\", retry_increment = \"1s\" }\n");
    for (lane, proxy) in proxies.iter().enumerate() {
        let _ = write!(
            toml,
            "[[queue]]\nname = \"lane{lane}\"\naddress = \"lane{lane}@example.org\"\n\
             [[system_address]]\naddress = \"lane{lane}@example.org\"\ndisplay_name = \"Lane\"\nqueue = \"lane{lane}\"\n\
             [[auto_response]]\nname = \"Receipt {lane}\"\ntype = \"reply\"\nqueue = \"lane{lane}\"\nsubject = \"Receipt\"\nbody = \"We have it.\"\n\
             [[transport]]\nname = \"way{lane}\"\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\nfor = [\"lane{lane}@example.org\", \"lane{lane}\"]\n\
             timeout = \"1s\"\nconnections = 1\n",
            proxy.port
        );
    }
    toml
}
