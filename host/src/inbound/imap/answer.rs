//! What a server sends, cut into whole answers: lines, with the bytes that some of them announce (`{5}`, RFC 3501
//! section 4.3).

use std::ops::Range;

/// More bytes than the library would take in one answer.
const LONGEST: usize = 512 << 20;
/// Bytes of a line without what it announces: a list of all messages in a very large folder has fewer.
const LONGEST_LINE: usize = 8 << 20;

/// One answer, from its first byte to the end of its last line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Where in it bytes stand that a line announced: nobody reads these as words.
    literals: Vec<Range<usize>>,
}

/// An answer that no client could take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer of the server does not end")]
pub struct Endless;

impl Answer {
    /// The answer with its words changed and what they announce as it is; `empty`: without what they announce, so
    /// that it can be tried quickly.
    pub fn with(&self, empty: bool, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut made = Vec::with_capacity(if empty { 256 } else { self.bytes.len() });
        let mut from = 0;
        for literal in &self.literals {
            let words = self.bytes.get(from..literal.start).unwrap_or_default();
            let words = change(words);
            if empty {
                let announced = words.iter().rposition(|byte| *byte == b'{').unwrap_or(words.len());
                made.extend_from_slice(words.get(..announced).unwrap_or_default());
                made.extend_from_slice(b"{0}\r\n");
            } else {
                made.extend_from_slice(&words);
                made.extend_from_slice(self.bytes.get(literal.clone()).unwrap_or_default());
            }
            from = literal.end;
        }
        made.extend(change(self.bytes.get(from..).unwrap_or_default()));
        made
    }

    /// Its words, for people.
    pub fn words(&self) -> String {
        let words = self.with(true, <[u8]>::to_vec);
        String::from_utf8_lossy(&words).replace("{0}\r\n", "{…} ").trim_end().to_owned()
    }
}

/// Puts answers together from the pieces in which they come.
#[derive(Debug, Default)]
pub struct AnswerCutter {
    answer: Answer,
    /// Where the present line begins.
    line: usize,
    /// So many announced bytes are still to come.
    announced: usize,
}

impl AnswerCutter {
    /// Takes the next bytes; `each` is given every answer that they end.
    pub fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(Answer)) -> Result<(), Endless> {
        while !bytes.is_empty() {
            if self.announced > 0 {
                let (come, rest) = bytes.split_at(self.announced.min(bytes.len()));
                self.answer.bytes.extend_from_slice(come);
                self.announced -= come.len();
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (come, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            self.answer.bytes.extend_from_slice(come);
            bytes = rest;
            if self.answer.bytes.len() - self.line > LONGEST_LINE {
                return Err(Endless);
            }
            if end.is_some() {
                self.line_ended(&mut each)?;
            }
        }
        Ok(())
    }

    fn line_ended(&mut self, each: &mut impl FnMut(Answer)) -> Result<(), Endless> {
        let line = self.answer.bytes.get(self.line..).unwrap_or_default();
        let announced = if may_announce(&self.answer.bytes) { announced(line) } else { None };
        let Some(announced) = announced else {
            self.line = 0;
            each(std::mem::take(&mut self.answer));
            return Ok(());
        };
        let start = self.answer.bytes.len();
        let end = start.checked_add(announced).filter(|end| *end <= LONGEST).ok_or(Endless)?;
        self.answer.literals.push(start..end);
        (self.announced, self.line) = (announced, end);
        Ok(())
    }

    /// What has come of an answer that is not whole.
    pub fn unfinished(&self) -> &[u8] {
        &self.answer.bytes
    }
}

/// Only untagged answers have more than their line, and not those that end in words for people.
fn may_announce(answer: &[u8]) -> bool {
    let Some(rest) = answer.strip_prefix(b"*") else { return false };
    let rest = rest.trim_ascii_start();
    let word = rest.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    ![&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"].iter().any(|status| word.eq_ignore_ascii_case(status))
}

/// How many bytes a line announces at its end. In the midst of a word a brace is part of it.
fn announced(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line).strip_suffix(b"}")?;
    let start = line.iter().rposition(|byte| *byte == b'{')?;
    let (before, count) = line.split_at(start);
    if !matches!(before.last(), Some(b' ' | b'(' | b'~' | b']' | b'>')) {
        return None;
    }
    let count = count.get(1..)?;
    let count = count.strip_suffix(b"+").unwrap_or(count);
    if count.is_empty() || !count.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // More than a number holds is more than is taken.
    Some(std::str::from_utf8(count).ok()?.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(sent: &[u8], size: usize) -> Result<Vec<String>, Endless> {
        let (mut cutter, mut answers) = (AnswerCutter::default(), Vec::new());
        for piece in sent.chunks(size) {
            cutter.take(piece, |answer| answers.push(String::from_utf8(answer.bytes).unwrap()))?;
        }
        answers.extend(Some(String::from_utf8(cutter.unfinished().to_vec()).unwrap()).filter(|rest| !rest.is_empty()));
        Ok(answers)
    }

    #[test]
    fn an_answer_has_what_its_lines_announce_wherever_it_is_cut() {
        let answers = [
            "* OK words may end in {5}\r\n",
            "* 1 FETCH (UID 1 BODY[] {9}\r\na\r\n* 2 {3 BODY[1] {0}\r\n X \"{2}\")\r\n",
            "* LIST () \"/\" {3}\r\na\nb\r\n",
            "* LIST () \"/\" brace{3}\r\n",
            "a1 OK {7}\r\n",
            "* bare\n",
            "\r\n",
            "* 1 FETCH (BODY[] ~{2+}\r\n\n\n)\r\n",
            "+ go {1}\r\n",
            "* half",
        ];
        for size in 1..answers.concat().len() {
            assert_eq!(cut(answers.concat().as_bytes(), size).unwrap(), answers, "{size}");
        }
    }

    #[test]
    fn what_does_not_end_is_not_waited_for() {
        assert_eq!(cut(b"* 1 FETCH (BODY[] {99999999999999999999}\r\n", 7), Err(Endless));
        assert_eq!(cut(&vec![b'x'; LONGEST_LINE + 1], 1 << 16), Err(Endless));
    }

    #[test]
    fn words_can_be_changed_and_what_they_announce_stays() {
        let mut answers = Vec::new();
        let sent = b"* 1 FETCH (X BODY[] {4}\r\nX{1} Y)\r\n";
        AnswerCutter::default().take(sent, |answer| answers.push(answer)).unwrap();
        let small = |words: &[u8]| words.to_ascii_lowercase();
        assert_eq!(answers[0].with(false, small), b"* 1 fetch (x body[] {4}\r\nX{1} y)\r\n");
        assert_eq!(answers[0].with(true, small), b"* 1 fetch (x body[] {0}\r\n y)\r\n");
        assert_eq!(answers[0].words(), "* 1 FETCH (X BODY[] {…}  Y)");
    }
}
