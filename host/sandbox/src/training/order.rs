//! In which order the guest sees the examples: the same for the same seed on every machine.

/// An order of so many examples for a pass: Fisher and Yates, by `SplitMix64` from the seed and the pass. Authors'
/// native tests (`guest-sdk`) shuffle likewise.
pub(super) fn shuffled(count: usize, seed: u64, pass: u32) -> Vec<usize> {
    let mut state = seed ^ u64::from(pass).wrapping_mul(0xD1B5_4A32_D192_ED03);
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        let other = usize::try_from(next() % (last as u64 + 1)).unwrap_or_default();
        order.swap(last, other);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pass_has_every_example_once_in_an_order_of_its_own() {
        for count in [0, 1, 2, 100] {
            let mut order = shuffled(count, 7, 0);
            order.sort_unstable();
            assert_eq!(order, (0..count).collect::<Vec<_>>());
        }
        let orders = [shuffled(100, 7, 0), shuffled(100, 7, 1), shuffled(100, 8, 0)];
        assert!(orders[0] != orders[1] && orders[0] != orders[2] && orders[1] != orders[2]);
        assert_eq!(orders[0], shuffled(100, 7, 0));
        // What was trained once is to come out the same in ten years.
        assert_eq!(shuffled(8, 42, 0), [3, 1, 6, 2, 4, 0, 7, 5]);
    }
}
