//! What an admin sees of the guard.

use crate::AutoReplyGuard;
use postigo_filter::testing::{Mail, configure, run};
use postigo_filter::{Each, Verdict};

fn guard(mail: &Mail) -> Verdict {
    run::<AutoReplyGuard>("{}", mail).unwrap()
}

/// The kind that the reason begins with; empty when the guard does not match.
fn kind(mail: &Mail) -> String {
    guard(mail).reason.split(':').next().unwrap_or_default().to_owned()
}

fn with(headers: &[(&str, &str)]) -> Mail {
    headers
        .iter()
        .fold(Mail::new().with("From", "Jane <jane@example.com>"), |mail, (name, value)| mail.with(name, value))
}

#[test]
fn people_are_let_through() {
    assert_eq!(
        guard(&with(&[("Subject", "My out of office notice does not work"), ("Auto-Submitted", "no")])),
        Verdict::not_matched()
    );
    assert_eq!(guard(&with(&[("Subject", "Undeliverable: my parcel")])), Verdict::not_matched());
    assert_eq!(
        guard(&with(&[("Subject", "Autoreplying is broken"), ("X-Autoreply", "no"), ("List-Id", "")])),
        Verdict::not_matched()
    );
}

#[test]
fn automatic_replies_are_recognised_in_many_languages() {
    for subject in [
        "Automatic reply: Invoice",
        "Out of Office Re: Invoice",
        "AUTOMATISCHE ANTWORT: Rechnung",
        "Réponse automatique : Facture",
        "Respuesta automática: Factura",
        "Автоматический ответ: Счёт",
        "自動応答: 請求書",
    ] {
        assert_eq!(kind(&with(&[("Subject", subject)])), "automatic reply", "{subject}");
    }
}

#[test]
fn an_automatic_reply_opens_no_ticket_and_is_not_answered() {
    let verdict = guard(&with(&[("Auto-Submitted", "Auto-Replied (vacation)")]));
    let changes: Vec<_> =
        verdict.changes.iter().map(|change| (change.header.as_str(), change.value.as_str())).collect();
    assert_eq!(changes, [("X-OTOBO-Loop", "yes"), ("X-OTOBO-FollowUp-State-Keep", "1")]);
}

#[test]
fn headers_of_programs_and_lists_are_recognised() {
    assert_eq!(kind(&with(&[("X-Autoreply", "yes")])), "automatic reply");
    assert_eq!(kind(&with(&[("Precedence", "auto_reply")])), "automatic reply");
    assert_eq!(kind(&with(&[("Auto-Submitted", "auto-generated; type=x")])), "automatic message");
    assert_eq!(kind(&with(&[("X-Auto-Response-Suppress", "DR, OOF, AutoReply")])), "automatic message");
    assert_eq!(guard(&with(&[("X-Auto-Response-Suppress", "OOF")])).changes.len(), 0, "a person's mail");
    assert_eq!(kind(&with(&[("Precedence", "bulk")])), "automatic message");
    assert_eq!(kind(&with(&[("Precedence", "bulk"), ("List-Id", "<users.example.org>")])), "mailing list");
}

#[test]
fn reports_are_told_apart_by_their_action() {
    let report = |kind: &str, text: &str| {
        let mail = Mail::new().with("From", "MAILER-DAEMON@mx.test");
        mail.with("Content-Type", &format!("multipart/report; report-type={kind}; boundary=b")).with_text(text)
    };
    assert_eq!(kind(&report("delivery-status", "Action: failed\nStatus: 5.1.1\n")), "bounce");
    assert_eq!(kind(&report("delivery-status", "Action: delayed\n\nAction: failed\n")), "bounce");
    assert_eq!(kind(&report("\"delivery-status\"", "Action: delayed\n")), "delivery report");
    assert_eq!(kind(&report("disposition-notification", "")), "delivery report");
}

#[test]
fn a_report_that_cannot_be_read_is_a_bounce() {
    let mail =
        Mail::new().with("Content-Type", "multipart/report; report-type=delivery-status").with_text("Action: delayed");
    let guard = postigo_filter::testing::configure_granted::<Each<AutoReplyGuard>>(&["{}"], &[]).unwrap();
    assert!(guard.evaluate(0, &mail).unwrap().reason.starts_with("bounce"));
}

#[test]
fn bounces_without_report_come_from_mail_servers() {
    for (daemon, expected) in [
        ("Mailer-Daemon@mx.test", "bounce"),
        ("\"MAILER-DAEMON\"@mx.test", "bounce"),
        ("\"post\\master\"@mx.test", "bounce"),
        ("\"a@postmaster\"@mx.test", ""),
    ] {
        let mail = Mail::new()
            .with("From", &format!("Mail Delivery System <{daemon}>"))
            .with("Subject", "Mail delivery failed: x");
        assert_eq!(kind(&mail), expected, "{daemon}");
    }
    assert_eq!(kind(&with(&[("X-Failed-Recipients", "a@b.test")])), "bounce");
    assert_eq!(kind(&with(&[("Return-Path", "<>"), ("Subject", "Unzustellbar: Rechnung")])), "bounce");
}

#[test]
fn settings_choose_the_headers() {
    let settings = r#"{"automatic_reply": [{"header": "X-OTOBO-Queue", "value": "Junk"}], "mailing_list": [], "phrases": ["Je suis loin"]}"#;
    let verdict = run::<AutoReplyGuard>(settings, &with(&[("Subject", "JE SUIS LOIN!")])).unwrap();
    assert_eq!(verdict.changes[0].value, "Junk");
    assert_eq!(run::<AutoReplyGuard>(settings, &with(&[("List-Id", "x")])).unwrap(), Verdict::not_matched());
}

#[test]
fn mistakes_are_told_with_their_place() {
    let settings = r#"{"bounce": [{"header": "Subject", "value": "x"}], "phrases": [" "]}"#;
    let problems = configure::<Each<AutoReplyGuard>>(&["{}", settings]).unwrap_err();
    let places: Vec<_> = problems.iter().map(|(filter, problem)| (*filter, problem.place.as_str())).collect();
    assert_eq!(places, [(1, "/bounce/0/header"), (1, "/phrases/0")]);
    let problems = configure::<Each<AutoReplyGuard>>(&[r#"{"bounces": []}"#]).unwrap_err();
    assert!(problems[0].1.reason.contains("bounces"));
}

#[test]
fn the_schema_is_json() {
    serde_json::from_str::<serde_json::Value>(&crate::settings::schema()).unwrap();
}
