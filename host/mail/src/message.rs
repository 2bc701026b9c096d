//! A message as it was received: its bytes, and what can be read from them. Read lazily, kept once read, never changed.

use super::address::{self, Address};
use super::bounds::{self, Cuts};
use super::content::{Attachment, Content};
use super::message_id::message_ids;
use super::structure::Part;
use super::{date, encoded_word, fields, structure};
use bytes::Bytes;
use postigo_model::communication::MailHeading;
use postigo_model::text::beginning;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

/// A Date has so many bytes at most.
const LONGEST_DATE: usize = 200;

/// A parsed message. Parsing never fails: the worst bytes give a message without headers and with a body. Of a mail
/// that has more than anybody means, [`Message::cuts`] says what is not read.
#[derive(Debug, Default)]
pub struct Message {
    raw: Bytes,
    /// The same bytes as they are read: CR, where that is the only line break there is, as LF.
    lines: Bytes,
    /// In the order of their first appearance.
    headers: Vec<Header>,
    by_lower_case: HashMap<Box<str>, usize>,
    header: fields::HeaderSection,
    content: OnceLock<Content>,
}

/// All fields of one name.
#[derive(Debug)]
struct Header {
    name: String,
    /// Places in the header's fields.
    occurrences: Vec<u32>,
    values: OnceLock<Values>,
    addresses: OnceLock<HeaderAddresses>,
}

/// The decoded values of all occurrences.
#[derive(Debug)]
struct Values {
    /// Joined by a space.
    joined: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

/// The addresses of all occurrences.
#[derive(Debug, Default)]
struct HeaderAddresses {
    found: Vec<Address>,
    /// Whether more are there than are read.
    more: bool,
}

impl Message {
    /// Parses the received bytes; total.
    pub fn parse(raw: Bytes) -> Self {
        let lines = with_line_feeds(&raw);
        let header = fields::split(&lines, 0);
        let mut headers: Vec<Header> = Vec::new();
        let mut by_lower_case = HashMap::new();
        for (place, field) in (0..).zip(&header.fields) {
            let name = String::from_utf8_lossy(lines.get(field.name.clone()).unwrap_or_default()).into_owned();
            let index = *by_lower_case.entry(name.to_ascii_lowercase().into_boxed_str()).or_insert(headers.len());
            match headers.get_mut(index) {
                Some(header) => header.occurrences.push(place),
                None => headers.push(Header {
                    name,
                    occurrences: vec![place],
                    values: OnceLock::new(),
                    addresses: OnceLock::new(),
                }),
            }
        }
        Self { raw, lines, headers, by_lower_case, header, content: OnceLock::new() }
    }

    /// The received bytes, unchanged.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The names of all headers, each once, as first written, in the order of their first appearance.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|header| header.name.as_str())
    }

    /// The value of a header (name in any case): unfolded, decoded, all occurrences joined by a space. It holds no CR,
    /// LF or NUL.
    pub fn header(&self, name: &str) -> Option<&str> {
        Some(&self.values(self.find(name)?).joined)
    }

    /// Every occurrence of a header, in their order.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        let Some(values) = self.find(name).map(|header| self.values(header)) else { return Vec::new() };
        let starts = std::iter::once(0).chain(values.ends.iter().map(|end| end + 1));
        starts.zip(&values.ends).filter_map(|(start, end)| values.joined.get(start..*end)).collect()
    }

    /// All fields in their order, each with its name as it was written.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (&[u8], &fields::Field)> {
        self.header.fields.iter().map(|field| (self.lines.get(field.name.clone()).unwrap_or_default(), field))
    }

    /// The addresses of a header, of all its occurrences, from left to right.
    pub fn addresses(&self, name: &str) -> &[Address] {
        self.find(name).map(|header| self.addresses_of(header).found.as_slice()).unwrap_or_default()
    }

    /// What of the mail was not read, sentences that name the header or the place: it has more than anybody means. Of
    /// addresses and parts what has been asked for is told.
    pub fn cuts(&self) -> Vec<String> {
        let mut cuts = Cuts::default();
        cuts.fields("The header", self.header.left);
        for field in &self.header.fields {
            if let Some(whole) = field.whole {
                let name = String::from_utf8_lossy(self.lines.get(field.name.clone()).unwrap_or_default());
                cuts.value(&name, whole, field.value.len());
            }
        }
        for header in &self.headers {
            if header.addresses.get().is_some_and(|addresses| addresses.more) {
                let name = bounds::shortened(&header.name);
                cuts.tell(|| {
                    format!("{name} names more than {} addresses: the others are not read.", bounds::ADDRESSES)
                });
            }
        }
        if let Some(content) = self.content.get() {
            cuts.extend(content.cuts());
        }
        cuts.into_sentences()
    }

    /// The body as text with LF line ends: the plain text, or the text of the HTML where there is only that.
    pub fn text(&self) -> &str {
        self.content().text(&self.lines)
    }

    /// The HTML body, decoded; none where the mail has no HTML.
    pub fn html(&self) -> Option<&str> {
        self.content().html(&self.lines)
    }

    /// The attachments in their order.
    pub fn attachments(&self) -> &[Attachment] {
        self.content().attachments(&self.lines)
    }

    /// The attachments, and parts that have no Content-Disposition but are files all the same: what an article lists.
    pub fn files(&self) -> Vec<Attachment> {
        self.content().files(&self.lines)
    }

    /// The decoded bytes of one of [`Self::files`].
    pub fn file_bytes(&self, index: usize) -> Option<Vec<u8>> {
        self.content().file_bytes(&self.lines, index)
    }

    /// How many attachments there are; cheaper than [`Self::attachments`], which measures them.
    pub fn attachment_count(&self) -> usize {
        self.content().attachment_count()
    }

    /// The decoded bytes of an attachment.
    pub fn attachment_bytes(&self, index: usize) -> Option<&[u8]> {
        self.content().attachment_bytes(&self.lines, index)
    }

    /// The Message-ID with its angle brackets; none where there is none.
    pub fn message_id(&self) -> Option<Cow<'_, str>> {
        let value = self.header("Message-ID")?;
        match message_ids(value).next() {
            Some(id) => Some(Cow::Borrowed(id)),
            None => value.split_whitespace().next().map(|id| Cow::Owned(format!("<{}>", id.trim_matches(['<', '>'])))),
        }
    }

    /// What a list says of it.
    pub fn heading(&self) -> MailHeading {
        let text = |name: &str| self.header(name).unwrap_or_default();
        MailHeading::new(text("From"), text("To"), text("Subject"), &self.message_id().unwrap_or_default())
    }

    /// The Date header as milliseconds since the epoch, of several the first that can be read; none where none can.
    /// Without a zone it is in UTC.
    pub fn date(&self) -> Option<i64> {
        self.headers("Date").into_iter().find_map(|date| date::read(beginning(date, LONGEST_DATE)))
    }

    /// The leaf parts, and the bytes that their ranges are of.
    pub(super) fn parts(&self) -> (&[Part], &[u8]) {
        (self.content().parts(), &self.lines)
    }

    fn content(&self) -> &Content {
        self.content.get_or_init(|| Content::new(&self.lines, structure::read(&self.lines, &self.header)))
    }

    fn find(&self, name: &str) -> Option<&Header> {
        let lower = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
        self.headers.get(*self.by_lower_case.get(lower.as_ref())?)
    }

    fn values<'h>(&self, header: &'h Header) -> &'h Values {
        header.values.get_or_init(|| {
            let mut values = Values { joined: String::new(), ends: Vec::with_capacity(header.occurrences.len()) };
            for field in self.fields_of(header) {
                if !values.ends.is_empty() {
                    values.joined.push(' ');
                }
                let value = self.unfold(field);
                let decoded = encoded_word::decode(&value, self.fallback_charset(&value));
                // Most headers occur once.
                if values.joined.is_empty() {
                    values.joined = decoded;
                } else {
                    values.joined.push_str(&decoded);
                }
                values.ends.push(values.joined.len());
            }
            values
        })
    }

    fn addresses_of<'h>(&self, header: &'h Header) -> &'h HeaderAddresses {
        header.addresses.get_or_init(|| {
            let mut addresses = HeaderAddresses::default();
            for field in self.fields_of(header) {
                let value = self.unfold(field);
                let room = bounds::ADDRESSES - addresses.found.len().min(bounds::ADDRESSES);
                let fallback = self.fallback_charset(&value);
                addresses.more |=
                    !address::parse_into(&mut addresses.found, room, &value, fallback, field.whole.is_none());
            }
            addresses
        })
    }

    fn fields_of<'m>(&'m self, header: &'m Header) -> impl Iterator<Item = &'m fields::Field> {
        header.occurrences.iter().filter_map(|place| self.header.fields.get(*place as usize))
    }

    pub(super) fn unfold(&self, field: &fields::Field) -> Vec<u8> {
        fields::unfold(self.lines.get(field.value.clone()).unwrap_or_default())
    }

    /// The charset for bytes above 127 outside encoded words: the body's. Looked up only for values that have some.
    fn fallback_charset(&self, value: &[u8]) -> Option<&str> {
        if value.is_ascii() && !value.contains(&b'\x1b') { None } else { self.content().charset() }
    }
}

/// Old systems end lines with CR alone; where there is no LF at all, they are read as if they were LF.
fn with_line_feeds(raw: &Bytes) -> Bytes {
    if memchr::memchr(b'\n', raw).is_some() || memchr::memchr(b'\r', raw).is_none() {
        return raw.clone();
    }
    raw.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(raw: &str) -> Message {
        Message::parse(raw.to_owned().into())
    }

    #[test]
    fn of_several_dates_the_first_that_can_be_read_counts() {
        let read =
            message("Date: yesterday\nDate: Mon, 23 Nov 2026 09:15:00 +0000\nDate: Tue, 24 Nov 2026 09:15:00\n\n");
        assert_eq!(read.date(), Some(1_795_425_300_000));
        assert_eq!(message("Subject: x\n\n").date(), None);
    }

    #[test]
    fn lines_may_end_with_cr_alone() {
        let raw = "Subject: x\rContent-Type: multipart/mixed; boundary=b\r\r--b\r\rone\r--b--\r";
        let found = message(raw);
        assert_eq!((found.header("Subject"), found.text()), (Some("x"), "one"));
        assert_eq!(found.raw().as_ref(), raw.as_bytes());
        assert_eq!(message("Subject: x\rX-OTOBO-Queue: Junk\n\n").header("X-OTOBO-Queue"), None);
    }

    #[test]
    fn message_ids_keep_their_brackets() {
        for (header, id) in [
            ("Message-ID: <a@b>", Some("<a@b>")),
            ("Message-Id:\n <a@b> (x)", Some("<a@b>")),
            ("Message-ID: a@b", Some("<a@b>")),
            ("Message-ID: ", None),
            ("Subject: x", None),
        ] {
            assert_eq!(message(&format!("{header}\n\n")).message_id().as_deref(), id, "{header}");
        }
    }

    #[test]
    fn what_anybody_means_is_read_whole() {
        let recipients: Vec<_> = (0..5_000)
            .map(|number| format!("\"Recipient, Number {number}\" <recipient.{number}@department.example.com>"))
            .collect();
        let references =
            (0..5_000).map(|number| format!("\n <{number}.20261124.one.of.many@mail.example.com>")).collect::<String>();
        let signatures = (0..50)
            .map(|number| format!("ARC-Seal: i={number}; {}\n", "b=abcdefgh\n ".repeat(200)))
            .collect::<String>();
        let read = message(&format!("To: {}\nReferences: {references}\n{signatures}\n", recipients.join(",\n ")));
        assert_eq!(read.addresses("To").len(), 5_000);
        assert!(references.len() > 200_000);
        assert_eq!(message_ids(read.header("References").unwrap()).count(), 5_000);
        assert_eq!(read.headers("ARC-Seal").len(), 50);
        assert_eq!(read.cuts(), [""; 0]);
    }

    #[test]
    fn what_is_beyond_is_left_out_and_told() {
        let many = (0..bounds::FIELDS + 7).map(|number| format!("X-{number}: value\n")).collect::<String>();
        let read = message(&format!("{many}\nthe body"));
        assert_eq!((read.header("X-0"), read.header("X-20006"), read.text()), (Some("value"), None, "the body"));
        assert_eq!(read.cuts(), ["The header has more than 20000 fields or 4 MiB: its last 7 fields are not read."]);

        let long = message(&format!("Subject: {}\nX-Tail: end\n\n", "word ".repeat(300_000)));
        assert_eq!(
            long.header("Subject").map(str::len),
            Some(bounds::FIELD_BYTES - 2),
            "up to the last blank, and trimmed"
        );
        assert_eq!(long.header("X-Tail"), Some("end"));
        assert_eq!(long.cuts(), ["Subject has 1500001 bytes: its first 1048575 are read."]);

        let five = format!("X-Long: {}\n", "x".repeat(bounds::FIELD_BYTES - 10)).repeat(4);
        let full = message(&format!("{five}X-Long: {}\nSubject: x\n\nthe body", "x".repeat(100)));
        assert_eq!((full.headers("X-Long").len(), full.header("Subject"), full.text()), (4, None, "the body"));
        assert_eq!(full.cuts(), ["The header has more than 20000 fields or 4 MiB: its last 2 fields are not read."]);
    }

    #[test]
    fn no_address_comes_of_a_cut() {
        let many = (0..4_000).map(|number| format!("To: a{number}@x.test\n")).collect::<String>();
        let listed = (0..12_000).map(|number| format!("a{number}@x.test")).collect::<Vec<_>>().join(", ");
        for raw in [format!("To: {listed}\n\n"), format!("{many}\n")] {
            let read = message(&raw);
            let found = read.addresses("To");
            let more = found.len() == bounds::ADDRESSES;
            assert!(found.iter().zip(0..).all(|(one, number)| one.address == format!("a{number}@x.test")));
            assert_eq!(
                read.cuts().iter().any(|cut| cut == "To names more than 10000 addresses: the others are not read."),
                more,
                "{raw:.40}"
            );
        }
        // The bound lies within the last address, its name or its angle brackets.
        let filler = |bytes: usize| format!("good@x.test,({})", "x".repeat(bytes));
        for last in [
            "jane@x.test.evil.test",
            "Jane Roe <jane@x.test.evil.test>",
            "\"jane@x.test, Roe\" <a@b.test>",
            "jane@x.test (a@b.test",
        ] {
            for inside in 0..last.len() {
                let value = format!("{},{last}", filler(bounds::FIELD_BYTES - inside - 20));
                let read = message(&format!("From:{value}{}\n\n", "y".repeat(40)));
                assert_eq!(
                    read.addresses("From").iter().map(|one| one.address.as_str()).collect::<Vec<_>>(),
                    ["good@x.test"],
                    "{last} {inside}"
                );
            }
        }
    }
}
