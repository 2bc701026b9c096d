//! A chain of classic filters over a mail, beside the same rules one by one by the native regex crate.

use super::report::{line, median, micros, section};
use super::rules::{Match, heavy_mail, mails, pattern, receive, sandbox, settings};
use postigo::chain::{ChainPlan, ChainRun, Mode, Sandbox, run as run_chain};
use postigo_mail::{Mail, Vocabulary};
use postigo_model::configured::Filter;
use regex::{Regex, RegexBuilder};
use std::hint::black_box;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Rules, the aim, and the aim after heavy messages.
const SIZES: [(usize, &str); 4] = [(1, "–"), (20, "–"), (100, "≤ 40 µs"), (500, "≤ 60 µs")];

pub fn run() {
    section("A chain of `match` filters over a mail of which one rule matches");
    let folder = tempfile::tempdir().unwrap();
    let sandbox = sandbox(folder.path());
    let components = Match::of(&sandbox);
    for (count, aim) in SIZES {
        let filters: Vec<Filter> = (0..count).map(|number| filter(number, count)).collect();
        let plan = Arc::new(ChainPlan::build(&filters, &components, sandbox.as_ref(), None));
        assert_eq!(plan.broken().count(), 0);
        let (sender, receiver) = mpsc::channel();
        let measured = Arc::clone(&plan);
        sandbox.execute(Box::new(move || sender.send(measure(&measured, count)).unwrap()));
        let (usual, after_heavy) = receiver.recv().unwrap();
        let native = native(count);
        line(
            &format!("{count} filters"),
            &micros(usual),
            aim,
            &format!("the rules one by one natively {}", micros(native)),
        );
        line(&format!("{count} filters, after heavy messages"), &micros(after_heavy), "≤ 150 µs", "");
    }
}

fn filter(number: usize, count: usize) -> Filter {
    Filter {
        name: format!("{number:04}"),
        component: "match".into(),
        settings: settings(number, count),
        ..Filter::default()
    }
}

fn measure(plan: &ChainPlan, count: usize) -> (Duration, Duration) {
    let vocabulary = Vocabulary::new(&[]);
    let one = |mail| run_chain(plan, &vocabulary, mail, Mode::Live { check_screening: false, put_off_before: false });
    let usual = over_mails(one);
    let heavy = heavy_mail(count);
    for _ in 0..200 {
        black_box(one(receive(&heavy)));
    }
    (usual, over_mails(one))
}

/// The chain alone: mails are parsed beforehand.
fn over_mails(one: impl Fn(Box<Mail>) -> ChainRun) -> Duration {
    let raws = mails();
    let rounds = 60;
    let mut received: Vec<Box<Mail>> = (0..rounds * 100).map(|number| receive(&raws[number % raws.len()])).collect();
    median(rounds, 100, || {
        let run = one(received.pop().unwrap());
        assert!(run.mail.in_force("x-otobo-priority").is_some());
    })
}

fn native(count: usize) -> Duration {
    let rules: Vec<(&str, Regex)> = (0..count)
        .map(|number| {
            let (header, pattern) = pattern(number, count);
            (header, RegexBuilder::new(&pattern).case_insensitive(true).build().unwrap())
        })
        .collect();
    let mails: Vec<Box<Mail>> = mails().iter().map(receive).collect();
    let mut next = 0;
    median(60, 100, || {
        let mail = &mails[next % mails.len()];
        next += 1;
        for (header, regex) in &rules {
            black_box(regex.is_match(mail.header(header).unwrap_or_default()));
        }
    })
}
