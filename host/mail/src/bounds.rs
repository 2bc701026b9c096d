//! How much of a mail is read: anybody may send one, and what reading makes of it must stay in proportion to its bytes,
//! in time and in memory.
//!
//! Everything is bounded here, before any reader sees it. Each bound is far beyond what mails have that anybody means:
//! a mail to 5,000 recipients, References of 200 KB and chains of signatures are read whole. What is beyond is left
//! out, the mail is filed with what fits, and [`Cuts`] tells what is missing. The received bytes stay whole.

use std::fmt::Display;

/// So many fields of a header are read.
pub const FIELDS: usize = 20_000;
/// So many bytes of one field's value.
pub const FIELD_BYTES: usize = 1 << 20;
/// So many bytes of all values of a header together.
pub const HEADER_BYTES: usize = 4 << 20;
/// So many addresses of all fields of one name together.
pub const ADDRESSES: usize = 10_000;
/// An address has so many bytes at most (RFC 5321 section 4.5.3.1 knows of 256): what is longer is none.
pub const ADDRESS_BYTES: usize = 1_000;
/// So many words of a display name. Entries of more words that have no angle brackets are no address.
pub const WORDS: usize = 1_000;
/// So many pieces of parameters that go on and on (RFC 2231 section 3).
pub const PIECES: usize = 1_000;
/// So many bytes of a parameter, of a file name or Content-ID say.
pub const PARAMETER_BYTES: usize = 4_000;
/// So many bytes of a charset's name.
pub const LABEL_BYTES: usize = 100;
/// So many bytes of a boundary; RFC 2046 section 5.1.1 allows 70.
pub const BOUNDARY_BYTES: usize = 1_000;
/// So many leaf parts: the last one has all that follows.
pub const PARTS: usize = 2_000;
/// So deep multiparts lie in one another: what is deeper is one part.
pub const DEPTH: usize = 100;
/// So many cuts are told one by one.
const TOLD: usize = 20;
/// So many characters of a header's name are told.
const LONGEST_NAME: usize = 100;

/// What of a mail was not read, sentences that name the place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cuts {
    told: Vec<String>,
    more: usize,
}

impl Cuts {
    /// Adds one.
    pub fn tell(&mut self, sentence: impl FnOnce() -> String) {
        if self.told.len() < TOLD { self.told.push(sentence()) } else { self.more += 1 }
    }

    /// Of a header so many fields are left out; `of` names it.
    pub fn fields(&mut self, of: impl Display, left: usize) {
        if left > 0 {
            self.tell(|| {
                format!(
                    "{of} has more than {FIELDS} fields or {} MiB: its last {left} fields are not read.",
                    HEADER_BYTES >> 20
                )
            });
        }
    }

    /// A field's value is too long.
    pub fn value(&mut self, name: &str, bytes: usize, kept: usize) {
        self.tell(|| format!("{} has {bytes} bytes: its first {kept} are read.", shortened(name)));
    }

    /// Adds what another part of the reading left out.
    pub fn extend(&mut self, other: &Self) {
        for sentence in &other.told {
            self.tell(|| sentence.clone());
        }
        self.more += other.more;
    }

    /// The sentences.
    pub fn into_sentences(self) -> Vec<String> {
        let Self { mut told, more } = self;
        if more > 0 {
            told.push(format!("{more} more places of the mail are not read whole."));
        }
        told
    }
}

/// A header's name as it is told.
pub fn shortened(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

/// How much of a value is kept where it has more than so many bytes: up to its last blank or comma, so that no word,
/// encoded word or address is cut in two; where there is none, up to a whole character.
pub fn kept(value: &[u8], most: usize) -> usize {
    let Some(beginning) = value.get(..most).filter(|_| value.len() > most) else { return value.len() };
    let ends = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
    if let Some(last) = beginning.iter().rposition(ends).filter(|last| *last > most / 2) {
        return last;
    }
    let is_inside = |end: usize| value.get(end).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    (most.saturating_sub(3)..=most).rev().find(|end| !is_inside(*end)).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_leaves_words_and_characters_whole() {
        for (value, most, expected) in [
            ("short", 10, "short"),
            ("one two three", 10, "one two"),
            ("a@x.test,b@x.test", 12, "a@x.test"),
            ("=?utf-8?Q?a?= =?utf-8?Q?bcd?=", 20, "=?utf-8?Q?a?="),
            ("ääääää", 5, "ää"),
            ("a bbbbbbbbbbbbbb", 10, "a bbbbbbbb"),
        ] {
            assert_eq!(&value[..kept(value.as_bytes(), most)], expected, "{value}");
        }
        assert_eq!(kept(&[0x80; 20], 10), 10);
    }

    #[test]
    fn only_so_many_cuts_are_told_one_by_one() {
        let mut cuts = Cuts::default();
        for number in 0..TOLD + 5 {
            cuts.value(&format!("X-{number}"), 9, 5);
        }
        let mut all = Cuts::default();
        all.fields("The header", 7);
        all.extend(&cuts);
        let sentences = all.into_sentences();
        assert_eq!(sentences.len(), TOLD + 1);
        assert_eq!(sentences[0], "The header has more than 20000 fields or 4 MiB: its last 7 fields are not read.");
        assert_eq!(sentences[1], "X-0 has 9 bytes: its first 5 are read.");
        assert_eq!(sentences[TOLD], "6 more places of the mail are not read whole.");
    }
}
