//! Delivery reports (RFC 3464): which mail one is about, and what it says.

use super::content;
use super::message::Message;
use super::part_text::decode_text;

/// So many characters of the report's text are kept as a header.
const LONGEST_ERROR: usize = 2_000;

/// A delivery report that names the mail it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// The original's Message-ID with its angle brackets.
    pub original: String,
    /// What the report says, at most 2,000 characters.
    pub error: String,
}

/// The delivery report that a message is: it has a delivery status that tells a failure or a delay, and the original or
/// its header.
pub fn detect(message: &Message) -> Option<Bounce> {
    let (parts, raw) = message.parts();
    let status = parts.iter().find(|part| {
        matches!(part.media_type.as_str(), "message/delivery-status" | "message/global-delivery-status")
    })?;
    if !tells_failure(&decode_text(raw, status)) {
        return None;
    }
    let is_original = |media_type: &str| {
        matches!(
            media_type,
            "message/rfc822"
                | "text/rfc822-headers"
                | "message/rfc822-headers"
                | "message/global"
                | "message/global-headers"
        )
    };
    let original = parts
        .iter()
        .filter(|part| is_original(&part.media_type))
        .find_map(|part| content::attached_message_id(raw, part))?;
    Some(Bounce { original, error: message.text().trim().chars().take(LONGEST_ERROR).collect() })
}

/// Whether a delivery status is about a mail that did not arrive: of its actions one is neither `delivered` nor
/// `relayed` nor `expanded`, or it has none.
fn tells_failure(status: &str) -> bool {
    let mut actions = status
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("action"));
    let arrived = |value: &str| {
        ["delivered", "relayed", "expanded"].iter().any(|action| value.trim().eq_ignore_ascii_case(action))
    };
    match actions.next() {
        None => true,
        Some((_, first)) => !arrived(first) || actions.any(|(_, action)| !arrived(action)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(action: &str, original: &str) -> Message {
        let raw = format!(
            "Content-Type: multipart/report; report-type=delivery-status; boundary=d\r\n\r\n--d\r\n\r\nCould not be delivered.\r\n\
             --d\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\nAction: {action}\r\n--d\r\n\
             Content-Type: {original}\r\n\r\nMessage-ID:\r\n <orig@desk.test>\r\nSubject: x\r\n\r\nhello\r\n--d--\r\n"
        );
        Message::parse(raw.into_bytes().into())
    }

    #[test]
    fn a_report_names_its_original() {
        for original in ["message/rfc822", "text/rfc822-headers", "Message/RFC822; name=x"] {
            let bounce = detect(&report("failed", original)).unwrap();
            assert_eq!(bounce.original, "<orig@desk.test>");
            assert_eq!(bounce.error, "Could not be delivered.");
        }
        assert!(detect(&report("delayed", "message/rfc822")).is_some());
    }

    #[test]
    fn other_mails_are_none() {
        assert_eq!(detect(&report("delivered", "message/rfc822")), None);
        assert_eq!(detect(&report("failed", "application/pdf")), None);
        assert_eq!(detect(&Message::parse(b"Subject: x\n\nMessage-ID: <a@b>".as_slice().into())), None);
    }
}
