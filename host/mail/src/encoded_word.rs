//! Encoded words (RFC 2047) and the bytes around them, to text that holds no line break and no NUL.

use super::{charset, transfer};

/// Decodes an unfolded header value. Adjacent encoded words of one charset are joined as bytes before they are decoded;
/// bytes above 127 outside them are taken in `fallback`, the body's charset.
pub fn decode(value: &[u8], fallback: Option<&str>) -> String {
    let mut text = String::with_capacity(value.len());
    let mut pending: Option<(String, Vec<u8>)> = None;
    let mut plain_from = 0;
    let mut position = 0;
    let mut closed = true; // whether a `?=` may still follow
    while let Some(start) = find(value, position, b"=?") {
        let Some(word) = Word::at(value, start, &mut closed) else {
            position = start + 2;
            continue;
        };
        let between = value.get(plain_from..start).unwrap_or_default();
        if pending.is_none() || !between.iter().all(u8::is_ascii_whitespace) {
            flush(&mut pending, &mut text);
            text.push_str(&charset::decode(between, fallback));
        }
        match &mut pending {
            Some((charset, bytes)) if charset.eq_ignore_ascii_case(&word.charset) => {
                bytes.extend_from_slice(&word.bytes);
            }
            _ => {
                flush(&mut pending, &mut text);
                pending = Some((word.charset, word.bytes));
            }
        }
        position = word.end;
        plain_from = word.end;
    }
    flush(&mut pending, &mut text);
    text.push_str(&charset::decode(value.get(plain_from..).unwrap_or_default(), fallback));
    on_one_line(text)
}

/// Every run of CR, LF and NUL becomes one space.
pub fn on_one_line(text: String) -> String {
    let breaks = |character: char| matches!(character, '\r' | '\n' | '\0');
    if !text.contains(breaks) {
        return text;
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut in_run = false;
    for character in text.chars() {
        if !breaks(character) {
            cleaned.push(character);
        } else if !in_run {
            cleaned.push(' ');
        }
        in_run = breaks(character);
    }
    cleaned
}

fn flush(pending: &mut Option<(String, Vec<u8>)>, text: &mut String) {
    if let Some((label, bytes)) = pending.take() {
        text.push_str(&charset::decode(&bytes, Some(&label)));
    }
}

struct Word {
    charset: String,
    bytes: Vec<u8>,
    end: usize,
}

impl Word {
    /// The encoded word that begins at `start`, if there is one: `=?charset?encoding?text?=`.
    fn at(value: &[u8], start: usize, closed: &mut bool) -> Option<Self> {
        let head = value.get(start + 2..)?;
        let charset_length = head.iter().take(64).position(|byte| *byte == b'?')?;
        let charset = std::str::from_utf8(head.get(..charset_length)?)
            .ok()
            .filter(|label| !label.contains(char::is_whitespace))?;
        let encoding = *head.get(charset_length + 1)?;
        if charset.is_empty() || head.get(charset_length + 2) != Some(&b'?') || !*closed {
            return None;
        }
        // Only now: a search that finds an end far away and then no word would be made again for the next beginning.
        let decode = match encoding {
            b'B' | b'b' => transfer::base64,
            b'Q' | b'q' => quoted,
            _ => return None,
        };
        let text_start = start + 2 + charset_length + 3;
        let Some(text_end) = find(value, text_start, b"?=") else {
            *closed = false;
            return None;
        };
        let bytes = decode(value.get(text_start..text_end)?);
        let charset = charset.split('*').next().unwrap_or_default().to_owned(); // RFC 2231 section 5: a language may follow
        Some(Self { charset, bytes, end: text_end + 2 })
    }
}

/// The Q encoding (RFC 2047 section 4.2); what is broken stays as it is.
fn quoted(encoded: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
    transfer::escapes(&spaced, b'=')
}

fn find(value: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(value.get(from..)?, needle).map(|offset| from + offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn encoded_words_are_decoded() {
        for (value, text) in [
            ("=?ISO-8859-1?Q?St=F6rung?= =?utf-8?B?IGltIELDvHJv?=", "Störung im Büro"),
            ("=?utf-8?B?5pel5g==?= =?utf-8?B?nKzoqp4=?=", "日本語"),
            ("=?utf-8?B?5pel5g?=\t=?UTF-8*ja?B?nKzoqp4?=", "日本語"),
            ("a =?utf-8?q?b?= c =?utf-8?q?d_e?=f", "a b c d ef"),
            ("=?utf-8?Q?with blank?=", "with blank"),
            ("=?utf-8?Q?=3D=3f=C3=A4?=", "=?ä"),
            ("=?no-such-charset?Q?plain_title?= rest", "plain title rest"),
            ("4 =?utf-8?Z?zz?= =?broken", "4 =?utf-8?Z?zz?= =?broken"),
            ("=?utf-8?Q?nice=0D=0AX-OTOBO-Queue:_Junk=0D=0A?=", "nice X-OTOBO-Queue: Junk "),
            ("=??Q?x?=", "=??Q?x?="),
        ] {
            assert_eq!(decode(value.as_bytes(), None), text, "{value}");
        }
    }

    #[test]
    fn raw_bytes_are_in_the_fallback_charset() {
        assert_eq!(decode(b"R\xfcckfrage", Some("iso-8859-1")), "Rückfrage");
        assert_eq!(decode(b"\xf7\xcf\xd0 =?iso-8859-1?q?=F6?=", Some("koi8-r")), "Воп ö");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn no_bytes_bring_in_a_line_break(bytes in proptest::collection::vec(any::<u8>(), 0..200), label in "[a-z0-9-]{0,12}") {
            let mut value = bytes.clone();
            value.extend_from_slice(b"=?");
            value.extend_from_slice(label.as_bytes());
            value.extend_from_slice(b"?Q?=0D=0A=00");
            value.extend_from_slice(&bytes);
            value.extend_from_slice(b"?=");
            let text = decode(&value, Some(&label));
            prop_assert!(!text.contains(['\r', '\n', '\0']));
        }
    }
}
