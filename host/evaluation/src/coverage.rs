//! Coverage against precision: which share of mails is answered when only those count whose confidence reaches a
//! threshold, and how many of these are right.

use crate::judged::JudgedMail;
use std::borrow::Borrow;

/// What is answered at a precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoveragePoint {
    /// The share of right answers that was asked for, 0 to 1.
    pub precision: f64,
    /// The largest share of mails that can be answered so that this share of answers is right, 0 to 1.
    pub answered: f64,
    /// From this confidence on. Above 1 where no threshold reaches the precision.
    pub threshold: f64,
}

/// For each precision the most that is answered, and from which confidence on. This reads the threshold off the very
/// mails that it speaks of; one that is to hold for others comes from [`threshold_for_precision`] on mails kept for
/// that.
pub fn coverage<M: Borrow<JudgedMail>>(mails: &[M], precisions: &[f64]) -> Vec<CoveragePoint> {
    let curve = curve(mails);
    let point = |precision: &f64| {
        let reached = curve.iter().rev().find(|(_, answered, right)| *right as f64 >= precision * *answered as f64);
        let (threshold, answered) = reached.map_or((NEVER, 0), |(threshold, answered, _)| (*threshold, *answered));
        CoveragePoint { precision: *precision, answered: answered as f64 / mails.len().max(1) as f64, threshold }
    };
    precisions.iter().map(point).collect()
}

/// A threshold that no confidence reaches.
const NEVER: f64 = 2.0;

/// The least confidence from which on so many answers were right, with at least `fewest` answers to judge by; none
/// where no confidence is enough.
pub fn threshold_for_precision<M: Borrow<JudgedMail>>(mails: &[M], precision: f64, fewest: usize) -> Option<f64> {
    let reached = |(_, answered, right): &&(f64, usize, usize)| {
        *answered >= fewest.max(1) && *right as f64 >= precision * *answered as f64
    };
    curve(mails).iter().rev().find(reached).map(|(threshold, ..)| *threshold)
}

/// For each confidence that occurs, from the surest on: how many answers have at least it, and how many of them are right.
fn curve<M: Borrow<JudgedMail>>(mails: &[M]) -> Vec<(f64, usize, usize)> {
    let answered = mails.iter().map(Borrow::borrow).filter(|mail| mail.first().is_some());
    let mut answers: Vec<(f64, bool)> = answered.map(|mail| (mail.confidence(), mail.is_right())).collect();
    answers.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut curve: Vec<(f64, usize, usize)> = Vec::new();
    let mut right = 0;
    for (number, (confidence, is_right)) in answers.into_iter().enumerate() {
        right += usize::from(is_right);
        match curve.last_mut() {
            // Answers of one confidence are taken together: no threshold parts them.
            Some(last) if last.0.total_cmp(&confidence).is_eq() => (last.1, last.2) = (number + 1, right),
            _ => curve.push((confidence, number + 1, right)),
        }
    }
    curve
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "figures of small numbers are exact")]
mod tests {
    use super::*;
    use crate::judged::samples::mail;

    #[test]
    fn the_surest_answers_are_taken_while_enough_of_them_are_right() {
        let mails = [
            mail(Some(0), 0, 0.9),
            mail(Some(0), 0, 0.8),
            mail(Some(0), 1, 0.7),
            mail(Some(0), 0, 0.6),
            JudgedMail::default(),
        ];
        let points = coverage(&mails, &[1.0, 0.75, 0.5]);
        assert_eq!(points.iter().map(|point| point.answered).collect::<Vec<_>>(), [0.4, 0.8, 0.8]);
        assert!((points[0].threshold - 0.8).abs() < 1e-6);
    }

    #[test]
    fn answers_of_one_confidence_are_not_parted() {
        let mails = [mail(Some(0), 0, 0.9), mail(Some(0), 1, 0.9)];
        assert_eq!(coverage(&mails, &[1.0])[0].answered, 0.0);
        assert_eq!(threshold_for_precision(&mails, 1.0, 1), None);
    }

    #[test]
    fn a_threshold_needs_enough_answers() {
        let mails: Vec<_> = (0..20_u8).map(|step| mail(Some(0), 0, f32::from(step) / 20.0)).collect();
        assert_eq!(threshold_for_precision(&mails, 0.97, 20), Some(0.0));
        assert_eq!(threshold_for_precision(&mails[..19], 0.97, 20), None);
    }
}
