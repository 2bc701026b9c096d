//! Near-duplicates: mails that share most of their phrases, as answers to one form or tickets made of one template do.
//! Where one is learnt from and another asked about, the figures flatter.

use std::collections::HashMap;

/// Signatures have so many bands of so many rows (Broder 1997; Leskovec et al.): two texts that share half of their
/// phrases meet in one of the bands with a probability of 98 %, those that share a fifth with 5 %, and then are
/// compared.
const BANDS: usize = 30;
const ROWS: usize = 3;
/// A text is compared with at most so many that it meets in a band: of thousands of copies each finds some of its kin.
const COMPARED: usize = 24;

/// The group of each text, as the place of one of its members: texts are of one group where phrases of three words are
/// shared to at least `similarity` (Jaccard, 0 to 1: 0.5 is usual), or where others lead from one to the other.
///
/// Hashes are compared, not texts; the same texts give the same groups.
pub fn near_duplicates<T: AsRef<str>>(texts: &[T], similarity: f64) -> Vec<usize> {
    let phrases: Vec<Vec<u64>> = texts.iter().map(|text| phrases(text.as_ref())).collect();
    let signatures: Vec<Vec<u64>> = phrases.iter().map(|phrases| signature(phrases)).collect();
    let mut groups = Groups((0..texts.len()).collect());
    for band in 0..BANDS {
        let mut met: HashMap<&[u64], Vec<usize>> = HashMap::new();
        for (text, signature) in signatures.iter().enumerate() {
            let others = met.entry(&signature[band * ROWS..(band + 1) * ROWS]).or_default();
            for other in others.iter().copied().rev().take(COMPARED) {
                if groups.first_of(text) != groups.first_of(other)
                    && shared(&phrases[text], &phrases[other]) >= similarity
                {
                    groups.join(text, other);
                }
            }
            others.push(text);
        }
    }
    (0..texts.len()).map(|text| groups.first_of(text)).collect()
}

/// The phrases of three words of a text, hashed, each once and in order; a shorter text is one phrase.
fn phrases(text: &str) -> Vec<u64> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<u64> =
        words.map(|word| word.to_lowercase().bytes().fold(7, |hash, byte| mixed(hash, u64::from(byte)))).collect();
    let phrase = |words: &[u64]| words.iter().fold(1, |hash, word| mixed(hash, *word));
    let mut phrases: Vec<u64> =
        if words.len() < 3 { vec![phrase(&words)] } else { words.windows(3).map(phrase).collect() };
    phrases.sort_unstable();
    phrases.dedup();
    phrases
}

/// The least of the phrases' hashes under each of many orders.
fn signature(phrases: &[u64]) -> Vec<u64> {
    let least =
        |order: u64| phrases.iter().map(|phrase| mixed(order.wrapping_add(1), *phrase)).min().unwrap_or_default();
    (0..(BANDS * ROWS) as u64).map(least).collect()
}

fn mixed(hash: u64, next: u64) -> u64 {
    let hash = (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ next).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ hash >> 29
}

/// The share of all phrases of two texts that both have.
fn shared(one: &[u64], other: &[u64]) -> f64 {
    let (mut left, mut right, mut both) = (0, 0, 0);
    while let (Some(first), Some(second)) = (one.get(left), other.get(right)) {
        both += usize::from(first == second);
        left += usize::from(first <= second);
        right += usize::from(second <= first);
    }
    both as f64 / (one.len() + other.len() - both).max(1) as f64
}

/// Groups that grow together: each member leads to another of its group, and at last to its first.
struct Groups(Vec<usize>);

impl Groups {
    fn first_of(&mut self, mut member: usize) -> usize {
        while self.0[member] != member {
            self.0[member] = self.0[self.0[member]];
            member = self.0[member];
        }
        member
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first_of(one), self.first_of(other));
        self.0[one.max(other)] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_of_one_template_are_a_group_and_others_are_not() {
        let texts = [
            "Dear support team, my printer in office twelve does not print since this morning, please help.",
            "How do I change the address on my invoice?",
            "Dear support team, my scanner in office twelve does not print since this morning, please help.",
            "DEAR SUPPORT TEAM: my printer in office twelve does not print since this morning. Please help!",
            "ok",
            "Ok.",
        ];
        assert_eq!(near_duplicates(&texts, 0.5), [0, 1, 0, 0, 4, 4]);
    }

    #[test]
    fn groups_are_joined_over_what_lies_between() {
        let words: Vec<String> = (0..60).map(|number| format!("word{number}")).collect();
        let texts: Vec<String> = [0..40, 8..48, 16..56].into_iter().map(|range| words[range].join(" ")).collect();
        assert_eq!(near_duplicates(&texts, 0.6), [0, 0, 0]);
        assert_eq!(near_duplicates(&[&texts[0], &texts[2]], 0.6), [0, 1]);
    }

    #[test]
    fn thousands_of_copies_cost_little_and_are_one_group() {
        let texts: Vec<String> = (0..3_000).map(|_| "The same words in every one of these mails".to_owned()).collect();
        assert!(near_duplicates(&texts, 0.5).iter().all(|group| *group == 0));
    }
}
