//! The time zone of whoever runs a command: what people read and type is theirs, programs are given UTC.
//!
//! Which one it is the system says, as to every program: `TZ`, else `/etc/localtime`, in the form of RFC 9636.

use postigo_model::timestamp::{parse, rfc3339};
use std::path::Path;
use std::sync::OnceLock;
use time::{Date, Month, OffsetDateTime};

/// A day, in seconds.
const DAY: i64 = 86_400;
/// A file of a zone has at most so many bytes.
const LARGEST_FILE: u64 = 1 << 20;

static ZONE: OnceLock<TimeZone> = OnceLock::new();

/// A time zone: since when which offset from UTC holds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TimeZone {
    /// The offset, in seconds, before the first change.
    first: i64,
    /// The changes: since when, in seconds since the epoch, which offset.
    changes: Vec<(i64, i64)>,
    /// What holds after the last one.
    rule: Option<YearRule>,
}

/// What holds year by year: POSIX's `CET-1CEST,M3.5.0,M10.5.0/3`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct YearRule {
    standard: i64,
    /// In summer: the offset, when it begins and when it ends, by the clock then in use.
    summer: Option<(i64, YearDay, YearDay)>,
}

/// A moment of a year, in local time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct YearDay {
    day: DayRule,
    /// Seconds since midnight.
    at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum DayRule {
    /// Month, week (5: the last), day of the week (0: Sunday).
    Week(u8, u8, u8),
    /// From 1 on; 29 February has none.
    Julian(i64),
    /// From 0 on.
    Ordinal(i64),
}

/// From here on times are shown, and read, in this process as UTC, or as the system's zone has them.
pub fn choose(utc: bool) {
    // Once, before the first is shown.
    ZONE.get_or_init(|| if utc { TimeZone::default() } else { TimeZone::of_system() });
}

/// A time as it is shown: RFC 3339 with the zone's offset. What is no time in UTC is shown as it is.
pub fn shown(text: &str) -> String {
    let zone = ZONE.get_or_init(TimeZone::of_system);
    match parse(text).filter(|_| text.ends_with('Z')) {
        Some(milliseconds) => zone.write(milliseconds),
        None => text.to_owned(),
    }
}

/// Reads a date, or a date and a time with a blank between, of the zone: milliseconds since the epoch.
pub fn read(text: &str) -> Option<i64> {
    ZONE.get_or_init(TimeZone::of_system).read(text)
}

impl TimeZone {
    fn of_system() -> Self {
        let named = std::env::var("TZ").ok();
        let found = match named.as_deref().map(|name| name.trim_start_matches(':')) {
            None => Self::of_file(Path::new("/etc/localtime")),
            Some("") => None,
            Some(path) if path.starts_with('/') => Self::of_file(Path::new(path)),
            Some(name) if !name.split('/').any(|part| part == "..") => {
                Self::of_file(&Path::new("/usr/share/zoneinfo").join(name)).or_else(|| {
                    let rule = YearRule::parse(name)?;
                    Some(Self { first: rule.standard, changes: Vec::new(), rule: Some(rule) })
                })
            }
            Some(_) => None,
        };
        found.unwrap_or_default()
    }

    fn of_file(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        if !metadata.is_file() || metadata.len() > LARGEST_FILE {
            return None;
        }
        Self::parse(&std::fs::read(path).ok()?)
    }

    /// Reads a file in the form of RFC 9636; none where it is in another.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (version, block, rest) = Block::of(bytes, 4)?;
        if version == 0 {
            return block.zone(None);
        }
        let (_, block, rest) = Block::of(rest, 8)?;
        let rule = std::str::from_utf8(rest).ok()?.trim_matches('\n');
        block.zone(YearRule::parse(rule))
    }

    /// The offset that holds at a time, in seconds since the epoch.
    fn offset(&self, at: i64) -> i64 {
        let after = self.changes.partition_point(|(since, _)| *since <= at);
        match (after.checked_sub(1).and_then(|last| self.changes.get(last)), &self.rule) {
            (_, Some(rule)) if after == self.changes.len() => rule.offset(at),
            (Some((_, offset)), _) => *offset,
            (None, _) => self.first,
        }
    }

    /// Seconds since the epoch of a time by this zone's clock. Of one that comes twice the earlier, of one that is
    /// skipped what the clock of before would have called so.
    fn utc(&self, local: i64) -> i64 {
        let offsets = [-DAY, DAY].map(|away| self.offset(local + away));
        let fitting = offsets.iter().map(|offset| local - offset).find(|at| local - self.offset(*at) == *at);
        fitting.unwrap_or(local - offsets[0])
    }

    fn write(&self, milliseconds: i64) -> String {
        let offset = self.offset(milliseconds.div_euclid(1_000));
        if offset == 0 {
            return rfc3339(milliseconds);
        }
        let local = rfc3339(milliseconds + offset * 1_000);
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
        format!("{}{sign}{:02}:{:02}", local.trim_end_matches('Z'), minutes / 60, minutes % 60)
    }

    fn read(&self, text: &str) -> Option<i64> {
        let (date, time) = text.trim().split_once(' ').unwrap_or((text.trim(), "00:00"));
        let time = if time.matches(':').count() == 1 { format!("{time}:00") } else { time.trim().to_owned() };
        let local = parse(&format!("{date}T{time}Z"))?;
        Some(self.utc(local.div_euclid(1_000)) * 1_000 + local.rem_euclid(1_000))
    }
}

/// One of the two blocks of a file.
struct Block<'b> {
    times: &'b [u8],
    width: usize,
    kinds: &'b [u8],
    offsets: &'b [u8],
}

impl<'b> Block<'b> {
    /// Version, block, and what comes behind it.
    fn of(bytes: &'b [u8], width: usize) -> Option<(u8, Self, &'b [u8])> {
        let (head, rest) = bytes.split_at_checked(44)?;
        let (magic, version) = (head.get(..4)?, *head.get(4)?);
        if magic != b"TZif" {
            return None;
        }
        let counts: Vec<usize> = head.get(20..)?.chunks_exact(4).map(|four| number(four) as usize).collect();
        let [universal, standard, leaps, times, kinds, letters] = counts.as_slice() else { return None };
        let (times, rest) = rest.split_at_checked(times * width).map(|(taken, rest)| ((taken, *times), rest))?;
        let (indices, rest) = rest.split_at_checked(times.1)?;
        let (offsets, rest) = rest.split_at_checked(kinds * 6)?;
        let (_, rest) = rest.split_at_checked(letters + leaps * (width + 4) + universal + standard)?;
        Some((version, Self { times: times.0, width, kinds: indices, offsets }, rest))
    }

    fn zone(&self, rule: Option<YearRule>) -> Option<TimeZone> {
        let offset = |kind: usize| Some(number(self.offsets.get(kind * 6..kind * 6 + 4)?));
        let times = self.times.chunks_exact(self.width).map(number);
        let changes = times.zip(self.kinds).map(|(at, kind)| Some((at, offset(usize::from(*kind))?)));
        Some(TimeZone { first: offset(0)?, changes: changes.collect::<Option<_>>()?, rule })
    }
}

/// A signed number, its highest byte first.
fn number(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    bytes.iter().fold(if negative { -1 } else { 0 }, |number, byte| (number << 8) | i64::from(*byte))
}

impl YearRule {
    fn parse(text: &str) -> Option<Self> {
        let rest = after_name(text)?;
        let (west, rest) = take_time(rest)?;
        let standard = -west;
        if rest.is_empty() {
            return Some(Self { standard, summer: None });
        }
        let rest = after_name(rest)?;
        let (offset, rest) = if rest.is_empty() || rest.starts_with(',') {
            (standard + 3_600, rest)
        } else {
            let (west, rest) = take_time(rest)?;
            (-west, rest)
        };
        let mut days = rest.strip_prefix(',').unwrap_or("M3.2.0,M11.1.0").split(',').map(YearDay::parse);
        Some(Self { standard, summer: Some((offset, days.next()??, days.next()??)) })
    }

    fn offset(&self, at: i64) -> i64 {
        let Some((offset, begins, ends)) = &self.summer else { return self.standard };
        let year = OffsetDateTime::from_unix_timestamp(at + self.standard).map_or(1970, OffsetDateTime::year);
        let (Some(begins), Some(ends)) = (begins.of(year), ends.of(year)) else { return self.standard };
        let (begins, ends) = (begins - self.standard, ends - offset);
        let is_summer = if begins < ends { (begins..ends).contains(&at) } else { !(ends..begins).contains(&at) };
        if is_summer { *offset } else { self.standard }
    }
}

impl YearDay {
    fn parse(text: &str) -> Option<Self> {
        let (day, at) = match text.split_once('/') {
            Some((day, time)) => (day, take_time(time).filter(|(_, rest)| rest.is_empty())?.0),
            None => (text, 2 * 3_600),
        };
        let day = if let Some(week) = day.strip_prefix('M') {
            let mut parts = week.split('.').map(|part| part.parse::<u8>().ok());
            DayRule::Week(parts.next()??, parts.next()??, parts.next()??)
        } else if let Some(julian) = day.strip_prefix('J') {
            DayRule::Julian(julian.parse().ok()?)
        } else {
            DayRule::Ordinal(day.parse().ok()?)
        };
        Some(Self { day, at })
    }

    /// Seconds since the epoch by the local clock.
    fn of(&self, year: i32) -> Option<i64> {
        let midnight = |date: Date| date.midnight().assume_utc().unix_timestamp();
        let first = midnight(Date::from_calendar_date(year, Month::January, 1).ok()?);
        let day = match self.day {
            DayRule::Ordinal(day) => first + day * DAY,
            DayRule::Julian(day) => {
                let is_behind_leap_day = time::util::is_leap_year(year) && day >= 60;
                first + (day - 1 + i64::from(is_behind_leap_day)) * DAY
            }
            DayRule::Week(month, week, weekday) => {
                let month = Month::try_from(month).ok()?;
                let begins = Date::from_calendar_date(year, month, 1).ok()?;
                let until = (i64::from(weekday) - i64::from(begins.weekday().number_days_from_sunday())).rem_euclid(7);
                let mut day = until + 7 * (i64::from(week) - 1);
                while day >= i64::from(month.length(year)) {
                    day -= 7;
                }
                midnight(begins) + day * DAY
            }
        };
        Some(day + self.at)
    }
}

/// What comes behind a zone's abbreviation.
fn after_name(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('<') {
        return quoted.split_once('>').map(|(_, rest)| rest);
    }
    let rest = text.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    (text.len() - rest.len() >= 3).then_some(rest)
}

/// Takes `[+-]hh[:mm[:ss]]`, in seconds; and what comes behind it.
fn take_time(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || "+-:".contains(letter))).unwrap_or(text.len());
    let (time, rest) = text.split_at_checked(end)?;
    let sign = if time.starts_with('-') { -1 } else { 1 };
    let mut parts = time.trim_start_matches(['+', '-']).split(':');
    let mut seconds = parts.next()?.parse::<i64>().ok().filter(|hours| *hours <= 167)? * 3_600;
    for unit in [60, 1] {
        if let Some(part) = parts.next() {
            seconds += part.parse::<i64>().ok().filter(|part| *part < 60)? * unit;
        }
    }
    Some((sign * seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(rule: &str) -> TimeZone {
        let rule = YearRule::parse(rule).unwrap();
        TimeZone { first: rule.standard, changes: Vec::new(), rule: Some(rule) }
    }

    #[test]
    fn what_is_shown_in_a_zone_is_read_back_in_it() {
        for (rule, utc, local, typed) in [
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-11-29T09:44:00Z", "2026-11-29T10:44:00+01:00", "2026-11-29 10:44"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-07-01T00:30:07Z", "2026-07-01T02:30:07+02:00", "2026-07-01 02:30:07"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", "2026-10-25T02:59:59+02:00", "2026-10-25 02:59:59"),
            ("EST5EDT,M3.2.0,M11.1.0", "2026-01-01T00:00:00Z", "2025-12-31T19:00:00-05:00", "2025-12-31 19:00"),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", "2026-01-01T11:00:00+11:00", "2026-01-01 11:00"),
            ("<+0545>-5:45", "2026-01-01T00:00:00Z", "2026-01-01T05:45:00+05:45", "2026-01-01 05:45"),
            ("UTC0", "2026-11-29T00:00:00Z", "2026-11-29T00:00:00Z", "2026-11-29"),
        ] {
            let (zone, milliseconds) = (zone(rule), parse(utc).unwrap());
            assert_eq!(zone.write(milliseconds), local, "{rule}");
            assert_eq!(zone.read(typed), Some(milliseconds), "{rule} {typed}");
        }
        assert_eq!(zone("UTC0").read("yesterday"), None);
        assert_eq!(zone("UTC0").read("2026-11-29 25:00"), None);
    }

    #[test]
    fn a_file_says_what_held_before_its_rule() {
        // Of version 2: the first block is empty. Two kinds of time, one change, and a rule behind it.
        let head = |counts: [u32; 6]| [b"TZif2".as_slice(), &[0; 15], &counts.map(u32::to_be_bytes).concat()].concat();
        let mut file = [head([0, 0, 0, 0, 1, 1]), vec![0; 7]].concat();
        file.extend(head([0, 0, 0, 1, 2, 4]));
        file.extend(1_000_i64.to_be_bytes());
        file.push(1);
        file.extend([&(-3_600_i32).to_be_bytes()[..], &[0, 0], &7_200_i32.to_be_bytes(), &[0, 0], b"ABC\0"].concat());
        file.extend(b"\nABC-3\n");
        let zone = TimeZone::parse(&file).unwrap();
        assert_eq!((zone.offset(999), zone.offset(1_000)), (-3_600, 10_800));
        for end in 0..file.len() {
            // What is cut short is no zone, or one without a rule, and no panic.
            let _ = TimeZone::parse(&file[..end]);
        }
        assert_eq!(TimeZone::parse(b"no zone"), None);
    }
}
