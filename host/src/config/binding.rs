//! A stored secret goes where it was given for: a change that would send it elsewhere asks for it again.

use postigo_model::configured::form::{ConfiguredKind, LoadedKind};
use postigo_model::configured::{Breach, Configuration, KindVisitor, visit_kinds};

/// Every stored secret that a configuration would send elsewhere than where it was given for.
pub fn check(configuration: &Configuration) -> Vec<Breach> {
    let mut bound = BoundSecrets { configuration, breaches: Vec::new() };
    visit_kinds(&mut bound);
    bound.breaches
}

struct BoundSecrets<'c> {
    configuration: &'c Configuration,
    breaches: Vec<Breach>,
}

impl KindVisitor for BoundSecrets<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        for thing in K::all(self.configuration).values() {
            check_one(thing, &mut self.breaches);
        }
    }

    /// They have no secrets.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}

fn check_one<K: LoadedKind>(thing: &K, breaches: &mut Vec<Breach>) {
    for (field, secret) in thing.clone().secrets() {
        let Some(stored) = secret.as_ref().and_then(|secret| secret.given_for()) else { continue };
        let differing = stored.unlike(&thing.destination(field));
        if !differing.is_empty() {
            breaches.push(Breach {
                kind: K::KIND,
                name: thing.name(),
                place: format!("/{}", field.replace('.', "/")),
                sentence: format!(
                    "must be given again: it was given for {}, and goes nowhere else (an empty one forgets it).",
                    differing.join(", ")
                ),
            });
        }
    }
}
