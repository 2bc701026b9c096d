//! Address headers (RFC 5322 section 3.4): split first, decoded then, so that an encoded comma makes no address.
//! Comments, quoted strings, groups and source routes are understood; junk is passed over. Linear in the bytes, and
//! bounded ([`bounds`]).

mod bare;
mod token;

use super::bounds::{ADDRESS_BYTES, ADDRESSES, WORDS};
use super::encoded_word;
use bare::{bare, is_one, without_wrapping};
use token::{AddressTokens, Token};

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

    /// Whether mail can be sent to it, as far as its form tells (RFC 5321 section 4.1.2, RFC 6531): what headers have is
    /// often no more than a word with an `@`.
    pub fn can_be_written_to(&self) -> bool {
        let Some((local, domain)) = self.address.rsplit_once('@') else { return false };
        let is_quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
        let is_word = |character: char| {
            !character.is_whitespace()
                && !matches!(character, '(' | ')' | '<' | '>' | '[' | ']' | ':' | ';' | ',' | '\\' | '"' | '@')
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|character| character.is_alphanumeric() || matches!(character, '-' | '_'))
        };
        let is_literal = domain.starts_with('[') && domain.ends_with(']') && !domain.contains(char::is_whitespace);
        (1..=64).contains(&local.len())
            && self.address.len() <= 254
            && !self.address.contains(char::is_control)
            && (is_quoted || local.chars().all(is_word))
            && (is_literal || domain.strip_suffix('.').unwrap_or(domain).split('.').all(is_label))
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

/// An address header as text that is kept and read again ([`Address::parse_all`]): its addresses, or, where it names
/// none, its decoded `text`. Of that no address is read either, as it would be where it is encoded as a whole (RFC 2047
/// section 5 allows no encoded word within an address) or was cut: then it stands there as a name without one.
pub fn render_address_header(addresses: &[Address], text: &str) -> String {
    if !addresses.is_empty() {
        return render_addresses(addresses);
    }
    if Address::parse_all(text).is_empty() {
        return text.to_owned();
    }
    render_addresses(&[Address { display_name: text.to_owned(), address: String::new() }])
}

/// Whether an unfolded header value is this address, with a name before it at most, in such a way that nobody reads
/// another one there (RFC 5322 section 3.4): with nothing around it, and nothing else that could be one.
pub fn is_written_plainly(value: &[u8], address: &Address) -> bool {
    let value = value.trim_ascii();
    let bare = address.address.as_bytes();
    if !address.can_be_written_to() || bare.contains(&b'"') {
        return false;
    }
    let before = || value.strip_suffix(b">")?.strip_suffix(bare)?.strip_suffix(b"<");
    let Some(name) = before().map(<[u8]>::trim_ascii) else { return value == bare };
    let quoted = name.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\""));
    let ambiguous: &[u8] = if quoted.is_some() { b"\"\\<>" } else { b"\"\\<>@,;:()[]" };
    !quoted.unwrap_or(name).iter().any(|byte| ambiguous.contains(byte))
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
        if address.len() > 2 * ADDRESS_BYTES {
            return None;
        }
        let address = without_wrapping(address);
        if address.len() > ADDRESS_BYTES || !is_one(&address) {
            return None;
        }
        let mut display_name = display(name_words, fallback);
        if display_name.is_empty() {
            encoded_word::decode(&unescape(self.comment), fallback).trim().clone_into(&mut display_name);
        }
        // Escape sequences would have whoever reads the name take what follows it for characters of theirs.
        if display_name.contains(char::is_control) {
            display_name.replace(char::is_control, " ").trim().clone_into(&mut display_name);
        }
        Some(Address { display_name, address })
    }

    /// The last run of joined words with an `@` is the address; what stands before it is a name. Web forms put quotes
    /// around the whole of an address.
    fn without_angle(&self, fallback: Option<&str>) -> Option<(String, &[AddressWord<'a>])> {
        if let [AddressWord { text, quoted: true, .. }] = self.words.as_slice() {
            let is_address =
                !text.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\\' | b',' | b';'));
            return is_address.then(|| (bare(text, fallback), &[] as &[AddressWord<'a>]));
        }
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
            // Brackets too many, or too few.
            (
                "<Sales Desk <sales@x.test>, \"Roe, Jane\" <jane@x.test>",
                &[("Sales Desk", "sales@x.test"), ("Roe, Jane", "jane@x.test")],
            ),
            ("<\"Desk, Sales\" <sales@x.test>", &[("Desk, Sales", "sales@x.test")]),
            ("Sales <<sales@x.test>>, b@x.test", &[("Sales", "sales@x.test"), ("", "b@x.test")]),
            ("<<<sales@x.test>", &[("", "sales@x.test")]),
            (
                "<a@x.test, B <b@x.test>, <c@x.test; <d@x.test>",
                &[("", "a@x.test"), ("B", "b@x.test"), ("", "c@x.test"), ("", "d@x.test")],
            ),
            ("A <B <C <c@x.test>", &[("A B C", "c@x.test")]),
            ("a@x.test>, <b@x.test>>", &[("", "a@x.test"), ("", "b@x.test")]),
            ("Jane < jane@x.test >", &[("Jane", "jane@x.test")]),
            ("<jane @ x. test>", &[("", "jane@x.test")]),
            ("<jane\t@x.test (home)>", &[("", "jane@x.test")]),
            ("<jane@x.test", &[("", "jane@x.test")]),
            // What separates addresses is no part of one, wherever it stands.
            ("<a@x.test,b@x.test>", &[]),
            ("Both <a@x.test;b@x.test>, c@x.test", &[("", "c@x.test")]),
            ("<a,b@x.test>", &[]),
            ("<\"a,b;c:d\"@x.test>, b@x.test", &[("", "\"a,b;c:d\"@x.test"), ("", "b@x.test")]),
            ("<\"a\\\",b\"@x.test>", &[("", "\"a\\\",b\"@x.test")]),
            ("<\"a,b@x.test>, c@x.test", &[("", "c@x.test")]),
            ("<jane@[IPv6:2001:db8::1]>", &[("", "jane@[IPv6:2001:db8::1]")]),
            ("<jane@[192.0.2.1,b@192.0.2.2]>", &[]),
            ("<jane:b@[IPv6:::1]>", &[]),
            ("<sip:jane@x.test>", &[]),
            ("<undisclosed-recipients:@example.com>", &[]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(name, address)| ((*name).to_owned(), (*address).to_owned())).collect();
            assert_eq!(pairs(value), expected, "{value}");
        }
    }

    #[test]
    fn what_is_written_around_an_address_is_no_part_of_it() {
        for value in [
            "<'jane@x.test'>",
            "'jane@x.test'",
            "\"'jane@x.test'\"",
            "\"jane@x.test\"",
            "<\"jane@x.test\">",
            "''jane@x.test''",
            "<' jane@x.test '>",
            "<jane@x.test'>",
            "`jane@x.test'",
            "‘jane@x.test’",
            "<“jane@x.test”>",
            "<´jane@x.test´>",
            "<mailto:jane@x.test>",
            "mailto:jane@x.test",
            "<MAILTO:jane@x.test?subject=x>",
            "<SMTP:jane@x.test>",
            "<'mailto:jane@x.test'>",
            "[mailto:jane@x.test]",
            "<jane@x.test;>",
            "<jane@x.test,>",
            "<[jane@x.test]>",
        ] {
            assert_eq!(pairs(value), [(String::new(), "jane@x.test".to_owned())], "{value}");
        }
        for (value, name, address) in [
            ("'Jane Roe' <'jane@x.test'>", "'Jane Roe'", "jane@x.test"),
            ("\"'jane@x.test'\" <'jane@x.test'>", "'jane@x.test'", "jane@x.test"),
            ("Jane 'jane@x.test'", "Jane", "jane@x.test"),
            ("Jane [mailto:jane@x.test]", "Jane", "jane@x.test"),
            ("o'brien@x.test", "", "o'brien@x.test"),
            ("<'brien@x.test>", "", "'brien@x.test"),
            ("<o'@x.test>", "", "o'@x.test"),
            ("\"jane roe\"@x.test", "", "\"jane roe\"@x.test"),
            ("<jane@[192.0.2.1]>", "", "jane@[192.0.2.1]"),
        ] {
            assert_eq!(pairs(value), [(name.to_owned(), address.to_owned())], "{value}");
        }
        for value in [
            "''",
            "'@'",
            "<''>",
            "\"\"",
            "\"Jane Roe\"",
            "\"a@x.test, b@x.test\"",
            "\"Jane at jane@x.test\"",
            "<mailto:>",
        ] {
            assert_eq!(pairs(value), [], "{value}");
        }
    }

    #[test]
    fn japanese_that_is_not_encoded_is_a_name_all_the_same() {
        // Among the bytes of these characters are `"`, `,`, `<` and `(`.
        let name = "\x1b$B\"!$,<T4(\x1b(B";
        for name in [name, &format!("\"{name}\""), "\x1b$B;3ED\x1b(B"] {
            let found = parse(format!("{name} <a@x.test>, b@x.test").as_bytes(), None);
            let addresses: Vec<_> = found.iter().map(|one| one.address.as_str()).collect();
            assert_eq!(addresses, ["a@x.test", "b@x.test"], "{name:?}");
            assert!(!found[0].display_name.is_ascii(), "{found:?}");
        }
        assert_eq!(pairs("\x1b$B, <a@x.test>").len(), 1, "where it never ends it is none");
    }

    #[test]
    fn an_address_in_utf_8_is_one_whatever_the_charset_of_the_text() {
        for fallback in [None, Some("utf-8"), Some("windows-1252"), Some("shift_jis"), Some("gb18030"), Some("utf-16")]
        {
            for (local, domain) in [("jörg", "bücher.example"), ("用户", "例子.example")] {
                let address = format!("{local}@{domain}");
                for value in [address.clone(), format!("{local} <{address}>")] {
                    let found = parse(value.as_bytes(), fallback);
                    let found: Vec<_> = found.iter().map(|one| one.address.as_str()).collect();
                    assert_eq!(found, [address.as_str()], "{fallback:?}");
                }
            }
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
    fn a_header_without_addresses_is_kept_as_text_that_has_none_either() {
        for (value, kept) in [
            ("=?utf-8?Q?jane=40x.test?=", "\"jane@x.test\" <>"),
            ("=?utf-8?Q?=22Jane=22_=3Cjane=40x.test=3E?=", "\"\\\"Jane\\\" <jane@x.test>\" <>"),
            ("=?utf-8?Q?=22jane=40x.test=22?=", "\"\\\"jane@x.test\\\"\" <>"),
            ("=?utf-8?Q?Support=2C?=", "Support,"),
            ("<a@x.test,b@x.test>", "<a@x.test,b@x.test>"),
            ("nobody", "nobody"),
            ("jane@", "jane@"),
            ("", ""),
            ("=?utf-8?Q?Jane?= <jane@x.test>", "Jane <jane@x.test>"),
        ] {
            let found = parse(value.as_bytes(), None);
            let text = render_address_header(&found, &encoded_word::decode(value.as_bytes(), None));
            assert_eq!((text.as_str(), Address::parse_all(&text)), (kept, found), "{value}");
        }
    }

    #[test]
    fn a_name_that_calls_other_characters_hides_no_address_when_it_is_written_again() {
        let found = parse(b"=?utf-8?Q?=1B$B!?= <a@x.test>, =?utf-8?Q?=1B(B?= <b@x.test>", None);
        assert_eq!(found.iter().map(|one| one.display_name.as_str()).collect::<Vec<_>>(), ["$B!", "(B"]);
        assert_eq!(parse(render_addresses(&found).as_bytes(), None), found);
    }

    #[test]
    fn an_address_that_nobody_can_be_written_to_is_told_from_others() {
        for (address, expected) in [
            ("jane@x.test", true),
            ("jane@localhost", true),
            ("jane@x.test.", true),
            ("o'brien+x@x-y.test", true),
            ("jörg@bücher.example", true),
            ("\"jane roe\"@x.test", true),
            ("jane@[192.0.2.1]", true),
            ("jane@x..test", false),
            ("jane@-x.test", false),
            ("jane@.test", false),
            ("jane@x,test", false),
            ("jane@x/test", false),
            ("ja(ne@x.test", false),
            ("jane@y@x.test", false),
            ("\"@x.test", false),
            (&format!("{}@x.test", "j".repeat(65)), false),
            (&format!("jane@{}.test", "x".repeat(250)), false),
            ("jane", false),
        ] {
            let address = Address { address: address.to_owned(), ..Address::default() };
            assert_eq!(address.can_be_written_to(), expected, "{}", address.address);
        }
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

        #[test]
        fn each_address_is_the_same_single_one_when_it_is_written_and_read_again(
            value in proptest::collection::vec(any::<u8>(), 0..80),
            text in "[ab@<>()\",;:. \\\\=?\\[\\]'\u{1b}$\u{feff}é-]{0,40}",
            local in "[ab@\",;:.\\\\'\\[ (]{1,12}",
            domain in "(x|\\[[a:,]{0,4}\\]?|[x:;,\"'\\]]{1,5})",
            name in "(|a|=\\?utf-8\\?Q\\?[ab=@,]{0,3}(=1B[$(]B?|=22|=5C|=3C)?\\?=)",
        ) {
            let inner = format!("{local}@{domain}");
            let (angle, list) = (format!("{name} <{inner}>"), format!("{inner}, {name} <mailto:{inner}>, {text}"));
            for bytes in [value.as_slice(), text.as_bytes(), inner.as_bytes(), angle.as_bytes(), list.as_bytes()] {
                for fallback in [None, Some("windows-1252"), Some("iso-2022-jp")] {
                    let found = parse(bytes, fallback);
                    let addresses = |found: &[Address]| found.iter().map(|one| one.address.clone()).collect::<Vec<_>>();
                    for one in &found {
                        let written = render_addresses(std::slice::from_ref(one));
                        prop_assert_eq!(addresses(&Address::parse_all(&written)), [one.address.clone()], "{}", written);
                    }
                    let written = render_address_header(&found, &encoded_word::decode(bytes, fallback));
                    prop_assert_eq!(addresses(&Address::parse_all(&written)), addresses(&found), "{}", written);
                }
            }
        }
    }
}
