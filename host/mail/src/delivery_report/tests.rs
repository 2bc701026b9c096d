//! Reports as servers write them.

use super::*;

/// A report with these groups about recipients.
pub fn report(groups: &[&str]) -> String {
    format!(
        "Return-Path: <>\r\nFrom: Mail Delivery <mailer-daemon@mx.test>\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=d\r\n\r\n\
         --d\r\n\r\nSorry.\r\n--d\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n{}\r\n\
         --d\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <sent@desk.test>\r\nSubject: x\r\n\r\n--d--\r\n",
        groups.join("\r\n\r\n")
    )
}

fn parsed(raw: &str) -> Option<DeliveryReport> {
    read(&Message::parse(raw.to_owned().into()))
}

#[test]
fn every_recipient_is_read() {
    let found = parsed(&report(&[
        "Original-Recipient: rfc822;jane+2Bwork@x.test\r\nFinal-Recipient: RFC822; j.roe@inner.test\r\nAction: failed\r\nStatus: 5.1.1 (no such user)\r\n\
         Diagnostic-Code: smtp; 550 5.1.1\r\n  unknown user",
        "Final-Recipient: rfc822;joe+news@x.test\r\nAction: Delayed\r\nStatus: 4.4.1\r\nWill-Retry-Until: Fri, 27 Nov 2026 00:00:00 +0000",
        "Final-Recipient: utf-8;j\\x{F6}rg@x.test\r\nAction: failed\r\nStatus: 4.2.2",
        "Final-Recipient: rfc822;<ok@x.test>\r\nAction: relayed\r\nStatus: 2.0.0",
        "Final-Recipient: rfc822;joe+42@x.test\r\nAction: failed",
        "Final-Recipient: rfc822;nobody\r\nAction: failed",
        "Action: failed",
    ]))
    .unwrap();
    assert_eq!(found.original, "<sent@desk.test>");
    let told: Vec<_> = found
        .recipients
        .iter()
        .map(|recipient| (recipient.addresses.join(" "), recipient.action, recipient.is_permanent()))
        .collect();
    assert_eq!(
        told,
        [
            ("jane+2Bwork@x.test jane+work@x.test j.roe@inner.test".to_owned(), ReportAction::Failed, true),
            ("joe+news@x.test".to_owned(), ReportAction::Delayed, false),
            ("jörg@x.test".to_owned(), ReportAction::Failed, false),
            ("ok@x.test".to_owned(), ReportAction::Delivered, false),
            ("joe+42@x.test joeB@x.test".to_owned(), ReportAction::Failed, true),
        ]
    );
    let first = &found.recipients[0];
    assert_eq!((first.status.as_str(), first.detail.as_str()), ("5.1.1", "550 5.1.1  unknown user"));
}

#[test]
fn what_names_no_mail_or_nobody_is_no_report() {
    assert_eq!(parsed("Subject: x\r\n\r\nMessage-ID: <a@b.test>\r\n"), None);
    assert_eq!(parsed(&report(&["Action: failed"])), None);
    assert_eq!(parsed(&report(&["Final-Recipient: rfc822; a@x.test"]).replace("Message-ID", "X-Id")), None);
}

#[test]
fn exim_and_qmail_are_understood() {
    let exim = "X-Failed-Recipients: a@x.test, b@x.test\r\nAuto-Submitted: auto-replied\r\nReferences: <sent@desk.test>\r\n\r\n\
                A message that you sent could not be delivered.\r\n\r\n  a@x.test\r\n    SMTP error from remote mail server after RCPT TO:\r\n    550 no\r\n";
    let found = parsed(exim).unwrap();
    assert_eq!((found.original.as_str(), found.recipients.len()), ("<sent@desk.test>", 2));
    assert_eq!(found.recipients[0].detail, "SMTP error from remote mail server after RCPT TO: 550 no");
    let qmail = "From: MAILER-DAEMON@mx.test\r\n\r\nHi. This is the qmail-send program at mx.test.\r\nI'm afraid I wasn't able to deliver your message.\r\n\r\n\
                 <jane@x.test>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n\
                 <forged@x.test>:\r\nMessage-ID: <sent@desk.test>\r\nSubject: x\r\n";
    let found = parsed(qmail).unwrap();
    assert_eq!((found.original.as_str(), found.recipients.len()), ("<sent@desk.test>", 1));
    let jane = &found.recipients[0];
    assert_eq!((jane.addresses[0].as_str(), jane.status.as_str(), jane.is_permanent()), ("jane@x.test", "5.1.1", true));
}
