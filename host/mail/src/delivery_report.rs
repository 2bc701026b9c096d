//! What a delivery report says of each recipient: RFC 3464 (with the address types of RFC 6533), and what servers wrote
//! before there was a standard: Exim's X-Failed-Recipients, qmail's bounces. Total and linear: a report comes from
//! anybody.

use super::content;
use super::fields;
use super::message::Message;
use super::message_id::message_ids;
use super::part_text::decode_text;
use super::structure::Part;
use super::{charset, encoded_word};
use postigo_model::mailbox::Mailbox;

/// So many recipients of one report count.
const MOST_RECIPIENTS: usize = 1_000;
/// An address has so many bytes at most (RFC 3696, erratum 1690: 254, and more in UTF-8).
const LONGEST_ADDRESS: usize = 320;
/// So much of a server's words is kept, in characters.
const LONGEST_DETAIL: usize = 500;

/// A delivery report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReport {
    /// The Message-ID of the mail that it is about, with its angle brackets.
    pub original: String,
    /// What it says of each recipient.
    pub recipients: Vec<RecipientReport>,
}

/// What a report says of a recipient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipientReport {
    /// The addresses that they are known by: as the sender wrote it (Original-Recipient), and where the mail went in
    /// the end (Final-Recipient). Each as it stands there, and decoded: servers write both, and
    /// `joe+42@example.com` may be an address or an encoded one.
    pub addresses: Vec<String>,
    /// What happened.
    pub action: ReportAction,
    /// The enhanced status code (RFC 3463); empty where there is none.
    pub status: String,
    /// The server's words, on one line.
    pub detail: String,
}

/// What happened to a mail on its way to a recipient (RFC 3464 section 2.3.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReportAction {
    /// It was given up.
    #[default]
    Failed,
    /// It is still tried.
    Delayed,
    /// It has arrived, or was passed to where no further report comes from.
    Delivered,
}

impl RecipientReport {
    /// Whether trying again would be of no use: not so where the status says that the trouble may pass (class 4).
    pub fn is_permanent(&self) -> bool {
        self.action == ReportAction::Failed && !self.status.starts_with('4')
    }
}

/// The delivery report that a message is, if it names the mail that it is about and at least one recipient.
pub fn read(message: &Message) -> Option<DeliveryReport> {
    let (parts, raw) = message.parts();
    let status = parts
        .iter()
        .find(|part| matches!(part.media_type.as_str(), "message/delivery-status" | "message/global-delivery-status"));
    let recipients = match status {
        Some(part) => by_status(raw, part),
        None => by_habit(message)?,
    };
    let original = original(message, parts, raw)?;
    (!recipients.is_empty()).then_some(DeliveryReport { original, recipients })
}

/// The Message-ID of the mail that came back, in whole or in its header; else the one that the report refers to.
fn original(message: &Message, parts: &[Part], raw: &[u8]) -> Option<String> {
    const RETURNED: [&str; 5] =
        ["message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global", "message/global-headers"];
    let returned = parts.iter().filter(|part| RETURNED.contains(&part.media_type.as_str()));
    if let Some(id) = returned.into_iter().find_map(|part| content::attached_message_id(raw, part)) {
        return Some(id);
    }
    // Before MIME the mail, or its header, stood in the text.
    let in_text = message
        .text()
        .lines()
        .filter(|line| line.get(..11).is_some_and(|start| start.eq_ignore_ascii_case("message-id:")));
    let referred = || {
        ["In-Reply-To", "References"]
            .iter()
            .filter_map(|name| message.header(name))
            .find_map(|ids| message_ids(ids).next_back())
    };
    in_text.into_iter().find_map(|line| message_ids(line).next()).or_else(referred).map(str::to_owned)
}

/// The groups of fields of a delivery status: the first is about the message, each further one about a recipient.
fn by_status(raw: &[u8], part: &Part) -> Vec<RecipientReport> {
    let text = decode_text(raw, part);
    let bytes = text.as_bytes();
    let mut recipients = Vec::new();
    let mut position = 0;
    while position < bytes.len() && recipients.len() < MOST_RECIPIENTS {
        let group = fields::split(bytes, position);
        recipients.extend(recipient(bytes, &group.fields));
        // What is no field is passed over, line by line.
        position = if group.body > position { group.body } else { fields::RawLine::at(bytes, position).next };
    }
    recipients
}

fn recipient(bytes: &[u8], group: &[fields::Field]) -> Option<RecipientReport> {
    let value = |name: &str| {
        let field = group.iter().find(|field| {
            bytes.get(field.name.clone()).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
        })?;
        let value = charset::decode(fields::unfold(bytes.get(field.value.clone())?), None);
        Some(encoded_word::on_one_line(value))
    };
    let mut addresses: Vec<String> = Vec::new();
    let values = ["Original-Recipient", "Final-Recipient"].iter().filter_map(|name| value(name));
    for address in values.flat_map(|value| typed_addresses(&value)) {
        if !addresses.iter().any(|known| Mailbox::of(known) == Mailbox::of(&address)) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return None;
    }
    let action = match value("Action").unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "delayed" => ReportAction::Delayed,
        "delivered" | "relayed" | "expanded" => ReportAction::Delivered,
        _ => ReportAction::Failed,
    };
    let status =
        value("Status").unwrap_or_default().split_whitespace().next().unwrap_or_default().chars().take(20).collect();
    // The type (`smtp;`) says nothing to people.
    let diagnostic = value("Diagnostic-Code").unwrap_or_default();
    let detail = diagnostic
        .split_once(';')
        .map_or(diagnostic.as_str(), |(_, words)| words)
        .trim()
        .chars()
        .take(LONGEST_DETAIL)
        .collect();
    Some(RecipientReport { addresses, action, status, detail })
}

/// The spellings of `rfc822; jane+2Bx@example.com` (which may be xtext, RFC 3461 section 4) or `utf-8;
/// j\x{F6}rg@example.com` (RFC 6533 section 3).
fn typed_addresses(value: &str) -> Vec<String> {
    let (kind, address) = value.split_once(';').unwrap_or(("rfc822", value));
    let address = address.trim().trim_matches(['<', '>']);
    if address.len() > 10 * LONGEST_ADDRESS {
        return Vec::new(); // `\x{10FFFF}` is a character
    }
    let spellings = match kind.trim().to_ascii_lowercase().as_str() {
        "utf-8" => vec![without_unicode_escapes(address)],
        "rfc822" => vec![address.to_owned(), without_xtext(address)],
        _ => vec![address.to_owned()],
    };
    let is_address = |address: &String| {
        address.contains('@') && address.len() <= LONGEST_ADDRESS && !address.chars().any(char::is_control)
    };
    spellings.into_iter().filter(is_address).collect()
}

/// `+2B` is a plus sign. Many servers write plain addresses, in which a plus is not followed by two hexadecimal
/// capitals.
fn without_xtext(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('+') {
        plain.push_str(before);
        let code = after
            .get(..2)
            .filter(|code| code.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)));
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(u8::is_ascii_graphic) {
            plain.push(char::from(byte));
            rest = after.get(2..).unwrap_or_default();
        } else {
            plain.push('+');
            rest = after;
        }
    }
    plain.push_str(rest);
    plain
}

fn without_unicode_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x{") {
        plain.push_str(before);
        let escaped = after.split_once('}').filter(|(code, _)| code.len() <= 6);
        if let Some((character, after)) =
            escaped.and_then(|(code, after)| Some((char::from_u32(u32::from_str_radix(code, 16).ok()?)?, after)))
        {
            plain.push(character);
            rest = after;
        } else {
            plain.push_str("\\x{");
            rest = after;
        }
    }
    plain.push_str(rest);
    plain
}

/// Reports from before the standard.
fn by_habit(message: &Message) -> Option<Vec<RecipientReport>> {
    if let Some(failed) = message.header("X-Failed-Recipients") {
        let detail = first_words(message.text(), "SMTP error");
        let reported = |address: &str| RecipientReport {
            addresses: vec![address.to_owned()],
            detail: detail.clone(),
            ..RecipientReport::default()
        };
        return Some(
            failed.split([',', ' ']).filter(|word| word.contains('@')).take(MOST_RECIPIENTS).map(reported).collect(),
        );
    }
    qmail(message.text())
}

/// The line that begins like this, and the one after it.
fn first_words(text: &str, beginning: &str) -> String {
    let lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with(beginning)).take(2);
    lines.collect::<Vec<_>>().join(" ").chars().take(LONGEST_DETAIL).collect()
}

/// qmail's bounces: after a greeting each paragraph begins with `<address>:` and tells what happened, up to a line of
/// dashes.
fn qmail(text: &str) -> Option<Vec<RecipientReport>> {
    let text = text.trim_start().strip_prefix("Hi. This is the")?;
    let mut recipients: Vec<RecipientReport> = Vec::new();
    for paragraph in text.split("\n\n").skip(1).take_while(|paragraph| !paragraph.trim_start().starts_with("---")) {
        let mut lines = paragraph.trim().lines();
        let Some(address) = lines.next().and_then(|first| first.trim().strip_prefix('<')?.strip_suffix(">:")) else {
            continue;
        };
        let detail: String = lines
            .take(LONGEST_DETAIL)
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(LONGEST_DETAIL)
            .collect();
        let status = detail
            .split_once("(#")
            .and_then(|(_, code)| code.split_once(')'))
            .map(|(code, _)| code.chars().take(20).collect());
        if address.contains('@') && recipients.len() < MOST_RECIPIENTS {
            recipients.push(RecipientReport {
                addresses: vec![address.to_owned()],
                status: status.unwrap_or_default(),
                detail,
                action: ReportAction::Failed,
            });
        }
    }
    Some(recipients)
}

#[cfg(test)]
#[path = "delivery_report/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "delivery_report/fuzz.rs"]
mod fuzz;
