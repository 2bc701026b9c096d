//! Whether confidences mean what they say: of the answers with a confidence of 80 %, are 80 % right?

use crate::judged::JudgedMail;
use std::borrow::Borrow;

/// The calibration curve, and how far it is from the diagonal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    /// The expected calibration error (ECE, Naeini et al. 2015): the mean distance of confidence and share of right
    /// answers, over fifteen bins of equal width, 0 to 1.
    pub error: f64,
    /// The bins that have answers, from the least sure to the surest.
    pub curve: Vec<CalibrationBin>,
}

/// The answers whose confidence lies within a fifteenth.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CalibrationBin {
    /// How many there are.
    pub answers: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that is right; what belongs to no label is wrong.
    pub right: f64,
}

/// How many bins there are.
const BINS: usize = 15;

impl Calibration {
    /// Counts. Abstentions claim nothing and are left out.
    pub fn of<M: Borrow<JudgedMail>>(mails: &[M]) -> Self {
        let mut bins = [CalibrationBin::default(); BINS];
        let mut answers = 0;
        for mail in mails.iter().map(Borrow::borrow).filter(|mail| mail.first().is_some()) {
            let confidence = mail.confidence();
            let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
            bin.answers += 1;
            bin.confidence += confidence;
            bin.right += f64::from(u8::from(mail.is_right()));
            answers += 1;
        }
        let off: f64 = bins.iter().map(|bin| (bin.confidence - bin.right).abs()).sum();
        let mean = |bin: CalibrationBin| {
            let answers = bin.answers as f64;
            CalibrationBin { confidence: bin.confidence / answers, right: bin.right / answers, ..bin }
        };
        let curve = bins.into_iter().filter(|bin| bin.answers > 0).map(mean).collect();
        Self { error: off / f64::from(answers.max(1)), curve }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "figures of small numbers are exact")]
mod tests {
    use super::*;
    use crate::judged::samples::mail;

    #[test]
    fn the_error_of_a_known_list_is_that_by_hand() {
        // Four answers at 0.75 of which three are right, two at 0.5 of which none is, and an abstention.
        let mut mails =
            vec![mail(Some(0), 0, 0.75), mail(Some(0), 0, 0.75), mail(Some(0), 0, 0.75), mail(None, 0, 0.75)];
        mails.extend([mail(Some(1), 0, 0.5), mail(Some(1), 0, 0.5), JudgedMail::default()]);
        let calibration = Calibration::of(&mails);
        assert!((calibration.error - 2.0 * 0.5 / 6.0).abs() < 1e-9, "{}", calibration.error);
        assert_eq!(calibration.curve.len(), 2);
        assert_eq!((calibration.curve[1].answers, calibration.curve[1].right), (4, 0.75));
    }

    #[test]
    fn confidences_beyond_their_range_fall_into_the_bins_at_the_ends() {
        let mails = [mail(Some(0), 0, 1.0), mail(Some(0), 0, 7.0), mail(Some(0), 0, -1.0), mail(Some(0), 0, f32::NAN)];
        assert_eq!(Calibration::of(&mails).curve.len(), 2);
        assert_eq!(Calibration::of::<JudgedMail>(&[]).error, 0.0);
    }
}
