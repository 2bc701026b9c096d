//! Evidence: the words of a mail that spoke for the first guess rather than the second.

use super::weighing::Weighted;
use crate::reading::{Block, Features, Words, visit};
use std::collections::BTreeMap;

/// A piece of the mail that spoke for the first guess, or against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// As it stands in the mail.
    pub text: String,
    /// How much it spoke for the first guess rather than the second; negative: against it.
    pub weight: f32,
}

/// At most `limit` words, the weightiest first. What a pair of words said is shared by both, what letters said belongs
/// to their word, and a word that stands in the mail more than once is one piece.
pub fn evidence(
    words: &Words,
    features: &Features,
    weighted: &[Weighted],
    said: impl Fn(&Weighted) -> f32,
    limit: usize,
) -> Vec<Evidence> {
    // What each place of a feature said: `weighted` has them in the order of `features`, words before letters.
    let blocks = [(false, &features.words), (true, &features.letters)];
    let counted = blocks.iter().flat_map(|(letters, of)| of.iter().map(move |found| (*letters, found)));
    let by_hash: BTreeMap<(bool, u32), f32> = counted
        .zip(weighted)
        .map(|((letters, (hash, count)), weighted)| ((letters, *hash), said(weighted) / f32::from((*count).max(1))))
        .collect();
    let mut by_word = vec![0.0_f32; words.len()];
    visit(words, |occurrence| {
        let said = by_hash.get(&(occurrence.block == Block::Letters, occurrence.hash)).copied().unwrap_or_default();
        let (first, last) = occurrence.words;
        by_word[first] += said / 2.0;
        by_word[last] += said / 2.0;
    });
    let mut pieces: BTreeMap<&[char], (usize, f32)> = BTreeMap::new();
    for (word, said) in by_word.iter().enumerate() {
        pieces.entry(words.lower(word)).or_insert((word, 0.0)).1 += said;
    }
    let mut pieces: Vec<(usize, f32)> = pieces.into_values().filter(|(_, weight)| *weight != 0.0).collect();
    pieces.sort_unstable_by(|one, other| other.1.abs().total_cmp(&one.1.abs()).then(one.0.cmp(&other.0)));
    pieces.truncate(limit);
    pieces.into_iter().map(|(word, weight)| Evidence { text: words.spelled(word).to_owned(), weight }).collect()
}
