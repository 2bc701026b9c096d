//! Answers that are not quite IMAP. The library ends the session at the first that it cannot read, and panics on some,
//! though most are of no use to anybody: a list of flags, the capabilities with two blanks. So each is tried here
//! first. What can be read with its blanks, line end and lists set right is read so, what nobody needs is left out,
//! and both are told; what is needed (the end of a command, messages that were asked for, how many there are) is an
//! error that shows it.

use super::answer::Answer;
use async_imap::imap_proto::{AttributeValue, Response};
use postigo_supervision::catch;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The untagged answers that have a kind of their own when they are told; all others are of one, however many words a
/// server has for them.
const KINDS: [&str; 27] = [
    "OK",
    "NO",
    "BAD",
    "BYE",
    "PREAUTH",
    "CAPABILITY",
    "ENABLED",
    "FLAGS",
    "LIST",
    "LSUB",
    "XLIST",
    "NAMESPACE",
    "STATUS",
    "SEARCH",
    "ESEARCH",
    "SORT",
    "THREAD",
    "EXISTS",
    "RECENT",
    "EXPUNGE",
    "VANISHED",
    "FETCH",
    "QUOTA",
    "QUOTAROOT",
    "ACL",
    "METADATA",
    "ID",
];
/// Lists within lists. The library calls itself for each and would run out of its stack, which nothing catches; a
/// mail's structure, which nobody asks for, is the deepest that there is.
const MOST_DEEP: usize = 100;

/// What becomes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    /// It can be read.
    AsItIs,
    /// It can be read so.
    Mended(Vec<u8>),
    /// It cannot, and nobody needs it.
    LeftOut,
    /// It cannot, and is needed.
    Unreadable,
}

/// Tries to read an answer. The first of a session is its greeting and always needed.
pub fn read(answer: &Answer, is_first: bool) -> Reading {
    if is_readable(&tried(answer, <[u8]>::to_vec)) {
        return Reading::AsItIs;
    }
    for mend in [set_right, without_odd_words] {
        if is_readable(&tried(answer, mend)) {
            return Reading::Mended(answer.with(false, mend));
        }
    }
    if is_first || is_needed(answer) { Reading::Unreadable } else { Reading::LeftOut }
}

/// What the library is tried with. The bytes of messages are not looked at twice: no reader takes them for words.
fn tried(answer: &Answer, change: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    answer.with(keyword(&answer.bytes) == "FETCH", change)
}

fn is_readable(bytes: &[u8]) -> bool {
    if is_deeper_than(MOST_DEEP, bytes) {
        return false;
    }
    let read = || match Response::parse(bytes) {
        Ok(([], Response::Fetch(_, facts))) => is_understood(bytes, &facts),
        Ok((rest, _)) => rest.is_empty(),
        Err(_) => false,
    };
    catch(read).unwrap_or(false)
}

/// Whether lists lie in each other deeper than that.
fn is_deeper_than(most: usize, bytes: &[u8]) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
    }
    false
}

/// Whether what is asked for of a message was understood where it is said: the library passes over what it does not
/// know, and takes a fact with an odd value for that.
fn is_understood(bytes: &[u8], facts: &[AttributeValue<'_>]) -> bool {
    let is_said = |word: &[u8]| {
        let mut windows = bytes.windows(word.len() + 1);
        windows.any(|window| {
            window.first().is_some_and(|before| matches!(before, b' ' | b'('))
                && window.get(1..).is_some_and(|said| said.eq_ignore_ascii_case(word))
        })
    };
    let has = |known: fn(&AttributeValue<'_>) -> bool| facts.iter().any(known);
    (has(|fact| matches!(fact, AttributeValue::Uid(_))) || !is_said(b"UID "))
        && (has(|fact| matches!(fact, AttributeValue::Rfc822Size(_))) || !is_said(b"RFC822.SIZE "))
        && (has(|fact| matches!(fact, AttributeValue::InternalDate(_))) || !is_said(b"INTERNALDATE "))
        && (has(|fact| matches!(fact, AttributeValue::Flags(_))) || !is_said(b"FLAGS "))
        && (has(|fact| matches!(fact, AttributeValue::BodySection { .. })) || !is_said(b"BODY["))
}

/// By which an untagged answer is known, in capitals: `FLAGS`, `FETCH`; nothing for other answers.
fn keyword(answer: &[u8]) -> String {
    let Some(rest) = answer.strip_prefix(b"*") else { return String::new() };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte <= b' ').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default();
    let word = if first.iter().all(u8::is_ascii_digit) { words.next().unwrap_or_default() } else { first };
    String::from_utf8_lossy(word.get(..word.len().min(20)).unwrap_or_default()).to_ascii_uppercase()
}

/// The kind under which an answer is told, once a session.
pub fn kind(answer: &[u8]) -> &'static str {
    if answer.iter().all(u8::is_ascii_whitespace) {
        return "empty";
    }
    let keyword = keyword(answer);
    KINDS.iter().copied().find(|kind| *kind == keyword).unwrap_or("other")
}

/// Whether the session must not go on without an answer that cannot be read.
fn is_needed(answer: &Answer) -> bool {
    if answer.bytes.iter().all(u8::is_ascii_whitespace) {
        return false;
    }
    if !answer.bytes.starts_with(b"*") {
        return true;
    }
    match keyword(&answer.bytes).as_str() {
        "EXISTS" | "EXPUNGE" | "SEARCH" | "ESEARCH" | "BYE" => true,
        // What a server tells of flags on its own accord has nothing that is asked for.
        "FETCH" => {
            let words = answer.words().to_ascii_uppercase();
            ["RFC822.SIZE", "INTERNALDATE", "BODY["].iter().any(|asked| words.contains(asked))
        }
        _ => false,
    }
}

/// One blank between words, none at the end, the line's end as it should be, no control characters, and a date where
/// there is none (NIL, which RFC 3501 section 7.4.2 does not know).
fn set_right(words: &[u8]) -> Vec<u8> {
    let (line, end) = match words.strip_suffix(b"\n") {
        Some(line) => (line.strip_suffix(b"\r").unwrap_or(line), &b"\r\n"[..]),
        None => (words, &b""[..]),
    };
    let mut right: Vec<u8> = Vec::with_capacity(words.len() + 4);
    let (mut quoted, mut escaped) = (false, false);
    for byte in line {
        match byte {
            0 | b'\r' | b'\n' => {}
            _ if quoted => {
                quoted = escaped || *byte != b'"';
                escaped = !escaped && *byte == b'\\';
                right.push(*byte);
            }
            b' ' | b'\t' => {
                if !matches!(right.last(), Some(b' ' | b'(')) {
                    right.push(b' ');
                }
            }
            1..=31 | 127 => {}
            b')' => {
                right.truncate(right.trim_ascii_end().len());
                right.push(b')');
            }
            _ => {
                quoted = *byte == b'"';
                right.push(*byte);
            }
        }
    }
    if !end.is_empty() {
        right.truncate(right.trim_ascii_end().len());
        announce_plainly(&mut right);
    }
    let mut right = sized(dated(right));
    separate_code(&mut right);
    right.extend_from_slice(end);
    right
}

/// Bytes announced as the library knows it, `{5}`: `{5+}` is what clients may say (RFC 7888), and `~{5}` announces what
/// was asked for as BINARY (RFC 3516).
fn announce_plainly(line: &mut Vec<u8>) {
    let Some(start) = line.iter().rposition(|byte| *byte == b'{') else { return };
    let announcement = line.get(start + 1..).unwrap_or_default();
    let Some(count) = announcement.strip_suffix(b"}") else { return };
    let count = count.strip_suffix(b"+").unwrap_or(count).to_vec();
    if count.is_empty() || !count.iter().all(u8::is_ascii_digit) {
        return;
    }
    line.truncate(start);
    if line.last() == Some(&b'~') {
        line.pop();
    }
    line.push(b'{');
    line.extend(count);
    line.push(b'}');
}

fn dated(words: Vec<u8>) -> Vec<u8> {
    const MISSING: &[u8] = b"INTERNALDATE NIL";
    match words.windows(MISSING.len()).position(|window| window.eq_ignore_ascii_case(MISSING)) {
        Some(at) => {
            let (before, after) = words.split_at(at);
            [before, b"INTERNALDATE \"-\"", after.get(MISSING.len()..).unwrap_or_default()].concat()
        }
        None => words,
    }
}

/// A size that the library can hold, and 0 where there is none.
fn sized(words: Vec<u8>) -> Vec<u8> {
    const SIZE: &[u8] = b"RFC822.SIZE ";
    let Some(at) = words.windows(SIZE.len()).position(|window| window.eq_ignore_ascii_case(SIZE)) else {
        return words;
    };
    let (before, rest) = words.split_at(at + SIZE.len());
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b')')).unwrap_or(rest.len());
    let (said, after) = rest.split_at(end);
    let size = match said {
        b"NIL" | b"nil" | b"-1" | b"\"\"" => 0,
        _ => match std::str::from_utf8(said).unwrap_or_default().trim_matches('"').parse::<u64>() {
            Ok(size) => size.min(u32::MAX.into()),
            Err(_) => return words,
        },
    };
    [before, size.to_string().as_bytes(), after].concat()
}

/// A blank between a code and the words for people: `OK [ALERT]Full`.
fn separate_code(words: &mut Vec<u8>) {
    let mut starts = words.split(|byte| *byte == b' ').skip(1);
    let status = starts.next().unwrap_or_default();
    let is_status =
        [&b"OK"[..], b"NO", b"BAD", b"BYE", b"PREAUTH"].iter().any(|word| status.eq_ignore_ascii_case(word));
    if !is_status || !starts.next().is_some_and(|word| word.starts_with(b"[")) {
        return;
    }
    if let Some(end) = words.iter().position(|byte| *byte == b']')
        && words.get(end + 1).is_some_and(|byte| *byte != b' ')
    {
        words.insert(end + 1, b' ');
    }
}

/// As [`set_right`], and lists of flags and capabilities without what is neither.
fn without_odd_words(words: &[u8]) -> Vec<u8> {
    let words = set_right(words);
    if keyword(&words) == "CAPABILITY" {
        return capabilities(&words);
    }
    with_plain_flags(&words)
}

/// Servers that name no version of IMAP, or a later one alone, are spoken to as any other.
fn capabilities(words: &[u8]) -> Vec<u8> {
    let mut plain = b"* CAPABILITY".to_vec();
    let named = words.split(u8::is_ascii_whitespace).skip(2).filter(|word| is_plain(word));
    let mut has_version = false;
    for word in named {
        has_version |= word.eq_ignore_ascii_case(b"IMAP4rev1");
        plain.push(b' ');
        plain.extend_from_slice(word);
    }
    if !has_version {
        plain.extend_from_slice(b" IMAP4rev1");
    }
    plain.extend_from_slice(b"\r\n");
    plain
}

/// The words with only those flags in their list that can be read.
fn with_plain_flags(words: &[u8]) -> Vec<u8> {
    const FLAGS: &[u8] = b"FLAGS ";
    let Some(at) = words.windows(FLAGS.len()).position(|window| window.eq_ignore_ascii_case(FLAGS)) else {
        return words.to_vec();
    };
    let (before, list) = words.split_at(at + FLAGS.len());
    let (flags, after) = if let Some(flags) = list.strip_prefix(b"(") {
        let end = end_of_list(flags);
        let after = flags.get(end..).unwrap_or_default();
        (flags.get(..end).unwrap_or_default(), after.strip_prefix(b")").unwrap_or(after))
    } else {
        let end = list.iter().position(|byte| matches!(byte, b' ' | b')' | b'\r')).unwrap_or(list.len());
        (&b""[..], list.get(end..).unwrap_or_default())
    };
    let plain: Vec<&[u8]> = flags
        .split(u8::is_ascii_whitespace)
        .filter(|flag| *flag == b"\\*" || is_plain(flag.strip_prefix(b"\\").unwrap_or(flag)))
        .collect();
    [before, b"(", &plain.join(&b' '), b")", after].concat()
}

/// Where a list ends: at its bracket that is not in quotes, else at the line's end.
fn end_of_list(list: &[u8]) -> usize {
    let mut quoted = false;
    let end = list.iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b'\r' || (!quoted && *byte == b')')
    });
    end.unwrap_or(list.len())
}

fn is_plain(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| byte.is_ascii_graphic() && !br#"(){}%*"\[]"#.contains(byte))
}

/// What a session met that is not quite IMAP, each kind once. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Oddities(Arc<Mutex<MetOddities>>);

#[derive(Debug, Default)]
struct MetOddities {
    kinds: BTreeSet<&'static str>,
    untold: Vec<String>,
}

impl Oddities {
    /// Notes one, by its [`kind`]; `sentence` is asked for where it is the first.
    pub fn met(&self, kind: &'static str, sentence: impl FnOnce() -> String) {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if met.kinds.insert(kind) {
            met.untold.push(sentence());
        }
    }

    /// What was met since this was last asked, as sentences.
    pub fn untold(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).untold)
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::AnswerCutter;
    use super::*;

    fn reading(said: &[u8]) -> Reading {
        let mut answers = Vec::new();
        AnswerCutter::default().take(said, |answer| answers.push(answer)).unwrap();
        assert_eq!(answers.len(), 1, "{said:?}");
        read(&answers[0], false)
    }

    #[test]
    fn what_is_imap_is_left_as_it_is() {
        for said in [
            &b"* OK [UIDVALIDITY 7] ok\r\n"[..],
            b"* OK gr\xfc\xdfe \x01\r\n",
            b"* FLAGS (\\Seen $Label \\*)\r\n",
            b"* CAPABILITY IMAP4rev1 IDLE\r\n",
            b"* 5 FETCH (UID 5 FLAGS (\\Seen) BODY[] {6}\r\na\0\r\n\xff\n)\r\n",
            b"* SEARCH 1 2 \r\n",
            b"+ idling\r\n",
            b"+\r\n",
            b"A1 NO [TRYCREATE] no\r\n",
        ] {
            assert_eq!(reading(said), Reading::AsItIs, "{}", String::from_utf8_lossy(said));
        }
    }

    #[test]
    fn what_can_be_understood_is_set_right() {
        for (said, right) in [
            (&b"* CAPABILITY  IMAP4rev1  IDLE \r\n"[..], &b"* CAPABILITY IMAP4rev1 IDLE\r\n"[..]),
            (b"* CAPABILITY IMAP4rev1 X\xfc IDLE AUTH=\"PLAIN\"\r\n", b"* CAPABILITY IMAP4rev1 IDLE\r\n"),
            (b"* CAPABILITY IMAP4rev2 IDLE\r\n", b"* CAPABILITY IMAP4rev2 IDLE IMAP4rev1\r\n"),
            (b"* FLAGS (\\Seen \"two words\" \x01\x02Gr\xfcn $Label)\r\n", b"* FLAGS (\\Seen $Label)\r\n"),
            (b"* FLAGS NIL\r\n", b"* FLAGS ()\r\n"),
            (b"* FLAGS (\\Seen\r\n", b"* FLAGS (\\Seen)\r\n"),
            (b"*  23   EXISTS\r\n", b"* 23 EXISTS\r\n"),
            (b"* 23 EXISTS\n", b"* 23 EXISTS\r\n"),
            (b"* OK [ALERT]\xc3\xbcber\r\n", b"* OK [ALERT] \xc3\xbcber\r\n"),
            (b"A1 OK [READ-ONLY]\xc3\xbcber\r\n", b"A1 OK [READ-ONLY] \xc3\xbcber\r\n"),
            (b"A1 OK d\0ne\r\n", b"A1 OK dne\r\n"),
            (
                b"* 3 FETCH (UID 3 FLAGS (\\Seen Gr\xfcn) RFC822.SIZE 9 INTERNALDATE NIL)\r\n",
                b"* 3 FETCH (UID 3 FLAGS (\\Seen) RFC822.SIZE 9 INTERNALDATE \"-\")\r\n",
            ),
            (b"* 3 FETCH (UID 3 RFC822.SIZE 5000000000)\r\n", b"* 3 FETCH (UID 3 RFC822.SIZE 4294967295)\r\n"),
            (b"* 3 FETCH (RFC822.SIZE NIL UID 3)\r\n", b"* 3 FETCH (RFC822.SIZE 0 UID 3)\r\n"),
            (b"* 3 FETCH (UID 3 BODY[] {3+}\r\n{2+)\r\n", b"* 3 FETCH (UID 3 BODY[] {3}\r\n{2+)\r\n"),
            (b"* 3 FETCH (UID 3 BODY[] {2}\nab)\r\n", b"* 3 FETCH (UID 3 BODY[] {2}\r\nab)\r\n"),
            (
                b"* 3 FETCH (UID 3 BODY[] ~{2+}\nab BODY[1] {0+}\n)\n",
                b"* 3 FETCH (UID 3 BODY[] {2}\r\nab BODY[1] {0}\r\n)\r\n",
            ),
            (b"* LIST () \"/\" {1+}\r\na\r\n", b"* LIST () \"/\" {1}\r\na\r\n"),
            (b"* 3 FETCH (FLAGS (\\Deleted \"x\") UID 3)\r\n", b"* 3 FETCH (FLAGS (\\Deleted) UID 3)\r\n"),
            (
                b"* 3 FETCH ( UID 3  BODY[] {9}\r\nFLAGS (\"\x01 FLAGS (\xff \"a)b\") UID 3)\r\n",
                b"* 3 FETCH (UID 3 BODY[] {9}\r\nFLAGS (\"\x01 FLAGS () UID 3)\r\n",
            ),
        ] {
            assert_eq!(reading(said), Reading::Mended(right.to_vec()), "{}", String::from_utf8_lossy(said));
        }
    }

    #[test]
    fn lists_within_lists_without_end_reach_no_reader_that_calls_itself_for_each() {
        let deep = |lists: usize| {
            let (open, close) = ("(".repeat(lists), ")".repeat(lists));
            reading(format!("* 1 FETCH (BODYSTRUCTURE {open}\"x\"{close})\r\n").as_bytes())
        };
        assert_eq!(deep(300_000), Reading::LeftOut);
        let brackets_in_words = format!("* LIST () \"/\" \"{}\"\r\n", "(".repeat(1_000));
        assert_eq!(reading(brackets_in_words.as_bytes()), Reading::AsItIs);
    }

    #[test]
    fn what_nobody_needs_is_left_out_and_what_is_needed_is_not() {
        for said in [
            &b"* \x01\x02 what\r\n"[..],
            b"\r\n",
            b"* METADATA \"INBOX\" (/private/comment \"\xff\")\r\n",
            b"* METADATA \"INBOX\" (/private/comment {1}\r\n\xff)\r\n",
            b"* XLIST nonsense {4}\r\n* A \r\n",
            b"* LIST NIL NIL NIL\r\n",
            b"* 3 FETCH (FLAGS \"none\" X)\r\n",
        ] {
            assert_eq!(reading(said), Reading::LeftOut, "{}", String::from_utf8_lossy(said));
        }
        for said in [
            &b"* 3 FETCH (UID x RFC822.SIZE)\r\n"[..],
            b"* 3 FETCH (UID zwei RFC822.SIZE 7)\r\n",
            b"* 3 FETCH (UID 3 RFC822.SIZE gro\xdf)\r\n",
            b"* 3 FETCH (UID 3 BODY[] {2}\r\nab\r\n",
            b"* 99999999999 EXISTS\r\n",
            b"220 mx.example.org ESMTP\r\n",
            b"A1 what\r\n",
        ] {
            assert_eq!(reading(said), Reading::Unreadable, "{}", String::from_utf8_lossy(said));
        }
    }

    #[test]
    fn each_kind_is_told_once() {
        let oddities = Oddities::default();
        for count in 0..100 {
            oddities.met("FLAGS", || format!("{count}"));
        }
        assert_eq!(oddities.untold(), ["0"]);
        oddities.met("FLAGS", || "again".to_owned());
        assert!(oddities.untold().is_empty());
    }

    #[test]
    fn words_that_a_server_makes_up_are_one_kind_and_crowd_out_no_other() {
        let made_up: BTreeSet<&str> =
            (0..1_000).map(|count| kind(format!("* X{count} {count} FETCH\r\n").as_bytes())).collect();
        assert_eq!(made_up.len(), 1, "{made_up:?}");
        let kinds = [&b"* 3 fetch (X)\r\n"[..], b"* FLAGS\r\n", b" \r\n", b"* X1\r\n"].map(kind);
        assert_eq!(BTreeSet::from(kinds).len(), kinds.len(), "{kinds:?}");
    }
}
