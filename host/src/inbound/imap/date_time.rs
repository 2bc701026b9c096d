//! Dates with times as IMAP writes them (RFC 3501 section 9, date-time).

use time::OffsetDateTime;
use time::macros::format_description;

/// `17-Jul-1996 02:44:25 -0700`, the day with a blank before a single digit (RFC 3501 section 9, date-time).
pub fn internal_date(text: &str) -> Option<i64> {
    let format = format_description!(
        version = 2,
        "[day padding:space]-[month repr:short case_sensitive:false]-[year] [hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
    );
    // Some servers pad with a zero, some not at all.
    let text = text.trim_start();
    let text = match text.split_once('-') {
        Some((day, rest)) => format!("{:>2}-{rest}", day.trim_start_matches('0')),
        None => return None,
    };
    OffsetDateTime::parse(&text, format).ok().map(|date| date.unix_timestamp() * 1_000)
}

/// The same form, of milliseconds since the epoch.
pub fn date_time(milliseconds: i64) -> String {
    let format = format_description!(version = 2, "[day]-[month repr:short]-[year] [hour]:[minute]:[second] +0000");
    let date =
        OffsetDateTime::from_unix_timestamp(milliseconds.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // Only a format that names what a date lacks could fail.
    date.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_dates_are_read_however_the_day_is_padded() {
        for text in ["17-Jul-1996 02:44:25 -0700", "17-JUL-1996 02:44:25 -0700"] {
            assert_eq!(internal_date(text), Some(837_596_665_000), "{text}");
        }
        for text in [" 7-Jul-1996 00:00:00 +0000", "07-Jul-1996 00:00:00 +0000", "7-Jul-1996 00:00:00 +0000"] {
            assert_eq!(internal_date(text), Some(836_697_600_000), "{text}");
        }
        assert_eq!(internal_date("yesterday"), None);
        assert_eq!(date_time(837_596_665_999), "17-Jul-1996 09:44:25 +0000");
        assert_eq!(internal_date(&date_time(837_596_665_999)), Some(837_596_665_000));
    }
}
