//! What mails that were not learnt from say of a model: how its confidences are meant, and how well it does.

use super::fit::softmax;
use crate::functions::{exp, ln, log_odds, logistic};
use crate::model::Confidence;

/// A mail that was not learnt from.
#[derive(Debug, Clone)]
pub struct HeldOut {
    /// What the model says.
    pub logits: Vec<f32>,
    /// The right label; none where the mail belongs to none.
    pub label: Option<usize>,
    /// How much it counts.
    pub weight: f32,
}

/// The mean logarithmic loss of the softmax at a temperature, over the mails that belong to a label.
pub fn loss(mails: &[HeldOut], temperature: f32, adjustment: &[f32]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for mail in mails {
        let Some(label) = mail.label else { continue };
        let mut shares = adjusted(&mail.logits, adjustment);
        for logit in &mut shares {
            *logit /= temperature;
        }
        softmax(&mut shares);
        let share = shares.get(label).copied().unwrap_or_default();
        sum -= f64::from(mail.weight) * ln(f64::from(share.max(1e-9)));
        weights += f64::from(mail.weight);
    }
    if weights > 0.0 { sum / weights } else { 0.0 }
}

/// The temperature of the smallest loss, between an eighth and 4.
pub fn temperature(mails: &[HeldOut], adjustment: &[f32]) -> f32 {
    // The loss has one valley: it is narrowed down by thirds, on a scale where each step is a factor.
    let at = |exponent: f64| exp(exponent * std::f64::consts::LN_2) as f32;
    let (mut low, mut high) = (-3.0, 2.0);
    for _ in 0..18 {
        let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if loss(mails, at(left), adjustment) < loss(mails, at(right), adjustment) {
            high = right;
        } else {
            low = left;
        }
    }
    at(f64::midpoint(low, high))
}

/// The logits with something added to each.
pub fn adjusted(logits: &[f32], adjustment: &[f32]) -> Vec<f32> {
    let adjustment = adjustment.iter().copied().chain(std::iter::repeat(0.0));
    logits.iter().zip(adjustment).map(|(logit, added)| logit + added).collect()
}

/// The first guess of adjusted logits: label, share of the softmax, logit.
fn first(logits: &[f32], temperature: f32) -> Option<(usize, f32, f32)> {
    let (label, largest) = logits.iter().copied().enumerate().max_by(|one, other| one.1.total_cmp(&other.1))?;
    let mut shares: Vec<f32> = logits.iter().map(|logit| logit / temperature).collect();
    softmax(&mut shares);
    Some((label, shares.get(label).copied()?, largest))
}

/// The share of mails that belong to a label whose first guess is right.
pub fn accuracy(mails: &[HeldOut], adjustment: &[f32]) -> f64 {
    let with_label = || mails.iter().filter(|mail| mail.label.is_some());
    let right = with_label().filter(|mail| {
        first(&adjusted(&mail.logits, adjustment), 1.0).is_some_and(|(label, ..)| mail.label == Some(label))
    });
    right.count() as f64 / with_label().count().max(1) as f64
}

/// How much the largest logit counts beside the log-odds of the softmax where no mails from outside can tell. On CLINC150's validation
/// mails this tells better what belongs to no label than the softmax alone, whose order of right and wrong answers it nearly keeps.
const HEIGHT: f64 = 0.5;
/// With fewer mails from outside they do not tell.
const FEWEST_OUTSIDE: usize = 20;

/// How confidences are meant: a logistic regression of "the first guess is right" on the log-odds of the softmax and on the largest logit.
///
/// It is drawn a little towards the softmax as it stands, so that few mails do not say more than they can. Mails that belong to a label
/// say next to nothing of how much the largest logit tells about others: without those its part is fixed.
pub fn confidence(mails: &[HeldOut], temperature: f32, adjustment: &[f32]) -> Confidence {
    let with_outside = mails.iter().filter(|mail| mail.label.is_none()).count() >= FEWEST_OUTSIDE;
    let mut observed = Vec::with_capacity(mails.len());
    for mail in mails {
        if let Some((label, share, largest)) = first(&adjusted(&mail.logits, adjustment), temperature) {
            let right = f64::from(u8::from(mail.label == Some(label)));
            let (comparison, height) = (log_odds(f64::from(share)), f64::from(largest));
            let inputs =
                if with_outside { [comparison, height, 1.0] } else { [comparison + HEIGHT * height, 0.0, 1.0] };
            observed.push((inputs, right, f64::from(mail.weight)));
        }
    }
    let mut free = [true; 3];
    let mut factors = regression(&observed, free);
    // What is surer must not be trusted less: a factor below zero is chance.
    for place in [1, 0] {
        if factors[place] < 0.0 {
            free[place] = false;
            factors = regression(&observed, free);
        }
    }
    if !with_outside {
        factors[1] = HEIGHT * factors[0];
    }
    let [comparison, height, offset] = factors.map(|factor| factor.clamp(-100.0, 100.0) as f32);
    Confidence { temperature, comparison, height, offset }
}

/// What is observed of a mail: the inputs, whether the first guess is right (1 or 0), and how much it counts.
type Observed = ([f64; 3], f64, f64);

/// What factors are drawn to while little is observed, and how strongly.
const DRAWN_TO: [f64; 3] = [1.0, 0.0, 0.0];
const DRAWN_BY: [f64; 3] = [2.0, 2.0, 0.5];

/// The factors of a logistic regression, by Newton's steps, each halved until it leads down; those that are not `free` are zero.
fn regression(observed: &[Observed], free: [bool; 3]) -> [f64; 3] {
    let mut factors = [0.0; 3];
    for place in (0..3).filter(|place| free[*place]) {
        factors[place] = DRAWN_TO[place];
    }
    let mut height = misfit(observed, factors);
    for _ in 0..30 {
        let mut step = newtons_step(observed, factors, free);
        let next = loop {
            let mut next = factors;
            for (factor, step) in next.iter_mut().zip(step) {
                *factor -= step;
            }
            let reached = misfit(observed, next);
            if reached < height {
                break Some((next, reached));
            }
            step = step.map(|step| step / 2.0);
            if step.iter().all(|step| step.abs() < 1e-6) {
                break None;
            }
        };
        let Some((next, reached)) = next else { break };
        (factors, height) = (next, reached);
    }
    factors
}

/// How badly factors fit: the negative logarithm of the likelihood, and how far they are from what they are drawn to.
fn misfit(observed: &[Observed], factors: [f64; 3]) -> f64 {
    let mut misfit = 0.0;
    for place in 0..3 {
        let distance = factors[place] - DRAWN_TO[place];
        misfit += DRAWN_BY[place] * distance * distance / 2.0;
    }
    for (inputs, right, weight) in observed {
        let sum: f64 = inputs.iter().zip(factors).map(|(input, factor)| input * factor).sum();
        let towards = if *right > 0.5 { sum } else { -sum };
        misfit += weight * (ln(1.0 + exp(-towards.abs())) + (-towards).max(0.0));
    }
    misfit
}

/// What Newton's method takes off the factors.
fn newtons_step(observed: &[Observed], factors: [f64; 3], free: [bool; 3]) -> [f64; 3] {
    let mut gradient = [0.0; 3];
    let mut curvature = [[0.0; 3]; 3];
    for place in 0..3 {
        gradient[place] = DRAWN_BY[place] * (factors[place] - DRAWN_TO[place]);
        curvature[place][place] = DRAWN_BY[place];
    }
    for (inputs, right, weight) in observed {
        let sum: f64 = inputs.iter().zip(factors).map(|(input, factor)| input * factor).sum();
        let share = logistic(sum);
        for row in 0..3 {
            gradient[row] += weight * (share - right) * inputs[row];
            for column in 0..3 {
                curvature[row][column] += weight * share * (1.0 - share) * inputs[row] * inputs[column];
            }
        }
    }
    for place in (0..3).filter(|place| !free[*place]) {
        gradient[place] = 0.0;
        curvature[place] = [0.0; 3];
        for row in &mut curvature {
            row[place] = 0.0;
        }
        curvature[place][place] = 1.0;
    }
    solved(curvature, gradient)
}

/// The solution of three linear equations whose matrix is symmetric and positive, by elimination.
fn solved(mut matrix: [[f64; 3]; 3], mut right: [f64; 3]) -> [f64; 3] {
    for pivot in 0..3 {
        let (above, below) = matrix.split_at_mut(pivot + 1);
        for (row, lower) in (pivot + 1..3).zip(below) {
            let factor = lower[pivot] / above[pivot][pivot];
            for (lower, upper) in lower.iter_mut().zip(above[pivot]) {
                *lower -= factor * upper;
            }
            right[row] -= factor * right[pivot];
        }
    }
    let mut solution = [0.0; 3];
    for row in (0..3).rev() {
        let known: f64 = (row + 1..3).map(|column| matrix[row][column] * solution[column]).sum();
        solution[row] = (right[row] - known) / matrix[row][row];
    }
    solution
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mails whose first guess has a logit that is right in a known share of cases.
    fn mails(scale: f32) -> Vec<HeldOut> {
        let mut mails = Vec::new();
        for step in 0..40_u16 {
            let logit = f32::from(step) / 10.0;
            let right = logistic(f64::from(logit));
            for number in 0..100_u8 {
                let label = Some(usize::from(f64::from(number) >= right * 100.0));
                mails.push(HeldOut { logits: vec![logit * scale, 0.0], label, weight: 1.0 });
            }
        }
        mails
    }

    #[test]
    fn the_temperature_is_that_by_which_shares_are_what_happens() {
        for scale in [0.5, 1.0, 2.0] {
            let found = temperature(&mails(scale), &[]);
            assert!((found / scale - 1.0).abs() < 0.05, "{found} for {scale}");
        }
    }

    #[test]
    fn confidence_is_the_share_of_right_guesses_with_outside_mails_among_them() {
        let mut mails = mails(2.0);
        for step in 0..400_u16 {
            mails.push(HeldOut { logits: vec![f32::from(step) / 400.0, 0.0], label: None, weight: 1.0 });
        }
        let confidence = confidence(&mails, 2.0, &[]);
        // The softmax as it stands says at least one half of each, and less than a third of those below 1 are right.
        for (low, high, off) in [(0.0, 9.0, 0.01), (0.0, 1.0, 0.1), (1.0, 3.0, 0.1), (3.0, 9.0, 0.1)] {
            let between = mails.iter().filter(|mail| (low..high).contains(&mail.logits[0]));
            let (mut said, mut right, mut number) = (0.0, 0.0, 0.0);
            for mail in between {
                let guesses = confidence.guesses(&mail.logits, |_| true, 1);
                said += guesses[0].confidence;
                right += f32::from(u8::from(mail.label == Some(guesses[0].label)));
                number += 1.0;
            }
            assert!((said - right).abs() / number < off, "said {said}, right {right}, of {number}");
        }
    }
}
