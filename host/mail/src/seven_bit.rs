//! Encodings that write other scripts in bytes below 128 and that encoding_rs does not have: UTF-7 (RFC 2152), which old
//! Exchange servers send, ISO-2022-KR (RFC 1557), ISO-2022-CN (RFC 1922) and HZ (RFC 1843). Total, and linear.

use super::transfer;
use encoding_rs::{EUC_KR, Encoding, GBK};

/// Shift out and in: what is between them is of the other script.
const SHIFT_OUT: u8 = 0x0E;
const SHIFT_IN: u8 = 0x0F;

/// ISO-2022-KR.
pub fn iso_2022_kr(bytes: &[u8]) -> String {
    shifted(bytes, EUC_KR)
}

/// ISO-2022-CN, its simplified characters.
pub fn iso_2022_cn(bytes: &[u8]) -> String {
    shifted(bytes, GBK)
}

/// Text between shift out and shift in has the bytes of `encoding` without their highest bit. A line begins with ASCII.
fn shifted(bytes: &[u8], encoding: &'static Encoding) -> String {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut is_other = false;
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            // Which characters are meant is told by `ESC $ ) C` and the like: there is but one kind here.
            0x1B if matches!(after, [b'$', b')' | b'*' | b'+', _, ..]) => rest = after.get(3..).unwrap_or_default(),
            &SHIFT_OUT => is_other = true,
            &SHIFT_IN => is_other = false,
            b'\n' => {
                is_other = false;
                plain.push(b'\n');
            }
            0x21..=0x7E if is_other => plain.push(byte | 0x80),
            byte => plain.push(*byte),
        }
    }
    encoding.decode_without_bom_handling(&plain).0.into_owned()
}

/// HZ: what is between `~{` and `~}` has the bytes of GB 2312 without their highest bit, and `~~` is a tilde.
pub fn hz(bytes: &[u8]) -> String {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut is_other = false;
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => break,
            [b'~', b'{', after @ ..] => {
                is_other = true;
                after
            }
            [b'~', b'}', after @ ..] => {
                is_other = false;
                after
            }
            [b'~', b'~', after @ ..] if !is_other => {
                plain.push(b'~');
                after
            }
            [b'~', b'\n', after @ ..] if !is_other => after,
            [b'\n', after @ ..] => {
                is_other = false;
                plain.push(b'\n');
                after
            }
            [byte, after @ ..] => {
                plain.push(if is_other && (0x21..=0x7E).contains(byte) { byte | 0x80 } else { *byte });
                after
            }
        };
    }
    GBK.decode_without_bom_handling(&plain).0.into_owned()
}

/// UTF-7: after `+` stands UTF-16 in base64, up to a byte that is none of its symbols; a `-` there is no text, and `+-`
/// is a plus sign.
pub fn utf_7(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(plus) = memchr::memchr(b'+', rest) {
        add_as_it_is(&mut text, rest.get(..plus).unwrap_or_default());
        rest = rest.get(plus + 1..).unwrap_or_default();
        let is_symbol = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        let length = rest.iter().take_while(|byte| is_symbol(byte)).count();
        if length == 0 {
            text.push('+');
        } else {
            let units = transfer::base64(rest.get(..length).unwrap_or_default());
            let (pairs, _) = units.as_chunks::<2>();
            let characters = char::decode_utf16(pairs.iter().map(|pair| u16::from_be_bytes(*pair)));
            text.extend(characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
        rest = rest.get(length..).unwrap_or_default();
        rest = rest.strip_prefix(b"-").unwrap_or(rest);
    }
    add_as_it_is(&mut text, rest);
    text
}

/// What is not encoded is ASCII; where it is not, it was never UTF-7.
fn add_as_it_is(text: &mut String, bytes: &[u8]) {
    text.push_str(&encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn korean_and_chinese_are_read() {
        assert_eq!(iso_2022_kr(b"\x1b$)C\x0eGQ19>n\x0f (Korean)\n\x0e>H3g\x0f"), "한국어 (Korean)\n안녕");
        assert_eq!(iso_2022_cn(b"\x1b$)A\x0eVPND\x0f OK"), "中文 OK");
        assert_eq!(hz(b"A ~{VPND~} B~~ C~\nD"), "A 中文 B~ CD");
        assert_eq!(hz(b"~{VPND\nplain"), "中文\nplain", "a line begins with ASCII");
    }

    #[test]
    fn utf_7_is_read_to_its_end() {
        for (encoded, text) in [
            ("Gr+APwA3w-e", "Grüße"),
            ("1 +- 1 = 2", "1 + 1 = 2"),
            ("+ZeVnLIqe", "日本語"),
            ("+ZeVnLIqe, Tokyo", "日本語, Tokyo"),
            ("+2D3eAA-", "😀"),
            ("Hi Mom -+Jjo--!", "Hi Mom -☺-!"),
            ("a+", "a+"),
        ] {
            assert_eq!(utf_7(encoded.as_bytes()), text, "{encoded}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..100), text in "[~{}+a-z\\-\u{e}\u{f}\u{1b}$)C\n]{0,60}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                for decode in [iso_2022_kr, iso_2022_cn, hz, utf_7] {
                    decode(bytes);
                }
            }
        }
    }
}
