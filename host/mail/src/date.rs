//! The Date of a mail (RFC 5322 section 3.3), as programs write it that do not read standards: long or foreign names of
//! months, no zone or its name, seconds left out, the order of other dates. Where nothing tells the zone it is UTC.

/// The date as milliseconds since the epoch; none where it is not to be understood, or is no day that there was.
pub fn read(text: &str) -> Option<i64> {
    let mut date = UnreadDate::default();
    let plain = without_comments(text);
    let mut rest = plain.as_str();
    while let Some(word) = next_word(&mut rest) {
        date.take(word)?;
    }
    date.finish()
}

/// What has been read of a date.
#[derive(Default)]
struct UnreadDate {
    year: Option<i64>,
    month: Option<u8>,
    day: Option<u8>,
    /// Hours, minutes, seconds.
    time: Option<(i64, i64, i64)>,
    /// Minutes east of Greenwich.
    zone: Option<i64>,
}

impl UnreadDate {
    /// Takes a word: what it is is told by its form, and by what is still missing. None where it can be nothing.
    fn take(&mut self, word: &str) -> Option<()> {
        let is_after_time = self.time.is_some();
        let begins_with_digit = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
        // Not `12-Oct-2026`, not `21st`.
        let is_whole = |(date, time): &(&str, &str)| begins_with_digit(date) && begins_with_digit(time);
        if let Some((date, time)) = word.split_once(['T', 't']).filter(is_whole) {
            // 2026-11-23T09:15:00.000+01:00
            self.whole_date(date)?;
            let zone = time.find(['+', '-', 'Z', 'z']).unwrap_or(time.len());
            self.time = Some(time_of(time.get(..zone)?)?);
            self.take_zone(time.get(zone..)?);
            return Some(());
        }
        if word.contains(':') && self.time.is_none() && word.starts_with(|first: char| first.is_ascii_digit()) {
            let zone = word.find(['+', '-', 'Z', 'z', 'a', 'A', 'p', 'P', 'G', 'U']).unwrap_or(word.len());
            self.time = Some(time_of(word.get(..zone)?)?);
            return match word.get(zone..)? {
                "" => Some(()),
                more => self.take(more),
            };
        }
        if word.starts_with(['+', '-']) && is_after_time {
            self.take_zone(word);
            return Some(());
        }
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            return self.number(word);
        }
        let lower = word.to_lowercase();
        match lower.trim_matches('.') {
            "am" | "a.m" => self.of_the_day(0),
            "pm" | "p.m" => self.of_the_day(12),
            name if is_after_time && zone_of(name).is_some() => {
                self.take_zone(word);
                Some(())
            }
            name => {
                // A name that is no month's is a day's, or nothing. Tuesday begins as March does where it is `mardi`.
                if self.month.is_none() || self.year.is_none() && !is_after_time {
                    self.month = month_of(name).or(self.month);
                }
                Some(())
            }
        }
    }

    fn of_the_day(&mut self, hours: i64) -> Option<()> {
        let (hour, minute, second) = self.time?;
        self.time = Some((hour % 12 + hours, minute, second));
        Some(())
    }

    /// A zone that is nonsense counts as none.
    fn take_zone(&mut self, word: &str) {
        if self.zone.is_none() {
            self.zone = zone_of(&word.to_lowercase());
        }
    }

    /// A word that begins with a digit: a day, a year, or several numbers of a date.
    fn number(&mut self, word: &str) -> Option<()> {
        if word.contains(['-', '/', '.']) && word.trim_end_matches('.').contains(['-', '/', '.']) {
            let is_time =
                self.time.is_none() && self.day.is_some() && self.year.is_some() && word.split('.').count() > 1;
            if is_time {
                self.time = Some(time_of(&word.replace('.', ":"))?);
                return Some(());
            }
            return self.whole_date(word);
        }
        let digits = word.trim_end_matches(|letter: char| !letter.is_ascii_digit()); // 23., 23rd, 2026年
        let Some(value) = digits.parse().ok().filter(|_| digits.len() <= 4) else { return Some(()) };
        if digits.len() <= 2 && self.day.is_none() {
            self.day = u8::try_from(value).ok();
        } else if self.year.is_none() {
            self.year = Some(whole_year(value));
        } else if self.time.is_some() && self.zone.is_none() && digits.len() == 4 {
            self.zone = zone_of(&format!("+{digits}"));
        }
        Some(())
    }

    /// `2026-11-23`, `23-Nov-2026`, `23.11.2026`, `2026/11/23`. Which of `11/12/2026` is the month nobody knows.
    fn whole_date(&mut self, word: &str) -> Option<()> {
        let pieces: Vec<&str> = word.split(['-', '/', '.']).filter(|piece| !piece.is_empty()).collect();
        let [first, second, third] = pieces.as_slice() else { return None };
        let (year, month, day) = if first.len() == 4 { (first, second, third) } else { (third, second, first) };
        let number = |piece: &str| piece.parse::<u8>().ok();
        let month_number = match (number(month), number(day)) {
            (Some(month), Some(day)) if first.len() != 4 && word.contains('/') => {
                return match (month > 12, day > 12) {
                    (true, false) => self.set(year, day, month),
                    (false, true) => self.set(year, month, day),
                    _ if month == day => self.set(year, month, day),
                    _ => None,
                };
            }
            (Some(month), _) => month,
            (None, _) => month_of(&month.to_lowercase())?,
        };
        self.set(year, month_number, number(day)?)
    }

    fn set(&mut self, year: &str, month: u8, day: u8) -> Option<()> {
        self.year = Some(whole_year(year.parse().ok()?));
        (self.month, self.day) = (Some(month), Some(day));
        Some(())
    }

    fn finish(self) -> Option<i64> {
        let (year, month, day) = (self.year?, self.month?, self.day?);
        let (hour, minute, second) = self.time.unwrap_or_default();
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=days).contains(&day) || !(1_900..=3_000).contains(&year) {
            return None;
        }
        let seconds = days_since_epoch(year, i64::from(month), i64::from(day)) * 86_400
            + hour * 3_600
            + (minute - self.zone.unwrap_or_default()) * 60
            + second;
        Some(seconds * 1_000)
    }
}

/// Hours, minutes and seconds, parts of them left out; a leap second is the one before it.
fn time_of(text: &str) -> Option<(i64, i64, i64)> {
    let mut pieces = text.split(':');
    let mut number = |most: i64| match pieces.next() {
        None | Some("") => Some(0),
        Some(piece) => piece.split(['.', ',']).next()?.parse().ok().filter(|value| (0..=most).contains(value)),
    };
    Some((number(23)?, number(59)?, number(60)?.min(59)))
}

/// A year of two digits (RFC 5322 section 4.3), or of three, as programs wrote it that counted from 1900.
fn whole_year(year: i64) -> i64 {
    match year {
        0..50 => year + 2_000,
        50..1_000 => year + 1_900,
        _ => year,
    }
}

/// Minutes east of Greenwich, by number or name (in small letters).
fn zone_of(text: &str) -> Option<i64> {
    const NAMES: [(&str, i64); 32] = [
        ("z", 0),
        ("ut", 0),
        ("utc", 0),
        ("gmt", 0),
        ("wet", 0),
        ("west", 1),
        ("bst", 1),
        ("cet", 1),
        ("met", 1),
        ("mez", 1),
        ("cest", 2),
        ("mest", 2),
        ("mesz", 2),
        ("eet", 2),
        ("eest", 3),
        ("msk", 3),
        ("jst", 9),
        ("kst", 9),
        ("aest", 10),
        ("aedt", 11),
        ("nzst", 12),
        ("nzdt", 13),
        ("est", -5),
        ("edt", -4),
        ("cst", -6),
        ("cdt", -5),
        ("mst", -7),
        ("mdt", -6),
        ("pst", -8),
        ("pdt", -7),
        ("akst", -9),
        ("hst", -10),
    ];
    let (name, offset) = text.split_at(text.find(['+', '-']).unwrap_or(text.len()));
    let named = match NAMES.iter().find(|(known, _)| *known == name) {
        Some((_, hours)) => hours * 60,
        None if name.is_empty() && !offset.is_empty() => 0,
        None => return None,
    };
    if offset.is_empty() {
        return Some(named);
    }
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = match digits.len() {
        1 | 2 => (digits.as_str(), "0"),
        3 | 4 => digits.split_at(digits.len() - 2),
        _ => return None,
    };
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    let sign = if offset.contains('-') { -1 } else { 1 };
    (hours <= 23 && minutes <= 59).then_some(named + sign * (hours * 60 + minutes))
}

/// The number of a month by the beginning of its name (in small letters): English, and what else programs write that
/// ask their machine for its language.
fn month_of(name: &str) -> Option<u8> {
    const MONTHS: [&[&str]; 12] = [
        &["jan", "jän", "ene", "gen", "янв"],
        &["feb", "fév", "fev", "фев"],
        &["mar", "mär", "mrz", "mrt", "maa", "мар"],
        &["apr", "avr", "abr", "ápr", "апр"],
        &["may", "mai", "maj", "mag", "mei", "máj", "май", "мая"],
        &["jun", "juin", "giu", "jún", "июн"],
        &["jul", "juil", "lug", "júl", "июл"],
        &["aug", "aoû", "aou", "ago", "авг"],
        &["sep", "set", "szept", "сен"],
        &["oct", "okt", "ott", "out", "окт"],
        &["nov", "ноя"],
        &["dec", "déc", "dez", "dic", "дек"],
    ];
    let place = MONTHS.iter().position(|names| names.iter().any(|beginning| name.starts_with(beginning)))?;
    u8::try_from(place + 1).ok()
}

/// The next word, without blanks and commas; what is cut off before it is gone from `rest`.
fn next_word<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let separates = |character: char| character.is_whitespace() || matches!(character, ',' | ';');
    let text = rest.trim_start_matches(separates);
    let end = text.find(separates).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    *rest = after;
    (!word.is_empty()).then_some(word)
}

fn without_comments(text: &str) -> String {
    let mut depth = 0_u32;
    let keep = |character: &char| {
        match character {
            '(' => depth += 1,
            ')' => {
                depth = depth.saturating_sub(1);
                return false;
            }
            _ => {}
        }
        depth == 0
    };
    text.chars().filter(keep).collect()
}

/// Days since 1970 of a day of the Gregorian calendar.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have the leap day at their end.
    let year = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::DateTime;
    use proptest::prelude::*;

    #[test]
    fn dates_are_read_in_every_form() {
        let expected = 1_795_425_300_000; // 23 November 2026, 09:15 UTC
        for date in [
            "Mon, 23 Nov 2026 09:15:00 +0000",
            "23 Nov 2026 10:15 +0100",
            "Mon, 23 Nov 26 10:15:00 +0100",
            "Mon,23 Nov 2026 10:15:00 +0100 (CET)",
            "Mon, 23 Nov 2026 10:15:00 +01:00",
            "Mon, 23 Nov 2026 10:15:00 +1",
            // Without a zone it is UTC, as with one that says nothing.
            "Mon, 23 Nov 2026 09:15:00",
            "Mon, 23 Nov 2026 09:15",
            "Mon, 23 Nov 2026 09:15:00 -0000",
            "Mon, 23 Nov 2026 09:15:00 +9999",
            "Mon, 23 Nov 2026 09:15:00 Local",
            // Long names, and others than English.
            "Monday, 23 November 2026 09:15:00 +0000",
            "Monday, November 23, 2026 10:15:00 +0100",
            "Mo, 23 Nov 2026 10:15:00 +0100",
            "lun., 23 nov. 2026 10:15:00 +0100",
            "mar., 23 nov. 2026 10:15:00 +0100",
            "Montag, 23. November 2026 10:15:00 MEZ",
            "пн, 23 ноя 2026 12:15:00 MSK",
            // Zones by name.
            "Mon, 23 Nov 2026 04:15:00 EST",
            "Mon, 23 Nov 2026 01:15:00 PST",
            "Mon, 23 Nov 2026 10:15:00 CET",
            "Mon, 23 Nov 2026 18:15:00 JST",
            "Mon, 23 Nov 2026 10:15:00 GMT+0100",
            "Mon, 23 Nov 2026 10:15:00 UTC+1",
            "Mon, 23 Nov 2026 09:15:00 Z",
            // Programs of all kinds.
            "Mon Nov 23 09:15:00 2026",
            "Mon Nov 23 10:15:00 CET 2026",
            "Mon Nov 23 10:15:00 2026 +0100",
            "Mon Nov 23 2026 10:15:00 GMT+0100 (Central European Standard Time)",
            "2026-11-23 10:15:00 +0100",
            "2026-11-23 09:15:00",
            "2026-11-23T10:15:00+01:00",
            "2026-11-23T09:15:00.123Z",
            "23-Nov-2026 09:15:00 +0000",
            "23rd November 2026 09:15:00 +0000",
            "23.11.2026 09:15",
            "2026/11/23 09:15:00",
            "11/23/2026 9:15:00 AM",
            "23/11/2026 09:15",
            "Nov 23, 2026 9:15 AM",
            "Mon, 23 Nov 2026 09.15.00 +0000",
            "Mon, 23 Nov 2026 09:15:00 +0000,",
            "  Mon ,  23   Nov  2026   09:15:00   +0000  ",
        ] {
            assert_eq!(read(date), Some(expected), "{date}");
        }
        for (date, expected) in [
            ("Mon, 23 Sep 102 08:00:00 GMT", Some(1_032_768_000_000)),
            ("1 January 1970 00:00:00 +0000", Some(0)),
            ("12-Oct-2026 09:15:00 +0000", Some(1_791_796_500_000)),
            ("1st October 2026 10:00", Some(1_790_848_800_000)),
            ("Wed, 29 Feb 2028 12:00:00 +0000", Some(1_835_438_400_000)),
            ("Sat, 31 Dec 2016 23:59:60 +0000", Some(1_483_228_799_000)),
            ("Nov 23, 2026 12:00:00 AM", Some(1_795_392_000_000)),
            ("Nov 23, 2026 12:00:00 PM", Some(1_795_435_200_000)),
            ("23 Nov 2026", Some(1_795_392_000_000)),
            ("Sun, 29 Feb 2026 12:00:00 +0000", None),
            ("Mon, 23 Nov 2026 25:00:00 +0000", None),
            ("11/12/2026 09:15", None),
            ("Thu, 22 Aug 0102 12:07:35 +0800", Some(1_029_989_255_000)),
            ("Thu, 29 Aug 2002 15:36:58 +-0500", Some(1_030_653_418_000)),
            ("Sun, 25 Aug 2002 19:21:44 01800", Some(1_030_303_304_000)),
            ("2002/09/14 Sat 02:29:32 CDT", Some(1_031_988_572_000)),
            ("Fri, 23 Aug 2002 22:46:34 GMT+1", Some(1_030_139_194_000)),
            ("Mon, 23 Nov 1026 09:15:00 +0000", None),
            ("yesterday", None),
            ("99 Xxx 2026", None),
            ("", None),
        ] {
            assert_eq!(read(date), expected, "{date}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn what_is_well_formed_is_read_as_others_read_it(seconds in -2_000_000_000_i64..4_000_000_000, zone in -14_i64 * 60..14 * 60) {
            let date = DateTime::from_timestamp(seconds).to_timezone(zone * 60).to_rfc822();
            prop_assert_eq!(read(&date), Some(seconds * 1_000), "{}", date);
        }

        #[test]
        fn any_text_is_taken(text in "\\PC{0,60}|[0-9A-Za-z:+.,/ ()-]{0,60}") {
            read(&text);
        }
    }
}
