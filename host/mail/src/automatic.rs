//! Mail that must not be answered automatically (RFC 3834 section 2), beyond what `X-OTOBO-Loop` stands for.

use super::mail::Mail;
use super::message::Message;
use super::vocabulary;

/// Headers that lists add (RFC 2369, RFC 2919).
const LIST_HEADERS: [&str; 5] = ["List-Id", "List-Unsubscribe", "List-Post", "List-Help", "List-Archive"];
/// Headers that other robots mark their answers with.
const ROBOT_HEADERS: [&str; 3] = ["X-Autoreply", "X-Autorespond", "X-Auto-Response"];

/// What is said where [`feeds_loop`] keeps an answer back. A sentence's second half.
pub const FEEDS_LOOP: &str = "an answer would feed a loop (X-OTOBO-Loop)";

/// Whether X-OTOBO-Loop has a value other than `no` and `false`.
pub fn feeds_loop(mail: &Mail) -> bool {
    let value = mail.header(vocabulary::LOOP).unwrap_or_default().trim();
    !(value.is_empty() || value.eq_ignore_ascii_case("no") || value.eq_ignore_ascii_case("false"))
}

/// Why a message gets no automatic answer: a robot wrote it, a list passed it on, or nobody waits for an answer. A
/// sentence's second half.
pub fn why_unanswered(message: &Message) -> Option<&'static str> {
    let says = |name: &str| message.header(name).map(str::trim).filter(|value| !value.is_empty());
    if says("Auto-Submitted").is_some_and(|value| !first_word(value).eq_ignore_ascii_case("no")) {
        return Some("it was sent automatically (Auto-Submitted)");
    }
    if message.headers("Return-Path").iter().any(|path| path.split_whitespace().collect::<String>() == "<>") {
        return Some("its envelope has no sender to answer to (Return-Path)");
    }
    if LIST_HEADERS.iter().any(|name| says(name).is_some()) {
        return Some("a mailing list passed it on (List-…)");
    }
    if says("Precedence")
        .is_some_and(|value| ["bulk", "junk", "list"].iter().any(|word| first_word(value).eq_ignore_ascii_case(word)))
    {
        return Some("it was sent in bulk (Precedence)");
    }
    if says("Content-Type").is_some_and(|value| first_word(value).eq_ignore_ascii_case("multipart/report")) {
        return Some("it is a report, of a delivery or of having been read (RFC 6522)");
    }
    let suppressed = says("X-Auto-Response-Suppress").is_some_and(|value| {
        // OOF alone is about notes of absence, which ours are not ([MS-OXCMAIL], 2.2.3.2.14): Exchange writes it on what
        // people send, too.
        let words = || value.split([',', ';']).map(str::trim);
        words().any(|word| ["all", "autoreply"].iter().any(|suppressed| word.eq_ignore_ascii_case(suppressed)))
    });
    if suppressed
        || ROBOT_HEADERS
            .iter()
            .any(|name| says(name).is_some_and(|value| !first_word(value).eq_ignore_ascii_case("no")))
    {
        return Some("it asks for no automatic answer");
    }
    None
}

/// What stands before parameters and comments.
fn first_word(value: &str) -> &str {
    value.split([';', ' ', '\t', '(']).find(|word| !word.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(why_unanswered(&message).is_none(), answered, "{header}");
        }
    }
}
