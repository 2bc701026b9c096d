//! How much each feature of a mail counts: often in this mail, rare among the mails that were learnt from.

use crate::reading::{Block, Features};

/// A model has at most two to the power of this many rows for each block of features.
pub const ROW_BITS: u32 = 18;
/// Rarity is kept in parts of so many of one: it is between 1 and 12, the logarithm of how many mails there are.
const RARITY_STEPS: f64 = 20.0;

/// A feature in 32 bits, as it is kept while a model is learnt: block, row as of the largest model, sign and count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed(u32);

impl Packed {
    /// All features of a mail, those of words first.
    pub fn all_of(features: &Features) -> Vec<Self> {
        let mut all = Vec::with_capacity(features.words.len() + features.letters.len());
        for (block, counted) in [(Block::Words, &features.words), (Block::Letters, &features.letters)] {
            let block = u32::from(block == Block::Letters) << (ROW_BITS + 9);
            all.extend(counted.iter().map(|(hash, count)| {
                Self(block | (hash >> (32 - ROW_BITS)) << 9 | (hash & 1) << 8 | u32::from(*count))
            }));
        }
        all
    }

    /// Its row among two to the power of `bits` of each block; those of letters come behind those of words.
    pub fn row(self, bits: u32) -> usize {
        let within = (self.0 >> 9 & ((1 << ROW_BITS) - 1)) >> (ROW_BITS - bits);
        (u32::from(self.is_of_letters()) << bits | within) as usize
    }

    fn is_of_letters(self) -> bool {
        self.0 >> (ROW_BITS + 9) & 1 == 1
    }
}

/// A row of a model with what a mail's feature there weighs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighted {
    /// The row.
    pub row: usize,
    /// The weight; the squares of all weights of a mail sum up to 1.
    pub value: f32,
}

/// What features weigh.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighing {
    bits: u32,
    /// The inverse document frequency of each row, in steps.
    rarity: Vec<u8>,
}

impl Weighing {
    /// By the rarity of each row, as [`Weighing::rarity`] gave it; none where there are not twice two to the power of `bits` of them.
    pub fn new(bits: u32, rarity: Vec<u8>) -> Option<Self> {
        (bits <= ROW_BITS && rarity.len() == 2 << bits).then_some(Self { bits, rarity })
    }

    /// By the number of mails, of `mails`, in which each row is met; there are twice two to the power of `bits` rows, and
    /// those of which nothing is said are met in none.
    pub fn by_frequency(bits: u32, mails: usize, frequency: &[u32]) -> Self {
        let rarity = |found: &u32| {
            let inverse = 1.0 + crate::functions::ln((1.0 + mails as f64) / (1.0 + f64::from(*found)));
            (inverse * RARITY_STEPS).round().clamp(1.0, 255.0) as u8
        };
        let bits = bits.min(ROW_BITS);
        let rows = frequency.iter().chain(std::iter::repeat(&0)).take(2 << bits);
        Self { bits, rarity: rows.map(rarity).collect() }
    }

    /// Two to the power of this is the number of rows of each block.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The rarity of each row, in steps.
    pub fn rarity(&self) -> &[u8] {
        &self.rarity
    }

    /// Weighs the features of a mail.
    pub fn weigh(&self, packed: &[Packed]) -> Vec<Weighted> {
        self.weigh_some(packed, || true)
    }

    /// Weighs those that `keeps` says to keep as if the mail had no others. Each block that is there has the same share.
    pub fn weigh_some(&self, packed: &[Packed], mut keeps: impl FnMut() -> bool) -> Vec<Weighted> {
        let mut weighted = Vec::with_capacity(packed.len());
        let mut squares = [0.0_f32; 2];
        for feature in packed {
            if !keeps() {
                continue;
            }
            let row = feature.row(self.bits);
            let rarity = f32::from(self.rarity.get(row).copied().unwrap_or_default());
            let value = rarity * (1.0 / RARITY_STEPS as f32) * OFTEN[(feature.0 & 255) as usize];
            squares[usize::from(feature.is_of_letters())] += value * value;
            weighted.push(Weighted { row, value: if feature.0 >> 8 & 1 == 1 { -value } else { value } });
        }
        let blocks = squares.iter().filter(|square| **square > 0.0).count() as f32;
        let factor = squares.map(|square| if square > 0.0 { 1.0 / (square * blocks).sqrt() } else { 0.0 });
        let letters = 1 << self.bits;
        for feature in &mut weighted {
            feature.value *= factor[usize::from(feature.row >= letters)];
        }
        weighted
    }
}

/// `log2(1 + count)` for each count.
static OFTEN: [f32; 256] = often();

const fn often() -> [f32; 256] {
    let mut table = [0.0; 256];
    let mut count = 1;
    while count < 256 {
        // The whole part by halving, then a binary digit for each squaring.
        let mut rest = (1 + count) as f64;
        let mut logarithm = 0.0;
        while rest >= 2.0 {
            rest /= 2.0;
            logarithm += 1.0;
        }
        let mut digit = 0.5;
        while digit > 1e-9 {
            rest *= rest;
            if rest >= 2.0 {
                rest /= 2.0;
                logarithm += digit;
            }
            digit /= 2.0;
        }
        table[count] = logarithm as f32;
        count += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Excerpt;

    fn weigh(bits: u32, text: &str) -> Vec<Weighted> {
        let weighing = Weighing::by_frequency(bits, 0, &[]);
        weighing.weigh(&Packed::all_of(&Features::of(&Excerpt { subject: "", text }.words())))
    }

    #[test]
    fn every_mail_weighs_the_same_and_words_as_much_as_letters() {
        for text in ["a", "lost card", "my card is lost, my card, my card"] {
            let weighted = weigh(10, text);
            let of = |letters: bool| weighted.iter().filter(move |found| (found.row >= 1024) == letters);
            for letters in [false, true] {
                let squares: f32 = of(letters).map(|found| found.value * found.value).sum();
                assert!((squares - 0.5).abs() < 1e-5, "{text}: {squares}");
            }
        }
    }

    #[test]
    fn fewer_rows_are_those_of_more_put_together() {
        for (few, many) in weigh(10, "my card is lost").iter().zip(weigh(18, "my card is lost")) {
            assert_eq!(few.row & 1023, (many.row & ((1 << 18) - 1)) >> 8);
        }
    }

    #[test]
    fn counts_weigh_by_their_logarithm() {
        for count in 1_u16..256 {
            assert!((OFTEN[usize::from(count)] - f32::from(1 + count).log2()).abs() < 1e-5);
        }
    }
}
