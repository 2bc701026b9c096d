//! Times on the command line: RFC 3339, as people write them, or how long ago.

use super::{CommandError, zone};
use postigo_model::configured::units::parse_duration;
use postigo_model::timestamp::{now, parse, rfc3339};

/// A span of time, as options choose it.
#[derive(Debug, clap::Args)]
pub struct TimeSpan {
    /// From this time on: `2026-11-29 10:44`, a date, RFC 3339, or how long ago (`24h`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl TimeSpan {
    /// Since and until when, milliseconds since the epoch.
    pub fn read(&self) -> Result<(Option<i64>, Option<i64>), CommandError> {
        let read = |option: &str, text: &Option<String>| text.as_deref().map(|text| read(option, text)).transpose();
        Ok((read("since", &self.since)?, read("until", &self.until)?))
    }
}

/// [`read`], where the option is given, as RFC 3339.
pub fn read_as_rfc3339(option: &str, text: Option<&str>) -> Result<Option<String>, CommandError> {
    Ok(text.map(|text| read(option, text)).transpose()?.map(rfc3339))
}

/// Reads `2026-11-24T12:00:00Z`, `2026-11-24 12:00` or a date `2026-11-24` (its beginning) of the admin's time zone, or
/// how long ago (`24h`), as milliseconds since the epoch.
pub fn read(option: &str, text: &str) -> Result<i64, CommandError> {
    let ago = || {
        parse_duration(text).and_then(|ago| i64::try_from(ago.as_millis()).ok()).map(|ago| now().saturating_sub(ago))
    };
    parse(text).or_else(|| zone::read(text)).or_else(ago).ok_or_else(|| {
        let sentence = format!(
            "--{option}: \"{text}\" is no time such as \"2026-11-24 12:00\", 2026-11-24T12:00:00Z or 2026-11-24, and no duration such as 24h."
        );
        CommandError::because(sentence).with_status(2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_three_ways() {
        assert_eq!(read("since", "2026-11-24T12:00:00Z").unwrap(), 1_795_521_600_000);
        // Wherever this runs: no zone is a day away.
        for (text, at) in [("2026-11-24", 1_795_478_400_000), ("2026-11-24 12:00", 1_795_521_600_000_i64)] {
            assert!(read("since", text).unwrap().abs_diff(at) < 86_400_000, "{text}");
        }
        let ago = now() - read("since", "24h").unwrap();
        assert!((86_400_000..86_401_000).contains(&ago), "{ago}");
        assert!(read("since", "yesterday").is_err());
    }
}
