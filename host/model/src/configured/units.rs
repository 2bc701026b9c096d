//! Durations and sizes as people write them: `10m`, `250ms`, `32 MiB`.

use std::time::Duration;

/// Units of time, largest first, in milliseconds.
const TIMES: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// Units of size, largest first, in bytes.
const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

/// Reads `7d`, `24h`, `10m`, `60s`, `250ms` or `0`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    parse(text, TIMES).map(Duration::from_millis)
}

/// Writes a duration in the largest unit that divides it.
pub fn format_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    format(millis, TIMES, "")
}

/// Reads `32 MiB`, `64 KiB`, `1 GiB`, the decimal `32 MB`, or a number of bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    parse(text, SIZES)
}

/// Writes a size in the largest binary unit that divides it.
pub fn format_size(bytes: u64) -> String {
    let binary: Vec<(&str, u64)> =
        SIZES.iter().copied().filter(|(unit, _)| unit.ends_with("iB") || *unit == "B").collect();
    format(bytes, &binary, " ")
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    match unit.trim_start() {
        "" if number == 0 || units == SIZES => Some(number),
        unit => units.iter().find(|(name, _)| *name == unit).and_then(|(_, factor)| number.checked_mul(*factor)),
    }
}

fn format(value: u64, units: &[(&str, u64)], between: &str) -> String {
    match units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{between}{unit}", value / factor),
        None => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in [
            ("7d", 604_800_000),
            ("24h", 86_400_000),
            ("10m", 600_000),
            ("60s", 60_000),
            ("250ms", 250),
            ("0", 0),
            ("5 m", 300_000),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "m", "-1s", "1.5h", "10 minutes", "99999999999999999999d", "1M"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(format_duration(Duration::from_mins(10)), "10m");
        assert_eq!(format_duration(Duration::from_hours(24)), "1d");
        assert_eq!(format_duration(Duration::from_millis(1_500)), "1500ms");
        assert_eq!(format_duration(Duration::ZERO), "0");
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [("32 MiB", 32 << 20), ("64KiB", 64 << 10), ("10 MB", 10_000_000), ("17", 17), ("0", 0)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "-1 B", "1 mb", "18446744073709551615 GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(format_size(32 << 20), "32 MiB");
        assert_eq!(format_size(1_000), "1000 B");
    }
}
