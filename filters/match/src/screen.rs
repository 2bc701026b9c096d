//! Which filters of the group might match a mail: the screen that spares most of them a call.
//!
//! For each filter one condition is chosen that is not negated and whose pattern needs literals, or at least a value
//! that is not empty. A filter without such a condition is always a candidate. So is one whose value is very long, or
//! that reads the body without the grant.

use crate::condition::{Condition, Source};
use crate::fold::fold_into;
use crate::literals::{Literals, strength};
use crate::rule::Rule;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use postigo_filter::{Mail, Problem};
use std::cell::RefCell;

/// Values longer than this, in bytes, are not searched: reading them once for each candidate's own pattern is enough.
const LONGEST_VALUE: usize = 1 << 20;
/// What the buffer for folded values holds from the start, so that usual values do not make it grow.
const USUAL_VALUE: usize = 4 << 10;

/// The screen of a group.
#[derive(Debug)]
pub struct Screen {
    rules: usize,
    always: Vec<u32>,
    watched: Vec<Watched>,
    folded: RefCell<Vec<u8>>,
}

/// What is looked for in one source.
#[derive(Debug)]
struct Watched {
    source: Source,
    literals: AhoCorasick,
    /// The filter that each literal speaks for.
    owners: Vec<u32>,
    /// Filters that need a value that is not empty, and no more could be told.
    present: Vec<u32>,
}

/// What a condition needs.
enum Need {
    Literals(Literals),
    Present,
}

impl Screen {
    /// Chooses what to look for.
    ///
    /// # Errors
    /// A problem when the literals make an automaton that is too large.
    pub fn new(rules: &[Rule], may_read_body: bool) -> Result<Self, Problem> {
        let mut always = Vec::new();
        let mut sources: Vec<(Source, Vec<(u32, Need)>)> = Vec::new();
        for (index, rule) in (0..).zip(rules) {
            match choose(&rule.conditions, may_read_body) {
                // Without conditions a filter never matches.
                None if rule.conditions.is_empty() => {}
                None => always.push(index),
                Some((source, need)) => match sources.iter_mut().find(|(known, _)| known == source) {
                    Some((_, needs)) => needs.push((index, need)),
                    None => sources.push((source.clone(), vec![(index, need)])),
                },
            }
        }
        let watched: Result<Vec<_>, _> =
            sources.into_iter().map(|(source, needs)| Watched::new(source, needs)).collect();
        Ok(Self {
            rules: rules.len(),
            always,
            watched: watched?,
            folded: RefCell::new(Vec::with_capacity(USUAL_VALUE)),
        })
    }

    /// The indices of the filters that might match, ascending.
    pub fn candidates(&self, mail: &Mail<'_>) -> Vec<u32> {
        let mut marks = vec![false; self.rules];
        mark(&mut marks, &self.always);
        let folded = &mut *self.folded.borrow_mut();
        for watched in &self.watched {
            watched.look(mail, folded, &mut marks);
        }
        (0..).zip(&marks).filter(|(_, marked)| **marked).map(|(index, _)| index).collect()
    }
}

impl Watched {
    fn new(source: Source, needs: Vec<(u32, Need)>) -> Result<Self, Problem> {
        let mut literals = Vec::new();
        let mut owners = Vec::new();
        let mut present = Vec::new();
        for (index, need) in needs {
            match need {
                Need::Present => present.push(index),
                Need::Literals(needed) => {
                    owners.extend(std::iter::repeat_n(index, needed.len()));
                    literals.extend(needed);
                }
            }
        }
        let literals = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(literals)
            .map_err(|error| {
                Problem::new("", format!("The literals of all filters together are too many: {error}."))
            })?;
        Ok(Self { source, literals, owners, present })
    }

    fn look(&self, mail: &Mail<'_>, folded: &mut Vec<u8>, marks: &mut [bool]) {
        let value = match &self.source {
            Source::Header(name) => mail.header(name),
            Source::Addresses(name) => Some(together(mail, name)),
            Source::Body => match mail.text() {
                Ok(text) => Some(text),
                Err(_) => return self.mark_all(marks),
            },
        };
        let Some(value) = value.filter(|value| !value.is_empty()) else { return };
        if value.len() > LONGEST_VALUE {
            return self.mark_all(marks);
        }
        mark(marks, &self.present);
        fold_into(&value, folded);
        for found in self.literals.find_overlapping_iter(folded.as_slice()) {
            mark(
                marks,
                self.owners.get(found.pattern().as_usize()..).and_then(|rest| rest.get(..1)).unwrap_or_default(),
            );
        }
    }

    fn mark_all(&self, marks: &mut [bool]) {
        mark(marks, &self.present);
        mark(marks, &self.owners);
    }
}

/// All addresses of a header, a line each. A literal that is in one of them is in the whole.
fn together(mail: &Mail<'_>, name: &str) -> String {
    let mut all = String::new();
    for one in mail.addresses(name) {
        all.push_str(&one.address);
        all.push('\n');
    }
    all
}

fn mark(marks: &mut [bool], indices: &[u32]) {
    for index in indices {
        if let Some(marked) = marks.get_mut(*index as usize) {
            *marked = true;
        }
    }
}

/// The condition that tells most about whether a rule can match, cheaply.
fn choose(conditions: &[Condition], may_read_body: bool) -> Option<(&Source, Need)> {
    // Where the body was not granted, a filter that reads it is called, so that its failure is seen.
    if !may_read_body && conditions.iter().any(|condition| condition.source == Source::Body) {
        return None;
    }
    let usable = conditions.iter().filter(|condition| !condition.negate);
    let needs = usable.filter_map(|condition| need(condition).map(|need| (&condition.source, need)));
    needs.max_by_key(|(source, need)| {
        let strength = match need {
            Need::Literals(literals) => strength(literals),
            Need::Present => 0,
        };
        // Longer literals first, but any that is not a mere character will do: then what is cheap to read and seldom
        // changes counts.
        let cheapness = match source {
            Source::Body => 0,
            Source::Header(name) if name.starts_with("x-otobo-") => 1,
            Source::Addresses(_) => 2,
            Source::Header(_) => 3,
        };
        (strength.min(3), cheapness, strength)
    })
}

fn need(condition: &Condition) -> Option<Need> {
    match &condition.literals {
        Some(literals) => Some(Need::Literals(literals.clone())),
        None => (!condition.matches_empty).then_some(Need::Present),
    }
}
