//! Mail that must not be answered automatically (RFC 3834 section 2), and by which of its headers.

use super::computed;
use super::in_force::SetBy;
use super::mail::Mail;
use super::message::Message;
use super::vocabulary;
use postigo_model::text::{beginning, on_one_line};

/// Headers that lists add (RFC 2369, RFC 2919).
const LIST_HEADERS: [&str; 5] = ["List-Id", "List-Unsubscribe", "List-Post", "List-Help", "List-Archive"];
/// Headers that other robots mark their answers with.
const ROBOT_HEADERS: [&str; 3] = ["X-Autoreply", "X-Autorespond", "X-Auto-Response"];

/// So many bytes of a header's value are repeated.
const LONGEST_VALUE: usize = 100;

/// A header as it stands in the mail, for a sentence in brackets.
fn as_it_stands(name: &str, value: &str) -> String {
    let value = on_one_line(value);
    let cut = beginning(&value, LONGEST_VALUE);
    format!("{name}: {cut}{}", if cut.len() < value.len() { "…" } else { "" })
}

/// Why an answer to a mail would feed a loop, with the header that says so as it stands in the mail, or the filter that
/// does: what X-OTOBO-Loop stands for. A sentence's second half.
pub fn why_loops(mail: &Mail) -> Option<String> {
    let header = mail.in_force(vocabulary::LOOP).filter(|_| feeds_loop(mail))?;
    let message = mail.message();
    let said = match &header.by {
        SetBy::Filter(filter) => {
            format!("filter \"{filter}\" set {}", as_it_stands(vocabulary::LOOP, header.value()))
        }
        SetBy::Mail => as_it_stands(vocabulary::LOOP, header.value()),
        // The host stands for what the mail says, in these words or in others.
        SetBy::Host => message
            .header(vocabulary::LOOP)
            .map(|value| as_it_stands(vocabulary::LOOP, value))
            .or_else(|| computed::automatic_header(message).map(|(name, value)| as_it_stands(name, value)))
            .or_else(|| mail.header(vocabulary::BOUNCE).map(|value| as_it_stands(vocabulary::BOUNCE, value)))
            .unwrap_or_else(|| as_it_stands(vocabulary::LOOP, header.value())),
    };
    Some(format!("an answer would feed a loop ({said})"))
}

/// Whether X-OTOBO-Loop has a value other than `no` and `false`.
pub fn feeds_loop(mail: &Mail) -> bool {
    let value = mail.header(vocabulary::LOOP).unwrap_or_default().trim();
    !(value.is_empty() || value.eq_ignore_ascii_case("no") || value.eq_ignore_ascii_case("false"))
}

/// Why a message gets no automatic answer: a robot wrote it, a list passed it on, or nobody waits for an answer; with
/// the header that says so, as it stands in the message. A sentence's second half.
pub fn why_unanswered(message: &Message) -> Option<String> {
    let says = |name: &'static str| {
        let value = message.header(name).map(str::trim).filter(|value| !value.is_empty())?;
        Some((name, value))
    };
    let told = |why: &str, (name, value): (&str, &str)| Some(format!("{why} ({})", as_it_stands(name, value)));
    let is_no_no = |(_, value): &(&str, &str)| !first_word(value).eq_ignore_ascii_case("no");
    if let Some(header) = says("Auto-Submitted").filter(is_no_no) {
        return told("it was sent automatically", header);
    }
    if message.headers("Return-Path").iter().any(|path| path.split_whitespace().collect::<String>() == "<>") {
        return told("its envelope has no sender to answer to", ("Return-Path", "<>"));
    }
    if let Some(header) = LIST_HEADERS.into_iter().find_map(says) {
        return told("a mailing list passed it on", header);
    }
    let is_bulk = |(_, value): &(&str, &str)| {
        ["bulk", "junk", "list"].iter().any(|word| first_word(value).eq_ignore_ascii_case(word))
    };
    if let Some(header) = says("Precedence").filter(is_bulk) {
        return told("it was sent in bulk", header);
    }
    let is_report = |(_, value): &(&str, &str)| first_word(value).eq_ignore_ascii_case("multipart/report");
    if let Some((name, value)) = says("Content-Type").filter(is_report) {
        return told("it is a report, of a delivery or of having been read", (name, first_word(value)));
    }
    let suppresses = |(_, value): &(&str, &str)| {
        // OOF alone is about notes of absence, which ours are not ([MS-OXCMAIL], 2.2.3.2.14): Exchange writes it on what
        // people send, too.
        let words = || value.split([',', ';']).map(str::trim);
        words().any(|word| ["all", "autoreply"].iter().any(|suppressed| word.eq_ignore_ascii_case(suppressed)))
    };
    let by_robot = || ROBOT_HEADERS.into_iter().find_map(|name| says(name).filter(is_no_no));
    let header = says("X-Auto-Response-Suppress").filter(suppresses).or_else(by_robot)?;
    told("it asks for no automatic answer", header)
}

/// What stands before parameters and comments.
fn first_word(value: &str) -> &str {
    value.split([';', ' ', '\t', '(']).find(|word| !word.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Envelope, OpenedMessage, Vocabulary};

    #[test]
    fn robots_and_lists_are_known_by_their_headers() {
        for (header, answered) in [
            ("Subject: x", true),
            ("Auto-Submitted: no", true),
            ("Auto-Submitted: No (a person)", true),
            ("Auto-Submitted: auto-replied", false),
            ("Auto-Submitted: auto-generated; type=x", false),
            ("Auto-Submitted: x-unknown", false),
            ("Return-Path: <>", false),
            ("Return-Path: < >", false),
            ("Return-Path: <jane@x.test>", true),
            ("List-Id: <x.test>", false),
            ("List-Unsubscribe: <mailto:x@x.test>", false),
            ("Precedence: bulk", false),
            ("Precedence: first-class", true),
            ("X-Auto-Response-Suppress: DR, AutoReply", false),
            ("X-Auto-Response-Suppress: DR", true),
            ("X-Auto-Response-Suppress: OOF", true),
            ("X-Auto-Response-Suppress: DR, RN, NRN, OOF", true),
            ("X-Auto-Response-Suppress: OOF, AutoReply", false),
            ("X-Auto-Response-Suppress: all", false),
            ("X-Autoreply: yes", false),
            ("Content-Type: multipart/report; report-type=disposition-notification; boundary=x", false),
            ("Content-Type: Multipart/Report", false),
            ("Content-Type: multipart/mixed; boundary=x", true),
            ("X-Autoreply: no", true),
        ] {
            let message = Message::parse(format!("{header}\r\n\r\n").into_bytes().into());
            let why = why_unanswered(&message);
            assert_eq!(why.is_none(), answered, "{header}");
            // A report is told by its type alone.
            let said = header.split_once("; report-type").map_or(header, |(said, _)| said).replace("< >", "<>");
            assert!(why.as_ref().is_none_or(|why| why.ends_with(&format!(" ({said})"))), "{header}: {why:?}");
        }
    }

    #[test]
    fn what_feeds_a_loop_is_named_as_it_stands_in_the_mail() {
        let untrusted = |raw: &str| {
            let message = Message::parse(raw.as_bytes().to_vec().into());
            OpenedMessage::as_it_came(message).vet(Envelope::default(), &Vocabulary::default()).0.compute()
        };
        let bounce = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nx\n--b\n\
             Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.test\n\n\
             Final-Recipient: rfc822; a@x.test\nAction: failed\nStatus: 5.1.1\n\n--b\n\
             Content-Type: message/rfc822\n\nMessage-ID: <orig@desk.test>\n\nhello\n--b--\n";
        for (raw, said) in [
            ("Auto-Submitted: auto-replied (vacation)\n\n", Some("Auto-Submitted: auto-replied (vacation)")),
            ("Precedence: bulk\n\n", Some("Precedence: bulk")),
            ("X-Loop: no\n\n", Some("X-Loop: no")),
            ("X-OTOBO-Loop: yes\n\n", None),
            ("Subject: x\n\n", None),
            (bounce, Some("X-OTOBO-Bounce: 1")),
        ] {
            let why = said.map(|said| format!("an answer would feed a loop ({said})"));
            assert_eq!(why_loops(&untrusted(raw)), why, "{raw}");
        }
        let mut mail = untrusted("Subject: x\n\n");
        mail.set(vocabulary::LOOP, vec!["true".into()], &SetBy::Filter("90 Robots".into()));
        let why = "an answer would feed a loop (filter \"90 Robots\" set X-OTOBO-Loop: true)";
        assert_eq!(why_loops(&mail).as_deref(), Some(why));
        let long = why_loops(&untrusted(&format!("Precedence: {}\n\n", "é".repeat(1_000)))).unwrap();
        assert!(long.len() < 200 && long.ends_with("…)"), "{long}");
    }
}
