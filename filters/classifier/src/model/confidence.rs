//! From logits to confidences: the estimated share of mails of this kind for which a label is right.
//!
//! A softmax says how a label compares with the others, not whether any of them fits: the largest logit says that. Both
//! together were fitted on mails that the model had not learnt from.

use super::Guess;
use crate::functions::{exp, log_odds, logistic};

/// How the confidence of the first guess comes of its logit and of the others'.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    /// What logits are divided by before the softmax.
    pub temperature: f32,
    /// How much the log-odds of the softmax count.
    pub comparison: f32,
    /// How much the largest logit counts.
    pub height: f32,
    /// What is added to both.
    pub offset: f32,
}

impl Default for Confidence {
    /// The softmax as it stands.
    fn default() -> Self {
        Self { temperature: 1.0, comparison: 1.0, height: 0.0, offset: 0.0 }
    }
}

impl Confidence {
    /// At most `limit` of the labels that `can_be` allows, the surest first.
    pub fn guesses(&self, logits: &[f32], can_be: impl Fn(usize) -> bool, limit: usize) -> Vec<Guess> {
        let mut guesses: Vec<Guess> = (0..logits.len())
            .filter(|label| can_be(*label))
            .map(|label| Guess { label, confidence: logits[label] })
            .collect();
        let Some(largest) = guesses.iter().map(|guess| guess.confidence).max_by(f32::total_cmp) else {
            return guesses;
        };
        for guess in &mut guesses {
            guess.confidence = exp(f64::from((guess.confidence - largest) / self.temperature)) as f32;
        }
        let sum: f32 = guesses.iter().map(|guess| guess.confidence).sum();
        let surer =
            |one: &Guess, other: &Guess| other.confidence.total_cmp(&one.confidence).then(one.label.cmp(&other.label));
        // Few of many are wanted as a rule: they are found first, and they alone are sorted.
        if limit < guesses.len() {
            guesses.select_nth_unstable_by(limit, surer);
            guesses.truncate(limit);
        }
        guesses.sort_unstable_by(surer);
        let first = 1.0 / sum;
        let confidence = self.of_first(first, largest);
        // The others keep their proportions, in what is left or in proportion to the first, whichever is less: all together are at most 1.
        let rest = (confidence / first).min((1.0 - confidence) / (1.0 - first).max(1e-6));
        for (place, guess) in guesses.iter_mut().enumerate() {
            guess.confidence = if place == 0 { confidence } else { guess.confidence * first * rest };
        }
        guesses
    }

    /// The confidence of the first guess, of its share of the softmax and of its logit.
    pub fn of_first(&self, share: f32, largest: f32) -> f32 {
        let sum = self.comparison * log_odds(f64::from(share)) as f32 + self.height * largest + self.offset;
        logistic(f64::from(sum)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_comes_first_and_all_together_are_at_most_one() {
        for offset in [-3.0, 0.0, 3.0] {
            let confidence = Confidence { offset, ..Confidence::default() };
            let guesses = confidence.guesses(&[0.5, 2.0, -1.0, 2.0], |label| label != 3, 9);
            assert_eq!(guesses.iter().map(|guess| guess.label).collect::<Vec<_>>(), [1, 0, 2]);
            assert!(guesses.is_sorted_by(|one, other| one.confidence >= other.confidence), "{guesses:?}");
            let sum: f32 = guesses.iter().map(|guess| guess.confidence).sum();
            assert!(sum <= 1.0001, "{sum}");
            assert_eq!(confidence.guesses(&[0.5, 2.0, -1.0, 2.0], |label| label != 3, 2), guesses[..2]);
        }
    }

    #[test]
    fn without_labels_there_is_no_guess() {
        assert_eq!(Confidence::default().guesses(&[1.0, 2.0], |_| false, 9), Vec::new());
        assert_eq!(Confidence::default().guesses(&[], |_| true, 9), Vec::new());
    }
}
