//! What somebody who is no admin gives a filter: no more than an admin gave it, or Postigo gives its own.

use crate::chain::{Components, LazySandbox, NeededComponents, grants};
use crate::store::{Store, StoreError};
use postigo_model::configured::Breach;
use postigo_model::configured::form::ConfiguredKind;
use postigo_model::configured::{Configuration, Filter};
use postigo_model::guest::Grant;
use std::sync::Arc;

/// The filters that have grants in `after`, whose components are settled, which only an admin may give: other ones than
/// they had with the same component in `before`, and than the component asks for where it ships with Postigo.
pub async fn widened(
    before: &Configuration,
    after: &Configuration,
    store: &Store,
    sandbox: &Arc<LazySandbox>,
) -> Result<Vec<Breach>, StoreError> {
    let changed: Vec<Filter> =
        after.filters.values().filter(|filter| before.filters.get(&filter.name) != Some(*filter)).cloned().collect();
    let gathered = NeededComponents::of(&changed, store, sandbox).await?;
    let earlier = |filter: &Filter| before.filters.get(&filter.name).filter(|before| is_made_alike(before, filter));
    let mut breaches = Vec::new();
    for filter in &changed {
        let Some(component) = gathered.find(filter) else { continue };
        let mut given = if component.shipped { component.description.grants.clone() } else { Vec::new() };
        given.extend(earlier(filter).into_iter().flat_map(|before| grants(before, &component)));
        let more: Vec<Grant> = grants(filter, &component).into_iter().filter(|grant| !given.contains(grant)).collect();
        if !more.is_empty() {
            let sentence = format!(
                "only an admin gives the filter \"{}\" the grants {} with the component {}.",
                filter.name,
                Grant::list(&more),
                filter.component
            );
            breaches.push(Breach {
                kind: Filter::KIND,
                name: filter.name.clone(),
                place: "/grants".to_owned(),
                sentence,
            });
        }
    }
    Ok(breaches)
}

fn is_made_alike(left: &Filter, right: &Filter) -> bool {
    left.component == right.component && left.digest == right.digest
}
