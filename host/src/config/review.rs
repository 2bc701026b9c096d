//! Everything that is checked before a changed configuration is saved: the rules between things, and the settings of filters, which
//! only their components can judge.

use super::rules::{self, Breach};
use super::{Configuration, Filter};
use crate::chain::{Components, Gathered, LazySandbox, check_settings};
use crate::config::form::Kind;
use crate::runtime::SettingsProblem;
use crate::store::{Store, StoreError};
use std::collections::BTreeSet;
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
        breaches.push(Breach {
            kind: Filter::KIND,
            name: filter.name.clone(),
            place: "/component".to_owned(),
            sentence: format!("there is no component \"{}\": none of this name ships with Postigo or was uploaded.", filter.component),
        });
    }
    for problem in configure(present, gathered, sandbox).await? {
        if changed.contains(problem.filter.as_str()) {
            breaches.push(breach(problem));
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

/// Configures filters on a thread that may block.
async fn configure(filters: Vec<Filter>, components: Gathered, sandbox: &Arc<LazySandbox>) -> Result<Vec<SettingsProblem>, StoreError> {
    let sandbox = Arc::clone(sandbox);
    tokio::task::spawn_blocking(move || check_settings(&filters, &components, sandbox.as_ref())).await.map_err(|_| StoreError::Stopped)
}

fn breach(problem: SettingsProblem) -> Breach {
    Breach { kind: Filter::KIND, name: problem.filter, place: format!("/settings{}", problem.place), sentence: problem.reason }
}
