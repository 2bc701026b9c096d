//! All figures of one question together, as a report shows them.

use crate::accuracy::Accuracy;
use crate::calibration::Calibration;
use crate::coverage::{CoveragePoint, coverage};
use crate::judged::{JudgedMail, by_language};
use crate::outside::{Outside, OutsideThreshold};
use std::collections::BTreeMap;

/// The precisions for which it is told how much is answered.
const PRECISIONS: [f64; 3] = [0.95, 0.97, 0.99];
/// The part of their accuracy that validation mails keep under the threshold for what belongs to no label: one right
/// answer in fifty is given up.
const KEPT: f64 = 0.98;

/// What a classifier does on one question.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuestionFigures {
    /// How often the first guess is right.
    pub accuracy: Accuracy,
    /// Whether confidences mean what they say.
    pub calibration: Calibration,
    /// How much is answered at 95, 97 and 99 % right answers.
    pub coverage: Vec<CoveragePoint>,
    /// The accuracy of each language by itself; the empty one has the mails of which nobody knows it.
    pub languages: BTreeMap<String, Accuracy>,
    /// How well what belongs to no label is known, where there are such mails.
    pub outside: Option<OutsideFigures>,
}

/// How well what belongs to no label is known, with and without a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutsideFigures {
    /// Without a threshold.
    pub separation: Outside,
    /// A threshold that was chosen on validation mails alone, which keep 98 % of their accuracy under it.
    pub threshold: OutsideThreshold,
    /// The share of the test mails that belong to a label whose first guess is right and reaches it.
    pub in_scope_accuracy: f64,
    /// The share of the mails that belong to no label which do not reach it.
    pub recall: f64,
}

impl QuestionFigures {
    /// Of mails that the classifier has not seen. Those of `test` and `validation` that have no right label are left
    /// out: nobody knows it. Those of `outside` belong to no label; without them, or without `validation`, there are
    /// no figures about them.
    pub fn of(labels: usize, test: &[JudgedMail], validation: &[JudgedMail], outside: &[JudgedMail]) -> Self {
        let known: Vec<&JudgedMail> = test.iter().filter(|mail| mail.right.is_some()).collect();
        let validation: Vec<&JudgedMail> = validation.iter().filter(|mail| mail.right.is_some()).collect();
        let languages = by_language(known.iter().copied());
        let languages = languages.into_iter().map(|(name, mails)| (name.to_owned(), Accuracy::of(&mails, labels)));
        let outside: Vec<&JudgedMail> = outside.iter().collect();
        let of_outside = || {
            let kept = KEPT * Accuracy::of(&validation, labels).accuracy;
            let threshold = OutsideThreshold::keeping(&validation, kept);
            OutsideFigures {
                separation: Outside::of(&known, &outside),
                threshold,
                in_scope_accuracy: threshold.in_scope_accuracy(&known),
                recall: threshold.recall(&outside),
            }
        };
        Self {
            accuracy: Accuracy::of(&known, labels),
            calibration: Calibration::of(&known),
            coverage: coverage(&known, &PRECISIONS),
            languages: languages.collect(),
            outside: (!outside.is_empty() && !validation.is_empty()).then(of_outside),
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "figures of small numbers are exact")]
mod tests {
    use super::*;
    use crate::judged::samples::mail;

    #[test]
    fn each_language_stands_by_itself_and_mails_of_unknown_label_are_left_out() {
        let of = |language: &str, right, label| JudgedMail { language: language.to_owned(), ..mail(right, label, 0.9) };
        let test = [of("de", Some(0), 0), of("de", Some(1), 0), of("fr", Some(1), 1), of("fr", None, 1)];
        let figures = QuestionFigures::of(2, &test, &[], &[]);
        let accuracy = |language: &str| (figures.languages[language].mails, figures.languages[language].accuracy);
        assert_eq!((accuracy("de"), accuracy("fr")), ((2, 0.5), (1, 1.0)));
        assert_eq!((figures.accuracy.mails, figures.outside), (3, None));
        assert_eq!(figures.coverage.len(), 3);
    }

    #[test]
    fn the_threshold_is_chosen_on_validation_mails_and_read_on_others() {
        let validation: Vec<JudgedMail> = (1..=100_u8).map(|step| mail(Some(0), 0, f32::from(step) / 100.0)).collect();
        let test = [mail(Some(0), 0, 0.5), mail(Some(0), 0, 0.01)];
        let figures = QuestionFigures::of(1, &test, &validation, &[mail(None, 0, 0.02), mail(None, 0, 0.04)]);
        let outside = figures.outside.unwrap();
        assert!((outside.threshold.threshold - 0.03).abs() < 1e-6, "{outside:?}");
        assert_eq!((outside.in_scope_accuracy, outside.recall), (0.5, 0.5));
    }
}
