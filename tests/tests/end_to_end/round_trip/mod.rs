//! From a customer's mail to their answer and back: Postfix, LMTP, ticket, automatic answer and agent's reply by SMTP,
//! the customer's mailbox in Dovecot, their answer by a real mail library, the follow-up in the same ticket. And robots
//! that answer whatever they get.

mod not_ascii;
mod robots;

use postigo_skipped::skipped;
use postigo_tests::dovecot::{Dovecot, PASSWORD};
use postigo_tests::gate::{Daemon, Gate, PATIENCE, http_client, until};
use postigo_tests::ports::free_port;
use postigo_tests::postfix::{Options, Postfix};
use serde_json::{Value, json};
use std::process::Command;

/// A helpdesk at example.org, customers at customer.example, and the mail server between them.
struct Town {
    gate: Gate,
    daemon: Daemon,
    postfix: Postfix,
    dovecot: Dovecot,
}

impl Town {
    /// All running, with these settings; nothing, and the reason printed, where a server is not installed.
    fn start(settings: &str) -> Option<Self> {
        let dovecot = Dovecot::start()?;
        let lmtp = free_port();
        let (folder, user, group) = dovecot.mailboxes();
        let transports = vec![("example.org".into(), format!("lmtp:inet:127.0.0.1:{lmtp}"))];
        let mailboxes = Some(("customer.example".into(), folder, user, group));
        let postfix = Postfix::start(Options { transports, mailboxes, ..Options::default() })?;
        let gate = Gate::new();
        gate.configure(&format!("{settings}\n{}", configuration(lmtp, postfix.smtp)));
        let daemon = gate.serve("info");
        Some(Self { gate, daemon, postfix, dovecot })
    }

    /// Waits until a customer has so many mails.
    fn wait_for_mail(&self, user: &str, count: usize) {
        until(&format!("{user} has {count} mails"), PATIENCE, || self.dovecot.messages(user, "INBOX").len() >= count);
    }

    /// Answers a customer's newest mail; what the mail program read in it.
    fn answer(&self, user: &str, text: &str, keep_subject: bool) -> Value {
        let ports = [self.dovecot.imap.to_string(), self.postfix.smtp.to_string()];
        let keep = if keep_subject { "yes" } else { "no" };
        let mut program = Command::new("python3");
        program.args(["-c", include_str!("answer.py"), &ports[0], user, PASSWORD, &ports[1], text, keep]);
        let output = program.output().expect("python3 runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The only ticket, with its articles, once it has so many.
    fn ticket(&self, articles: usize) -> Value {
        let mut ticket = Value::Null;
        until(&format!("the ticket has {articles} articles"), PATIENCE, || {
            let tickets = self.gate.json(&["ticket", "list"]);
            let Some(number) = tickets.first().and_then(|ticket| ticket["ticket_number"].as_str()) else {
                return false;
            };
            assert_eq!(tickets.len(), 1, "one ticket: {tickets:?}");
            ticket = self.gate.json(&["ticket", "show", number]).remove(0);
            ticket["articles"].as_array().is_some_and(|there| there.len() >= articles)
        });
        ticket
    }

    /// An agent's request.
    fn post(&self, path: &str, body: &Value) -> Value {
        let token =
            self.gate.json(&["token", "create", "--role", "agent"])[0]["token"].as_str().expect("a token").to_owned();
        let request = http_client(PATIENCE).post(format!("{}/api/v1{path}", self.daemon.url)).bearer_auth(token);
        let response = request.json(body).send().expect("REST answers");
        let (status, text) = (response.status(), response.text().unwrap_or_default());
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }
}

fn configuration(lmtp: u16, smtp: u16) -> String {
    format!(
        r#"
[[queue]]
name = "Support"
address = "support@example.org"
salutation = "Dear <OTOBO_CUSTOMER_REALNAME>,"
signature = "Your <OTOBO_QUEUE>"

[[system_address]]
address = "support@example.org"
display_name = "Example Über-Support"
queue = "Support"

[[auto_response]]
name = "Receipt"
type = "reply"
queue = "Support"
subject = "RE: <OTOBO_CUSTOMER_SUBJECT[24]>"
body = "We have your mail; its number is <OTOBO_TICKET_TicketNumber>."

[[auto_response]]
name = "Another receipt"
type = "follow-up"
queue = "Support"
subject = "RE: <OTOBO_CUSTOMER_SUBJECT[24]>"
body = "We have your further mail."

[[account]]
name = "door"
protocol = "lmtp"
host = "127.0.0.1"
port = {lmtp}
user = ""

[[transport]]
name = "relay"
kind = "smtp"
host = "127.0.0.1"
port = {smtp}
"#
    )
}

fn customers_mail(user: &str, subject: &str, text: &str) -> Vec<u8> {
    format!(
        "From: Customer <{user}@customer.example>\r\nTo: support@example.org\r\nSubject: {subject}\r\nMessage-ID: <{user}.1@customer.example>\r\n\
         Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n{text}\r\n"
    )
    .into_bytes()
}

#[test]
fn a_customer_is_answered_and_their_answers_come_into_the_same_ticket() {
    if Command::new("python3").arg("--version").output().is_err() {
        skipped("python3 is not installed");
        return;
    }
    let Some(town) = Town::start("") else { return };
    town.postfix.send(
        "juergen@customer.example",
        &["support@example.org"],
        &customers_mail("juergen", "The pump stopped", "It is silent."),
    );
    // The automatic answer, and what the customer says to it.
    town.wait_for_mail("juergen", 1);
    let ticket = town.ticket(2);
    let number = ticket["ticket_number"].as_str().expect("a number").to_owned();
    let heard = town.answer("juergen", "It is still silent.", true);
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    assert!(text(&heard, "body").contains(&number), "{heard}");
    assert!(text(&heard, "Subject").contains(&format!("Ticket#{number}")), "{heard}");
    assert!(text(&heard, "From").contains("support@example.org"), "{heard}");
    assert_eq!(text(&heard, "In-Reply-To"), "<juergen.1@customer.example>", "{heard}");
    assert_eq!(heard["defects"], json!([]), "{heard}");
    assert!(text(&heard, "Auto-Submitted").starts_with("auto-"), "{heard}");
    // Their answer is answered automatically too; both are in the ticket.
    town.wait_for_mail("juergen", 2);
    town.ticket(4);
    // An agent writes; the customer answers with another subject: the references alone say what they mean.
    let sent = town
        .post(&format!("/tickets/{number}/articles"), &json!({ "kind": "reply", "body": "Is it plugged in? Größe?" }));
    assert!(sent.is_object(), "{sent}");
    town.wait_for_mail("juergen", 3);
    let heard = town.answer("juergen", "It was not.", false);
    assert!(text(&heard, "body").contains("Is it plugged in? Größe?"), "{heard}");
    assert!(text(&heard, "body").contains("Your Support"), "the signature: {heard}");
    assert_eq!(text(&heard, "Subject").matches(&number).count(), 1, "{heard}");
    assert!(text(&heard, "Auto-Submitted").is_empty(), "{heard}");
    town.wait_for_mail("juergen", 4);
    let ticket = town.ticket(7);
    let articles = ticket["articles"].as_array().expect("articles").iter();
    let bodies: Vec<String> =
        articles.map(|article| town.gate.run(&["article", "show", &article["id"].to_string()])).collect();
    for said in ["It is silent.", "It is still silent.", "Is it plugged in?", "It was not."] {
        assert!(bodies.iter().any(|body| body.contains(said)), "{said}: {bodies:#?}");
    }
    town.daemon.stop();
}
