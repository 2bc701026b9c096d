//! Everything that is checked before a changed configuration is saved: the rules between things, and the settings of filters, which
//! only their components can judge.

use super::rules::{self, Breach};
use super::schema::Schema;
use super::{Configuration, Filter};
use crate::chain::{Components, Gathered, LazySandbox, check_settings};
use crate::config::form::Kind;
use crate::store::{Store, StoreError};
use crate::supervision::{Work, blocking};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Every rule that `after` breaks, and every mistake in the settings of the filters that run otherwise than in `before`.
///
/// Of each component that such a filter uses, all filters are configured together, as the chain will: what is prepared here is what
/// the chain finds prepared when the change is saved.
pub async fn review(
    before: &Configuration,
    after: &Configuration,
    store: &Store,
    sandbox: &Arc<LazySandbox>,
) -> Result<Vec<Breach>, StoreError> {
    let mut breaches = rules::check(after);
    let changed = after.filters.values().filter(|filter| must_be_configured(before.filters.get(&filter.name), filter));
    let changed: BTreeSet<&str> = changed.map(|filter| filter.name.as_str()).collect();
    if changed.is_empty() {
        return Ok(breaches);
    }
    let components: BTreeSet<&str> =
        changed.iter().filter_map(|name| after.filters.get(*name)).map(|filter| filter.component.as_str()).collect();
    let filters: Vec<Filter> = after.filters.values().filter(|filter| components.contains(filter.component.as_str())).cloned().collect();
    let gathered = Gathered::of(&filters, store, sandbox).await?;
    let (missing, present): (Vec<Filter>, Vec<Filter>) = filters.into_iter().partition(|filter| gathered.find(&filter.component).is_none());
    for filter in missing.iter().filter(|filter| changed.contains(filter.name.as_str())) {
        let sentence = format!("there is no component \"{}\": none of this name ships with Postigo or was uploaded.", filter.component);
        breaches.push(breach(&filter.name, "/component", "", sentence));
    }
    for breach in try_settings(present, gathered, sandbox).await? {
        if changed.contains(breach.name.as_str()) {
            breaches.push(breach);
        }
    }
    Ok(breaches)
}

/// Whether a filter is new, is configured differently, or comes into use. To disable one acts at once, and nothing is tried.
fn must_be_configured(before: Option<&Filter>, after: &Filter) -> bool {
    before.is_none_or(|before| {
        before.component != after.component
            || before.settings != after.settings
            || before.grants != after.grants
            || before.limits != after.limits
            || (after.valid.is_valid() && !before.valid.is_valid())
    })
}

/// Checks settings against the component's schema, and lets the component configure those that fit; on a thread that may block.
async fn try_settings(filters: Vec<Filter>, components: Gathered, sandbox: &Arc<LazySandbox>) -> Result<Vec<Breach>, StoreError> {
    let sandbox = Arc::clone(sandbox);
    let work = move || {
        let mut breaches = by_schema(&filters, &components);
        let fitting = filters.iter().filter(|filter| !breaches.iter().any(|breach| breach.name == filter.name));
        let problems = check_settings(fitting, &components, sandbox.as_ref());
        breaches.extend(problems.into_iter().map(|problem| breach(&problem.filter, "/settings", &problem.place, problem.reason)));
        breaches
    };
    Ok(blocking(Work::Preparation, "", work).await?)
}

fn by_schema(filters: &[Filter], components: &Gathered) -> Vec<Breach> {
    let mut schemas: BTreeMap<&str, Result<Schema, String>> = BTreeMap::new();
    let mut breaches = Vec::new();
    for filter in filters {
        let Some(component) = components.find(&filter.component) else { continue };
        let schema = schemas.entry(&filter.component).or_insert_with(|| Schema::new(&component.description.settings_schema));
        match schema {
            Ok(schema) => {
                let mistakes = schema.mistakes(&filter.settings);
                breaches.extend(mistakes.into_iter().map(|(place, sentence)| breach(&filter.name, "/settings", &place, sentence)));
            }
            Err(sentence) => breaches.push(breach(&filter.name, "/component", "", sentence.clone())),
        }
    }
    breaches
}

fn breach(filter: &str, key: &str, place: &str, sentence: String) -> Breach {
    Breach { kind: Filter::KIND, name: filter.to_owned(), place: format!("{key}{place}"), sentence }
}
