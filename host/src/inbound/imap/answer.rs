//! What a server sends, cut into whole answers: lines, with the bytes that some of them announce (`{5}`, RFC 3501
//! section 4.3).

use std::ops::Range;

/// An answer announces so many bytes in all at most, beyond those of the greatest message.
const MOST_BEYOND: usize = 64 << 20;
/// More bytes than the library would take in one answer.
const LIBRARY_TAKES: usize = 512 << 20;
/// Bytes of an answer without what it announces: nothing that is asked for has nearly as many, and the library reads
/// them anew with every 4 KiB that come.
const MOST_WORDS: usize = 1 << 20;
/// So often does an answer announce bytes at most: what is asked for has one or two.
const MOST_LITERALS: usize = 1_000;

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
#[error("an answer of the server goes on beyond all that is taken of one")]
pub struct Endless;

impl Answer {
    /// The answer with its words changed and what they announce as it is; `empty`: without what they announce (`{5+}`
    /// becomes `{0+}`), so that it can be tried quickly.
    pub fn with(&self, empty: bool, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut made = Vec::with_capacity(if empty { 256 } else { self.bytes.len() });
        let mut from = 0;
        for literal in &self.literals {
            let words = self.bytes.get(from..literal.start).unwrap_or_default();
            let words = change(words);
            if empty {
                let (before, announcement) = words.split_at(brace(&words));
                made.extend_from_slice(before);
                made.extend_from_slice(b"{0");
                made.extend(announcement.iter().skip_while(|byte| **byte == b'{' || byte.is_ascii_digit()));
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
        let (mut shown, mut from) = (String::new(), 0);
        for literal in &self.literals {
            let words = self.bytes.get(from..literal.start).unwrap_or_default();
            shown += &String::from_utf8_lossy(words.get(..brace(words)).unwrap_or_default());
            shown += "{…} ";
            from = literal.end;
        }
        shown += &String::from_utf8_lossy(self.bytes.get(from..).unwrap_or_default());
        shown.trim_end().to_owned()
    }
}

/// Where what announces bytes begins in words that end with it.
fn brace(words: &[u8]) -> usize {
    words.iter().rposition(|byte| *byte == b'{').unwrap_or(words.len())
}

/// Puts answers together from the pieces in which they come.
#[derive(Debug)]
pub struct AnswerCutter {
    answer: Answer,
    /// Where the present line begins.
    line: usize,
    /// So many announced bytes are still to come.
    announced: usize,
    /// So many bytes the answer has announced.
    in_all: usize,
    /// So many it may.
    most: usize,
}

impl Default for AnswerCutter {
    fn default() -> Self {
        Self { answer: Answer::default(), line: 0, announced: 0, in_all: 0, most: MOST_BEYOND }
    }
}

impl AnswerCutter {
    /// Makes room for answers that bring messages of at most so many bytes.
    pub fn make_room(&mut self, greatest: u64) {
        let most = usize::try_from(greatest).unwrap_or(usize::MAX).saturating_add(MOST_BEYOND);
        self.most = most.min(LIBRARY_TAKES);
    }

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
            if self.answer.bytes.len() - self.in_all > MOST_WORDS {
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
        // The first line says what kind of answer it is.
        let goes_on = !self.answer.literals.is_empty() || may_announce(line);
        let Some(announced) = announced(line).filter(|_| goes_on) else {
            (self.line, self.in_all) = (0, 0);
            each(std::mem::take(&mut self.answer));
            return Ok(());
        };
        self.in_all = self.in_all.checked_add(announced).filter(|in_all| *in_all <= self.most).ok_or(Endless)?;
        if self.answer.literals.len() >= MOST_LITERALS {
            return Err(Endless);
        }
        let start = self.answer.bytes.len();
        self.line = start + announced;
        self.answer.literals.push(start..self.line);
        self.announced = announced;
        Ok(())
    }

    /// What has come of an answer that is not whole.
    pub fn unfinished(&self) -> &[u8] {
        &self.answer.bytes
    }
}

/// Only untagged answers have more than their first line, and not those that end in words for people.
fn may_announce(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"*") else { return false };
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
        assert_eq!(cut(&vec![b'x'; MOST_WORDS + 1], 1 << 16), Err(Endless));
    }

    #[test]
    fn what_an_answer_announces_is_bounded_in_all_and_not_each_time_anew() {
        let taken = |greatest: u64, sent: &[u8]| {
            let mut cutter = AnswerCutter::default();
            cutter.make_room(greatest);
            cutter.take(sent, |_| ()).is_ok()
        };
        let half = MOST_BEYOND / 2;
        let first = [format!("* 1 FETCH (X {{{half}}}\r\n").into_bytes(), vec![b'x'; half]].concat();
        let with_second = |length: usize| [first.clone(), format!(" Y {{{length}}}\r\n").into_bytes()].concat();
        assert!(taken(0, &with_second(half)) && !taken(0, &with_second(half + 1)));
        assert!(taken(1, &with_second(half + 1)), "what is taken of a message comes on top");
        assert!(!taken(u64::MAX, format!("* 1 FETCH (X {{{}}}\r\n", LIBRARY_TAKES + 1).as_bytes()));
        let empty = |count: usize| [&b"* 1 FETCH (X"[..], &b" {0}\r\n".repeat(count), b")\r\n"].concat();
        assert!(taken(0, &empty(MOST_LITERALS)) && !taken(0, &empty(MOST_LITERALS + 1)));
        let lines =
            |length: usize| [&b"* 1 FETCH (X"[..], &[&vec![b' '; length][..], b"{0}\r\n"].concat().repeat(8)].concat();
        assert!(taken(0, &lines(MOST_WORDS / 9)) && !taken(0, &lines(MOST_WORDS / 8)), "its words, too");
        let mut cutter = AnswerCutter::default();
        for _ in 0..3 {
            cutter.take(&[&first[..], b")\r\n"].concat(), |_| ()).unwrap();
        }
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
        AnswerCutter::default().take(b"* 1 FETCH (X {1+}\ny\n", |answer| answers.push(answer)).unwrap();
        assert_eq!(answers[1].with(true, small), b"* 1 fetch (x {0+}\n\n");
    }
}
