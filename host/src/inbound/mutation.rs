//! Random changes to what the other side of a connection says, for tests that must come out the same every time.

/// Numbers that look random and are the same for the same seed, everywhere (xorshift64*).
pub struct Dice(u64);

impl Dice {
    /// From a seed; 0 counts as 1.
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    /// The next number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end.max(1)
    }

    /// One of several.
    pub fn one_of<'a, T: ?Sized>(&mut self, several: &[&'a T]) -> &'a T {
        several[self.below(several.len())]
    }
}

/// A session of these answers: about three in `odds` left out, said twice or out of place, and up to five changes to
/// the bytes of the whole, among them pieces of `oddities` and one of the `letters` again and again.
pub fn mutated(dice: &mut Dice, answers: &[&[u8]], oddities: &[&[u8]], letters: &[u8], odds: usize) -> Vec<u8> {
    let mut said: Vec<u8> = Vec::new();
    for answer in answers {
        match dice.below(odds) {
            0 => {}
            1 => said.extend_from_slice(&answer.repeat(2)),
            2 => said.extend_from_slice(dice.one_of(answers)),
            _ => said.extend_from_slice(answer),
        }
    }
    for _ in 0..dice.below(6) {
        let at = dice.below(said.len());
        match dice.below(5) {
            0 => said[at] = dice.below(256) as u8,
            1 => drop(said.drain(at..(at + dice.below(40)).min(said.len()))),
            2 => drop(said.splice(at..at, dice.one_of(oddities).iter().copied())),
            3 => drop(said.splice(at..at, vec![letters[dice.below(letters.len())]; dice.below(3_000)])),
            _ => said.truncate(at + 1),
        }
        if said.is_empty() {
            break;
        }
    }
    said
}
