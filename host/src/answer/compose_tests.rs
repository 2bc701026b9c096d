//! Composed mails, read back by mail-parser.

use super::*;
use mail_parser::{MessageParser, MimeHeaders as _};
use proptest::prelude::*;

fn draft() -> MailDraft {
    MailDraft {
        from: Addressee::parse("Bücher & Co <help@desk.test>").unwrap(),
        to: vec![Addressee::parse("\"Roe, Jane\" <jane@x.test>").unwrap()],
        cc: Vec::new(),
        bcc: Vec::new(),
        subject: "Re: [Ticket#1] Störung 日本".into(),
        in_reply_to: "<a@x.test>".into(),
        references: "<b@x.test> junk <a@x.test>".into(),
        automatic: false,
        text: "Grüße\n.\nfrom us\n".into(),
        html: None,
        files: Vec::new(),
        queue: "Support".into(),
        now: 1_795_521_600_123,
    }
}

fn raw(draft: MailDraft) -> Vec<u8> {
    compose(draft).unwrap().outgoing.raw.concat()
}

fn header_names(raw: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(raw).into_owned();
    let head = text.split("\r\n\r\n").next().unwrap().to_owned();
    head.split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split(':').next().unwrap().to_owned())
        .collect()
}

#[test]
fn what_goes_in_is_read_back() {
    let mail = compose(MailDraft {
        cc: vec![Addressee::parse("c@x.test").unwrap()],
        bcc: vec![Addressee::parse("hidden@x.test").unwrap(), Addressee::parse("JANE@x.test").unwrap()],
        html: Some("<p>Grüße</p>".into()),
        files: vec![AttachedFile {
            name: "Übersicht.pdf".into(),
            media_type: "application/pdf".into(),
            content: b"%PDF\r\n\0\xff".to_vec(),
        }],
        ..draft()
    })
    .unwrap();
    let raw = mail.outgoing.raw.concat();
    let read = MessageParser::default().parse(&raw).unwrap();
    assert_eq!(read.subject(), Some("Re: [Ticket#1] Störung 日本"));
    assert_eq!(read.from().unwrap().first().unwrap().name(), Some("Bücher & Co"));
    assert_eq!(read.to().unwrap().first().unwrap().name(), Some("Roe, Jane"));
    assert_eq!(read.body_text(0).unwrap(), "Grüße\n.\nfrom us\n".replace('\n', "\r\n"));
    assert_eq!(read.body_html(0).unwrap(), "<p>Grüße</p>");
    let file = read.attachments().next().unwrap();
    assert_eq!((file.attachment_name(), file.contents()), (Some("Übersicht.pdf"), b"%PDF\r\n\0\xff".as_slice()));
    assert_eq!(read.references().as_text_list().unwrap(), ["b@x.test", "a@x.test"]);
    assert_eq!(read.in_reply_to().as_text(), Some("a@x.test"));
    assert_eq!(format!("<{}>", read.message_id().unwrap()), mail.outgoing.message_id);
    assert!(mail.outgoing.message_id.ends_with("@desk.test>"));
    assert_eq!(mail.outgoing.recipients, ["jane@x.test", "c@x.test", "hidden@x.test"], "each once");
    assert_eq!((mail.outgoing.sender.as_str(), mail.outgoing.queue.as_str()), ("help@desk.test", "Support"));
    let text = String::from_utf8_lossy(&raw);
    assert!(!text.contains("hidden") && !text.contains("Bcc") && !text.contains("Auto-Submitted"));
    assert_eq!((mail.article.date, mail.article.attachments.len()), (Some(1_795_521_600_000), 1));
}

#[test]
fn an_automatic_answer_says_so_and_has_the_null_sender() {
    let mail = compose(MailDraft { automatic: true, ..draft() }).unwrap();
    let raw = mail.outgoing.raw.concat();
    let read = MessageParser::default().parse(&raw).unwrap();
    assert_eq!(read.header("Auto-Submitted").unwrap().as_text(), Some("auto-replied"));
    assert_eq!(read.header("Precedence").unwrap().as_text(), Some("bulk"));
    assert_eq!(mail.outgoing.sender, "");
}

#[test]
fn an_international_domain_goes_out_in_ascii() {
    let mail = compose(MailDraft { from: Addressee::parse("help@bücher.example").unwrap(), ..draft() }).unwrap();
    assert_eq!(mail.outgoing.sender, "help@xn--bcher-kva.example");
    assert_eq!(mail.article.from, "help@bücher.example");
    assert!(String::from_utf8(mail.outgoing.raw.concat()).unwrap().contains("From: help@xn--bcher-kva.example\r\n"));
}

#[test]
fn a_message_goes_along_as_one_if_its_bytes_allow() {
    let message = |content: &[u8]| AttachedFile {
        name: "original.eml".into(),
        media_type: "message/rfc822".into(),
        content: content.to_vec(),
    };
    let proper = raw(MailDraft { files: vec![message(b"Subject: inner\n\nhello\n")], ..draft() });
    let read = MessageParser::default().parse(&proper).unwrap();
    assert_eq!(read.attachments().next().unwrap().message().unwrap().subject(), Some("inner"));
    let odd = raw(MailDraft {
        files: vec![message(&[b"Subject: x\n\n".as_slice(), &[b'x'; 2_000], b"\0"].concat())],
        ..draft()
    });
    let read = MessageParser::default().parse(&odd).unwrap();
    assert_eq!(read.attachments().next().unwrap().contents().len(), 2_013);
}

#[test]
fn references_stay_few_and_keep_the_first() {
    let many: String = (0..100).map(|number| format!("<{number}@x.test> ")).collect();
    let kept = references(&many, "<99@x.test>");
    let ids: Vec<&str> = kept.split(' ').collect();
    assert_eq!((ids.len(), ids.first(), ids.last()), (MOST_REFERENCES, Some(&"<0@x.test>"), Some(&"<99@x.test>")));
    assert_eq!(references("<é@x.test> <a@x.test>", ""), "<a@x.test>");
}

#[test]
fn nobody_is_no_recipient() {
    assert!(matches!(compose(MailDraft { to: Vec::new(), ..draft() }), Err(ComposeError::NoRecipient)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_value_makes_a_header_or_a_line_that_is_too_long(
        subject in any::<String>(),
        name in any::<String>(),
        file in any::<String>(),
        media_type in "[a-z/;= \"\r\n:-]{0,30}",
        ids in "(<[!-~é]{0,300}>[ \r\n]{0,2}){0,20}",
        text in "[ -~é\r\n\0]{0,3000}",
    ) {
        let hostile = |text: &str| format!("{text}\r\nX-Evil: 1\nBcc: evil@x.test\r\n\r\nbody");
        let shown = postigo_mail::Address { display_name: hostile(&name), address: "jane@x.test".into() };
        let raw = raw(MailDraft {
            to: vec![Addressee::new(shown).unwrap()],
            subject: hostile(&subject),
            in_reply_to: ids.clone(),
            references: hostile(&ids),
            html: Some(text.clone()),
            files: vec![AttachedFile { name: hostile(&file), media_type, content: text.clone().into_bytes() }],
            text,
            ..draft()
        });
        let known = ["Date", "From", "To", "Subject", "Message-ID", "In-Reply-To", "References", "X-Powered-By", "MIME-Version", "Content-Type"];
        for header in header_names(&raw) {
            prop_assert!(known.iter().any(|known| known.eq_ignore_ascii_case(&header)), "{header}");
        }
        for line in raw.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            prop_assert!(line.len() <= LONGEST_LINE);
            prop_assert!(!line.contains(&b'\r') && !line.contains(&0));
        }
    }
}
