//! Fitting: a softmax over all labels, example by example, each weight with a step of its own that shrinks as it learns.
//!
//! The steps are those of FTRL-proximal (McMahan et al. 2013) without its first-order penalty; they then are the same
//! as those of AdaGrad by coordinate, and that is how they are computed: one square root and one division a weight.
//! Labels are smoothed, so that no logit grows for ever, and of each example's features a share is left out at random,
//! so that none relies on its companions.

use super::random::{Bytes, Random};
use crate::functions::exp;
use crate::model::{Packed, Weighing, Weighted, padded};

/// How a question is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How many times all examples are seen.
    pub passes: u32,
    /// How many of 256 features are left out of an example each time it is seen.
    pub left_out: u8,
}

/// The share of a label that is given to all labels alike.
const SMOOTHING: f32 = 0.1;
/// The size of the first steps.
const RATE: f32 = 0.5;
/// What is added to the root of the squares of a weight's gradients: the larger, the more careful are the first steps.
const CAUTION: f32 = 0.1;
/// The second-order penalty of FTRL-proximal.
const PENALTY: f32 = 1e-4;
/// What the bias counts for, beside features whose squares sum up to 1.
const BIAS: f32 = 0.3;

/// An example of one question.
#[derive(Debug, Clone, Copy)]
pub struct Target<'e> {
    /// The features.
    pub packed: &'e [Packed],
    /// The right label.
    pub label: usize,
    /// How much it counts.
    pub weight: f32,
}

/// The weights of a question.
#[derive(Debug)]
pub struct Fitted {
    labels: usize,
    width: usize,
    /// For each row, and at last for the bias, the weights, then the sums of the squares of their gradients.
    rows: Vec<f32>,
}

impl Fitted {
    /// Fits; the order and the omissions follow from `seed`.
    pub fn fit(labels: usize, weighing: &Weighing, targets: &[Target], settings: Settings, seed: u64) -> Self {
        let width = padded(labels);
        let mut fitted = Self { labels, width, rows: vec![0.0; ((2 << weighing.bits()) + 1) * 2 * width] };
        let mut order: Vec<usize> = (0..targets.len()).collect();
        let mut random = Random::new(seed, 1);
        for _ in 0..settings.passes {
            random.shuffle(&mut order);
            for target in order.iter().filter_map(|number| targets.get(*number)) {
                let weighted = if settings.left_out == 0 {
                    weighing.weigh(target.packed)
                } else {
                    let mut bytes = Bytes::of(&mut random);
                    weighing.weigh_some(target.packed, || bytes.next() >= settings.left_out)
                };
                fitted.learn(&weighted, target);
            }
        }
        fitted
    }

    fn learn(&mut self, weighted: &[Weighted], target: &Target) {
        let mut errors = self.logits_of(weighted);
        softmax(&mut errors);
        let smoothed = SMOOTHING / self.labels as f32;
        for (label, error) in errors.iter_mut().enumerate() {
            *error -= if label == target.label { 1.0 - SMOOTHING + smoothed } else { smoothed };
            *error *= target.weight;
        }
        errors.resize(self.width, 0.0);
        let bias = self.bias_row();
        for Weighted { row, value } in weighted.iter().copied().chain([Weighted { row: bias, value: BIAS }]) {
            let begin = row * 2 * self.width;
            let Some((weights, squares)) = self.rows[begin..begin + 2 * self.width].split_at_mut_checked(self.width)
            else {
                continue;
            };
            for ((weight, square), error) in weights.iter_mut().zip(squares).zip(&errors) {
                let gradient = value * error;
                *square += gradient * gradient;
                *weight -= gradient / ((CAUTION + square.sqrt()) * (1.0 / RATE) + PENALTY);
            }
        }
    }

    /// The logits of a mail.
    pub fn logits(&self, weighing: &Weighing, packed: &[Packed]) -> Vec<f32> {
        self.logits_of(&weighing.weigh(packed))
    }

    fn logits_of(&self, weighted: &[Weighted]) -> Vec<f32> {
        let mut logits: Vec<f32> = self.row(self.bias_row()).iter().map(|weight| BIAS * weight).collect();
        for feature in weighted {
            for (logit, weight) in logits.iter_mut().zip(self.row(feature.row)) {
                *logit += feature.value * weight;
            }
        }
        logits.truncate(self.labels);
        logits
    }

    /// What each label has before a word is read.
    pub fn bias(&self) -> Vec<f32> {
        self.row(self.bias_row()).iter().take(self.labels).map(|weight| BIAS * weight).collect()
    }

    /// The weights of each row.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        (0..self.bias_row()).map(|row| self.row(row))
    }

    /// How many weights a row has.
    pub fn width(&self) -> usize {
        self.width
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * 2 * self.width..][..self.width]
    }

    fn bias_row(&self) -> usize {
        self.rows.len() / (2 * self.width) - 1
    }
}

/// From logits to shares that sum up to 1.
pub fn softmax(logits: &mut [f32]) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = exp(f64::from(*logit - largest)) as f32;
        sum += *logit;
    }
    for share in logits {
        *share /= sum;
    }
}
