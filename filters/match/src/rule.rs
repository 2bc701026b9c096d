//! One filter: its conditions and what it sets.

use crate::condition::{Condition, Source};
use crate::settings::{Settings, check_set};
use crate::template::{Captured, Template};
use postigo_filter::pattern::Cache;
use postigo_filter::{Mail, Problem, Verdict};
use std::cell::RefCell;

/// One filter.
#[derive(Debug)]
pub struct Rule {
    /// What must hold, all of it.
    pub conditions: Vec<Condition>,
    changes: Vec<(String, Template)>,
}

impl Rule {
    /// Compiles a filter's settings.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub fn new(settings: &Settings) -> Result<Self, Vec<Problem>> {
        let mut problems: Vec<Problem> = (0..).zip(&settings.set).filter_map(|(at, set)| check_set(at, set)).collect();
        let mut conditions = Vec::with_capacity(settings.when.len());
        for (at, when) in settings.when.iter().enumerate() {
            match Condition::new(at, when) {
                Ok(condition) => conditions.push(condition),
                Err(problem) => problems.push(problem),
            }
        }
        let changes: Vec<_> =
            settings.set.iter().map(|set| (set.header.clone(), Template::parse(&set.value))).collect();
        // Where a pattern does not compile its names aren't known: then only that is told.
        if problems.is_empty() {
            problems = unknown_names(&conditions, &changes);
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        if changes.iter().any(|(_, template)| template.has_places()) {
            conditions.iter_mut().for_each(Condition::capture);
        }
        Ok(Self { conditions, changes })
    }

    /// Judges a mail, and tells of each condition whether it held, until there is much to tell. `caches` has one for
    /// each condition.
    ///
    /// # Errors
    /// A sentence, when a condition looks at what was not granted.
    pub fn evaluate(&self, mail: &Mail<'_>, caches: &[RefCell<Cache>]) -> Result<Verdict, String> {
        if self.conditions.is_empty() {
            return Ok(Verdict::not_matched().because("it has no conditions"));
        }
        let (mut captured, mut told, mut matched) = (Captured::default(), String::with_capacity(USUALLY_TOLD), true);
        for (condition, cache) in self.conditions.iter().zip(caches) {
            // What is behind one that fails decides nothing: it is told, and the body is not read for it.
            if !matched && (told.len() > MOST_TOLD || condition.source == Source::Body) {
                continue;
            }
            let is_told = told.len() <= MOST_TOLD;
            matched &= condition.holds(mail, cache, &mut captured, is_told.then_some(&mut told))?;
        }
        if !matched {
            return Ok(Verdict::not_matched().because(told));
        }
        let changes = self.changes.iter();
        Ok(changes
            .fold(Verdict::matched(), |verdict, (header, template)| verdict.set(header, template.fill(&captured)))
            .because(told))
    }
}

/// So many bytes are room for what is usually told, so that it is written to one place of memory.
const USUALLY_TOLD: usize = 192;
/// When so many bytes are told of conditions, no further one is.
const MOST_TOLD: usize = 1 << 10;

fn unknown_names(conditions: &[Condition], changes: &[(String, Template)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, (_, template)) in changes.iter().enumerate() {
        for name in template.names() {
            if !conditions.iter().any(|condition| condition.names().any(|known| known == name)) {
                let reason =
                    format!("No condition captures `{name}`: name a group of one that is not negated, (?<{name}>…).");
                problems.push(Problem::new(format!("/set/{at}/value"), reason));
            }
        }
    }
    problems
}
