//! Answers to clients: code, enhanced status (RFC 2034, RFC 3463), text.

use std::fmt::Write as _;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// RFC 5321 section 4.2.
    pub code: u16,
    /// `2.1.5`; empty for greetings and the answers to LHLO, EHLO and DATA, which have none.
    pub status: &'static str,
    /// One line for people.
    pub text: String,
}

impl Reply {
    /// An answer with an enhanced status.
    pub fn new(code: u16, status: &'static str, text: impl Into<String>) -> Self {
        Self { code, status, text: text.into() }
    }

    /// An answer without one.
    pub fn plain(code: u16, text: impl Into<String>) -> Self {
        Self::new(code, "", text)
    }

    /// Whether it refuses for good.
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// Whether it refuses, for now or for good.
    pub fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// Its bytes, with CRLF. What a client sent and is repeated here cannot break the line.
    pub fn write_to(&self, output: &mut Vec<u8>) {
        let blank = if self.status.is_empty() { "" } else { " " };
        line(output, &format!("{} {}{blank}{}", self.code, self.status, self.text));
    }
}

/// A message did not come at its pace.
pub fn too_slow() -> Reply {
    Reply::new(421, "4.4.2", "The message came too slowly; nothing is stored")
}

/// A message did not come as fast as those of others, who wait.
pub fn displaced() -> Reply {
    Reply::new(421, "4.7.0", "All connections are taken, and your message came slowly; nothing is stored, come again")
}

/// An answer of several lines, as to LHLO and EHLO.
pub fn write_lines(code: u16, lines: &[String], output: &mut Vec<u8>) {
    for (index, text) in lines.iter().enumerate() {
        let divider = if index + 1 == lines.len() { ' ' } else { '-' };
        line(output, &format!("{code}{divider}{text}"));
    }
}

fn line(output: &mut Vec<u8>, text: &str) {
    output.extend(text.chars().map(|character| if matches!(character, ' '..='~') { character as u8 } else { b'?' }));
    output.extend_from_slice(b"\r\n");
}

/// `550 5.1.1 …`, for the log.
impl std::fmt::Display for Reply {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.code)?;
        if !self.status.is_empty() {
            formatter.write_char(' ')?;
            formatter.write_str(self.status)?;
        }
        write!(formatter, " {}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_one_line_whatever_it_repeats() {
        let mut output = Vec::new();
        Reply::new(550, "5.1.1", "<a\r\n250 b\u{e9}@x>: unknown").write_to(&mut output);
        Reply::plain(354, "Go on").write_to(&mut output);
        write_lines(250, &["a.example".into(), "SIZE 10".into()], &mut output);
        let expected = "550 5.1.1 <a??250 b?@x>: unknown\r\n354 Go on\r\n250-a.example\r\n250 SIZE 10\r\n";
        assert_eq!(String::from_utf8(output).unwrap(), expected);
    }
}
