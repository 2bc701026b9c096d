//! Times as people and programs read them: RFC 3339 in UTC. Inside, times are milliseconds since the epoch.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since the epoch, by this host's clock.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Writes milliseconds since the epoch, to the millisecond where there are any. Times outside the years 0 to 9999,
/// which only a broken row can hold, show as the epoch.
pub fn rfc3339(milliseconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// Reads a time as milliseconds since the epoch; none where the text is no RFC 3339.
pub fn parse(text: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        assert_eq!(rfc3339(1_795_521_600_123), "2026-11-24T12:00:00.123Z");
        assert_eq!(rfc3339(1_795_521_600_000), "2026-11-24T12:00:00Z");
        assert_eq!(parse("2026-11-24T13:00:00.123+01:00"), Some(1_795_521_600_123));
        assert_eq!(rfc3339(i64::MAX), "1970-01-01T00:00:00Z");
        assert_eq!(parse("yesterday"), None);
    }
}
