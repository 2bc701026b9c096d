//! Transfer encodings (RFC 2045 section 6), read as well as broken data allows.

use std::borrow::Cow;

/// How a part's bytes are encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TransferEncoding {
    /// 7bit, 8bit, binary, and whatever is not known.
    #[default]
    Identity,
    /// base64.
    Base64,
    /// quoted-printable.
    QuotedPrintable,
}

impl TransferEncoding {
    /// By the value of Content-Transfer-Encoding; quotes and hyphens are as they come.
    pub fn by_name(value: &str) -> Self {
        let mut words = value.split(|character: char| matches!(character, ';' | '(') || character.is_whitespace());
        let letters = |word: &str| -> String {
            word.chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|letter| letter.to_ascii_lowercase())
                .take(20)
                .collect()
        };
        match words.find(|word| !word.is_empty()).map(letters).as_deref() {
            Some("base64") => Self::Base64,
            Some("quotedprintable") => Self::QuotedPrintable,
            _ => Self::Identity,
        }
    }

    /// Decodes.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Identity => Cow::Borrowed(bytes),
            Self::Base64 => Cow::Owned(base64(bytes)),
            Self::QuotedPrintable => Cow::Owned(quoted_printable(bytes)),
        }
    }

    /// The size after decoding.
    pub fn decoded_size(self, bytes: &[u8]) -> usize {
        match self {
            Self::Identity => bytes.len(),
            Self::Base64 => {
                let symbols = |run: &[u8]| run.iter().filter(|byte| symbol(**byte).is_some()).count();
                let size = |symbols: usize| symbols / 4 * 3 + (symbols % 4).saturating_sub(1);
                runs(bytes).map(|run| size(symbols(run))).sum()
            }
            Self::QuotedPrintable => quoted_printable(bytes).len(),
        }
    }
}

/// What is encoded from its beginning to its padding. More of it may follow; a line that has anything else is text that
/// was added behind, by a scanner for viruses say.
fn runs(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (first, rest) = bytes.split_at(memchr::memchr(b'=', bytes).unwrap_or(bytes.len()));
    let is_encoded = |line: &&[u8]| line.trim_ascii().iter().all(|byte| *byte == b'=' || symbol(*byte).is_some());
    let lines = rest.split(|byte| *byte == b'\n').filter(is_encoded);
    std::iter::once(first).chain(lines.flat_map(|line| line.split(|byte| *byte == b'=')))
}

/// Decodes base64; what is neither padding nor one of its 64 symbols is passed over.
pub fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len() / 4 * 3 + 3);
    for run in runs(bytes) {
        let mut group = 0_u32;
        let mut symbols = 0;
        for value in run.iter().filter_map(|byte| symbol(*byte)) {
            group = group << 6 | u32::from(value);
            symbols += 1;
            if symbols == 4 {
                let [_, bytes @ ..] = group.to_be_bytes();
                decoded.extend_from_slice(&bytes);
                (group, symbols) = (0, 0);
            }
        }
        match symbols {
            2 => decoded.push((group >> 4) as u8),
            3 => decoded.extend_from_slice(&[(group >> 10) as u8, (group >> 2) as u8]),
            _ => {}
        }
    }
    decoded
}

fn symbol(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Decodes quoted-printable; an escape that is none stays as it is.
fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut unbroken = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let content = line.trim_ascii_end();
        let line_break = match line {
            [.., b'\r', b'\n'] => &b"\r\n"[..],
            [.., b'\n'] => b"\n",
            _ => b"",
        };
        if line_break.is_empty() {
            unbroken.extend_from_slice(content.strip_suffix(b"=").unwrap_or(line));
        } else if let Some(soft) = content.strip_suffix(b"=") {
            unbroken.extend_from_slice(soft);
        } else {
            unbroken.extend_from_slice(content);
            unbroken.extend_from_slice(line_break);
        }
    }
    escapes(&unbroken, b'=')
}

/// `=XX` to bytes, with this sign instead of `=`; anything else stays.
pub fn escapes(bytes: &[u8], sign: u8) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(plain) = memchr::memchr(sign, rest) {
        decoded.extend_from_slice(rest.get(..plain).unwrap_or_default());
        rest = rest.get(plain..).unwrap_or_default();
        if let [_, high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (char::from(*high).to_digit(16), char::from(*low).to_digit(16))
        {
            decoded.push((high << 4 | low) as u8);
            rest = after;
        } else {
            decoded.push(sign);
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    decoded.extend_from_slice(rest);
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quoted_printable_is_decoded_and_broken_escapes_stay() {
        for (encoded, decoded) in [
            (&b"sch=F6n  \r\nGr=FC=\r\n=DFe"[..], &b"sch\xf6n\r\nGr\xfc\xdfe"[..]),
            (b"a=\nb= \nc=", b"abc"),
            (b"100 = 10=zz =4", b"100 = 10=zz =4"),
            (b"=3D=", b"="),
        ] {
            assert_eq!(TransferEncoding::QuotedPrintable.decode(encoded), decoded);
        }
    }

    #[test]
    fn encodings_are_known_by_what_programs_write() {
        for (value, encoding) in [
            ("base64", TransferEncoding::Base64),
            (" BASE64 ; x", TransferEncoding::Base64),
            ("\"base64\"", TransferEncoding::Base64),
            ("Base-64", TransferEncoding::Base64),
            ("base64(x)", TransferEncoding::Base64),
            ("quoted-printable", TransferEncoding::QuotedPrintable),
            ("QuotedPrintable", TransferEncoding::QuotedPrintable),
            ("quoted_printable", TransferEncoding::QuotedPrintable),
            ("8bit", TransferEncoding::Identity),
            ("x-base64-of-mine", TransferEncoding::Identity),
            ("", TransferEncoding::Identity),
        ] {
            assert_eq!(TransferEncoding::by_name(value), encoding, "{value}");
        }
    }

    #[test]
    fn base64_passes_over_what_is_none() {
        for (encoded, decoded) in [
            (&b"JVBERi0="[..], &b"%PDF-"[..]),
            (b"JVBE\r\nRi0", b"%PDF-"),
            (b"JVBE!Ri0=!", b"%PDF-"),
            (b"YQ==Yg==", b"ab"),
            (b"%%%", b""),
            (b"YQ==\r\nYg==\r\n", b"ab"),
            (b"YWI=\n-- \nThis mail was scanned.\nYm\n", b"abb"),
            (b"YWI=\n\n_______________\nlist@x.test\n", b"ab"),
        ] {
            assert_eq!(TransferEncoding::Base64.decode(encoded), decoded);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn the_size_is_the_decoded_one(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[A-C=\n \\-]{0,60}") {
            let bytes = [bytes.as_slice(), text.as_bytes()].concat();
            for encoding in [TransferEncoding::Identity, TransferEncoding::Base64, TransferEncoding::QuotedPrintable] {
                prop_assert_eq!(encoding.decode(&bytes).len(), encoding.decoded_size(&bytes));
            }
        }
    }
}
