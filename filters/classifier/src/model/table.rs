//! The table of a question: what each feature says for each label, in a byte each with one scale a row.
//!
//! A row is a feature, so that a mail's features are rows that lie together, read from left to right.

use super::weighing::Weighted;
use crate::functions::exp;

/// Weights by row and label.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    width: usize,
    /// The scale of each row, as a step of [`scale`]; 0 where the row says nothing.
    steps: Vec<u8>,
    /// The weights, row by row, as parts of 127 of the row's scale.
    weights: Vec<i8>,
    /// What each step means.
    scales: Vec<f32>,
}

/// How many weights a row of so many labels has: rows are filled up with zeros to what a processor adds at once.
pub fn padded(labels: usize) -> usize {
    labels.next_multiple_of(if labels > 16 { 16 } else { 4 })
}

/// Eight steps double a scale, and the first is 2 to the power of -24: finer than a weight that could matter.
fn scale(step: u8) -> f32 {
    match step {
        0 => 0.0,
        step => exp((f64::from(step - 1) / 8.0 - 24.0) * std::f64::consts::LN_2) as f32,
    }
}

fn scales() -> Vec<f32> {
    (0..=255).map(scale).collect()
}

impl Table {
    /// Of a row's scale steps and weights; none where they do not fit each other.
    pub fn new(width: usize, steps: Vec<u8>, weights: Vec<i8>) -> Option<Self> {
        let fits = steps.len().checked_mul(width).is_some_and(|size| size == weights.len());
        fits.then(|| Self { width, steps, weights, scales: scales() })
    }

    /// Rounds weights, row by row, each row by the smallest scale that holds its largest weight. Rows are filled up to
    /// `width` weights.
    pub fn rounded<'w>(width: usize, rows: impl Iterator<Item = &'w [f32]>) -> Self {
        let scales = scales();
        let (mut steps, mut weights) = (Vec::new(), Vec::new());
        for row in rows {
            let largest = row.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
            let step = if largest > 0.0 { scales.partition_point(|scale| scale * 127.0 < largest).min(255) } else { 0 };
            steps.push(step as u8);
            let factor = if step > 0 { 1.0 / scales[step] } else { 0.0 };
            weights.extend(row.iter().map(|weight| (weight * factor).round().clamp(-127.0, 127.0) as i8));
            weights.resize(steps.len() * width, 0);
        }
        Self { width, steps, weights, scales }
    }

    /// The scale step of each row.
    pub fn steps(&self) -> &[u8] {
        &self.steps
    }

    /// The weights, row by row.
    pub fn weights(&self) -> &[i8] {
        &self.weights
    }

    /// Adds what features say to the logits; false where none of them has ever been learnt from.
    pub fn add(&self, weighted: &[Weighted], logits: &mut Vec<f32>) -> bool {
        let labels = logits.len();
        logits.resize(self.width, 0.0);
        let mut known = false;
        for feature in weighted {
            let (factor, row) = self.row(feature);
            if factor != 0.0 {
                known = true;
                for (logit, weight) in logits.iter_mut().zip(row) {
                    *logit += factor * f32::from(*weight);
                }
            }
        }
        logits.truncate(labels);
        known
    }

    /// How much more a feature says for one label than for another.
    pub fn difference(&self, feature: &Weighted, label: usize, other: Option<usize>) -> f32 {
        let (factor, row) = self.row(feature);
        let of = |label: usize| row.get(label).map_or(0.0, |weight| f32::from(*weight));
        factor * (of(label) - other.map_or(0.0, of))
    }

    fn row(&self, feature: &Weighted) -> (f32, &[i8]) {
        let step = self.steps.get(feature.row).copied().unwrap_or_default();
        let begin = feature.row * self.width;
        let row = self.weights.get(begin..begin + self.width).unwrap_or_default();
        (feature.value * self.scales[usize::from(step)], row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept_to_a_hundredth_of_the_largest_of_their_row() {
        let rows =
            [vec![0.5_f32, -0.25, 0.001, 0.0], vec![0.0; 4], vec![1e-4, -3e-5, 0.0, 0.0], vec![80.0, 1.0, 0.0, 0.0]];
        let table = Table::rounded(4, rows.iter().map(Vec::as_slice));
        for (row, weights) in rows.iter().enumerate() {
            let mut logits = vec![0.0; 4];
            let known = table.add(&[Weighted { row, value: 1.0 }], &mut logits);
            assert_eq!(known, row != 1);
            let largest = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
            for (found, weight) in logits.iter().zip(weights) {
                assert!((found - weight).abs() <= largest / 100.0, "{found} for {weight}");
            }
        }
    }

    #[test]
    fn a_row_that_is_not_there_says_nothing() {
        let table = Table::rounded(4, [[1.0_f32; 4].as_slice()].into_iter());
        assert!(!table.add(&[Weighted { row: 7, value: 1.0 }], &mut vec![0.0; 4]));
    }
}
