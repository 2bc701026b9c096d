use super::*;
use crate::trust::DroppedHeader;
use crate::vocabulary::Vocabulary;
use postigo_model::configured::DynamicField;
use proptest::prelude::*;

fn vocabulary() -> Vocabulary {
    Vocabulary::new(&[
        DynamicField { name: "Contract".into(), multiple: false },
        DynamicField { name: "Product".into(), multiple: true },
    ])
}

fn receive(raw: &str, trusted: bool) -> (Mail, Vec<DroppedHeader>) {
    let message = Message::parse(raw.to_owned().into());
    let (vetted, dropped) =
        OpenedMessage::as_it_came(message).vet(Envelope { trusted, ..Envelope::default() }, &vocabulary());
    (vetted.compute(), dropped)
}

fn trusted(raw: &str) -> Mail {
    receive(raw, true).0
}

fn untrusted(raw: &str) -> Mail {
    receive(raw, false).0
}

#[test]
fn headers_of_one_name_are_one_value_in_any_case() {
    let mail = untrusted("x-label: red\nTo: a@x.test\nX-LABEL: green\nTo: B <b@x.test>\n\n");
    assert_eq!(mail.header("X-Label"), Some("red green"));
    assert_eq!(mail.headers("x-labeL"), ["red", "green"]);
    assert_eq!(mail.addresses("to").len(), 2);
    assert_eq!(mail.header("Cc"), None);
    assert!(mail.header_names().starts_with(&["x-label", "To"]));
}

#[test]
fn raw_bytes_are_in_the_charset_of_the_body() {
    for raw in [
        &b"Subject: R\xfcckfrage\nContent-Type: text/plain; charset=iso-8859-1\n\n"[..],
        b"Subject: R\xfcckfrage\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain; charset=iso-8859-1\n\n--x--",
        b"Subject: R\xfcckfrage\n\n",
        "Subject: Rückfrage\n\n".as_bytes(),
    ] {
        let message = Message::parse(raw.to_vec().into());
        assert_eq!(message.header("Subject"), Some("Rückfrage"));
    }
}

#[test]
fn nothing_of_the_vocabulary_gets_in_from_an_untrusted_account() {
    let raw = "X-OTOBO-Queue: Junk\nX-OTOBO-Priority : 5 very high\nX-OTOBO-State\t: open\nx-otrs-lock:\n lock\nX-OTOBO: x\nX-Otobo-Loop: yes\n\
               X-Harmless: 1\n X-OTOBO-Type: x\n\n";
    let (mail, dropped) = receive(raw, false);
    let names: Vec<_> = dropped.iter().map(|header| header.name.as_str()).collect();
    assert_eq!(names, ["X-OTOBO-Queue", "X-OTOBO-Priority", "X-OTOBO-State", "x-otrs-lock", "X-OTOBO", "X-Otobo-Loop"]);
    for name in [
        "X-OTOBO-Queue",
        "X-OTRS-Queue",
        "x-otobo-priority",
        "X-OTOBO-State",
        "X-OTRS-Lock",
        "X-OTOBO-Loop",
        "X-OTOBO",
        "X-OTOBO-Type",
    ] {
        assert_eq!(mail.header(name), None, "{name}");
        assert!(mail.headers(name).is_empty() && mail.addresses(name).is_empty(), "{name}");
        assert!(!mail.header_names().contains(&name), "{name}");
    }
    assert_eq!(mail.header("X-Harmless"), Some("1 X-OTOBO-Type: x"));
}

#[test]
fn a_trusted_mail_sets_what_is_listed_in_canonical_spelling() {
    let raw = "x-otobo-QUEUE: Junk\nX-OTRS-Queue: Misc\nX-OTRS-State: open\nX-OTOBO-Nonsense: 1\nX-OTOBO-DynamicField-Unknown: 1\n\
               X-OTOBO-DynamicField-Product: Desk\nX-OTOBO-DynamicField-Product: Lamp\nX-OTOBO-DynamicField-Contract: a\n\
               X-OTOBO-DynamicField-Contract: b\n\n";
    let (mail, dropped) = receive(raw, true);
    let set: Vec<_> = mail
        .otobo_headers()
        .filter(|header| header.by == SetBy::Mail)
        .map(|header| (header.name.as_str(), header.value()))
        .collect();
    assert_eq!(
        set,
        [
            ("X-OTOBO-DynamicField-Contract", "a b"),
            ("X-OTOBO-DynamicField-Product", "Desk Lamp"),
            ("X-OTOBO-Queue", "Junk"),
            ("X-OTOBO-State", "open")
        ]
    );
    assert_eq!(mail.headers("x-otobo-dynamicfield-product"), ["Desk", "Lamp"]);
    assert_eq!(mail.header("X-OTRS-Queue"), Some("Junk"));
    assert_eq!(dropped.len(), 3, "{dropped:?}");
}

#[test]
fn a_flood_of_dropped_headers_is_counted() {
    let flood = (0..5_000).map(|number| format!("X-OTOBO-{number}: x\n")).collect::<Vec<_>>().concat();
    let (_, dropped) = receive(&format!("{flood}\n"), false);
    assert_eq!(dropped.len(), 101);
    assert_eq!(dropped[100].name, "X-OTOBO-* (4900 more)");
}

#[test]
fn what_is_reserved_is_dropped_however_many_fields_there_are() {
    for count in [1, 19_999, 20_000, 50_000] {
        let many = "X-Filler: x\n".repeat(count);
        let mail =
            untrusted(&format!("{many}X-OTOBO-Queue: Junk\nX-OTRS-Queue: Junk\nX-OTOBO-Priority: 5 very high\n\n"));
        for name in ["X-OTOBO-Queue", "X-OTRS-Queue", "X-OTOBO-Priority"] {
            assert_eq!((mail.header(name), mail.headers(name).len()), (None, 0), "{name} after {count} fields");
        }
        assert!(mail.otobo_headers().all(|header| header.by == SetBy::Host));
    }
}

#[test]
fn computed_headers_are_the_hosts() {
    let raw =
        "X-OTOBO-AttachmentCount: 99\nX-OTOBO-AttachmentExists: yes\nX-OTRS-Bounce: 1\nX-OTOBO-BodyDecrypted: 1\n\n";
    let (mail, dropped) = receive(raw, true);
    assert_eq!(mail.header("X-OTOBO-AttachmentCount"), Some("0"));
    assert_eq!(mail.header("X-OTOBO-AttachmentExists"), Some("no"));
    assert_eq!(mail.header("X-OTOBO-Bounce"), None);
    assert_eq!(mail.header("X-OTOBO-BodyDecrypted"), None);
    assert_eq!(dropped.len(), 4);
}

#[test]
fn loops_are_told_by_any_value_of_certain_headers() {
    for header in [
        "Mailing-List: devs",
        "Precedence: bulk",
        "X-Loop: no",
        "X-No-Loop: x",
        "Auto-Submitted: auto-replied",
        "auto-submitted: AUTO-X",
    ] {
        assert_eq!(untrusted(&format!("{header}\n\n")).header("X-OTOBO-Loop"), Some("yes"), "{header}");
    }
    for header in ["Subject: x", "Auto-Submitted: no", "Precedence:", "X-OTOBO-Loop: yes"] {
        assert_eq!(untrusted(&format!("{header}\n\n")).header("X-OTOBO-Loop"), None, "{header}");
    }
    assert_eq!(trusted("X-OTOBO-Loop: no\n\n").header("X-OTOBO-Loop"), Some("yes"));
}

#[test]
fn defaults_are_set_before_the_filters() {
    let mail = trusted("From: a@x.test, B <b@x.test>\nX-OTOBO-SenderType: agent\n\n");
    assert_eq!(mail.header("X-Sender"), Some("b@x.test"));
    assert_eq!(mail.header("X-OTOBO-SenderType"), Some("agent"));
    assert_eq!(mail.header("X-OTOBO-FollowUp-SenderType"), Some("customer"));
    assert_eq!(mail.header("X-OTOBO-IsVisibleForCustomer"), Some("1"));
    assert_eq!(untrusted("X-Sender: me\nFrom: a@x.test\n\n").header("X-Sender"), Some("me"));
}

#[test]
fn setting_replaces_and_is_noticed() {
    let mut mail = untrusted("Subject: x\n\n");
    let before = mail.generation();
    mail.set("X-OTOBO-Title", vec!["a\r\nX-OTOBO-Queue: Junk\0".into()], &SetBy::Filter("f".into()));
    assert_eq!(mail.header("x-otobo-title"), Some("a X-OTOBO-Queue: Junk "));
    assert_ne!(mail.generation(), before);
    mail.set("X-OTOBO-Title", vec!["b".into()], &SetBy::Filter("g".into()));
    assert_eq!(mail.header("X-OTOBO-Title"), Some("b"));
    assert_eq!(mail.in_force("X-OTOBO-Title").unwrap().by, SetBy::Filter("g".into()));
    assert_eq!(mail.header("X-OTOBO-Queue"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_a_mail_and_no_line_break_gets_into_a_header(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        text in "((X-OTOBO-|X-OTRS-|)(Queue|State|Bounce|DynamicField-Product|Loop|Content-Type|From|To|Subject) ?:[\r\n -~]{0,30}\r?\n){0,6}[ -~\r\n]{0,60}",
        trusted in any::<bool>(),
    ) {
        for raw in [bytes.as_slice(), text.as_bytes()] {
            let message = Message::parse(raw.to_vec().into());
            prop_assert_eq!(message.raw().as_ref(), raw);
            let opened = OpenedMessage::as_it_came(message);
            let mail = opened.vet(Envelope { trusted, ..Envelope::default() }, &vocabulary()).0.compute();
            for name in mail.header_names() {
                let value = mail.header(name);
                prop_assert!(value.is_some_and(|value| !value.contains(['\r', '\n', '\0'])), "{name}: {value:?}");
                mail.addresses(name);
            }
            prop_assert!(trusted || mail.otobo_headers().all(|header| header.by == SetBy::Host));
            mail.text();
            mail.html();
            prop_assert!((0..mail.attachments().len()).all(|index| mail.attachment_bytes(index).is_some()));
        }
    }

    #[test]
    fn what_is_set_is_one_line(name in "[A-Za-z0-9-]{1,20}", value in "\\PC{0,20}[\r\n\0]{0,3}\\PC{0,20}[\r\n\0]{0,3}") {
        let mut mail = untrusted("Subject: x\n\n");
        if let Ok(settable) = vocabulary().may_set(&format!("X-OTOBO-{name}")) {
            mail.set(&settable.name, vec![value.clone()], &SetBy::Filter("f".into()));
            let once = mail.header(&settable.name).unwrap().to_owned();
            prop_assert!(!once.contains(['\r', '\n', '\0']));
            mail.set(&settable.name, vec![once.clone()], &SetBy::Filter("f".into()));
            prop_assert_eq!(mail.header(&settable.name), Some(once.as_str()));
        }
    }
}
