//! `exp` and `ln` that give the same bits on every machine: those of the platform differ in their last digits, and a
//! model would then depend on where it was trained. Made of additions, multiplications and divisions alone, which IEEE
//! 754 fixes; good to about 1e-14.

/// `e` to the power of `x`; 0 and infinity beyond what a double holds, and 0 for what is no number.
pub fn exp(x: f64) -> f64 {
    if x.is_nan() || x < -700.0 {
        return 0.0;
    }
    if x > 700.0 {
        return f64::INFINITY;
    }
    let whole = (x * std::f64::consts::LOG2_E).round();
    let rest = x - whole * std::f64::consts::LN_2;
    // The series of the rest, which is at most 0.35 in size: its term of degree 13 is below 1e-16.
    let mut sum = 1.0;
    for degree in (1..=13).rev() {
        sum = 1.0 + sum * rest / f64::from(degree);
    }
    sum * f64::from_bits(((whole as i64 + 1023) as u64) << 52)
}

/// The natural logarithm of a positive number; that of the smallest positive number for 0 and less, and for what is no number.
pub fn ln(x: f64) -> f64 {
    let x = if x > f64::MIN_POSITIVE { x } else { f64::MIN_POSITIVE };
    if x.is_infinite() {
        return f64::MAX_EXP.into();
    }
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 1023 << 52);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)), of which the argument is at most 0.172 in size.
    let argument = (mantissa - 1.0) / (mantissa + 1.0);
    let square = argument * argument;
    let (mut power, mut sum) = (argument, 0.0);
    for degree in (1..=21).step_by(2) {
        sum += power / f64::from(degree);
        power *= square;
    }
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * sum
}

/// The logistic function: from any number to what lies between 0 and 1.
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// The logarithm of the odds of a probability, which is kept off 0 and 1 by a millionth: the other way round than [`logistic`].
pub fn log_odds(probability: f64) -> f64 {
    let probability = if probability > 1e-6 { probability.min(1.0 - 1e-6) } else { 1e-6 };
    ln(probability / (1.0 - probability))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_platform_but_for_the_last_digits() {
        for step in -2000..2000 {
            let x = f64::from(step) * 0.173;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-12, "exp({x})");
            let positive = f64::from(step + 2001) * 0.0371;
            assert!((ln(positive) - positive.ln()).abs() < 1e-13, "ln({positive})");
        }
    }

    #[test]
    fn no_input_gives_what_is_no_number() {
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, f64::MAX, f64::MIN, 5e-324] {
            assert!(!exp(x).is_nan() && ln(x).is_finite() && log_odds(x).is_finite(), "{x}");
        }
    }
}
