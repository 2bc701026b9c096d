//! Encoded words (RFC 2047) and the bytes around them, to text that holds no line break and no NUL.

use super::{charset, transfer};

/// Decodes an unfolded header value. Adjacent encoded words of one charset are joined as bytes before they are decoded;
/// where that makes no text, since they were cut within what is encoded, as they are. Bytes above 127 outside them are
/// taken in `fallback`, the body's charset.
pub fn decode(value: &[u8], fallback: Option<&str>) -> String {
    let mut text = String::with_capacity(value.len());
    let mut pending: Option<Words> = None;
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
            flush(&mut pending, value, &mut text);
            text.push_str(&charset::decode_unencoded(between, fallback));
        }
        position = word.end;
        plain_from = word.end;
        match &mut pending {
            Some(words) if words.charset.eq_ignore_ascii_case(word.charset) => {
                words.bytes.extend_from_slice(&word.bytes());
                words.number += 1;
                words.end = word.end;
            }
            _ => {
                flush(&mut pending, value, &mut text);
                pending = Some(Words {
                    charset: word.charset.to_owned(),
                    bytes: word.bytes(),
                    start,
                    end: word.end,
                    number: 1,
                });
            }
        }
    }
    flush(&mut pending, value, &mut text);
    text.push_str(&charset::decode_unencoded(value.get(plain_from..).unwrap_or_default(), fallback));
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

/// Adjacent encoded words of one charset.
struct Words {
    charset: String,
    bytes: Vec<u8>,
    /// Where they stand.
    start: usize,
    end: usize,
    number: usize,
}

impl Words {
    /// What they hold if they were cut as they stand there: base64 between any two of its symbols, an escape in the
    /// middle. None where they have different encodings.
    fn joined(&self, value: &[u8]) -> Option<Vec<u8>> {
        let mut encoded = Vec::with_capacity(self.end - self.start);
        let (mut position, mut closed, mut decoder) = (self.start, true, None);
        while position < self.end {
            let start = find(value, position, b"=?")?;
            let word = Word::at(value, start, &mut closed)?;
            if *decoder.get_or_insert(word.is_base64) != word.is_base64 {
                return None;
            }
            encoded.extend_from_slice(word.encoded);
            position = word.end;
        }
        Some(if decoder? { transfer::base64(&encoded) } else { quoted(&encoded) })
    }
}

fn flush(pending: &mut Option<Words>, value: &[u8], text: &mut String) {
    if let Some(words) = pending.take() {
        let label = Some(words.charset.as_str());
        if words.number > 1
            && !charset::fits(&words.bytes, label)
            && let Some(joined) = words.joined(value)
            && charset::fits(&joined, label)
        {
            text.push_str(&charset::decode(joined, label));
        } else {
            text.push_str(&charset::decode(words.bytes, label));
        }
    }
}

struct Word<'v> {
    charset: &'v str,
    is_base64: bool,
    encoded: &'v [u8],
    end: usize,
}

impl<'v> Word<'v> {
    /// The encoded word that begins at `start`, if there is one: `=?charset?encoding?text?=`.
    fn at(value: &'v [u8], start: usize, closed: &mut bool) -> Option<Self> {
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
        let is_base64 = match encoding {
            b'B' | b'b' => true,
            b'Q' | b'q' => false,
            _ => return None,
        };
        let text_start = start + 2 + charset_length + 3;
        let Some(text_end) = find(value, text_start, b"?=") else {
            // Programs cut long subjects at so many letters, whatever that cuts: what is left of the last word is read.
            *closed = false;
            let encoded = value.get(text_start..)?;
            let is_cut = !encoded.is_empty() && !encoded.iter().any(u8::is_ascii_whitespace);
            let encoded = encoded.strip_suffix(b"?").unwrap_or(encoded);
            return is_cut.then_some(Self { charset: language_apart(charset), is_base64, encoded, end: value.len() });
        };
        let charset = language_apart(charset);
        Some(Self { charset, is_base64, encoded: value.get(text_start..text_end)?, end: text_end + 2 })
    }

    fn bytes(&self) -> Vec<u8> {
        if self.is_base64 { transfer::base64(self.encoded) } else { quoted(self.encoded) }
    }
}

/// A charset without the language that may follow (RFC 2231 section 5).
fn language_apart(label: &str) -> &str {
    label.split('*').next().unwrap_or_default()
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
            // Cut within a character, in the middle of four symbols and of an escape.
            ("=?utf-8?B?UmVjaG51bmdfTcO8bGxlcg?= =?utf-8?B?XzIwMjYucGRm?=", "Rechnung_Müller_2026.pdf"),
            ("=?utf-8?B?UmVjaG51bmdfTcO?= =?utf-8?B?8bGxlcl8yMDI2LnBkZg==?=", "Rechnung_Müller_2026.pdf"),
            ("=?utf-8?Q?M=C3=?= =?utf-8?Q?BCller?=", "Müller"),
            ("=?iso-2022-jp?B?GyRCQEE1YRsoQg==?= =?ISO-2022-JP?B?GyRCPXEbKEI=?=", "請求書"),
            ("=?utf-8?Q?M=C3?==?utf-8?Q?=BCller?=", "Müller"),
            ("a =?utf-8?q?b?= c =?utf-8?q?d_e?=f", "a b c d ef"),
            ("=?utf-8?Q?with blank?=", "with blank"),
            ("=?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?utf-8?Q?_aus_M=C3=BCnch", "Grüße aus Münch"),
            ("=?utf-8?B?R3LDvMOfZSBhdXMgTcO8bmNo?", "Grüße aus Münch"),
            ("=?utf-8?Q?with blank", "=?utf-8?Q?with blank"),
            ("=?utf-8?Q?", "=?utf-8?Q?"),
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
        assert_eq!(decode("Rückfrage".as_bytes(), Some("iso-8859-1")), "Rückfrage", "UTF-8 is told from that");
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
