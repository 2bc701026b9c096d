//! How often the first guess is right: of all mails, and of each label.

use crate::judged::JudgedMail;
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// Figures of all mails that belong to a label; those that belong to none are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Accuracy {
    /// How many mails there are.
    pub mails: usize,
    /// The share of them whose first guess is right, 0 to 1; 0 where there are none.
    pub accuracy: f64,
    /// The mean over labels of the harmonic mean of precision and recall, 0 to 1; of the labels that at least one mail has.
    pub macro_f1: f64,
    /// Each label's figures, by its place.
    pub labels: Vec<LabelFigures>,
    /// How often a mail of the first label got the second as its first guess, the right ones left out; the most frequent come first.
    pub confusions: Vec<(u32, u32, usize)>,
}

/// Figures of a label.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LabelFigures {
    /// How many mails have it.
    pub mails: usize,
    /// How many got it as their first guess.
    pub guessed: usize,
    /// How many of them have it.
    pub right: usize,
}

impl LabelFigures {
    /// The share of the mails that got it which have it, 0 to 1; none where no mail got it.
    pub fn precision(&self) -> Option<f64> {
        (self.guessed > 0).then(|| self.right as f64 / self.guessed as f64)
    }

    /// The share of the mails that have it which got it, 0 to 1; none where no mail has it.
    pub fn recall(&self) -> Option<f64> {
        (self.mails > 0).then(|| self.right as f64 / self.mails as f64)
    }

    /// The harmonic mean of precision and recall, 0 to 1.
    pub fn f1(&self) -> f64 {
        let both = self.mails + self.guessed;
        if both > 0 { 2.0 * self.right as f64 / both as f64 } else { 0.0 }
    }
}

impl Accuracy {
    /// Counts. `labels` is how many the question has; places beyond count as wrong.
    pub fn of<M: Borrow<JudgedMail>>(mails: &[M], labels: usize) -> Self {
        let mut figures = Self { labels: vec![LabelFigures::default(); labels], ..Self::default() };
        let mut right = 0;
        let mut confused: BTreeMap<(u32, u32), usize> = BTreeMap::new();
        for mail in mails.iter().map(Borrow::borrow) {
            let Some(label) = mail.right else { continue };
            figures.mails += 1;
            right += usize::from(mail.is_right());
            if let Some(of) = figures.labels.get_mut(label as usize) {
                of.mails += 1;
                of.right += usize::from(mail.is_right());
            }
            if let Some(guess) = mail.first() {
                if let Some(of) = figures.labels.get_mut(guess.label as usize) {
                    of.guessed += 1;
                }
                if guess.label != label {
                    *confused.entry((label, guess.label)).or_default() += 1;
                }
            }
        }
        let met = figures.labels.iter().filter(|label| label.mails > 0);
        figures.macro_f1 = met.clone().map(LabelFigures::f1).sum::<f64>() / met.count().max(1) as f64;
        figures.accuracy = right as f64 / figures.mails.max(1) as f64;
        figures.confusions = confused.into_iter().map(|((is, guessed), number)| (is, guessed, number)).collect();
        figures.confusions.sort_by_key(|(_, _, number)| std::cmp::Reverse(*number));
        figures
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "figures of small numbers are exact")]
mod tests {
    use super::*;
    use crate::judged::samples::mail;

    #[test]
    fn a_small_list_is_counted_as_by_hand() {
        let mails = [
            mail(Some(0), 0, 0.9),
            mail(Some(0), 1, 0.8),
            mail(Some(1), 1, 0.7),
            mail(Some(1), 1, 0.6),
            mail(None, 0, 0.5),
            JudgedMail { right: Some(0), ..JudgedMail::default() },
        ];
        let figures = Accuracy::of(&mails, 3);
        assert_eq!((figures.mails, figures.accuracy), (5, 0.6));
        assert_eq!(figures.labels[0], LabelFigures { mails: 3, guessed: 1, right: 1 });
        assert_eq!((figures.labels[0].precision(), figures.labels[1].recall()), (Some(1.0), Some(1.0)));
        assert_eq!((figures.labels[2].precision(), figures.labels[2].recall()), (None, None));
        // 2 · 1 / (3 + 1) and 2 · 2 / (2 + 3); the third label has no mail.
        assert!((figures.macro_f1 - f64::midpoint(0.5, 0.8)).abs() < 1e-12);
        assert_eq!(figures.confusions, [(0, 1, 1)]);
    }

    #[test]
    fn no_mails_are_no_figures_and_no_division_by_nothing() {
        let figures = Accuracy::of::<JudgedMail>(&[], 2);
        assert_eq!((figures.accuracy, figures.macro_f1), (0.0, 0.0));
    }

    #[test]
    fn labels_that_are_not_there_are_wrong() {
        assert_eq!(Accuracy::of(&[mail(Some(0), u32::MAX, 1.0)], 1).accuracy, 0.0);
        assert_eq!(Accuracy::of(&[mail(Some(7), 0, 1.0)], 1).accuracy, 0.0);
    }
}
