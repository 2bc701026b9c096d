//! A customer whose address is not ASCII (RFC 6531), from Postfix and back to it.

use super::Town;

const CUSTOMER: &str = "jürgen@customer.example";

#[test]
fn a_customer_whose_address_is_not_ascii_writes_and_is_answered() {
    let Some(town) = Town::start("") else { return };
    let mail = format!(
        "From: Jürgen <{CUSTOMER}>\r\nTo: support@example.org\r\nSubject: Größe\r\nMessage-ID: <1@customer.example>\r\n\
         Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\nWie groß ist sie?\r\n"
    );
    town.postfix.send(CUSTOMER, &["support@example.org"], mail.as_bytes());
    let ticket = town.ticket(2);
    assert_eq!(ticket["title"], "Größe");
    let articles = ticket["articles"].as_array().expect("articles");
    assert!(articles[0]["from"].as_str().is_some_and(|from| from.contains(CUSTOMER)), "{}", articles[0]);
    town.wait_for_mail("jürgen", 1);
    let name = town.dovecot.messages("jürgen", "INBOX").remove(0);
    let receipt =
        std::fs::read_to_string(town.dovecot.mailboxes().0.join("jürgen/new").join(name)).expect("the mail is UTF-8");
    let number = ticket["ticket_number"].as_str().expect("a number");
    assert!(receipt.contains(number) && receipt.contains(CUSTOMER), "{receipt}");
    assert!(receipt.contains("with UTF8SMTP"), "it was handed over as RFC 6531 says: {receipt}");
    let sent = town.gate.json(&["outbound", "list", "--status", "sent"]);
    assert_eq!((sent.len(), &sent[0]["recipients"][0]), (1, &serde_json::json!(CUSTOMER)));
    town.daemon.stop();
}
