//! Pending times (OTOBO: `X-OTOBO-State-PendingTime`): relative to now, or absolute.

use time::format_description::well_known::Iso8601;
use time::{Date, Month, OffsetDateTime, Time};

/// Reads a pending time as milliseconds since the epoch: `+2d`, `36 h`, `-1h`, `7200` (seconds); `2031-05-01`,
/// `2031-05-01 08:30[:00]` in UTC; ISO 8601 with `T` and a zone. None for anything else, and outside the years 0 to
/// 9999.
pub fn until(value: &str, now: i64) -> Option<i64> {
    let value = value.trim();
    let seconds = match relative(value) {
        Some(seconds) => now.checked_div(1_000)?.checked_add(seconds)?,
        None => absolute(value)?.unix_timestamp(),
    };
    OffsetDateTime::from_unix_timestamp(seconds).ok().filter(|time| (0..=9_999).contains(&time.year()))?;
    seconds.checked_mul(1_000)
}

/// Sign, number and one unit of s (the default), m, h, d, with blanks anywhere between: seconds.
fn relative(value: &str) -> Option<i64> {
    let (sign, rest) = match value.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, value.strip_prefix('+').unwrap_or(value)),
    };
    let (number, unit) = match rest.char_indices().next_back()? {
        (_, digit) if digit.is_ascii_digit() => (rest, 1),
        (start, 's') => (rest.get(..start)?, 1),
        (start, 'm') => (rest.get(..start)?, 60),
        (start, 'h') => (rest.get(..start)?, 3_600),
        (start, 'd') => (rest.get(..start)?, 86_400),
        _ => return None,
    };
    let number = number.trim();
    let number: i64 = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok()).flatten()?;
    number.checked_mul(unit)?.checked_mul(sign)
}

fn absolute(value: &str) -> Option<OffsetDateTime> {
    if value.contains('T') {
        return OffsetDateTime::parse(value, &Iso8601::DEFAULT).ok();
    }
    let (date, time) = value.split_once(' ').unwrap_or((value, "00:00"));
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let date =
        Date::from_calendar_date(year, Month::try_from(u8::try_from(month).ok()?).ok()?, u8::try_from(day).ok()?)
            .ok()?;
    let time = numbers(time.trim(), ':')?;
    let [hour, minute] = time.get(..2)? else { return None };
    let second = match time.get(2..)? {
        [] => 0,
        [second] => *second,
        _ => return None,
    };
    let time =
        Time::from_hms(u8::try_from(*hour).ok()?, u8::try_from(*minute).ok()?, u8::try_from(second).ok()?).ok()?;
    Some(date.with_time(time).assume_utc())
}

fn numbers(text: &str, separator: char) -> Option<Vec<i32>> {
    text.split(separator)
        .map(|part| {
            if !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit()) {
                part.parse().ok()
            } else {
                None
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_795_000_000_000;

    #[test]
    fn relative_times_count_from_now() {
        for (value, seconds) in [
            ("+2d", 172_800),
            ("+ 36 h", 129_600),
            ("7200", 7_200),
            (" -1h ", -3_600),
            ("5m", 300),
            ("- 10", -10),
            ("0", 0),
            ("3 s", 3),
        ] {
            assert_eq!(until(value, NOW), Some(NOW + seconds * 1_000), "{value}");
        }
    }

    #[test]
    fn absolute_times_are_in_utc() {
        for (value, time) in [
            ("2031-05-01 08:30:00", 1_935_390_600_000),
            ("2031-05-01 08:30", 1_935_390_600_000),
            ("2031-05-01", 1_935_360_000_000),
            ("2031-05-01T08:30:00Z", 1_935_390_600_000),
            ("2031-05-01T10:30:00+02:00", 1_935_390_600_000),
        ] {
            assert_eq!(until(value, NOW), Some(time), "{value}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for value in [
            "1d 12h",
            "",
            "d",
            "+",
            "2D",
            "1 w",
            "tomorrow",
            "2031-13-01",
            "2031-02-30",
            "2031-05-01 25:00",
            "2031-05-01T08:30:00",
            "31-05",
            "99999999999999999999",
            "9223372036854775807d",
            "+-1h",
            "2031-05-01 08:30:00:00",
        ] {
            assert_eq!(until(value, NOW), None, "{value}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn any_text_is_taken(value in "\\PC{0,30}|[0-9 +:TZsmhd-]{0,25}", now in any::<i64>()) {
            until(&value, now);
        }
    }
}
