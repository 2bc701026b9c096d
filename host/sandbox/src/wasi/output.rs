//! What a guest writes to standard output and error, by lines.

use crate::limits::LOG_LINE;

/// What stands behind a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputStream {
    /// Nothing.
    None,
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl OutputStream {
    /// What the number of a handle stands for.
    pub(super) fn of(number: u32) -> Self {
        match number {
            1 => Self::Output,
            2 => Self::Error,
            _ => Self::None,
        }
    }

    /// The number of its handles.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Output => 1,
            Self::Error => 2,
        }
    }

    /// The priority of its lines in the log.
    pub(crate) fn priority(self) -> &'static str {
        if self == Self::Error { "notice" } else { "info" }
    }
}

/// The line that has not ended yet, as much of it as the log would show, and a little more, so that the log tells of
/// the cut.
#[derive(Debug, Default)]
pub(super) struct UnendedLine(Vec<u8>);

impl UnendedLine {
    /// Adds bytes, and hands every line that ends in them to `log`, which says whether it takes more; what follows is
    /// not looked at where it does not.
    pub(super) fn write(&mut self, bytes: &[u8], mut log: impl FnMut(&str) -> bool) {
        let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = lines.next() {
            let room = (LOG_LINE + 4).saturating_sub(self.0.len());
            self.0.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if lines.peek().is_some() && !self.end(&mut log) {
                return;
            }
        }
    }

    /// Ends the line, whether it did or not; whether `log` takes more.
    pub(super) fn end(&mut self, mut log: impl FnMut(&str) -> bool) -> bool {
        let line = std::mem::take(&mut self.0);
        let text = String::from_utf8_lossy(&line);
        log(text.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(lines: &mut Vec<String>, line: &str) -> bool {
        if !line.is_empty() {
            lines.push(line.to_owned());
        }
        true
    }

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut line, mut lines) = (UnendedLine::default(), Vec::new());
        for piece in pieces {
            line.write(piece, |line| keep(&mut lines, line));
        }
        line.end(|line| keep(&mut lines, line));
        lines
    }

    #[test]
    fn pieces_become_lines_and_the_last_one_need_not_end() {
        assert_eq!(lines(&[b"on", b"e\r\n\ntwo\nthr", b"\xc3\xa9", b"e"]), ["one", "two", "thr\u{e9}e"]);
        assert_eq!(lines(&[b"", b"\n\n"]), Vec::<String>::new());
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
    }

    #[test]
    fn a_full_log_is_asked_no_more() {
        let (mut line, mut asked) = (UnendedLine::default(), 0);
        line.write(&vec![b'\n'; 1 << 20], |_| {
            asked += 1;
            asked < 100
        });
        assert_eq!(asked, 100);
    }

    #[test]
    fn a_line_without_end_takes_no_room() {
        let long = vec![b'x'; 1 << 20];
        assert_eq!(lines(&[&long, &long, b"\nshort"]).iter().map(String::len).collect::<Vec<_>>(), [LOG_LINE + 4, 5]);
    }
}
