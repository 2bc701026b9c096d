//! Ticket numbers: how they are made (OTOBO: `Ticket::Number::*`) and how they are found in a text.

use postigo_model::configured::{NumberGenerator, Settings};
use std::borrow::Cow;
use time::Date;

/// The counter that a generator counts with on a day: one a day for numbers that hold the date, one for ever otherwise;
/// none where numbers are random.
pub fn counter(generator: NumberGenerator, date: Date) -> Option<String> {
    match generator {
        NumberGenerator::DateChecksum | NumberGenerator::Date => Some(day(date)),
        NumberGenerator::AutoIncrement => Some("all".to_owned()),
        NumberGenerator::Random | NumberGenerator::Unguessable => None,
    }
}

/// A ticket number. `source` is the counter's next value, or a random number where there is no [`counter`]: one of the
/// system's, which nobody can guess; but of ten digits every tenth million is somebody's ticket where there are a
/// thousand.
pub fn ticket_number(generator: NumberGenerator, date: Date, source: u64) -> String {
    match generator {
        NumberGenerator::DateChecksum => {
            let number = format!("{}{source:05}", day(date));
            let digit = check_digit(&number);
            format!("{number}{digit}")
        }
        NumberGenerator::Date => format!("{}{source:05}", day(date)),
        NumberGenerator::AutoIncrement => format!("{source:05}"),
        NumberGenerator::Random => format!("{:010}", source % 10_000_000_000),
        NumberGenerator::Unguessable => format!("{}{:016}", day(date), source % 10_000_000_000_000_000),
    }
}

fn day(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day())
}

/// The digits weighted 1, 2, 1, 2 … from the left, summed; what is missing to the next ten, 1 where nothing is.
fn check_digit(number: &str) -> u32 {
    let sum: u32 = number
        .chars()
        .filter_map(|digit| digit.to_digit(10))
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .sum();
    match 10 - sum % 10 {
        10 => 1,
        digit => digit,
    }
}

/// How many digits a number has, at least and at most. All digits that are there belong to it, up to the greatest
/// length.
fn digits(generator: NumberGenerator) -> (usize, usize) {
    match generator {
        NumberGenerator::DateChecksum => (8 + 4, 8 + 40),
        NumberGenerator::Date => (8 + 1, 8 + 40),
        // Other generators' numbers, from before, are found as well.
        NumberGenerator::AutoIncrement | NumberGenerator::Random | NumberGenerator::Unguessable => (4, 40),
    }
}

/// The first ticket number in a text: after hook and divider, else after the hook, a colon and up to two blanks. The
/// hook counts in any case of letters, brackets are not needed.
pub fn find(text: &str, settings: &Settings) -> Option<String> {
    let bounds = digits(settings.number_generator);
    let (text, hook, divider) = fold(text, &settings.ticket_hook, &settings.ticket_hook_divider);
    let after_hooks = || after(&text, &hook);
    let direct = after_hooks().find_map(|rest| number(strip(rest, &divider)?, bounds));
    direct.or_else(|| {
        after_hooks().find_map(|rest| {
            let rest = rest.strip_prefix(':')?;
            let blanks = rest.bytes().take(2).take_while(u8::is_ascii_whitespace).count();
            number(rest.get(blanks..)?, bounds)
        })
    })
}

/// A subject without a ticket's number, in or without brackets.
pub fn without_number(subject: &str, number: &str, settings: &Settings) -> String {
    let mut rest = subject.to_owned();
    for joint in [settings.ticket_hook_divider.as_str(), ":", ": ", ":  "] {
        let plain = format!("{}{joint}{number}", settings.ticket_hook).to_lowercase();
        for spelling in [format!("[{plain}]"), plain] {
            rest = without(&rest, &spelling);
        }
    }
    rest
}

/// Takes out every occurrence of a spelling in lower case, with one of the blanks around it, unless digits go on after
/// it.
fn without(text: &str, spelling: &str) -> String {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return text.to_owned(); // offsets would not fit: letters whose small form is longer
    }
    let mut kept = String::new();
    let mut from = 0;
    for (start, _) in lower.match_indices(spelling) {
        let end = start + spelling.len();
        if text.get(end..).is_some_and(|after| after.starts_with(|next: char| next.is_ascii_digit())) {
            continue;
        }
        kept.push_str(text.get(from..start).unwrap_or_default());
        let blank =
            text.get(end..).is_some_and(|after| after.starts_with(' ')) && (kept.is_empty() || kept.ends_with(' '));
        from = if blank { end + 1 } else { end };
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    kept.trim_end().to_owned()
}

/// Everything in small letters where the hook or divider has letters beyond ASCII; ASCII is compared in any case below.
fn fold<'a>(text: &'a str, hook: &'a str, divider: &'a str) -> (Cow<'a, str>, Cow<'a, str>, Cow<'a, str>) {
    if hook.is_ascii() && divider.is_ascii() {
        return (Cow::Borrowed(text), Cow::Borrowed(hook), Cow::Borrowed(divider));
    }
    (Cow::Owned(text.to_lowercase()), Cow::Owned(hook.to_lowercase()), Cow::Owned(divider.to_lowercase()))
}

/// What follows each occurrence of the hook.
fn after<'a>(text: &'a str, hook: &'a str) -> impl Iterator<Item = &'a str> {
    let starts: Box<dyn Iterator<Item = usize>> = match hook.bytes().next() {
        Some(first) => {
            Box::new(memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text.as_bytes()))
        }
        None => Box::new(0..text.len()),
    };
    starts.filter_map(move |start| strip(text.get(start..)?, hook))
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn number(rest: &str, (least, most): (usize, usize)) -> Option<String> {
    let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    (length >= least).then(|| rest.get(..length).map(str::to_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::date;

    #[test]
    fn numbers_are_made_as_the_generator_says() {
        let day = date!(2026 - 11 - 24);
        for (generator, number) in [
            (NumberGenerator::DateChecksum, "20261124000011"),
            (NumberGenerator::Date, "2026112400001"),
            (NumberGenerator::AutoIncrement, "00001"),
            (NumberGenerator::Random, "0000000001"),
            (NumberGenerator::Unguessable, "202611240000000000000001"),
        ] {
            assert_eq!(ticket_number(generator, day, 1), number, "{generator:?}");
        }
        assert_eq!(ticket_number(NumberGenerator::DateChecksum, day, 2), "20261124000029");
        assert_eq!(ticket_number(NumberGenerator::Date, day, 1_234_567), "202611241234567");
        assert_eq!(counter(NumberGenerator::DateChecksum, day).as_deref(), Some("20261124"));
        assert_eq!(counter(NumberGenerator::Random, day), None);
        assert_eq!(counter(NumberGenerator::Unguessable, day), None, "what is counted can be guessed");
        assert_eq!(ticket_number(NumberGenerator::Unguessable, day, u64::MAX), "202611246744073709551615");
    }

    #[test]
    fn numbers_are_found_after_the_hook() {
        let settings = Settings::default();
        for (text, number) in [
            ("Re: [Ticket#2026112400001] x", Some("2026112400001")),
            ("question on ticket#20261124000014, please", Some("20261124000014")),
            ("Ticket#: 2026112400001", Some("2026112400001")),
            ("Ticket#:\t 2026112400001", Some("2026112400001")),
            ("Ticket#:   2026112400001", None),
            ("Ticket# 2026112400001", None),
            ("2026112400001 without a hook", None),
            ("Ticket#20261124001", None),
            ("Ticket#1 Ticket#2026112400001 Ticket#2026112400002", Some("2026112400001")),
            ("Ticket#: 2026112400001 Ticket#2026112400002", Some("2026112400002")),
        ] {
            assert_eq!(find(text, &settings).as_deref(), number, "{text}");
        }
    }

    #[test]
    fn hook_and_divider_are_settings() {
        let settings =
            Settings { ticket_hook: "Заявка#".into(), ticket_hook_divider: " ".into(), ..Settings::default() };
        assert_eq!(find("ответ: заявка# 2026112400001", &settings).as_deref(), Some("2026112400001"));
        assert_eq!(find("заявка#2026112400001", &settings), None);
        let settings = Settings { ticket_hook: String::new(), ..Settings::default() };
        assert_eq!(find("x 2026112400001", &settings).as_deref(), Some("2026112400001"));
    }

    #[test]
    fn a_number_is_taken_out_of_a_subject() {
        let settings = Settings::default();
        for (subject, rest) in [
            ("Re: [Ticket#2026112400001] Old matter", "Re: Old matter"),
            ("[ticket#2026112400001]", ""),
            ("Old matter Ticket#: 2026112400001", "Old matter"),
            ("Re: [Ticket#20261124000017] Old matter", "Re: [Ticket#20261124000017] Old matter"),
        ] {
            assert_eq!(without_number(subject, "2026112400001", &settings), rest, "{subject}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn every_number_made_is_found(counter in 0_u64..10_000_000_000, before in "\\PC{0,10}", generator in 0..5_usize) {
            let generators = [
                NumberGenerator::DateChecksum,
                NumberGenerator::Date,
                NumberGenerator::AutoIncrement,
                NumberGenerator::Random,
                NumberGenerator::Unguessable,
            ];
            let number_generator = generators[generator];
            let settings = Settings { number_generator, ..Settings::default() };
            let number = ticket_number(number_generator, date!(2026 - 11 - 24), counter);
            prop_assert_eq!(find(&format!("{before}[Ticket#{number}] x"), &settings), Some(number));
        }
    }
}
