//! A stored secret goes where it was given for: a change that would send it elsewhere asks for it again.

use postigo_model::configured::Breach;
use postigo_model::configured::Configuration;
use postigo_model::configured::form::Kind;

/// Every stored secret that a configuration would send elsewhere than where it was given for.
pub fn check(configuration: &Configuration) -> Vec<Breach> {
    let mut breaches = Vec::new();
    configuration.accounts.values().for_each(|account| check_one(account, &mut breaches));
    configuration.transports.values().for_each(|transport| check_one(transport, &mut breaches));
    breaches
}

fn check_one<K: Kind>(thing: &K, breaches: &mut Vec<Breach>) {
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
