//! Components that were built for earlier versions of the contract run unchanged: each says what the same filter says
//! that is built today.

use super::harness::{LONG, built, runtime};
use postigo_mail::{Envelope, Mail, Message, OpenedMessage, Vocabulary};
use postigo_model::guest::Grant;
use postigo_model::guest::GuestLimits;
use postigo_model::ticket::Ticket;
use postigo_sandbox::{Asker, ComponentDescription, Group, GroupMember, GroupSpec, GuestSession, PrepareError};
use std::fmt::Write as _;
use std::sync::Arc;

/// The kept files, with the version that each was built for.
const KEPT: [(&str, &[u8]); 1] =
    [("postigo:filter@1.0.0", include_bytes!("../../../tests/kept/postigo-filter-1.0.0.wasm"))];

/// A component that imports WASI 0.2.6, as Rust's own standard library does.
const WASI: &[u8] = include_bytes!("../../../tests/kept/postigo-filter-1.1.0-wasi.wasm");

const MAIL: &str = "Received: from one by two\r\nReceived: from two by three\r\n\
    From: Jane <jane@example.com>\r\nTo: =?UTF-8?Q?J=C3=B6rg?= <joerg@example.org>, support@example.org\r\nSubject: Invoice 42\r\n\
    MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n\
    --b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"a.pdf\"\r\n\r\n%PDF-1.7\r\n\
    --b\r\nContent-Type: image/png\r\nContent-Disposition: inline; filename=\"b.png\"\r\nContent-ID: <logo@example.com>\r\n\r\nPNG\r\n--b--\r\n";

/// A ticket each of whose values is another one.
fn ticket() -> Ticket {
    Ticket {
        number: "2026112400001".into(),
        title: "Invoice".into(),
        queue: "Raw".into(),
        state: "open".into(),
        priority: "3 normal".into(),
        r#type: "Incident".into(),
        service: Some("Billing".into()),
        sla: Some("Gold".into()),
        lock: "tmp_lock".into(),
        owner: Some("anna".into()),
        responsible: Some("rosa".into()),
        customer_number: Some("C-17".into()),
        customer_user: Some("jane".into()),
        created_at: 1_763_000_000_000,
        ..Ticket::default()
    }
}

fn mail() -> Box<Mail> {
    let opened = OpenedMessage::as_it_came(Message::parse(MAIL.as_bytes().to_vec().into()));
    let recipients = vec!["support@example.org".to_owned()];
    let envelope = Envelope { account: "local".into(), trusted: true, received_at: 1_764_000_000_000, recipients };
    let mut mail = opened.vet(envelope, &Vocabulary::new(&[])).0.compute();
    mail.set_ticket(Some(ticket().followed()));
    Box::new(mail)
}

fn prepared(
    bytes: &[u8],
    words: &[&str],
    grants: &[Grant],
) -> (ComponentDescription, Result<Arc<Group>, PrepareError>) {
    let inspected = runtime().inspect(bytes, Asker::Host).unwrap();
    let member = |word: &&str| GroupMember::new(format!("has {word}"), serde_json::json!({ "word": word }));
    let spec = GroupSpec {
        component: inspected.component.into(),
        digest: inspected.description.digest.clone(),
        members: words.iter().map(member).collect(),
        grants: grants.to_vec(),
        limits: GuestLimits { time: LONG, memory: 16 << 20 },
    };
    (inspected.description, runtime().prepare(&spec, Asker::Host))
}

/// What the reader tells that version 1.0.0 of the contract did not know.
const LATER: &str = "X-OTOBO-DynamicField-Later";

/// All that a component says of itself, of its settings and of mails, but what 1.0.0 did not know.
fn all_said(bytes: &[u8]) -> String {
    let mut said = String::new();
    for grants in [&Grant::ALL[..], &[]] {
        let (description, group) = prepared(bytes, &["Invoice", "Order"], grants);
        let group = group.unwrap();
        assert!(group.screens() && group.cost().snapshot, "{:?}", group.cost());
        let screened = GuestSession::open(&group).unwrap().screen(mail(), None).result.unwrap();
        let description = ComponentDescription { digest: String::new(), ..description };
        writeln!(said, "{description:?}\n{:?} {:?}", screened.candidates, screened.read).unwrap();
        let mut session = GuestSession::open(&group).unwrap();
        for filter in [0, 1, 7] {
            let mut called = session.evaluate(filter, mail(), None);
            if let Ok(verdict) = &mut called.result {
                verdict.changes.retain(|change| change.header != LATER);
            }
            writeln!(said, "{:?} {:?}", called.result, called.log).unwrap();
        }
    }
    let (_, refused) = prepared(bytes, &["Invoice", ""], &[]);
    said + &refused.map(|_| "prepared").unwrap_err().to_string()
}

#[test]
fn a_component_of_every_earlier_version_says_what_one_of_today_says() {
    let today = all_said(&built("reader"));
    let told = [
        "Jörg|joerg@example.org",
        "|1764000000000|support@example.org|2026112400001|Invoice|Raw|open|open|3 normal|anna|jane|",
        "<p>Hello</p>",
        "a.pdf|application/pdf|8|PDF-",
        "Recei",
        "There is no such filter.",
    ];
    for part in told.into_iter().chain([r#""has ", settings at /word: The word is empty"#]) {
        assert!(today.contains(part), "{part} is missing in: {today}");
    }
    for (version, bytes) in KEPT {
        assert_eq!(all_said(bytes), today, "{version}");
    }
}

#[test]
fn a_component_of_today_reads_what_1_0_0_did_not_know() {
    let group = prepared(&built("reader"), &["Invoice"], &[Grant::Attachments]).1.unwrap();
    let verdict = GuestSession::open(&group).unwrap().evaluate(0, mail(), None).result.unwrap();
    let later = verdict.changes.iter().find(|change| change.header == LATER).unwrap();
    assert_eq!(later.value, "Incident|Billing|Gold|tmp_lock|rosa|C-17|1763000000000|false||true|logo@example.com");
}

#[test]
fn a_component_that_imports_wasi_finds_there_what_it_always_found() {
    // What it printed by is kept, so that it is configured for each message anew.
    for (word, snapshot) in [("quiet", true), ("print", false)] {
        let group = prepared(WASI, &[word], &[]).1.unwrap();
        assert_eq!(group.cost().snapshot, snapshot, "{:?}", group.cost());
        // Each message finds the same, the random number too.
        for _ in 0..2 {
            let called = GuestSession::open(&group).unwrap().evaluate(0, mail(), None);
            let verdict = called.result.unwrap();
            assert_eq!(
                verdict.changes[0].value,
                "arguments 0, variables 0, files false, written false, input 0, network false, today 0ns, slept 0ns, chance 1b8137bbacf0a1b1"
            );
            let lines: Vec<_> = called.log.iter().map(|line| (line.priority, line.text.as_str())).collect();
            assert_eq!(lines, [("info", "looking around"), ("notice", "without a line's end comes its end")]);
        }
    }
}
