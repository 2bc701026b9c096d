//! The choice of settings: each is tried on examples that are kept aside, and the one with the smallest loss there is taken.

use super::fit::{Fitted, Settings, Target};
use super::held_out::{HeldOut, accuracy, confidence, loss, temperature};
use super::random::Random;
use crate::functions::ln;
use crate::model::{Confidence, Packed, Weighing};

/// How many of 256 features may be left out: nothing, 30 % and half. Long mails suffer from what short ones gain by.
const LEFT_OUT: [u8; 3] = [0, 77, 128];
/// How much of a label's frequency may be taken off its logit.
const EVENED: [f32; 4] = [0.0, 0.25, 0.5, 0.75];
/// With fewer examples kept aside nothing is chosen by them.
const FEWEST: usize = 20;
/// Below so many examples a label all are seen more often.
const FEW_A_LABEL: usize = 20;

/// What is known of one question.
pub struct Known<'e> {
    /// How many labels it has.
    pub labels: usize,
    /// The examples to learn from, of names and descriptions too.
    pub fit: Vec<Target<'e>>,
    /// How many of `fit`, from its beginning, are mails.
    pub mails: usize,
    /// The examples that were given to calibrate by.
    pub calibrate: Vec<Target<'e>>,
    /// Mails that belong to no label.
    pub outside: Vec<&'e [Packed]>,
}

/// What came out for a question.
pub struct Chosen {
    /// The weights, learnt from all examples that are for it.
    pub fitted: Fitted,
    /// What is added to each label's logit.
    pub adjustment: Vec<f32>,
    /// How confidences are meant.
    pub confidence: Confidence,
    /// The settings.
    pub settings: Settings,
    /// What the examples that were kept aside said.
    pub trial: Option<Trial>,
}

/// What the examples that were kept aside said.
pub struct Trial {
    /// How many there were.
    pub mails: usize,
    /// The share of them whose first guess was right.
    pub accuracy: f64,
    /// How much of a label's frequency is taken off its logit.
    pub evened: f32,
}

/// Chooses and fits.
pub fn choose(known: &Known, weighing: &Weighing, seed: u64) -> Chosen {
    let passes = if known.mails < FEW_A_LABEL * known.labels { 8 } else { 6 };
    let fit = |targets: &[Target], settings| Fitted::fit(known.labels, weighing, targets, settings, seed);
    let (learnt, aside) = kept_aside(known, seed);
    let Some(aside) = aside else {
        let settings = Settings { passes, left_out: LEFT_OUT[2] };
        let (fitted, adjustment) = (fit(&known.fit, settings), vec![0.0; known.labels]);
        return Chosen { fitted, adjustment, confidence: Confidence::default(), settings, trial: None };
    };

    let attempt = |left_out| {
        let settings = Settings { passes, left_out };
        let fitted = fit(&learnt, settings);
        let said = |target: &Target| HeldOut {
            logits: fitted.logits(weighing, target.packed),
            label: Some(target.label),
            weight: target.weight,
        };
        let mails: Vec<HeldOut> = aside.iter().map(said).collect();
        let loss = loss(&mails, temperature(&mails, &[]), &[]);
        Attempt { loss, fitted, settings, mails }
    };
    let mut best = attempt(LEFT_OUT[0]);
    for left_out in &LEFT_OUT[1..] {
        let other = attempt(*left_out);
        if other.loss < best.loss {
            best = other;
        }
    }
    let Attempt { mut fitted, settings, mut mails, .. } = best;
    let (evened, adjustment, degrees) = evening(known, &mails);
    let trial = Trial { mails: mails.len(), accuracy: accuracy(&mails, &adjustment), evened };
    let outside = known.outside.iter();
    mails.extend(outside.map(|packed| HeldOut { logits: fitted.logits(weighing, packed), label: None, weight: 1.0 }));
    let confidence = confidence(&mails, degrees, &adjustment);
    if learnt.len() < known.fit.len() {
        fitted = fit(&known.fit, settings);
    }
    Chosen { fitted, adjustment, confidence, settings, trial: Some(trial) }
}

/// A model by one of the settings, and what it says of the examples that were kept aside.
struct Attempt {
    loss: f64,
    fitted: Fitted,
    settings: Settings,
    mails: Vec<HeldOut>,
}

/// How much of the labels' frequencies is taken off their logits, what that adds to each, and the temperature.
fn evening(known: &Known, mails: &[HeldOut]) -> (f32, Vec<f32>, f32) {
    let mut frequency = vec![1.0_f64; known.labels];
    for target in known.fit.iter().take(known.mails) {
        frequency[target.label] += 1.0;
    }
    let all: f64 = frequency.iter().sum();
    let mut best = (f64::INFINITY, 0.0, Vec::new(), 1.0);
    for evened in EVENED {
        let added: Vec<f32> = frequency.iter().map(|found| -evened * ln(found / all) as f32).collect();
        let degrees = temperature(mails, &added);
        let found = loss(mails, degrees, &added);
        // What gains next to nothing is chance.
        if found < best.0 * 0.995 {
            best = (found, evened, added, degrees);
        }
    }
    (best.1, best.2, best.3)
}

/// What is learnt from while settings are chosen, and what is kept aside: the examples that were given for it, or else
/// a fifth of each label's.
fn kept_aside<'e>(known: &Known<'e>, seed: u64) -> (Vec<Target<'e>>, Option<Vec<Target<'e>>>) {
    if known.calibrate.len() >= FEWEST {
        return (known.fit.clone(), Some(known.calibrate.clone()));
    }
    let mut order: Vec<usize> = (0..known.mails).collect();
    Random::new(seed, 2).shuffle(&mut order);
    let mut of_label = vec![0_usize; known.labels];
    let mut is_aside = vec![false; known.fit.len()];
    for number in order {
        let seen = &mut of_label[known.fit[number].label];
        // The third, eighth, thirteenth of a label: one with two examples keeps both.
        is_aside[number] = *seen % 5 == 2;
        *seen += 1;
    }
    let of = |aside: bool| {
        let chosen = known.fit.iter().zip(&is_aside).filter(move |(_, is_aside)| **is_aside == aside);
        chosen.map(|(target, _)| *target).collect::<Vec<_>>()
    };
    let mut aside = of(true);
    aside.extend(&known.calibrate);
    if aside.len() >= FEWEST { (of(false), Some(aside)) } else { (known.fit.clone(), None) }
}
