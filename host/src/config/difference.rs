//! What differs between two configurations, for people.

use postigo_model::configured::form::Kind;
use postigo_model::configured::{Account, AutoResponse, Configuration, DynamicField, Filter, Queue, SystemAddress, Template, Transport};
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
    kind::<Queue>(before, after, &mut found);
    kind::<SystemAddress>(before, after, &mut found);
    kind::<Account>(before, after, &mut found);
    kind::<DynamicField>(before, after, &mut found);
    kind::<AutoResponse>(before, after, &mut found);
    kind::<Template>(before, after, &mut found);
    kind::<Transport>(before, after, &mut found);
    kind::<Filter>(before, after, &mut found);
    found
}

fn kind<K: Kind>(before: &Configuration, after: &Configuration, found: &mut Vec<Difference>) {
    let (before, after) = (K::all(before), K::all(after));
    let difference = |how, name: &String| Difference { how, kind: K::KIND, name: name.clone() };
    for (name, thing) in after {
        match before.get(name) {
            None => found.push(difference(How::Created, name)),
            Some(earlier) if earlier != thing => found.push(difference(How::Changed, name)),
            Some(_) => {}
        }
    }
    found.extend(before.keys().filter(|name| !after.contains_key(*name)).map(|name| difference(How::Removed, name)));
}
