//! Address headers (RFC 5322 section 3.4): split first, decoded then, so that an encoded comma makes no address.
//! Comments, quoted strings, groups and source routes are understood; junk is passed over. Linear in the bytes, and
//! bounded ([`bounds`]).

use super::bounds::{ADDRESS_BYTES, ADDRESSES, WORDS};
use super::{charset, encoded_word};

/// An address of an address header (RFC 5322 section 3.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// The decoded display name; empty where there is none.
    pub display_name: String,
    /// The bare address as written, `local-part@domain`.
    pub address: String,
}

impl Address {
    /// The addresses of a header's decoded text, such as [`render_addresses`] gives.
    pub fn parse_all(text: &str) -> Vec<Self> {
        let mut addresses = Vec::new();
        parse_into(&mut addresses, ADDRESSES, text.as_bytes(), Some("utf-8"), true);
        addresses
    }
}

/// Adds the addresses of an unfolded header value to `addresses`, at most `room`; entries without `@` are none. Bytes
/// above 127 are in `fallback`, the body's charset. Of a value that is not `whole`, its end having been cut, the last
/// entry is no address, nor is what an open quote or comment leaves behind. Says whether there was room for all.
pub fn parse_into(
    addresses: &mut Vec<Address>,
    room: usize,
    value: &[u8],
    fallback: Option<&str>,
    whole: bool,
) -> bool {
    let most = addresses.len() + room;
    let mut entry = AddressEntry::default();
    for token in AddressTokens::new(value, whole) {
        match token {
            Token::Separator(b':') => entry = AddressEntry::default(), // a group's name
            Token::Separator(_) => {
                if let Some(address) = std::mem::take(&mut entry).finish(fallback) {
                    if addresses.len() >= most {
                        return false;
                    }
                    addresses.push(address);
                }
            }
            Token::Angle(inner) if entry.angle.is_none() => entry.angle = Some(inner),
            Token::Angle(_) => {}
            Token::Comment(text) => entry.comment = text,
            Token::Quoted(text) => entry.push(text, true),
            Token::Atom(text) => entry.push(text, false),
            Token::Blank => entry.joins = false,
        }
    }
    match entry.finish(fallback).filter(|_| whole) {
        Some(_) if addresses.len() >= most => return false,
        last => addresses.extend(last),
    }
    true
}

/// Addresses as a header's text: names that hold specials are quoted.
pub fn render_addresses(addresses: &[Address]) -> String {
    let one = |address: &Address| {
        if address.display_name.is_empty() {
            return address.address.clone();
        }
        let plain = !address.display_name.contains(['"', '\\', ',', ';', ':', '<', '>', '(', ')', '@', '[', ']']);
        if plain {
            return format!("{} <{}>", address.display_name, address.address);
        }
        format!("\"{}\" <{}>", address.display_name.replace('\\', "\\\\").replace('"', "\\\""), address.address)
    };
    addresses.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What stands between two separators.
#[derive(Default)]
struct AddressEntry<'a> {
    words: Vec<AddressWord<'a>>,
    angle: Option<&'a [u8]>,
    comment: &'a [u8],
    /// Whether the next word follows the last without a blank.
    joins: bool,
    /// Whether there were more words than are kept.
    more: bool,
}

struct AddressWord<'a> {
    text: &'a [u8],
    quoted: bool,
    joins: bool,
}

impl<'a> AddressEntry<'a> {
    fn push(&mut self, text: &'a [u8], quoted: bool) {
        let joins = std::mem::replace(&mut self.joins, true);
        if self.words.len() < WORDS { self.words.push(AddressWord { text, quoted, joins }) } else { self.more = true }
    }

    fn finish(self, fallback: Option<&str>) -> Option<Address> {
        let (address, name_words) = match self.angle {
            Some(inner) if inner.len() > 2 * ADDRESS_BYTES => return None,
            Some(inner) => (bare(inner, fallback), self.words.as_slice()),
            None if self.more => return None,
            None => self.without_angle(fallback)?,
        };
        let (local_part, domain) = address.rsplit_once('@')?;
        if local_part.is_empty() || domain.is_empty() || address.len() > ADDRESS_BYTES {
            return None;
        }
        let mut display_name = display(name_words, fallback);
        if display_name.is_empty() {
            encoded_word::decode(&unescape(self.comment), fallback).trim().clone_into(&mut display_name);
        }
        Some(Address { display_name, address })
    }

    /// The last run of joined words with an `@` is the address; what stands before it is a name.
    fn without_angle(&self, fallback: Option<&str>) -> Option<(String, &[AddressWord<'a>])> {
        let at = self.words.iter().rposition(|word| !word.quoted && word.text.contains(&b'@'))?;
        let mut first = at;
        while first > 0 && self.words.get(first).is_some_and(|word| word.joins) {
            first -= 1;
        }
        let mut bytes = Vec::new();
        for (index, word) in self.words.iter().enumerate().skip(first) {
            if index > at && !word.joins {
                break;
            }
            if word.quoted {
                bytes.extend_from_slice(&[b"\"", word.text, b"\""].concat());
            } else {
                bytes.extend_from_slice(word.text);
            }
        }
        Some((bare(&bytes, fallback), self.words.get(..first).unwrap_or_default()))
    }
}

/// The address inside angle brackets: without white space, control characters, comments and the route of old.
fn bare(inner: &[u8], fallback: Option<&str>) -> String {
    let text = charset::decode(inner, fallback);
    let route_ends = if text.trim_start().starts_with('@') { text.find(':').map_or(0, |colon| colon + 1) } else { 0 };
    let mut depth = 0_u32;
    let mut quoted = false;
    let mut address = String::with_capacity(text.len());
    for character in text.get(route_ends..).unwrap_or_default().chars() {
        match character {
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                continue;
            }
            _ => {}
        }
        let blank = character.is_whitespace() && !(quoted && character == ' ');
        if depth == 0 && !blank && !character.is_control() && !matches!(character, '<' | '>') {
            address.push(character);
        }
    }
    address
}

fn display(words: &[AddressWord<'_>], fallback: Option<&str>) -> String {
    let mut name = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 && !word.joins {
            name.push(b' ');
        }
        if word.quoted { name.extend_from_slice(&unescape(word.text)) } else { name.extend_from_slice(word.text) }
    }
    encoded_word::decode(&name, fallback).trim().to_owned()
}

/// Takes out the backslashes of quoted pairs.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    plain
}

enum Token<'a> {
    Atom(&'a [u8]),
    Quoted(&'a [u8]),
    Comment(&'a [u8]),
    Angle(&'a [u8]),
    Separator(u8),
    Blank,
}

/// Cuts a value into tokens. What is opened and never closed is an ordinary character.
#[allow(clippy::struct_excessive_bools, reason = "each is about a character of its own")]
struct AddressTokens<'a> {
    value: &'a [u8],
    position: usize,
    quotes_close: bool,
    comments_close: bool,
    angles_close: bool,
    /// Whether the value's end is its own: else nobody knows what is never closed.
    whole: bool,
}

impl<'a> AddressTokens<'a> {
    fn new(value: &'a [u8], whole: bool) -> Self {
        Self { value, position: 0, quotes_close: true, comments_close: true, angles_close: true, whole }
    }

    /// The length of what is enclosed by the opening character at the current position, up to the closing one.
    fn enclosed(&mut self) -> Option<usize> {
        let rest = self.value.get(self.position..)?;
        let (length, closes) = match rest.first()? {
            b'"' if self.quotes_close => (quoted_length(rest), &mut self.quotes_close),
            b'(' if self.comments_close => (comment_length(rest), &mut self.comments_close),
            b'<' if self.angles_close => (memchr::memchr(b'>', rest), &mut self.angles_close),
            _ => return None,
        };
        *closes = length.is_some();
        if length.is_none() && !self.whole {
            self.position = self.value.len();
        }
        length
    }
}

impl<'a> Iterator for AddressTokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let start = self.position;
        let first = *self.value.get(start)?;
        if let Some(length) = self.enclosed() {
            self.position = start + length + 1;
            let inner = self.value.get(start + 1..start + length).unwrap_or_default();
            return Some(match first {
                b'"' => Token::Quoted(inner),
                b'(' => Token::Comment(inner),
                _ => Token::Angle(inner),
            });
        }
        if self.position > start {
            return None; // what is open where the value was cut
        }
        self.position += 1;
        match first {
            b',' | b';' | b':' => Some(Token::Separator(first)),
            b' ' | b'\t' | b'\r' | b'\n' => Some(Token::Blank),
            b'<' => {
                // Never closed: the address goes on to the next separator.
                let rest = self.value.get(self.position..).unwrap_or_default();
                let length = rest.iter().position(|byte| matches!(byte, b',' | b';')).unwrap_or(rest.len());
                self.position += length;
                Some(Token::Angle(rest.get(..length).unwrap_or_default()))
            }
            _ => {
                let mut literal = first == b'['; // in [IPv6:::1] a colon ends no group
                while let Some(byte) = self.value.get(self.position) {
                    let ends = match byte {
                        b',' | b';' | b' ' | b'\t' | b'\r' | b'\n' | b'<' => true,
                        b':' => !literal,
                        b'"' => self.quotes_close,
                        b'(' => self.comments_close,
                        _ => false,
                    };
                    if ends {
                        break;
                    }
                    literal = literal || *byte == b'[';
                    self.position += 1;
                }
                self.value.get(start..self.position).map(Token::Atom)
            }
        }
    }
}

fn quoted_length(rest: &[u8]) -> Option<usize> {
    let mut position = 1;
    loop {
        match rest.get(position)? {
            b'"' => return Some(position),
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
}

fn comment_length(rest: &[u8]) -> Option<usize> {
    let mut depth = 0_u32;
    let mut position = 0;
    loop {
        match rest.get(position)? {
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(position),
            b')' => depth -= 1,
            b'\\' => position += 1,
            _ => {}
        }
        position += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(value: &[u8], fallback: Option<&str>) -> Vec<Address> {
        let mut addresses = Vec::new();
        assert!(parse_into(&mut addresses, ADDRESSES, value, fallback, true), "there is room for all");
        addresses
    }

    fn pairs(value: &str) -> Vec<(String, String)> {
        parse(value.as_bytes(), None).into_iter().map(|found| (found.display_name, found.address)).collect()
    }

    #[test]
    fn addresses_are_found_in_every_form() {
        for (value, expected) in [
            ("jane@x.test", &[("", "jane@x.test")][..]),
            ("Jane Roe <jane@x.test>, bob@x.test", &[("Jane Roe", "jane@x.test"), ("", "bob@x.test")]),
            ("\"Roe, Jane\" <jane@x.test>", &[("Roe, Jane", "jane@x.test")]),
            ("\"a \\\"b\\\"\" <a@x.test>", &[("a \"b\"", "a@x.test")]),
            ("crook@evil.test (chief@corp.test)", &[("chief@corp.test", "crook@evil.test")]),
            ("jane (a (nested) one) @ x.test", &[]),
            ("<jane@x.test>", &[("", "jane@x.test")]),
            ("Team: a@x.test, B <b@x.test>; c@x.test", &[("", "a@x.test"), ("B", "b@x.test"), ("", "c@x.test")]),
            ("undisclosed-recipients:;", &[]),
            ("<@relay.test,@b.test:jane@x.test>", &[("", "jane@x.test")]),
            ("\"john doe\"@x.test", &[("", "\"john doe\"@x.test")]),
            ("Jane jane@x.test", &[("Jane", "jane@x.test")]),
            ("Jane <jane@x.test, bob@x.test", &[("Jane", "jane@x.test"), ("", "bob@x.test")]),
            ("\"Jane <jane@x.test>, bob@x.test", &[("\"Jane", "jane@x.test"), ("", "bob@x.test")]),
            ("jane@[IPv6:::1], b@x.test", &[("", "jane@[IPv6:::1]"), ("", "b@x.test")]),
            ("MAILER-DAEMON, <>, ,;,", &[]),
            ("=?utf-8?Q?a=2C_b?= <a@x.test>", &[("a, b", "a@x.test")]),
            ("=?utf-8?Q?=3Cfake=40evil.test=3E?= <a@x.test>", &[("<fake@evil.test>", "a@x.test")]),
            ("=?utf-8?Q?a=40x.test?=", &[]),
            ("a@x B <b@x.test>", &[("a@x B", "b@x.test")]),
            ("Bob <b@x.test> (work) <c@x.test>", &[("Bob", "b@x.test")]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(name, address)| ((*name).to_owned(), (*address).to_owned())).collect();
            assert_eq!(pairs(value), expected, "{value}");
        }
    }

    #[test]
    fn rendered_addresses_are_read_back() {
        let addresses =
            parse(b"\"Roe, Jane\" <jane@x.test>, =?utf-8?Q?=22B=5C?= <b@x.test>, c@x.test, D <d@x.test>", None);
        assert_eq!(addresses.len(), 4);
        assert_eq!(parse(render_addresses(&addresses).as_bytes(), None), addresses);
    }

    #[test]
    fn what_is_too_long_is_no_address() {
        let long = "a".repeat(ADDRESS_BYTES);
        assert_eq!(pairs(&format!("<{long}@x.test>, b@x.test")), [(String::new(), "b@x.test".to_owned())]);
        assert_eq!(pairs(&format!("{long}@x.test, b@x.test")), [(String::new(), "b@x.test".to_owned())]);
        let words = "word ".repeat(WORDS + 1);
        assert_eq!(pairs(&format!("{words} a@x.test, b@x.test")), [(String::new(), "b@x.test".to_owned())]);
        let named = pairs(&format!("{words} <a@x.test>"));
        assert_eq!((named[0].0.len(), named[0].1.as_str()), (WORDS * 5 - 1, "a@x.test"));
    }

    #[test]
    fn beyond_the_room_there_are_more() {
        for (value, room, expected, all) in [
            ("a@x.test, b@x.test", 2, 2, true),
            ("a@x.test, b@x.test, c@x.test", 2, 2, false),
            ("a@x.test, b@x.test, c@x.test, junk", 2, 2, false),
            ("a@x.test, b@x.test, junk", 2, 2, true),
        ] {
            let mut found = Vec::new();
            assert_eq!(parse_into(&mut found, room, value.as_bytes(), None, true), all, "{value}");
            assert_eq!(found.len(), expected, "{value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn any_bytes_are_taken_and_nothing_is_injected(value in proptest::collection::vec(any::<u8>(), 0..200), text in "[a-z@<>()\",;: \\\\=?]{0,60}") {
            for bytes in [value.as_slice(), text.as_bytes()] {
                for found in parse(bytes, Some("utf-8")) {
                    prop_assert!(found.address.contains('@'));
                    prop_assert!(!found.address.contains(['\r', '\n', '\0']));
                    prop_assert!(!found.display_name.contains(['\r', '\n', '\0']));
                }
            }
        }
    }
}
