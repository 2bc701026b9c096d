//! A text of several lines that ends with a lone dot, and whose other lines that begin with a dot have one more (RFC
//! 1939 section 3).

use memchr::memchr;

/// Takes the dots off a text as its bytes come, and finds its end. Only CR LF begins a line: a lone LF within a mail
/// hides no end.
#[derive(Debug)]
pub struct DotText {
    state: DotState,
    kept: Vec<u8>,
    total: u64,
    most: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DotState {
    LineStart,
    Dot,
    DotCr,
    Line { cr: bool },
    Ended,
}

impl DotText {
    /// Of a text that is longer than `most` bytes only the length is kept.
    pub fn new(most: u64) -> Self {
        Self { state: DotState::LineStart, kept: Vec::new(), total: 0, most }
    }

    /// Takes bytes in, and gives how many of them belong to the text: all, unless it ended.
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match (self.state, byte) {
                (DotState::Ended, _) => return at,
                (DotState::LineStart, b'.') => {
                    self.state = DotState::Dot;
                    at += 1;
                }
                (DotState::Dot, b'\r') => {
                    self.state = DotState::DotCr;
                    at += 1;
                }
                (DotState::DotCr, b'\n') => {
                    self.state = DotState::Ended;
                    return at + 1;
                }
                (DotState::LineStart | DotState::Dot, _) => self.state = DotState::Line { cr: false },
                (DotState::DotCr, _) => {
                    self.keep(b"\r");
                    self.state = DotState::Line { cr: true };
                }
                (DotState::Line { cr }, _) => at = self.line(bytes, at, cr),
            }
        }
        at
    }

    /// The rest of a line, or what has come of it.
    fn line(&mut self, bytes: &[u8], at: usize, cr: bool) -> usize {
        let rest = bytes.get(at..).unwrap_or_default();
        let part = memchr(b'\n', rest).and_then(|end| rest.get(..=end)).unwrap_or(rest);
        self.state = match part {
            [.., b'\r', b'\n'] => DotState::LineStart,
            b"\n" if cr => DotState::LineStart,
            [.., b'\r'] => DotState::Line { cr: true },
            _ => DotState::Line { cr: false },
        };
        self.keep(part);
        at + part.len()
    }

    fn keep(&mut self, part: &[u8]) {
        self.total = self.total.saturating_add(part.len() as u64);
        if self.total <= self.most {
            self.kept.extend_from_slice(part);
        } else {
            self.kept = Vec::new();
        }
    }

    /// Whether the lone dot has come.
    pub fn is_ended(&self) -> bool {
        self.state == DotState::Ended
    }

    /// How many bytes it has had so far.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Its bytes, or how many there were where these are too many.
    pub fn into_bytes(self) -> Result<Vec<u8>, u64> {
        if self.total <= self.most { Ok(self.kept) } else { Err(self.total) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(wire: &[u8], step: usize) -> (Vec<u8>, usize) {
        let mut text = DotText::new(1 << 20);
        let mut used = 0;
        for part in wire.chunks(step) {
            used += text.feed(part);
            if text.is_ended() {
                break;
            }
        }
        assert!(text.is_ended());
        (text.into_bytes().unwrap(), used)
    }

    fn stuffed(lines: &[Vec<u8>]) -> Vec<u8> {
        let mut wire = Vec::new();
        for line in lines {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        wire
    }

    proptest! {
        #[test]
        fn bytes_come_back_unchanged_however_they_are_cut(
            lines in prop::collection::vec("[.\r a-c\n\u{e9}]{0,6}".prop_map(String::into_bytes), 0..12),
            step in 1_usize..9,
        ) {
            // A line break within a line would be another line.
            let lines: Vec<Vec<u8>> = lines.into_iter().filter(|line| !line.windows(2).any(|pair| pair == b"\r\n")).collect();
            let lines: Vec<Vec<u8>> = lines.into_iter().filter(|line| !line.ends_with(b"\r")).collect();
            let mut wire = stuffed(&lines);
            let length = wire.len();
            wire.extend_from_slice(b"+OK next\r\n");
            let (bytes, used) = read(&wire, step);
            let expected: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\r\n"].concat()).collect();
            prop_assert_eq!(bytes, expected);
            prop_assert_eq!(used, length);
        }
    }

    #[test]
    fn only_a_dot_alone_between_two_whole_line_breaks_is_the_end() {
        let hidden = b"a\n.\nb\r\r\n..\r\n.\rc\r\n.\r\n";
        assert_eq!(read(hidden, 1).0, b"a\n.\nb\r\r\n.\r\n\rc\r\n");
        assert_eq!(read(b".\r\n", 3).0, b"");
    }

    #[test]
    fn of_a_text_that_is_too_long_the_length_is_known_and_no_bytes_are_kept() {
        let mut text = DotText::new(4);
        text.feed(b"123456\r\n.\r\n");
        assert!(text.is_ended() && text.kept.is_empty());
        assert_eq!(text.into_bytes(), Err(8));
    }
}
