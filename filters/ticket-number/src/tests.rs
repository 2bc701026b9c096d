//! What an admin sees of the filter.

use crate::TicketNumber;
use postigo_filter::testing::{Mail, configure, configure_granted, run};
use postigo_filter::{Each, Verdict};
use serde_json::json;

fn settings(body: bool) -> String {
    json!({"sources": [{
        "from": "@PARTNER\\.test", "number": "Incident-([0-9A-F]+)", "field": "PartnerNumber", "body": body,
        "sender_type": "system", "visible_for_customer": false,
    }]})
    .to_string()
}

fn mail(subject: &str) -> Mail {
    Mail::new().with("From", "Partner desk <desk@partner.test>").with("Subject", subject)
}

fn number(body: bool, mail: &Mail) -> Option<String> {
    let verdict = run::<TicketNumber>(&settings(body), mail).unwrap();
    verdict.changes.into_iter().next().map(|change| change.value)
}

#[test]
fn a_number_is_kept_for_new_tickets_and_follow_ups() {
    let verdict = run::<TicketNumber>(&settings(false), &mail("Re: Incident-1F is open")).unwrap();
    let changes: Vec<_> =
        verdict.changes.iter().map(|change| (change.header.as_str(), change.value.as_str())).collect();
    let expected = [
        ("X-OTOBO-DynamicField-PartnerNumber", "1F"),
        ("X-OTOBO-FollowUp-DynamicField-PartnerNumber", "1F"),
        ("X-OTOBO-SenderType", "system"),
        ("X-OTOBO-FollowUp-SenderType", "system"),
        ("X-OTOBO-IsVisibleForCustomer", "0"),
        ("X-OTOBO-FollowUp-IsVisibleForCustomer", "0"),
    ];
    assert_eq!(changes, expected);
    assert_eq!(verdict.reason, "PartnerNumber is 1F");
}

#[test]
fn only_the_named_sender_counts_and_the_case_of_numbers_does() {
    let stranger = Mail::new().with("From", "desk@else.test").with("Subject", "Incident-1");
    assert_eq!(run::<TicketNumber>(&settings(false), &stranger).unwrap(), Verdict::not_matched());
    assert_eq!(number(false, &mail("incident-1")), None);
    assert_eq!(number(false, &mail("no number")), None);
}

#[test]
fn the_number_of_the_body_wins() {
    let both = mail("Incident-1").with_text("Hello,\n\nIncident-2 is open, Incident-3 too.\n");
    assert_eq!(number(true, &both).as_deref(), Some("2"));
    assert_eq!(number(false, &both).as_deref(), Some("1"));
    assert_eq!(number(true, &mail("Incident-1").with_text("nothing")).as_deref(), Some("1"));
}

#[test]
fn the_body_needs_its_grant() {
    let filter = configure_granted::<Each<TicketNumber>>(&[&settings(true)], &[]).unwrap();
    assert!(filter.evaluate(0, &mail("Incident-1")).unwrap_err().contains("body"));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let settings = json!({"sources": [
        {"from": "(", "number": "\\d+", "field": "Good"},
        {"from": "a", "number": "(?=a)(b)", "field": "No field", "subject": false},
    ]});
    let problems = configure::<Each<TicketNumber>>(&[&settings.to_string()]).unwrap_err();
    let places: Vec<_> = problems.iter().map(|(_, problem)| problem.place.as_str()).collect();
    assert_eq!(
        places,
        ["/sources/0/from", "/sources/0/number", "/sources/1/number", "/sources/1/field", "/sources/1/subject"]
    );
    assert!(problems[2].1.reason.contains("look-around"), "{}", problems[2].1.reason);
}

#[test]
fn the_schema_is_json() {
    serde_json::from_str::<serde_json::Value>(crate::settings::SCHEMA).unwrap();
}
