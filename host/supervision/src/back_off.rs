//! How long to wait before something that failed is tried again.

use std::time::Duration;

/// Doubles with every failure in a row from `first` up to `longest`, give or take a fifth, so that many do not come
/// back together.
pub fn after_failures(failures: u32, first: Duration, longest: Duration) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    let mut random = [0; 1];
    // Without randomness the pause is only less spread.
    let _ = getrandom::fill(&mut random);
    doubled.min(longest).mul_f64(0.8 + f64::from(random[0]) / 255.0 * 0.4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_limit_and_is_never_nothing() {
        let pause = |failures| after_failures(failures, Duration::from_secs(5), Duration::from_mins(10)).as_secs_f64();
        assert!((4.0..=6.0).contains(&pause(1)));
        assert!((16.0..=24.0).contains(&pause(3)));
        assert!((480.0..=720.0).contains(&pause(30)) && (480.0..=720.0).contains(&pause(u32::MAX)));
    }
}
