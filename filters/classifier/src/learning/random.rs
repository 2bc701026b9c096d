//! Numbers that look random and follow from a seed: the same order and the same omissions on every machine.

/// A sequence of numbers (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed for one use, which other uses of the same seed do not share.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut random = Self(seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.next();
        random
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Puts a list into another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            let other = ((u128::from(self.next()) * (end as u128 + 1)) >> 64) as usize;
            list.swap(end, other);
        }
    }
}

/// Bytes of a sequence, one after the other.
#[derive(Debug)]
pub struct Bytes<'r> {
    random: &'r mut Random,
    left: u64,
    unused: u32,
}

impl<'r> Bytes<'r> {
    /// Those of the numbers that come next.
    pub fn of(random: &'r mut Random) -> Self {
        Self { random, left: 0, unused: 0 }
    }

    /// The next byte.
    pub fn next(&mut self) -> u8 {
        if self.unused == 0 {
            self.left = self.random.next();
            self.unused = 8;
        }
        let byte = self.left as u8;
        self.left >>= 8;
        self.unused -= 1;
        byte
    }
}
