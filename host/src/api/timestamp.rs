//! Times as the API shows them: RFC 3339 in UTC, to the millisecond.

use super::problem::Problem;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Writes milliseconds since the epoch. Times outside the years 0 to 9999, which only a broken row can hold, show as the epoch.
pub fn rfc3339(milliseconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// Reads a query parameter's time as milliseconds since the epoch.
pub fn parse(parameter: &str, text: &str) -> Result<i64, Problem> {
    OffsetDateTime::parse(text, &Rfc3339).map(|time| (time.unix_timestamp_nanos() / 1_000_000) as i64).map_err(|_| {
        Problem::bad_parameter(
            parameter,
            format!("\"{text}\" is not a time such as 2026-11-24T12:00:00Z (a \"+\" of an offset is written %2B)."),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        assert_eq!(rfc3339(1_795_521_600_123), "2026-11-24T12:00:00.123Z");
        assert_eq!(parse("since", "2026-11-24T13:00:00.123+01:00").unwrap(), 1_795_521_600_123);
        assert_eq!(rfc3339(i64::MAX), "1970-01-01T00:00:00Z");
        assert_eq!(parse("since", "yesterday").unwrap_err().errors[0].parameter.as_deref(), Some("since"));
    }
}
