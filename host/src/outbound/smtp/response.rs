//! A server's reply to a command (RFC 5321 section 4.2): a code of three digits, of which the first decides, and words
//! for people.
//!
//! Servers are read as they are: with codes that no standard names (`571`), with a code and nothing else, with codes
//! that differ from line to line. Whoever takes such a reply for none sends accepted mail again.

use postigo_net::redaction::Redactor;

/// So much of a server's answer is kept.
const LONGEST: usize = 500;

/// A whole reply.
pub struct Response {
    /// From 200 to 599.
    code: u16,
    /// The words of each line, as they came.
    lines: Vec<String>,
    redactor: Redactor,
}

/// As it may be shown.
impl std::fmt::Debug for Response {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Response({:?})", self.words())
    }
}

impl Response {
    /// Reads a reply, one line or many; words that are no UTF-8 are read as well as they can be. None where it is no
    /// reply of SMTP. If the lines have different codes, the last is what the server came to. The redactor is for
    /// [`Self::words`].
    pub fn read(bytes: &[u8], redactor: &Redactor) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut response = Self { code: 0, lines: Vec::new(), redactor: redactor.clone() };
        for line in text.lines() {
            let Some((code, words)) = line.split_at_checked(3).filter(|_| has_code(line.as_bytes())) else {
                // Words of the line before, which the server broke as it liked.
                let before = response.lines.last_mut()?;
                let words = line.trim();
                if !words.is_empty() {
                    before.push(' ');
                    before.push_str(words);
                }
                continue;
            };
            response.code = code.parse().ok()?;
            response.lines.push(words.get(1..).unwrap_or_default().trim_end().to_owned());
        }
        if !text.lines().next_back().is_some_and(|last| has_code(last.as_bytes())) {
            return None;
        }
        (200..600).contains(&response.code).then_some(response)
    }

    /// The code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// 2yz: what was asked is done.
    pub fn is_done(&self) -> bool {
        self.code / 100 == 2
    }

    /// 2yz or 3yz: nothing is refused.
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// 5yz: the same will not work later.
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// The words of each line, as the program goes by them. Nobody is shown them.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Code and words on one line, not too long, without secrets.
    pub fn words(&self) -> String {
        said(&format!("{} {}", self.code, self.lines.join(" ")), &self.redactor)
    }
}

/// Whether a line begins with a code as a reply's lines do.
pub fn has_code(line: &[u8]) -> bool {
    let (code, rest) = line.split_at_checked(3).unwrap_or((&[], line));
    !code.is_empty()
        && code.iter().all(u8::is_ascii_digit)
        && matches!(rest.first(), None | Some(b' ' | b'-' | b'\t' | b'\r' | b'\n'))
}

/// A server's words on one line, not too long, and without the secrets that it was told.
pub fn said(words: &str, redactor: &Redactor) -> String {
    redactor.line(words, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_its_code_whatever_else_a_server_says() {
        for (said, code, words) in [
            ("250 2.0.0 fine\r\n", 250, "250 2.0.0 fine"),
            ("250\r\n", 250, "250"),
            ("250 \r\n", 250, "250"),
            ("571 5.7.1 no\r\n", 571, "571 5.7.1 no"),
            ("299 bare line end\n", 299, "299 bare line end"),
            ("250-a\r\n250 b\r\n", 250, "250 a b"),
            ("250-a\r\n250\r\n", 250, "250 a"),
            ("550-a\r\n450 b\r\n", 450, "450 a b"),
            ("220-a\r\n b\r\n\r\n220 c\r\n", 220, "220 a b c"),
        ] {
            let response = Response::read(said.as_bytes(), &Redactor::default()).unwrap_or_else(|| panic!("{said:?}"));
            assert_eq!((response.code(), response.words().as_str()), (code, words));
            assert_eq!((response.is_done(), response.is_permanent()), (code / 100 == 2, code / 100 == 5), "{said:?}");
        }
        for said in [
            "HTTP/1.1 400 Bad Request\r\n",
            "",
            "\r\n",
            "25\r\n",
            "2500 x\r\n",
            "100 x\r\n",
            "650 x\r\n",
            "+50 x\r\n",
            "25\u{e4} x\r\n",
            "250-a\r\nb\r\n",
        ] {
            assert!(Response::read(said.as_bytes(), &Redactor::default()).is_none(), "{said:?}");
        }
    }
}
