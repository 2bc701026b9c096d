//! What differs between two configurations, for people.

use postigo_model::configured::form::{Kind, LoadedKind};
use postigo_model::configured::{Configuration, KindVisitor, visit_kinds};
use serde::Serialize;

/// A thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// How.
    #[serde(skip)]
    pub how: How,
    /// The kind of the thing: `queue`; `settings` for the general ones.
    pub kind: &'static str,
    /// Its name; empty for the settings.
    pub name: String,
}

/// How a thing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
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
        found.push(Difference { how: How::Changed, kind: "settings", name: String::new() });
    }
    let mut differing = Differing { before, after, found };
    visit_kinds(&mut differing);
    differing.found
}

struct Differing<'c> {
    before: &'c Configuration,
    after: &'c Configuration,
    found: Vec<Difference>,
}

impl KindVisitor for Differing<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        let (before, after) = (K::all(self.before), K::all(self.after));
        let difference = |how, name: &String| Difference { how, kind: K::KIND, name: name.clone() };
        for (name, thing) in after {
            match before.get(name) {
                None => self.found.push(difference(How::Created, name)),
                Some(earlier) if earlier != thing => self.found.push(difference(How::Changed, name)),
                Some(_) => {}
            }
        }
        self.found
            .extend(before.keys().filter(|name| !after.contains_key(*name)).map(|name| difference(How::Removed, name)));
    }

    /// They are saved one by one.
    fn looked_up<K: Kind>(&mut self) {}
}
