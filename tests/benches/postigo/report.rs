//! How figures are taken and printed.

use std::time::{Duration, Instant};

/// Prints the heading of a section.
pub fn section(title: &str) {
    println!("\n{title}");
}

/// Prints one figure with what it is held against.
pub fn line(what: &str, value: &str, aim: &str, baseline: &str) {
    println!("  {what:<52} {value:>14}   aim {aim:<12} {baseline}");
}

/// Microseconds with one decimal.
pub fn micros(duration: Duration) -> String {
    format!("{:.1} µs", duration.as_secs_f64() * 1e6)
}

/// The median time of one call of `work`, over rounds of `each` calls.
pub fn median(rounds: usize, each: u32, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..each {
                work();
            }
            begun.elapsed() / each
        })
        .collect();
    times.sort();
    times[rounds / 2]
}

/// The time that `work` takes once.
pub fn once<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let value = work();
    (begun.elapsed(), value)
}
