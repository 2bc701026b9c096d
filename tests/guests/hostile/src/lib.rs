//! A filter that misbehaves on demand: its settings say how. The tests of the sandbox upload it.

#![allow(clippy::panic, reason = "a guest that panics is one of the things to be tested")]

use postigo_filter::{Description, FilterSettings, Group, GroupProblem, Mail, Screening, Verdict, log};
use serde::Deserialize;
use std::cell::{Cell, RefCell};
use std::hint::black_box;

/// What a filter does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    /// Nothing bad: it matches and sets `X-OTOBO-Queue`.
    Behave,
    /// It never matches.
    Ignore,
    Loop,
    LoopInScreen,
    LoopInConfigure,
    TrapInConfigure,
    MemoryInConfigure,
    ProblemInConfigure,
    Memory,
    Recurse,
    Panic,
    Fail,
    HugeResult,
    ManyChanges,
    CrLf,
    Computed,
    Undeclared,
    /// Its screen names a filter that does not exist.
    UnknownCandidate,
    /// Its screen does not name it, though it matches.
    Miss,
    PanicInScreen,
    LogFlood,
    LongLine,
    HostCallFlood,
    /// Reads the body whether granted or not, and fails when it is refused.
    ReadBody,
    /// Reads the body and goes on when it is refused.
    TryBody,
    ReadRaw,
    /// Counts calls, and says the count as its reason.
    Count,
    /// Keeps what it read of every mail, and says all of it as its reason.
    Remember,
    /// Sleeps by looping over cheap host calls.
    Wait,
}

#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(rename = "do")]
    deed: Deed,
}

struct Hostile {
    deeds: Vec<Deed>,
    count: Cell<u32>,
    remembered: RefCell<Vec<String>>,
}

impl Group for Hostile {
    fn describe() -> Description {
        Description::new("hostile", "0.1.0", "Misbehaves on demand.").sets("X-OTOBO-Queue").wants("body").wants("raw")
    }

    fn configure(filters: Vec<FilterSettings>) -> Result<Self, Vec<GroupProblem>> {
        let mut deeds = Vec::new();
        for (filter, settings) in filters.iter().enumerate() {
            match settings.read::<Settings>() {
                Ok(settings) => deeds.push(settings.deed),
                Err(problem) => return Err(vec![GroupProblem { filter, problem }]),
            }
        }
        for (filter, deed) in deeds.iter().enumerate() {
            match deed {
                Deed::LoopInConfigure => forever(),
                Deed::MemoryInConfigure => eat(),
                Deed::TrapInConfigure => panic!("configure panics on demand"),
                Deed::ProblemInConfigure => {
                    let problem = postigo_filter::Problem::new("/do", "This is a problem on demand.");
                    return Err(vec![GroupProblem { filter, problem }]);
                }
                _ => {}
            }
        }
        Ok(Self { deeds, count: Cell::new(0), remembered: RefCell::default() })
    }

    fn evaluate(&self, filter: usize, mail: &Mail<'_>) -> Result<Verdict, String> {
        let Some(deed) = self.deeds.get(filter) else { return Err(format!("There is no filter {filter}.")) };
        let behaved = || Ok(Verdict::matched().set("X-OTOBO-Queue", "Junk"));
        match deed {
            Deed::Loop => forever(),
            Deed::Memory => eat(),
            Deed::Recurse => return Ok(Verdict::matched().because(recurse(1).to_string())),
            Deed::Panic => panic!("a panic on demand"),
            Deed::Fail => return Err("An error\non demand.".into()),
            Deed::HugeResult => return Ok(Verdict::matched().because("x".repeat(300 << 10))),
            Deed::ManyChanges => {
                return Ok((0..20_000).fold(Verdict::matched(), |verdict, _| verdict.set("X-OTOBO-Queue", "Junk")));
            }
            Deed::CrLf => return Ok(Verdict::matched().set("X-OTOBO-Queue", "Junk\r\nBcc: all@example.com")),
            Deed::Computed => return Ok(Verdict::matched().set("X-OTOBO-AttachmentCount", "7")),
            Deed::Undeclared => return Ok(Verdict::matched().set("X-OTOBO-Priority", "5 very high")),
            Deed::LogFlood => (0..50_000).for_each(|_| log::info("a line of a flood that goes on and on and on")),
            Deed::LongLine => log::warning(&"long ".repeat(100_000)),
            Deed::HostCallFlood => loop {
                black_box(mail.header("Subject"));
            },
            Deed::ReadBody => drop(mail.text().map_err(|refusal| format!("I wanted the body: {refusal}"))?),
            Deed::TryBody => drop(mail.text()),
            Deed::ReadRaw => {
                let raw = mail.raw(0, u32::MAX).map_err(|refusal| format!("I wanted it raw: {refusal}"))?;
                return Ok(Verdict::matched().because(raw.len().to_string()));
            }
            Deed::Count => {
                self.count.set(self.count.get() + 1);
                return Ok(Verdict::matched().because(self.count.get().to_string()));
            }
            Deed::Remember => {
                let mut remembered = self.remembered.borrow_mut();
                remembered.push(mail.header("Subject").unwrap_or_default());
                return Ok(Verdict::matched().because(remembered.join(", ")));
            }
            Deed::Wait => (0..90_000).for_each(|_| drop(black_box(mail.headers("Received")))),
            Deed::Ignore => return Ok(Verdict::not_matched()),
            _ => {}
        }
        behaved()
    }
}

impl Screening for Hostile {
    fn screen(&self, mail: &Mail<'_>) -> Vec<u32> {
        black_box(mail.header("Subject"));
        let mut candidates = Vec::new();
        for (filter, deed) in (0_u32..).zip(&self.deeds) {
            match deed {
                Deed::LoopInScreen => forever(),
                Deed::PanicInScreen => panic!("a panic in the screen on demand"),
                Deed::UnknownCandidate => candidates.push(filter + 1_000_000),
                Deed::Miss => {}
                _ => candidates.push(filter),
            }
        }
        candidates
    }
}

fn forever() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn eat() -> ! {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(black_box(vec![1; 1 << 20]));
    }
}

fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX {
        return 0;
    }
    let ballast = black_box([depth; 64]);
    recurse(depth + 1) + ballast[0]
}

postigo_filter::export!(screened group Hostile);
