//! Numbers that look random and are the same in every run (SplitMix64).

/// A generator of such numbers, with its seed.
#[derive(Debug, Clone)]
pub struct Draw(pub u64);

impl Draw {
    /// The next number, below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }

    /// So many of these at most, in an order of chance.
    pub fn some<T>(&mut self, mut of: Vec<T>, count: usize) -> Vec<T> {
        let mut drawn = Vec::with_capacity(count.min(of.len()));
        while drawn.len() < count && !of.is_empty() {
            let place = self.below(of.len() as u64) as usize;
            drawn.push(of.swap_remove(place));
        }
        drawn
    }
}
