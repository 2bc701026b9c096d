//! The same figure over several seeds.

/// What a figure is over several runs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of a sample: 0 for a single run. It says how much order and chance matter, not how much
    /// the choice of test mails does.
    pub deviation: f64,
}

/// Mean and deviation.
pub fn spread(figures: &[f64]) -> Spread {
    let number = figures.len() as f64;
    let mean = figures.iter().sum::<f64>() / number.max(1.0);
    let squares: f64 = figures.iter().map(|figure| (figure - mean) * (figure - mean)).sum();
    Spread { mean, deviation: (squares / (number - 1.0).max(1.0)).sqrt() }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "figures of small numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn mean_and_deviation_of_a_known_list() {
        assert_eq!(spread(&[1.0, 2.0, 3.0]), Spread { mean: 2.0, deviation: 1.0 });
        assert_eq!(spread(&[5.0]), Spread { mean: 5.0, deviation: 0.0 });
        assert_eq!(spread(&[]), Spread::default());
    }
}
