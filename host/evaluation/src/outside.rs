//! How well what belongs to no label is told from what belongs to one, by the confidence of the first guess.

use crate::judged::JudgedMail;
use std::borrow::Borrow;

/// Figures about mails that belong to no label ("outside") beside those that belong to one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outside {
    /// The share of pairs of an inside and an outside mail of which the inside one is surer, 0 to 1 (area under the ROC
    /// curve); 0.5 is chance.
    pub auroc: f64,
    /// The share of outside mails that pass for inside where the threshold lets 95 % of the inside ones pass, 0 to 1.
    pub fpr95: f64,
}

impl Outside {
    /// Compares the confidences of mails that belong to a label with those of mails that belong to none.
    pub fn of<M: Borrow<JudgedMail>>(inside: &[M], outside: &[M]) -> Self {
        let mut of_inside: Vec<f64> = inside.iter().map(|mail| mail.borrow().confidence()).collect();
        let of_outside: Vec<f64> = outside.iter().map(|mail| mail.borrow().confidence()).collect();
        let auroc = auroc(&of_inside, &of_outside);
        of_inside.sort_by(|one, other| other.total_cmp(one));
        let place = (of_inside.len() * 95).div_ceil(100).saturating_sub(1);
        let threshold = of_inside.get(place).copied().unwrap_or_default();
        let pass = of_outside.iter().filter(|confidence| **confidence >= threshold).count();
        Self { auroc, fpr95: pass as f64 / of_outside.len().max(1) as f64 }
    }
}

/// The area under the ROC curve: the share of pairs of which the first is larger, equal ones counting half; 0.5 where there are no pairs.
pub fn auroc(larger: &[f64], smaller: &[f64]) -> f64 {
    if larger.is_empty() || smaller.is_empty() {
        return 0.5;
    }
    let tagged = |values: &[f64], tag: bool| values.iter().map(move |value| (*value, tag)).collect::<Vec<_>>();
    let mut all = tagged(larger, true);
    all.extend(tagged(smaller, false));
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut below, mut area) = (0_usize, 0.0);
    for equal in all.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq()) {
        let of_larger = equal.iter().filter(|(_, larger)| *larger).count();
        let of_smaller = equal.len() - of_larger;
        area += of_larger as f64 * (below as f64 + of_smaller as f64 / 2.0);
        below += of_smaller;
    }
    area / larger.len() as f64 / smaller.len() as f64
}

/// A threshold below which a mail is taken for one that belongs to no label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutsideThreshold {
    /// The confidence from which on a first guess counts.
    pub threshold: f64,
}

impl OutsideThreshold {
    /// The highest threshold by which validation mails, all of which belong to a label, keep an accuracy: first guesses
    /// that are right and reach it.
    ///
    /// Where they do not have that accuracy at all, nothing is taken for outside.
    pub fn keeping<M: Borrow<JudgedMail>>(validation: &[M], accuracy: f64) -> Self {
        let right = validation.iter().map(Borrow::borrow).filter(|mail| mail.is_right());
        let mut confidences: Vec<f64> = right.map(JudgedMail::confidence).collect();
        confidences.sort_by(|one, other| other.total_cmp(one));
        let needed = (accuracy * validation.len() as f64).ceil() as usize;
        let threshold = needed.checked_sub(1).and_then(|last| confidences.get(last)).copied().unwrap_or_default();
        Self { threshold }
    }

    /// The share of mails that belong to a label whose first guess is right and reaches the threshold, 0 to 1.
    pub fn in_scope_accuracy<M: Borrow<JudgedMail>>(&self, inside: &[M]) -> f64 {
        let right = |mail: &&M| (*mail).borrow().is_right() && (*mail).borrow().confidence() >= self.threshold;
        inside.iter().filter(right).count() as f64 / inside.len().max(1) as f64
    }

    /// The share of mails that belong to no label which are found: their confidence does not reach the threshold, 0 to 1.
    pub fn recall<M: Borrow<JudgedMail>>(&self, outside: &[M]) -> f64 {
        let found = |mail: &&M| (*mail).borrow().confidence() < self.threshold;
        outside.iter().filter(found).count() as f64 / outside.len().max(1) as f64
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "figures of small numbers are exact")]
mod tests {
    use super::*;
    use crate::judged::samples::mail;

    #[test]
    fn the_area_of_a_known_list_is_that_by_hand() {
        // Of six pairs (0.9, 0.6, 0.4) and (0.5, 0.4): 2, 2, and half of one for the equal pair.
        assert!((auroc(&[0.9, 0.6, 0.4], &[0.5, 0.4]) - 4.5 / 6.0).abs() < 1e-12);
        assert_eq!((auroc(&[1.0], &[0.0]), auroc(&[0.0], &[1.0]), auroc(&[], &[1.0])), (1.0, 0.0, 0.5));
        assert_eq!(auroc(&[0.3; 4], &[0.3; 5]), 0.5);
    }

    #[test]
    fn so_many_outside_mails_pass_where_95_of_100_inside_ones_do() {
        let inside: Vec<_> = (1..=100_u8).map(|step| mail(Some(0), 0, f32::from(step) / 100.0)).collect();
        let outside = [mail(None, 0, 0.05), mail(None, 0, 0.061), mail(None, 0, 0.5), JudgedMail::default()];
        assert_eq!(Outside::of(&inside, &outside).fpr95, 0.5);
    }

    #[test]
    fn the_threshold_keeps_the_accuracy_of_the_validation_mails() {
        let validation: Vec<_> =
            (0..10_u8).map(|step| mail(Some(0), u32::from(step < 2), f32::from(step) / 10.0)).collect();
        let threshold = OutsideThreshold::keeping(&validation, 0.7);
        assert!((threshold.in_scope_accuracy(&validation) - 0.7).abs() < 1e-12);
        assert_eq!(threshold.recall(&[mail(None, 0, 0.25), mail(None, 0, 0.35)]), 0.5);
        assert_eq!(OutsideThreshold::keeping(&validation, 0.99).threshold, 0.0);
    }
}
