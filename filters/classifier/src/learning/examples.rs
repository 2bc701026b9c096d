//! The examples while a model is learnt: features, not mails, four bytes each.

use crate::model::{Packed, ROW_BITS, Weighing};

/// What an example is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// To learn from.
    Fit,
    /// To belong to no label (mails that were refused, spam): by these the classifier learns when to be unsure. Not learnt from.
    Outside,
    /// Kept aside, for settings and confidences. Not learnt from.
    Calibrate,
}

/// A mail with what is right for it.
#[derive(Debug)]
pub struct Example {
    /// Its features.
    pub packed: Box<[Packed]>,
    /// For each question the right label.
    pub labels: Box<[Option<u16>]>,
    /// How much it counts.
    pub weight: f32,
    /// What it is for.
    pub purpose: Purpose,
}

/// In how many mails each row is met, where each block has two to the power of `bits` rows.
pub fn frequency<'e>(mails: impl Iterator<Item = &'e [Packed]>, bits: u32) -> Vec<u32> {
    let rows = 2_usize << bits;
    // The number of the last mail in which a row was met: a mail counts once.
    let (mut found, mut last) = (vec![0_u32; rows], vec![0_u32; rows]);
    for (mail, packed) in (1_u32..).zip(mails) {
        for row in packed.iter().map(|feature| feature.row(bits)) {
            if last[row] != mail {
                last[row] = mail;
                found[row] += 1;
            }
        }
    }
    found
}

/// How many rows a model is to have for each block, as a power of two: as many as there are distinct features, so that
/// few meet, and no more than `most`.
pub fn row_bits<'e>(mails: impl Iterator<Item = &'e [Packed]>, fewest: u32, most: u32) -> u32 {
    let distinct = frequency(mails, ROW_BITS).iter().filter(|found| **found > 0).count();
    (fewest.min(most)..most).find(|bits| distinct <= 1 << bits).unwrap_or(most)
}

/// The weighing that follows from the mails that are learnt from.
pub fn weighing<'e>(mails: impl ExactSizeIterator<Item = &'e [Packed]>, bits: u32) -> Weighing {
    let number = mails.len();
    Weighing::by_frequency(bits, number, &frequency(mails, bits))
}
