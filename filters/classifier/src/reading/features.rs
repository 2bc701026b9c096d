//! Features: hashed pieces of a mail. Words, pairs of neighbours and pairs with one word between them are the one
//! block; three to five letters in a row within a word are the other, by which misspelled, inflected and compound words
//! are still known.

use super::words::Words;

/// Which of the two kinds of features: each has rows of its own in a model, and half of the weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// Words and pairs of words.
    Words,
    /// Letters in a row.
    Letters,
}

/// A feature at one place of a mail.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence {
    /// Its kind.
    pub block: Block,
    /// Its hash: the row from the upper bits, the sign from the lowest.
    pub hash: u32,
    /// The first and the last of the words that it belongs to.
    pub words: (usize, usize),
}

/// The features of a mail, each once, with how often it stands there (at most 255 times).
#[derive(Debug, Default)]
pub struct Features {
    /// Hashes and counts of the block of words, in the order in which they first come.
    pub words: Vec<(u32, u8)>,
    /// The same of the block of letters.
    pub letters: Vec<(u32, u8)>,
}

/// Stands before the first word of a part, and after its last.
const EDGE: u64 = 0x9e37_79b9_7f4a_7c15;

impl Features {
    /// Counts the features of a mail.
    pub fn of(words: &Words) -> Self {
        let mut pairs = Counts::for_at_most(3 * words.len() + 4);
        let mut letters = Counts::for_at_most(3 * (words.characters() + 2 * words.len()));
        visit(words, |occurrence| match occurrence.block {
            Block::Words => pairs.count(occurrence.hash),
            Block::Letters => letters.count(occurrence.hash),
        });
        Self { words: pairs.counted, letters: letters.counted }
    }
}

/// Calls `seen` for each feature at each of its places.
pub fn visit(words: &Words, mut seen: impl FnMut(Occurrence)) {
    for part in words.parts() {
        let (mut before, mut last) = (EDGE, EDGE);
        for word in part.clone() {
            let lower = words.lower(word);
            let hash = lower.iter().fold(1, |hash, letter| step(hash, u64::from(u32::from(*letter))));
            let mut pair = |hash, first| seen(Occurrence { block: Block::Words, hash, words: (first, word) });
            pair(finish(hash), word);
            pair(finish(step(step(2, last), hash)), word.saturating_sub(1).max(part.start));
            if word > part.start + 1 {
                pair(finish(step(step(3, before), hash)), word - 2);
            }
            letters_of(lower, |hash| seen(Occurrence { block: Block::Letters, hash, words: (word, word) }));
            (before, last) = (last, hash);
        }
        if let Some(word) = part.clone().next_back() {
            let hash = finish(step(step(2, last), EDGE));
            seen(Occurrence { block: Block::Words, hash, words: (word, word) });
        }
    }
}

/// Three, four and five letters in a row of a word, which has a space before and behind it.
fn letters_of(word: &[char], mut seen: impl FnMut(u32)) {
    let letter = |index: usize| match index {
        0 => Some(' '),
        index if index <= word.len() => Some(word[index - 1]),
        index if index == word.len() + 1 => Some(' '),
        _ => None,
    };
    for start in 0..word.len() {
        let mut hash = 4;
        for length in 1..=5 {
            let Some(letter) = letter(start + length - 1) else { break };
            hash = step(hash, u64::from(u32::from(letter)));
            if length >= 3 {
                seen(finish(hash));
            }
        }
    }
}

fn step(hash: u64, next: u64) -> u64 {
    (hash ^ next).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
}

/// Mixes all bits of a hash into 32.
fn finish(hash: u64) -> u32 {
    let hash = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    ((hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32) as u32
}

/// Counts hashes in a table that is as large as the mail needs: for a line of text it is a page or two, and nothing of it is sorted.
struct Counts {
    /// Places in `counted`, one more than they are; 0 is a free slot. A power of two of them, at least twice what is counted.
    slots: Vec<u16>,
    counted: Vec<(u32, u8)>,
}

impl Counts {
    fn for_at_most(features: usize) -> Self {
        let features = features.min(usize::from(u16::MAX) - 1);
        Self { slots: vec![0; (2 * features).next_power_of_two()], counted: Vec::with_capacity(features) }
    }

    fn count(&mut self, hash: u32) {
        let mask = self.slots.len() - 1;
        // By the lower bits: the upper ones are those of the row, and rows that meet are to be told apart here.
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                0 if self.counted.len() == self.counted.capacity() => return,
                0 => {
                    self.counted.push((hash, 1));
                    self.slots[slot] = self.counted.len() as u16;
                    return;
                }
                taken => {
                    let (found, count) = &mut self.counted[usize::from(taken) - 1];
                    if *found == hash {
                        *count = count.saturating_add(1);
                        return;
                    }
                    slot = (slot + 1) & mask;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Excerpt;
    use super::*;

    fn features(text: &str) -> Features {
        Features::of(&Excerpt { subject: "", text }.words())
    }

    #[test]
    fn a_word_of_a_sentence_is_the_same_feature_wherever_it_stands() {
        let (one, other) = (features("lost card"), features("my card was lost"));
        let shared = one.words.iter().filter(|(hash, _)| other.words.iter().any(|(found, _)| found == hash)).count();
        assert_eq!(shared, 2, "both words, and none of the pairs");
    }

    #[test]
    fn words_with_another_ending_share_most_of_their_letters() {
        let (one, other) = (features("Rechnung"), features("Rechnungen"));
        let shared =
            one.letters.iter().filter(|(hash, _)| other.letters.iter().any(|(found, _)| found == hash)).count();
        assert!(shared * 10 > one.letters.len() * 7, "{shared} of {}", one.letters.len());
    }

    #[test]
    fn repeated_words_are_counted() {
        let counted = features("help help help");
        assert_eq!(counted.words.iter().map(|(_, count)| u32::from(*count)).max(), Some(3));
        assert!(features(&"spam ".repeat(5_000)).words.iter().any(|(_, count)| *count == 255));
    }

    #[test]
    fn no_text_has_no_features() {
        let none = features(" \u{3000}\r\n-- \n");
        assert!(none.words.is_empty() && none.letters.is_empty());
    }

    #[test]
    fn the_longest_text_of_distinct_letters_is_counted_whole() {
        let text: String = (0..4_000).filter_map(|number| char::from_u32(0x4e00 + number)).collect();
        let counted = features(&text);
        assert!(counted.letters.len() > 5_900, "{}", counted.letters.len());
    }
}
