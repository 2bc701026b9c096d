//! What differs between two configurations, for people.

use postigo_model::configured::form::{ConfiguredKind, LoadedKind};
use postigo_model::configured::{Configuration, KindVisitor, visit_kinds};
use serde::Serialize;

/// A thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// How.
    #[serde(skip)]
    pub how: DifferenceKind,
    /// The kind of the thing: `queue`; `settings` for the general ones.
    pub kind: &'static str,
    /// Its name; empty for the settings.
    pub name: String,
}

/// How a thing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// It was not there before.
    Created,
    /// It is another than before.
    Changed,
    /// It is gone.
    Removed,
}

/// Everything that differs, kind by kind, by name.
pub fn differences(before: &Configuration, after: &Configuration) -> Vec<Difference> {
    let mut found = Vec::new();
    if before.settings != after.settings {
        found.push(Difference { how: DifferenceKind::Changed, kind: "settings", name: String::new() });
    }
    let mut differing = ThingDifference { before, after, found };
    visit_kinds(&mut differing);
    differing.found
}

struct ThingDifference<'c> {
    before: &'c Configuration,
    after: &'c Configuration,
    found: Vec<Difference>,
}

impl KindVisitor for ThingDifference<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        let (before, after) = (K::all(self.before), K::all(self.after));
        let difference = |how, name: &String| Difference { how, kind: K::KIND, name: name.clone() };
        for (name, thing) in after {
            match before.get(name) {
                None => self.found.push(difference(DifferenceKind::Created, name)),
                Some(earlier) if earlier != thing => self.found.push(difference(DifferenceKind::Changed, name)),
                Some(_) => {}
            }
        }
        self.found.extend(
            before
                .keys()
                .filter(|name| !after.contains_key(*name))
                .map(|name| difference(DifferenceKind::Removed, name)),
        );
    }

    /// They are saved one by one.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}
