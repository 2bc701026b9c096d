//! Values with parameters (RFC 2045 section 5.1): Content-Type and Content-Disposition, with what goes on over several
//! parameters or is in another charset (RFC 2231), and with what mail programs write instead: encoded words, no quotes,
//! no semicolon. Each byte is looked at once.

use super::bounds::{LABEL_BYTES, PARAMETER_BYTES, PIECES};
use super::{charset, encoded_word, transfer};
use postigo_model::text::beginning;

/// The parameters that name a file.
const FILE_NAMES: [&str; 2] = ["name", "filename"];

/// A value and those of its parameters that somebody asks for.
#[derive(Debug)]
pub struct ParametrizedValue<'a> {
    /// What stands before the parameters, without comments and quotes.
    pub value: String,
    names: &'a [&'a str],
    pieces: Vec<Piece>,
    /// Whether there were more pieces than are read.
    pub cut: bool,
}

/// A parameter, or a part of one that goes on.
#[derive(Debug)]
struct Piece {
    /// Place of the name among those asked for.
    name: usize,
    /// Its number, where it is one of several: `filename*1`.
    number: u32,
    /// Whether it is part of a parameter that goes on, or has a charset: `filename*`.
    extended: bool,
    /// Whether its bytes above 127 are written `%XX`: `filename*0*`.
    encoded: bool,
    text: Vec<u8>,
}

impl<'a> ParametrizedValue<'a> {
    /// Reads an unfolded value, and its parameters of these names (in lower case). Total.
    pub fn read(value: &[u8], names: &'a [&'a str]) -> Self {
        let mut rest = UnreadRest::of(value);
        let value = String::from_utf8_lossy(&rest.first()).trim().to_owned();
        let mut read = Self { value, names, pieces: Vec::new(), cut: false };
        while !rest.bytes.is_empty() {
            let name = rest.plain(b"=;");
            let has_value = rest.bytes.first() == Some(&b'=');
            rest.skip(1);
            if !has_value {
                continue;
            }
            let (name, section) = split_once(&name, b'*');
            let place = names.iter().position(|wanted| wanted.as_bytes().eq_ignore_ascii_case(name.trim_ascii()));
            let is_file_name = place.and_then(|place| names.get(place)).is_some_and(|name| FILE_NAMES.contains(name));
            let text = rest.text(is_file_name);
            let Some(name) = place else { continue };
            if read.pieces.len() >= PIECES {
                read.cut = true;
                continue;
            }
            let digits = section.map(|section| section.trim_ascii().strip_suffix(b"*").unwrap_or(section.trim_ascii()));
            let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            let encoded = section.is_some_and(|section| section.trim_ascii().ends_with(b"*") || number.is_none());
            read.pieces.push(Piece { name, number: number.unwrap_or(0), extended: section.is_some(), encoded, text });
        }
        read
    }

    /// The text of a parameter, decoded; of several of one name the first. It may be cut ([`PARAMETER_BYTES`]). Bytes
    /// above 127 that are neither encoded nor labelled are in `fallback`, the charset of the mail's text.
    pub fn text(&self, name: &str, fallback: Option<&str>) -> Option<String> {
        let found = self.bytes(name)?;
        let text = match &found.charset {
            Some(charset) => charset::decode(found.bytes, Some(charset)),
            None => encoded_word::decode(&found.bytes, fallback),
        };
        Some(beginning(&text, PARAMETER_BYTES).to_owned())
    }

    /// The bytes of a parameter as they stand there, without the charset's name.
    pub fn raw(&self, name: &str) -> Option<Vec<u8>> {
        Some(self.bytes(name)?.bytes)
    }

    /// Whether the charset of the mail's text is needed to read a parameter.
    pub fn needs_charset(&self, name: &str) -> bool {
        self.bytes(name).is_some_and(|found| found.charset.is_none() && !found.bytes.is_ascii())
    }

    /// What is there under a name: in the form that may have a charset, if it has its beginning there, too. Programs
    /// write the plain one besides for those who don't know that form (RFC 6266 section 4.3).
    fn bytes(&self, name: &str) -> Option<ParameterBytes> {
        let wanted = self.names.iter().position(|known| *known == name)?;
        let named = |piece: &&Piece| piece.name == wanted;
        let plain = self.pieces.iter().filter(named).find(|piece| !piece.extended);
        let mut pieces: Vec<&Piece> = self.pieces.iter().filter(|piece| piece.extended).filter(named).collect();
        // Of two with one number the encoded one tells more.
        pieces.sort_by_key(|piece| (piece.number, !piece.encoded));
        pieces.dedup_by_key(|piece| piece.number);
        match (plain, pieces.first()) {
            (Some(plain), first) if first.is_none_or(|first| first.number > 0) => {
                return Some(ParameterBytes { charset: None, bytes: plain.text.clone() });
            }
            (_, None) => return None,
            _ => {}
        }
        let mut found = ParameterBytes { charset: None, bytes: Vec::new() };
        for (place, piece) in pieces.into_iter().enumerate() {
            let mut text = piece.text.as_slice();
            if place == 0 && piece.encoded {
                // charset'language'text; the charset is that of all pieces.
                let mut parts = text.splitn(3, |byte| *byte == b'\'');
                if let (Some(label), Some(_), Some(after)) = (parts.next(), parts.next(), parts.next()) {
                    let label = String::from_utf8_lossy(label.get(..LABEL_BYTES).unwrap_or(label)).into_owned();
                    found.charset = Some(label).filter(|label| !label.is_empty());
                    text = after;
                }
            }
            if piece.encoded {
                found.bytes.extend(transfer::escapes(text, b'%'));
            } else {
                found.bytes.extend_from_slice(text);
            }
        }
        Some(found)
    }
}

/// What is there under a name, and in which charset, where it says so.
struct ParameterBytes {
    charset: Option<String>,
    bytes: Vec<u8>,
}

/// What is still to be read.
struct UnreadRest<'a> {
    bytes: &'a [u8],
    /// Whether each comment that begins may still end: where one never does, none that begins later is looked for.
    comments_close: bool,
}

impl<'a> UnreadRest<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, comments_close: true }
    }

    fn skip(&mut self, bytes: usize) {
        self.bytes = self.bytes.get(bytes..).unwrap_or_default();
    }

    /// What stands before the parameters, without comments and quotes. Some programs forget the semicolon
    /// (`text/html charset=utf-8`), and others the value itself (`filename=x`).
    fn first(&mut self) -> Vec<u8> {
        let all = self.bytes;
        let first = self.plain(b";");
        let value = first.trim_ascii();
        if !value.contains(&b'=') {
            return first;
        }
        // Where in what was read the first parameter begins: after the last blank before its equals sign.
        let read = all.get(..all.len() - self.bytes.len()).unwrap_or_default();
        let Some(equals) = memchr::memchr(b'=', read) else { return first };
        let name = read.get(..equals).unwrap_or_default().trim_ascii_end();
        let begins = name.iter().rposition(u8::is_ascii_whitespace).map_or(0, |blank| blank + 1);
        let mut before = UnreadRest::of(all.get(..begins).unwrap_or_default());
        self.bytes = all.get(begins..).unwrap_or_default();
        before.plain(b";")
    }

    /// What stands before one of these bytes, without comments and quotes.
    fn plain(&mut self, ends: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        while let Some(byte) = self.bytes.first() {
            match byte {
                byte if ends.contains(byte) => break,
                b'(' => {
                    self.comment();
                    continue;
                }
                b'"' => {}
                byte => plain.push(*byte),
            }
            self.skip(1);
        }
        plain
    }

    /// A parameter's value, after its equals sign. After a quoted one the next parameter may follow without a
    /// semicolon; one that is not quoted goes on to the next semicolon. Comments are no part of it (RFC 2045 section
    /// 5.1): of the name of a file those alone that stand behind a single word, and nothing behind them, since what
    /// forgets the quotes means the brackets of `Invoice (2).pdf`.
    fn text(&mut self, is_file_name: bool) -> Vec<u8> {
        self.bytes = self.bytes.trim_ascii_start();
        let bytes = self.bytes;
        if bytes.first() == Some(&b'"') {
            return self.quoted();
        }
        let (mut length, mut has_comments, mut ends_with_them) = (0, false, true);
        while let Some(byte) = bytes.get(length).filter(|byte| **byte != b';') {
            if let Some(comment) = self.comment_length(length) {
                has_comments = true;
                length += comment;
            } else {
                ends_with_them &= !has_comments || byte.is_ascii_whitespace();
                length += 1;
            }
        }
        self.skip(length);
        let whole = bytes.get(..length).unwrap_or_default().trim_ascii();
        let before = split_once(whole, b'(').0.trim_ascii_end();
        let is_word = !before.is_empty() && !before.iter().any(u8::is_ascii_whitespace);
        let is_meant = is_file_name && !(has_comments && ends_with_them && is_word);
        if is_meant { whole.to_vec() } else { before.to_vec() }
    }

    /// How long the comment is that begins at a place; none where there is none that ends.
    fn comment_length(&mut self, start: usize) -> Option<usize> {
        let rest = self.bytes.get(start..).filter(|rest| rest.first() == Some(&b'('))?;
        if !self.comments_close {
            return None;
        }
        let mut depth = 0_u32;
        let mut bytes = rest.iter().enumerate();
        while let Some((position, byte)) = bytes.next() {
            match byte {
                b'(' => depth += 1,
                b')' if depth == 1 => return Some(position + 1),
                b')' => depth -= 1,
                b'\\' => {
                    bytes.next();
                }
                _ => {}
            }
        }
        self.comments_close = false;
        None
    }

    /// What stands in quotes, quoted pairs undone; one that never ends goes on to the end.
    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut bytes = self.bytes.iter().enumerate().skip(1);
        let mut end = self.bytes.len();
        while let Some((position, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    end = position + 1;
                    break;
                }
                b'\\' => {
                    let escaped = bytes.next().map(|(_, escaped)| *escaped);
                    // Nobody escapes a letter: it is a path of Windows.
                    text.extend(escaped.filter(u8::is_ascii_alphanumeric).map(|_| b'\\'));
                    text.extend(escaped);
                }
                byte => text.push(*byte),
            }
        }
        self.skip(end);
        text
    }

    /// Passes over a comment; one that never ends goes on to the end.
    fn comment(&mut self) {
        let length = self.comment_length(0).unwrap_or(self.bytes.len());
        self.skip(length);
    }
}

fn split_once(bytes: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, bytes) {
        Some(place) => (bytes.get(..place).unwrap_or_default(), bytes.get(place + 1..)),
        None => (bytes, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::HeaderValue;
    use mail_parser::parsers::MessageStream;
    use proptest::prelude::*;

    const NAMES: [&str; 4] = ["boundary", "charset", "name", "filename"];

    #[test]
    fn parameters_are_read_in_every_form() {
        for (value, name, expected) in [
            ("text/plain; charset=utf-8", "charset", Some("utf-8")),
            ("text/plain; charset = \"utf-8\" (the usual one); name=x", "charset", Some("utf-8")),
            ("text/plain; charset=utf-8 (the usual (nested) one)", "charset", Some("utf-8")),
            ("text/plain; CHARSET=a; charset=b", "charset", Some("a")),
            ("text/plain; name=\"a;b\\\"c\\\\\"; charset=d", "name", Some("a;b\"c\\")),
            ("text/plain; name=\"a\" charset=\"b\"", "charset", Some("b")),
            ("text/plain; name=my file.txt ; charset=b", "name", Some("my file.txt")),
            ("text/plain; name=\"never closed; charset=b", "name", Some("never closed; charset=b")),
            ("text/plain;; ; format; name=x", "name", Some("x")),
            ("text/plain; (name=a; name=b", "name", None),
            ("attachment; filename*=utf-8'de'Gr%C3%BC%C3%9Fe", "filename", Some("Grüße")),
            ("attachment; filename*=iso-8859-1''Gr%FC%DFe", "filename", Some("Grüße")),
            ("attachment; filename*0*=utf-8''Gr%C3; filename*1*=%BC%C3%9Fe", "filename", Some("Grüße")),
            (
                "attachment; filename*1=\" two\"; filename*0=\"one\"; filename*10=ten; filename*2=three",
                "filename",
                Some("one twothreeten"),
            ),
            ("attachment; filename*0*=utf-8''a%20; filename*1=\"%20b\"", "filename", Some("a %20b")),
            ("attachment; filename=\"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\"", "filename", Some("Grüße")),
            ("attachment; filename=plain; filename*=utf-8''other", "filename", Some("other")),
            ("attachment; filename*=utf-8''other; filename=plain", "filename", Some("other")),
            ("attachment; filename=plain; filename*1=other", "filename", Some("plain")),
            ("attachment; filename*1*=utf-8''from%20; filename*2*=one", "filename", Some("from one")),
            (
                "attachment; filename*0*=iso-8859-1''Pr%FCf; filename*1*=bericht%20Gr%F6%DFe",
                "filename",
                Some("Prüfbericht Größe"),
            ),
            (
                "attachment; filename*0=a; filename*0*=utf-8''%C3%A4; filename*1=b; filename*1*=%C3%B6",
                "filename",
                Some("äö"),
            ),
            ("attachment; filename*0=\"=?utf-8?Q?Gr=C3\"; filename*1=\"=BC=C3=9Fe?=\"", "filename", Some("Grüße")),
            ("attachment; filename*=\"utf-8''Gr%C3%BC%C3%9Fe\"", "filename", Some("Grüße")),
            ("attachment; filename==?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "filename", Some("Grüße")),
            ("attachment; filename*=''Gr%C3%BC%C3%9Fe", "filename", Some("Grüße")),
            ("attachment; filename*=cp-850''Gr%81%E1e", "filename", Some("Grüße")),
            ("attachment; filename*=no%20charset", "filename", Some("no charset")),
            ("attachment; filename=\"C:\\temp\\a (1).pdf\"", "filename", Some("C:\\temp\\a (1).pdf")),
            ("attachment; filename=\"a \\(1\\).pdf\"", "filename", Some("a (1).pdf")),
            // No semicolon, or nothing before the parameters.
            ("text/html charset=utf-8", "charset", Some("utf-8")),
            ("multipart/mixed boundary=\"a b\"; charset=c", "boundary", Some("a b")),
            ("attachment filename=\"a.pdf\"", "filename", Some("a.pdf")),
            ("filename=\"a.pdf\"", "filename", Some("a.pdf")),
            ("filename = a.pdf; name=x", "filename", Some("a.pdf")),
            ("attachment; filename=", "filename", Some("")),
            // Brackets in a name without quotes are its own; a comment stands behind a single word.
            ("attachment; filename=Invoice (2).pdf", "filename", Some("Invoice (2).pdf")),
            ("attachment; filename=Invoice (2).pdf; size=3", "filename", Some("Invoice (2).pdf")),
            ("attachment filename=Invoice (2).pdf; size=3", "filename", Some("Invoice (2).pdf")),
            ("application/pdf; name=scan(1)(2).pdf; charset=x", "name", Some("scan(1)(2).pdf")),
            ("application/pdf; name=(final) report.pdf", "name", Some("(final) report.pdf")),
            ("application/pdf; name=my report (final); charset=x", "charset", Some("x")),
            ("application/pdf; name=my report (final); charset=x", "name", Some("my report (final)")),
            ("application/pdf; name=report (a; b).pdf; charset=x", "name", Some("report (a; b).pdf")),
            ("application/pdf; name=a b.pdf; size=3", "name", Some("a b.pdf")),
            ("application/pdf; name=report.pdf (the last one)", "name", Some("report.pdf")),
            ("application/pdf; name=report.pdf (one) (two); charset=x", "name", Some("report.pdf")),
            ("application/pdf; name=report (1; charset=x", "name", Some("report (1")),
            ("application/pdf; name=report (1; charset=x", "charset", Some("x")),
            ("application/pdf; name=report 1).pdf; charset=x", "name", Some("report 1).pdf")),
            ("attachment; filename*=utf-8''Invoice%20(2).pdf", "filename", Some("Invoice (2).pdf")),
            ("attachment; filename==?utf-8?Q?Gr=C3=BC=C3=9Fe?= (2).pdf", "filename", Some("Grüße (2).pdf")),
            ("text/plain; charset=utf-8(x) y; name=b", "charset", Some("utf-8")),
            ("text/plain; charset=utf-8 (never closed; name=b", "charset", Some("utf-8")),
            ("multipart/mixed; boundary=b (x; boundary=c); name=d", "boundary", Some("b")),
            ("attachment; filename", "filename", None),
        ] {
            assert_eq!(
                ParametrizedValue::read(value.as_bytes(), &NAMES).text(name, None).as_deref(),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn the_value_is_what_stands_before_the_parameters() {
        for (value, expected) in [
            ("text/plain; charset=x", "text/plain"),
            ("text/plain charset=x", "text/plain"),
            ("text / plain", "text / plain"),
            ("text/plain (a=b)", "text/plain"),
            ("\"text/plain\"", "text/plain"),
            ("name=x", ""),
            ("=", ""),
            ("", ""),
        ] {
            assert_eq!(ParametrizedValue::read(value.as_bytes(), &NAMES).value, expected, "{value}");
        }
    }

    #[test]
    fn a_boundary_is_taken_byte_by_byte() {
        let value = b"multipart/mixed; boundary=\"=?utf-8?Q?a?=\\\"\xff\"";
        assert_eq!(
            ParametrizedValue::read(value, &NAMES).raw("boundary").as_deref(),
            Some(&b"=?utf-8?Q?a?=\"\xff"[..])
        );
    }

    #[test]
    fn pieces_without_end_are_cut() {
        let value: String = (0..=PIECES).map(|number| format!("; filename*{number}=x")).collect();
        let read = ParametrizedValue::read(format!("attachment{value}").as_bytes(), &NAMES);
        assert!(read.cut);
        assert_eq!(read.text("filename", None).map(|name| name.len()), Some(PIECES));
        let long = format!("attachment; filename={}", "ä".repeat(PARAMETER_BYTES));
        assert_eq!(
            ParametrizedValue::read(long.as_bytes(), &NAMES).text("filename", None).map(|name| name.len()),
            Some(PARAMETER_BYTES)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn what_is_well_formed_is_read_as_others_read_it(
            kind in "[a-z]{1,8}", one in "[A-Za-z0-9._-]{1,20}", two in "[A-Za-z0-9 ;=,.ä-]{1,20}", three in "[a-z]{1,9}", swapped in any::<bool>(),
        ) {
            let quoted = format!("name=\"{two}\"");
            let (first, second) = if swapped { (quoted, format!("charset={one}")) } else { (format!("charset={one}"), quoted) };
            let value = format!("text/{kind}; {first}; {second}; filename*0={three}; filename*1=\"{one}\"");
            let with_end = format!("{value}\n");
            let HeaderValue::ContentType(other) = MessageStream::new(with_end.as_bytes()).parse_content_type() else { panic!("{value}") };
            let read = ParametrizedValue::read(value.as_bytes(), &NAMES);
            prop_assert_eq!(read.value.clone(), format!("text/{kind}"));
            for name in NAMES {
                prop_assert_eq!(read.text(name, None), other.attribute(name).map(str::to_owned), "{} of {}", name, value);
            }
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[a-z*0-9=;\"'()\\\\ %?]{0,80}") {
            for value in [bytes.as_slice(), text.as_bytes(), format!("a;name{text}").as_bytes()] {
                let read = ParametrizedValue::read(value, &NAMES);
                for name in NAMES {
                    read.text(name, None);
                    read.raw(name);
                }
            }
        }
    }
}
