//! The bytes of a mail on their way out: line ends as SMTP or a command wants them.

use memchr::memchr2_iter;

/// With CRLF for every line end, bare CR and bare LF too: what the next server takes for the end of a line must be what we take for one.
pub fn with_crlf(raw: Vec<u8>) -> Vec<u8> {
    let bare = memchr2_iter(b'\r', b'\n', &raw).any(|place| match raw.get(place) {
        Some(b'\r') => raw.get(place + 1) != Some(&b'\n'),
        _ => place == 0 || raw.get(place - 1) != Some(&b'\r'),
    });
    if bare { line_ends(&raw, b"\r\n") } else { raw }
}

/// With LF for every line end, as commands on this machine expect.
pub fn with_lf(raw: &[u8]) -> Vec<u8> {
    line_ends(raw, b"\n")
}

fn line_ends(raw: &[u8], end: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 32);
    let mut from = 0;
    for place in memchr2_iter(b'\r', b'\n', raw) {
        // The LF of a CRLF was dealt with at its CR.
        if place < from {
            continue;
        }
        out.extend_from_slice(raw.get(from..place).unwrap_or_default());
        out.extend_from_slice(end);
        let is_pair = raw.get(place..place + 2) == Some(b"\r\n");
        from = place + if is_pair { 2 } else { 1 };
    }
    out.extend_from_slice(raw.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_becomes_the_same() {
        for (given, crlf, lf) in [
            ("a\r\nb\r\n", "a\r\nb\r\n", "a\nb\n"),
            ("a\nb\n", "a\r\nb\r\n", "a\nb\n"),
            ("a\rb", "a\r\nb", "a\nb"),
            ("\n.\n", "\r\n.\r\n", "\n.\n"),
            ("a\r\n.\rb\r\r\n\n", "a\r\n.\r\nb\r\n\r\n\r\n", "a\n.\nb\n\n\n"),
            ("", "", ""),
        ] {
            assert_eq!(with_crlf(given.into()), crlf.as_bytes(), "{given:?}");
            assert_eq!(with_lf(given.as_bytes()), lf.as_bytes(), "{given:?}");
        }
    }
}
