//! Splits raw bytes into header fields (RFC 5322 section 2.2), tolerant of what real mail holds: bare LF, NUL, a blank
//! before the colon, lines without a colon, lines of megabytes. Linear in the bytes, and bounded ([`bounds`]).

use super::bounds::{self, FIELD_BYTES, FIELDS, HEADER_BYTES};
use std::ops::Range;

/// A header field: where its name and its value, line breaks and all, lie in the raw bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name, without the blanks before the colon.
    pub name: Range<usize>,
    /// The value up to its last line break; of a longer one what is read ([`FIELD_BYTES`]).
    pub value: Range<usize>,
    /// The value's bytes, where more are there than are read.
    pub whole: Option<usize>,
}

/// A header.
#[derive(Debug, Default)]
pub struct HeaderSection {
    /// Its fields in their order, as many as are read ([`FIELDS`], [`HEADER_BYTES`]).
    pub fields: Vec<Field>,
    /// Fields that are not read.
    pub left: usize,
    /// Where the body begins.
    pub body: usize,
}

/// Splits the header that begins at `start`.
///
/// A line that is no field, between two that are, is passed over; any other ends the header and begins the body.
pub fn split(raw: &[u8], start: usize) -> HeaderSection {
    let mut found = HeaderSplit { raw, header: HeaderSection::default(), bytes: 0, last: None };
    let mut position = skip_envelope_line(raw, start);
    while position < raw.len() {
        let line = RawLine::at(raw, position);
        if line.is_blank() {
            return found.end(line.next);
        }
        match (raw.get(position), &mut found.last) {
            (Some(b' ' | b'\t'), Some((_, value))) => value.end = line.end,
            _ => match field_name(raw, &line) {
                Some((name, colon)) => {
                    found.keep();
                    found.last = Some((name, colon + 1..line.end));
                }
                None if found.last.is_none() || !is_followed_by_field(raw, &line) => return found.end(position),
                None => {}
            },
        }
        position = line.next;
    }
    found.end(raw.len())
}

/// A header that is being split.
struct HeaderSplit<'a> {
    raw: &'a [u8],
    header: HeaderSection,
    /// Bytes of all values that are kept.
    bytes: usize,
    /// The field that further lines may belong to: name and value.
    last: Option<(Range<usize>, Range<usize>)>,
}

impl HeaderSplit<'_> {
    /// Keeps the last field, or what of it is read; after the first one that there is no room for, none.
    fn keep(&mut self) {
        let Some((name, value)) = self.last.take() else { return };
        let content = self.raw.get(value.clone()).unwrap_or_default();
        let kept = bounds::kept(content, FIELD_BYTES);
        if self.header.left > 0 || self.header.fields.len() >= FIELDS || self.bytes + name.len() + kept > HEADER_BYTES {
            self.header.left += 1;
            return;
        }
        self.bytes += name.len() + kept;
        let whole = (kept < content.len()).then_some(content.len());
        self.header.fields.push(Field { name, value: value.start..value.start + kept, whole });
    }

    fn end(mut self, body: usize) -> HeaderSection {
        self.keep();
        self.header.body = body;
        self.header
    }
}

/// Takes out the line breaks of a folded value (RFC 5322 section 2.2.3): the white space after them stays; the ends are
/// trimmed.
pub fn unfold(value: &[u8]) -> Vec<u8> {
    let mut unfolded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest.get(..end).unwrap_or_default();
        unfolded.extend_from_slice(strip_returns(line));
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    unfolded.extend_from_slice(strip_returns(rest));
    let trimmed = unfolded.trim_ascii();
    if trimmed.len() == unfolded.len() { unfolded } else { trimmed.to_vec() }
}

fn strip_returns(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r'] = line {
        line = rest;
    }
    line
}

/// A line of the raw bytes: where it begins, where it ends without its line break, and where the next one begins.
pub struct RawLine {
    start: usize,
    /// The end without the line break.
    pub end: usize,
    /// The start of the next line.
    pub next: usize,
}

impl RawLine {
    /// The line that begins at `start`.
    pub fn at(raw: &[u8], start: usize) -> Self {
        let rest = raw.get(start..).unwrap_or_default();
        let (length, next) = match memchr::memchr(b'\n', rest) {
            Some(length) => (length, start + length + 1),
            None => (rest.len(), raw.len()),
        };
        let content = strip_returns(rest.get(..length).unwrap_or_default());
        Self { start, end: start + content.len(), next }
    }

    fn is_blank(&self) -> bool {
        self.start == self.end
    }
}

/// The name of the field that the line begins, and the colon after it.
fn field_name(raw: &[u8], line: &RawLine) -> Option<(Range<usize>, usize)> {
    let content = raw.get(line.start..line.end)?;
    if content.starts_with(b"--") {
        return None; // a boundary: the header of a part has ended without its blank line
    }
    let colon = content
        .iter()
        .position(|byte| *byte == b':' || !(b'!'..=b'~').contains(byte) && *byte != b' ' && *byte != b'\t')?;
    let name = content.get(..colon)?.trim_ascii_end();
    let proper = content.get(colon) == Some(&b':') && !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    proper.then_some((line.start..line.start + name.len(), line.start + colon))
}

fn is_followed_by_field(raw: &[u8], line: &RawLine) -> bool {
    let content = raw.get(line.start..line.end).unwrap_or_default();
    let next = RawLine::at(raw, line.next);
    !content.starts_with(b"--") && field_name(raw, &next).is_some()
}

/// Some sources leave a byte order mark or the line of an mbox before the header.
fn skip_envelope_line(raw: &[u8], start: usize) -> usize {
    let rest = raw.get(start..).unwrap_or_default();
    if rest.starts_with(b"\xef\xbb\xbf") {
        return start + 3;
    }
    if rest.starts_with(b"From ") || rest.starts_with(b">From ") { RawLine::at(raw, start).next } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(raw: &[u8]) -> (Vec<(String, String)>, String) {
        let HeaderSection { fields, body, .. } = split(raw, 0);
        let text = |range: &Range<usize>| String::from_utf8_lossy(&raw[range.clone()]).into_owned();
        let value = |range: &Range<usize>| String::from_utf8(unfold(&raw[range.clone()])).unwrap();
        (
            fields.iter().map(|field| (text(&field.name), value(&field.value))).collect(),
            String::from_utf8_lossy(&raw[body..]).into_owned(),
        )
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn line_ends_may_be_mixed() {
        let (found, body) = fields(b"A: 1\r\nB: 2\nC: 3\r\r\n\r\nbody\r\n");
        assert_eq!(found, owned(&[("A", "1"), ("B", "2"), ("C", "3")]));
        assert_eq!(body, "body\r\n");
    }

    #[test]
    fn folding_leaves_the_white_space() {
        let (found, _) = fields(b"Subject: one\r\n two\r\n\tthree\r\nQueue:\r\n Junk\r\n\r\n");
        assert_eq!(found, owned(&[("Subject", "one two\tthree"), ("Queue", "Junk")]));
    }

    #[test]
    fn blanks_before_the_colon_are_no_part_of_the_name() {
        let (found, _) = fields(b"X-A : 1\nX-B\t: 2\n\n");
        assert_eq!(found, owned(&[("X-A", "1"), ("X-B", "2")]));
    }

    #[test]
    fn a_line_without_colon_between_fields_is_passed_over() {
        let (found, body) = fields(b"A: 1\nthis is no field\nB: 2\n\nbody");
        assert_eq!(found, owned(&[("A", "1"), ("B", "2")]));
        assert_eq!(body, "body");
    }

    #[test]
    fn other_lines_that_are_no_field_begin_the_body() {
        let (found, body) = fields(b"A: 1\nDear all,\nhow are you?\n");
        assert_eq!(found, owned(&[("A", "1")]));
        assert_eq!(body, "Dear all,\nhow are you?\n");
        assert_eq!(
            fields(b"Only a body, no header at all.\nNote: this\n").1,
            "Only a body, no header at all.\nNote: this\n"
        );
        assert_eq!(fields(b"A: 1\n--x\nB: 2\n\n").1, "--x\nB: 2\n\n");
    }

    #[test]
    fn a_header_may_end_with_the_message() {
        for raw in [&b"A: 1\r\nB: 2"[..], b"A: 1\r\nB: 2\r\n", b"A: 1\r\nB: 2\r\n\r\n"] {
            let (found, body) = fields(raw);
            assert_eq!(found, owned(&[("A", "1"), ("B", "2")]));
            assert_eq!(body, "");
        }
        assert_eq!(fields(b"").0, []);
        assert_eq!(fields(b"\r\n").0, []);
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(fields(b"\xef\xbb\xbfSubject: x\n\n").0, owned(&[("Subject", "x")]));
    }

    #[test]
    fn the_line_of_an_mbox_is_no_field() {
        let (found, _) = fields(b"From jane@customer.test Mon Nov 23 09:15:00 2026\nSubject: x\n\n");
        assert_eq!(found, owned(&[("Subject", "x")]));
    }
}
