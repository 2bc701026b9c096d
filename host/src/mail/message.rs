//! A message as it was received: its bytes, and what can be read from them. Read lazily, kept once read, never changed.

use super::address::{self, Address};
use super::content::{Attachment, Content};
use super::structure::Part;
use super::{bounce, encoded_word, fields, structure};
use bytes::Bytes;
use mail_parser::DateTime;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

/// A parsed message. Parsing never fails: the worst bytes give a message without headers and with a body.
#[derive(Debug, Default)]
pub struct Message {
    raw: Bytes,
    /// The same bytes as they are read: CR, where that is the only line break there is, as LF.
    lines: Bytes,
    /// In the order of their first appearance.
    headers: Vec<Header>,
    by_lower_case: HashMap<Box<str>, usize>,
    fields: Vec<fields::Field>,
    body: usize,
    content: OnceLock<Content>,
}

/// All fields of one name.
#[derive(Debug)]
struct Header {
    name: String,
    occurrences: Vec<Range<usize>>,
    value: OnceLock<String>,
}

impl Message {
    /// Parses the received bytes; total.
    pub fn parse(raw: Bytes) -> Self {
        let lines = with_line_feeds(&raw);
        let (fields, body) = fields::split(&lines, 0);
        let mut headers: Vec<Header> = Vec::with_capacity(fields.len());
        let mut by_lower_case = HashMap::with_capacity(fields.len());
        for field in &fields {
            let name = String::from_utf8_lossy(lines.get(field.name.clone()).unwrap_or_default()).into_owned();
            let index = *by_lower_case.entry(name.to_ascii_lowercase().into_boxed_str()).or_insert(headers.len());
            match headers.get_mut(index) {
                Some(header) => header.occurrences.push(field.value.clone()),
                None => headers.push(Header { name, occurrences: vec![field.value.clone()], value: OnceLock::new() }),
            }
        }
        Self { raw, lines, headers, by_lower_case, fields, body, content: OnceLock::new() }
    }

    /// The received bytes, unchanged.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The names of all headers, each once, as first written, in the order of their first appearance.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|header| header.name.as_str())
    }

    /// The value of a header (name in any case): unfolded, decoded, all occurrences joined by a space. It holds no CR, LF or NUL.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.find(name)?;
        Some(header.value.get_or_init(|| {
            let mut values = header.occurrences.iter().map(|occurrence| self.decode(occurrence));
            let first = values.next().unwrap_or_default();
            values.fold(first, |joined, value| joined + " " + &value)
        }))
    }

    /// Every occurrence of a header, in their order.
    pub fn headers(&self, name: &str) -> Vec<String> {
        self.find(name).into_iter().flat_map(|header| &header.occurrences).map(|occurrence| self.decode(occurrence)).collect()
    }

    /// The addresses of a header, of all its occurrences, from left to right.
    pub fn addresses(&self, name: &str) -> Vec<Address> {
        let Some(header) = self.find(name) else { return Vec::new() };
        header
            .occurrences
            .iter()
            .flat_map(|occurrence| {
                let value = self.unfold(occurrence);
                let fallback = self.fallback_charset(&value);
                address::parse(&value, fallback)
            })
            .collect()
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

    /// The Date header as milliseconds since the epoch; none where it can't be read.
    pub fn date(&self) -> Option<i64> {
        let mut date = DateTime::parse_rfc822(self.header("Date")?)?;
        date.year = match date.year {
            short @ 0..50 => short + 2_000, // RFC 5322 section 4.3
            short @ 50..1_000 => short + 1_900,
            year => year,
        };
        if !date.is_valid() {
            return None;
        }
        date.to_timestamp().checked_mul(1_000)
    }

    /// The delivery report that this message is, if it names the mail that it is about.
    pub(super) fn bounce(&self) -> Option<bounce::Bounce> {
        bounce::detect(self)
    }

    /// The leaf parts, and the bytes that their ranges are of.
    pub(super) fn parts(&self) -> (&[Part], &[u8]) {
        (self.content().parts(), &self.lines)
    }

    fn content(&self) -> &Content {
        self.content.get_or_init(|| Content::new(&self.lines, structure::leaves(&self.lines, &self.fields, self.body)))
    }

    fn find(&self, name: &str) -> Option<&Header> {
        let lower =
            if name.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) };
        self.headers.get(*self.by_lower_case.get(lower.as_ref())?)
    }

    fn unfold(&self, occurrence: &Range<usize>) -> Vec<u8> {
        fields::unfold(self.lines.get(occurrence.clone()).unwrap_or_default())
    }

    fn decode(&self, occurrence: &Range<usize>) -> String {
        let value = self.unfold(occurrence);
        let fallback = self.fallback_charset(&value);
        encoded_word::decode(&value, fallback)
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

/// The ids in angle brackets, brackets kept, of a value of Message-ID, In-Reply-To or References.
pub fn message_ids(value: &str) -> impl DoubleEndedIterator<Item = &str> {
    let mut ids = Vec::new();
    let mut rest = value;
    while let Some(end) = rest.find('>') {
        let (candidate, after) = rest.split_at(end + 1);
        if let Some(id) = candidate.rfind('<').and_then(|start| candidate.get(start..))
            && id.len() > 2
            && !id.contains(char::is_whitespace)
        {
            ids.push(id);
        }
        rest = after;
    }
    ids.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(raw: &str) -> Message {
        Message::parse(raw.to_owned().into())
    }

    #[test]
    fn dates_are_read_and_short_years_made_up_for() {
        for (date, expected) in [
            ("Mon, 23 Nov 2026 09:15:00 +0000", Some(1_795_425_300_000)),
            ("Mon, 23 Nov 26 10:15:00 +0100", Some(1_795_425_300_000)),
            ("Mon, 23 Sep 102 08:00:00 GMT", Some(1_032_768_000_000)),
            ("yesterday", None),
            ("", None),
            ("99 Xxx 2026", None),
        ] {
            assert_eq!(message(&format!("Date: {date}\n\n")).date(), expected, "{date}");
        }
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
        let ids: Vec<_> = message_ids("<a@b> junk <c d> <<e@f>> <> g>").collect();
        assert_eq!(ids, ["<a@b>", "<e@f>"]);
    }

    #[test]
    fn hostile_headers_take_linear_time() {
        let started = std::time::Instant::now();
        let many = (0..30_000).map(|number| format!("X-Filler-{number}: value\n")).collect::<Vec<_>>().concat();
        let filled = message(&format!("{many}X-Needle: here\n\n"));
        assert_eq!(filled.header("x-needle"), Some("here"));
        let long = message(&format!("X-Long: {}\nX-Tail: end\n\n", "=?a?q?".repeat(300_000)));
        assert_eq!(long.header("X-Tail"), Some("end"));
        assert!(long.header("X-Long").is_some());
        let same = message(&format!("{}\n", "To: a@x.test\n".repeat(30_000)));
        assert_eq!(same.addresses("To").len(), 30_000);
        assert_eq!(same.header("To").map(str::len), Some(30_000 * 9 - 1));
        assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    }
}
