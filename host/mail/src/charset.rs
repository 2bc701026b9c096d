//! Bytes to text. Never an error: an unknown charset is read as UTF-8 where that is valid, else as windows-1252.

use super::bounds::LABEL_BYTES;
use encoding_rs::Encoding;
use mail_parser::decoders::charsets::map::charset_decoder;
use std::borrow::Cow;

/// Decodes bytes of a charset; none, an unknown one and plain ASCII are guessed. Bytes that are given away and are
/// valid as they are become the text without being copied: a body may be large.
pub fn decode<'b>(bytes: impl Into<Cow<'b, [u8]>>, charset: Option<&str>) -> String {
    let bytes = bytes.into();
    let label = charset.map(clean_label).filter(|label| label.len() <= LABEL_BYTES).unwrap_or_default();
    if bytes.is_ascii() && !is_stateful(label) {
        return guess(bytes);
    }
    if label.is_empty() || label.eq_ignore_ascii_case("us-ascii") || label.eq_ignore_ascii_case("ascii") {
        return guess(bytes);
    }
    if let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) {
        return match encoding.decode_without_bom_handling(&bytes) {
            (Cow::Owned(text), ..) => text,
            (Cow::Borrowed(_), ..) => guess(bytes),
        };
    }
    match charset_decoder(label.as_bytes()) {
        Some(decoder) if Encoding::for_label(label.as_bytes()).is_none() => decoder(&bytes),
        _ => guess(bytes),
    }
}

/// As UTF-8 where that is valid, else as windows-1252.
fn guess(bytes: Cow<'_, [u8]>) -> String {
    String::from_utf8(bytes.into_owned())
        .unwrap_or_else(|error| encoding_rs::WINDOWS_1252.decode_without_bom_handling(error.as_bytes()).0.into_owned())
}

/// A charset's name without quotes and blanks.
fn clean_label(label: &str) -> &str {
    label.trim_matches(|character: char| character.is_whitespace() || matches!(character, '"' | '\'' | '<' | '>'))
}

/// Whether bytes below 128 may mean something else than ASCII in it.
fn is_stateful(label: &str) -> bool {
    let lower = label.to_ascii_lowercase();
    ["iso-2022", "csiso2022", "utf-7", "utf7", "utf-16", "utf16", "unicode", "hz-"]
        .iter()
        .any(|start| lower.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_are_decoded() {
        for (bytes, charset, text) in [
            (&b"Gr\xfc\xdfe"[..], "iso-8859-1", "Grüße"),
            (b"\xf7\xcf\xd0\xd2\xcf\xd3", "KOI8-R", "Вопрос"),
            (b"\x1b$B@A5a=q\x1b(B", "iso-2022-jp", "請求書"),
            ("ä".as_bytes(), "utf8", "ä"),
            (b"\x80", "\"windows-1252\"", "€"),
            (b"+AOQ-", "utf-7", "ä"),
            (b"\x84", "cp850", "ä"),
        ] {
            assert_eq!(decode(bytes, Some(charset)), text, "{charset}");
        }
    }

    #[test]
    fn what_is_not_known_is_guessed() {
        for charset in [None, Some(""), Some("us-ascii"), Some("x-klingon-9"), Some("iso-2022-kr")] {
            assert_eq!(decode("schön".as_bytes(), charset), "schön", "{charset:?}");
            assert_eq!(decode(b"sch\xf6n", charset), "schön", "{charset:?}");
        }
    }
}
