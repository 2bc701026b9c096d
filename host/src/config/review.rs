//! Everything that is checked before a changed configuration is saved: the rules between things, and the settings of
//! filters, which only their components can judge.

use super::place::ConfigurationPlace;
use super::{access_rules, answer_rules, filter_rules, rules};
use crate::catalogue::{Catalogue, settle};
use crate::chain::{AskersSandbox, Components, NeededComponents, check_settings};
use crate::store::{Store, StoreError};
use postigo_mail::Vocabulary;
use postigo_model::configured::Breach;
use postigo_model::configured::form::ConfiguredKind;
use postigo_model::configured::{Configuration, Filter};
use postigo_sandbox::{GroupMember, SettingsMistake, UploadRefusal};
use postigo_supervision::{WorkKind, blocking};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a filter's settings, as JSON.
const SETTINGS: usize = 1 << 20;
/// How deep lists and tables lie within each other in settings.
const DEPTH: usize = 64;
/// Bytes of the settings of all filters together, as JSON. Who has used that up keeps nobody from saving …
const ALL_SETTINGS: usize = 32 << 20;
/// … settings of at most so many bytes.
const SMALL: usize = 64 << 10;

/// Texts, numbers, lists and tables in a filter's settings: each takes a hundred times its bytes in memory, wherever
/// settings are held.
pub const MOST_VALUES: usize = 20_000;
/// Those of all filters together, …
const ALL_VALUES: usize = 200_000;
/// … beyond which a filter may have so many.
const FEW: usize = 1_000;

/// What was found in a configuration that is to be saved.
#[derive(Debug, Default)]
pub struct Review {
    /// What keeps it from being saved.
    pub mistakes: Vec<Breach>,
    /// What of the change is worth a second look, and is saved all the same.
    pub warnings: Vec<Breach>,
}

/// Settles what the components of changed filters mean, and names every rule that `after` then breaks, and every
/// mistake in the settings of the filters that run otherwise than in `before`.
///
/// Of each component that such a filter uses, all filters are configured together, as the chain will: what is prepared
/// here is what the chain finds prepared when the change is saved.
pub async fn review(
    before: &Configuration,
    after: &mut Configuration,
    place: ConfigurationPlace<'_>,
) -> Result<Review, StoreError> {
    let unsettled = settle_components(before, after, place.store).await?;
    let judged = judge(before, after, place).await?;
    // What is not settled cannot be found either: once is enough.
    let is_told = |breach: &Breach| unsettled.iter().any(|told| told.name == breach.name && told.kind == breach.kind);
    let mistakes: Vec<Breach> =
        judged.mistakes.into_iter().filter(|breach| breach.place != "/component" || !is_told(breach)).collect();
    let access = access_rules::look(before, after);
    let filters = filter_rules::warnings(before, after);
    Ok(Review {
        mistakes: unsettled.into_iter().chain(mistakes).chain(access.breaches).collect(),
        warnings: access.warnings.into_iter().chain(filters).chain(judged.warnings).collect(),
    })
}

/// Settles the components of the filters that are new or name another one; a valid one must be activated.
async fn settle_components(
    before: &Configuration,
    after: &mut Configuration,
    store: &Store,
) -> Result<Vec<Breach>, StoreError> {
    let is_otherwise = |filter: &&Filter| is_made_or_used_otherwise(before.filters.get(&filter.name), filter);
    let changed: Vec<String> = after.filters.values().filter(is_otherwise).map(|filter| filter.name.clone()).collect();
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    let catalogue = Catalogue::load(store).await?;
    let mut breaches = Vec::new();
    for name in changed {
        let Some(filter) = after.filters.get_mut(&name) else { continue };
        let sentence = match settle(before.filters.get(&name), filter, &catalogue) {
            Err(sentence) => Some(sentence),
            Ok(()) => catalogue.keeps_from_running(filter),
        };
        breaches.extend(sentence.map(|sentence| breach(&name, "/component", "", sentence)));
    }
    Ok(breaches)
}

/// Every rule that `after` breaks, and every mistake in the settings of the filters that run otherwise than in
/// `before`; what their components mean is settled. Of classifiers also what is worth a second look.
pub async fn judge(
    before: &Configuration,
    after: &Configuration,
    place: ConfigurationPlace<'_>,
) -> Result<Review, StoreError> {
    let mut review = Review { mistakes: rules::check(after), ..Review::default() };
    let changed = after.filters.values().filter(|filter| must_be_configured(before.filters.get(&filter.name), filter));
    let changed: BTreeSet<&str> = changed.map(|filter| filter.name.as_str()).collect();
    if changed.is_empty() {
        return Ok(review);
    }
    let too_large = bound_settings(after, &changed);
    if !too_large.is_empty() {
        review.mistakes.extend(too_large);
        return Ok(review);
    }
    let made = |filter: &Filter| (filter.component.clone(), filter.digest.clone());
    let components: BTreeSet<_> = changed.iter().filter_map(|name| after.filters.get(*name)).map(made).collect();
    let filters: Vec<Filter> =
        after.filters.values().filter(|filter| components.contains(&made(filter))).cloned().collect();
    let gathered = NeededComponents::of(&filters, place.store, place.sandbox).await?;
    let gathered = gathered.with_models(&filters, after, place.store, place.key).await?;
    let (missing, present): (Vec<Filter>, Vec<Filter>) =
        filters.into_iter().partition(|filter| gathered.find(filter).is_none());
    for filter in missing.iter().filter(|filter| changed.contains(filter.name.as_str())) {
        let sentence = match gathered.unreadable(filter) {
            Some(reason) => format!("the component \"{}\" is stored and cannot be read: {reason}.", filter.component),
            None => format!(
                "there is no component \"{}\": none of this name ships with Postigo or was uploaded.",
                filter.component
            ),
        };
        review.mistakes.push(breach(&filter.name, "/component", "", sentence));
    }
    let changed = changed.into_iter().map(str::to_owned).collect();
    let vocabulary = Vocabulary::of(after);
    let tried = try_settings(present, changed, gathered, vocabulary, &place.asked()).await?;
    // What the rules say of a place already is not said again of its labels.
    let is_told = |breach: &Breach| {
        review.mistakes.iter().any(|told| told.name == breach.name && told.sentence == breach.sentence)
    };
    let more: Vec<Breach> = tried.mistakes.into_iter().filter(|breach| !is_told(breach)).collect();
    review.mistakes.extend(more);
    review.warnings.extend(tried.warnings);
    Ok(review)
}

/// Whether a filter is new, comes into use, or names another component; or the same one in a form that is not settled
/// yet.
fn is_made_or_used_otherwise(before: Option<&Filter>, after: &Filter) -> bool {
    before.is_none_or(|before| {
        before.component != after.component
            || before.digest != after.digest
            || (after.valid.is_valid() && !before.valid.is_valid())
    })
}

/// Whether a filter is new, is configured differently, or comes into use. To disable one acts at once, and nothing is
/// tried.
fn must_be_configured(before: Option<&Filter>, after: &Filter) -> bool {
    before.is_none_or(|before| {
        before.component != after.component
            || before.digest != after.digest
            || before.settings != after.settings
            || before.grants != after.grants
            || before.limits != after.limits
            || before.mode != after.mode
            || before.follow_ups != after.follow_ups
            || before.evidence != after.evidence
            || before.answer != after.answer
            || (after.valid.is_valid() && !before.valid.is_valid())
    })
}

/// Settings go into every place where filters are prepared, and into every list of filters.
fn bound_settings(after: &Configuration, changed: &BTreeSet<&str>) -> Vec<Breach> {
    let weighed: Vec<(&Filter, Weight)> =
        after.filters.values().map(|filter| (filter, Weight::of(&filter.settings))).collect();
    let all: usize = weighed.iter().map(|(_, weight)| weight.size).sum();
    let all_values: usize = weighed.iter().map(|(_, weight)| weight.values).sum();
    let sentence = |filter: &Filter, Weight { size, values }: Weight| {
        if size > SETTINGS {
            Some(format!("they have {size} bytes as JSON; a filter may have {SETTINGS}."))
        } else if !is_flat_enough(&filter.settings, DEPTH) {
            Some(format!("lists and tables lie more than {DEPTH} deep in them."))
        } else if all > ALL_SETTINGS && size > SMALL {
            Some(format!(
                "with them the settings of all filters have {all} bytes as JSON; together they may have {ALL_SETTINGS}, beyond which a filter may have {SMALL}."
            ))
        } else if values > MOST_VALUES {
            Some(format!("they have {values} texts, numbers, lists and tables; a filter may have {MOST_VALUES}."))
        } else if all_values > ALL_VALUES && values > FEW {
            Some(format!(
                "with them the settings of all filters have {all_values} texts, numbers, lists and tables; together they may have {ALL_VALUES}, beyond which a filter may have {FEW}."
            ))
        } else {
            None
        }
    };
    let changed = weighed.into_iter().filter(|(filter, _)| changed.contains(filter.name.as_str()));
    let told = |(filter, weight): (&Filter, Weight)| {
        sentence(filter, weight).map(|told| breach(&filter.name, "/settings", "", told))
    };
    changed.filter_map(told).collect()
}

/// What a filter's settings weigh. It is found out once for each save, since all of them are written and counted for
/// it.
#[derive(Clone, Copy)]
struct Weight {
    /// Bytes as JSON.
    size: usize,
    values: usize,
}

impl Weight {
    fn of(settings: &serde_json::Value) -> Self {
        Self { size: settings.to_string().len(), values: values(settings) }
    }
}

/// How many values there are, inner ones and the lists and tables themselves.
fn values(value: &serde_json::Value) -> usize {
    1 + match value {
        serde_json::Value::Array(items) => items.iter().map(values).sum(),
        serde_json::Value::Object(fields) => fields.values().map(values).sum::<usize>(),
        _ => 0,
    }
}

fn is_flat_enough(value: &serde_json::Value, depth: usize) -> bool {
    let mut inner: Box<dyn Iterator<Item = &serde_json::Value>> = match value {
        serde_json::Value::Array(items) => Box::new(items.iter()),
        serde_json::Value::Object(fields) => Box::new(fields.values()),
        _ => return true,
    };
    depth > 0 && inner.all(|inner| is_flat_enough(inner, depth - 1))
}

/// Checks the settings of the changed filters against their components' schemas, and lets the components configure
/// those that fit with all their filters; on a thread that may block.
async fn try_settings(
    filters: Vec<Filter>,
    changed: BTreeSet<String>,
    components: NeededComponents,
    vocabulary: Vocabulary,
    sandbox: &AskersSandbox,
) -> Result<Review, StoreError> {
    let turn = sandbox.turn().await;
    let sandbox = sandbox.clone();
    let work = move || {
        let _turn = turn;
        // Nobody else's filters: what these take to be checked is the fault of none of them.
        let mut breaches =
            by_schema(filters.iter().filter(|filter| changed.contains(&filter.name)), &components, &sandbox);
        let fitting = filters.iter().filter(|filter| !breaches.iter().any(|breach| breach.name == filter.name));
        let configured = check_settings(fitting, &components, &sandbox);
        let problems = configured.mistakes.into_iter();
        breaches.extend(problems.filter(|problem| changed.contains(&problem.filter)).map(in_settings));
        let mut review = Review { mistakes: breaches, ..Review::default() };
        for filter in filters.iter().filter(|filter| changed.contains(&filter.name)) {
            if let Some(questions) = configured.questions.get(&filter.name) {
                let found = answer_rules::look(filter, questions, &vocabulary);
                review.mistakes.extend(found.mistakes);
                review.warnings.extend(found.warnings);
            } else if components.find(filter).is_some_and(|component| !component.is_classifier()) {
                review.mistakes.extend(answer_rules::without_classifier(filter));
            }
        }
        review
    };
    Ok(blocking(WorkKind::Preparation, "", work).await?)
}

fn by_schema<'f>(
    filters: impl Iterator<Item = &'f Filter>,
    components: &NeededComponents,
    sandbox: &AskersSandbox,
) -> Vec<Breach> {
    let mut by_component: BTreeMap<_, Vec<&Filter>> = BTreeMap::new();
    for filter in filters {
        by_component.entry((filter.component.as_str(), filter.digest.as_deref())).or_default().push(filter);
    }
    let mut breaches = Vec::new();
    for filters in by_component.into_values() {
        let Some(component) = filters.first().and_then(|filter| components.find(filter)) else { continue };
        let member = |filter: &&Filter| GroupMember::new(filter.name.as_str(), filter.settings.clone());
        let members: Vec<GroupMember> = filters.iter().map(member).collect();
        let runtime = sandbox.sandbox().runtime().map_err(|reason| UploadRefusal::Unavailable(reason.to_owned()));
        let checked = runtime.and_then(|runtime| {
            let schema = &component.description.settings_schema;
            runtime.check_settings(schema, &members, sandbox.asker())
        });
        match checked {
            Ok(problems) => breaches.extend(problems.into_iter().map(in_settings)),
            Err(refused) => breaches
                .extend(members.iter().map(|member| breach(&member.name, "/component", "", format!("{refused}.")))),
        }
    }
    breaches
}

fn in_settings(problem: SettingsMistake) -> Breach {
    breach(&problem.filter, "/settings", &problem.place, problem.reason)
}

fn breach(filter: &str, key: &str, place: &str, sentence: String) -> Breach {
    Breach { kind: Filter::KIND, name: filter.to_owned(), place: format!("{key}{place}"), sentence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn configuration(settings: impl Fn(usize) -> serde_json::Value, filters: usize) -> Configuration {
        let filter = |index: usize| Filter { name: format!("{index}"), settings: settings(index), ..Filter::default() };
        let filters = (0..filters).map(filter).map(|filter| (filter.name.clone(), filter)).collect();
        Configuration { filters, ..Configuration::default() }
    }

    fn told(after: &Configuration, changed: &str) -> Option<String> {
        bound_settings(after, &BTreeSet::from([changed])).pop().map(|breach| breach.sentence)
    }

    #[test]
    fn settings_are_bounded_one_by_one_and_together() {
        let large = configuration(|index| json!({ "a": "x".repeat(if index == 0 { SETTINGS } else { 1 }) }), 2);
        assert!(told(&large, "0").unwrap().contains("1048"));
        assert_eq!(told(&large, "1"), None, "nobody else is told");
        let deep = configuration(|_| (0..DEPTH).fold(json!(1), |inner, _| json!([inner])), 1);
        assert_eq!(told(&deep, "0"), None);
        let deeper = configuration(|_| (0..=DEPTH).fold(json!(1), |inner, _| json!({ "a": inner })), 1);
        assert!(told(&deeper, "0").unwrap().contains("64 deep"));
        let many = configuration(|index| json!({ "a": "x".repeat(if index == 0 { 1 << 10 } else { 1 << 19 }) }), 70);
        assert!(told(&many, "3").unwrap().contains("together"));
        assert_eq!(told(&many, "0"), None, "who is small is not kept from saving by others");
        let tables = |count: usize| json!(vec![json!({ "k": 0 }); count]);
        let full = configuration(|index| tables(if index == 0 { MOST_VALUES / 2 } else { 1 }), 2);
        assert!(told(&full, "0").unwrap().contains("a filter may have 20000"), "small as text, large in memory");
        assert_eq!(told(&full, "1"), None);
        let fuller = configuration(|index| tables(if index == 0 { FEW / 4 } else { MOST_VALUES / 3 }), 32);
        assert!(told(&fuller, "3").unwrap().contains("together"));
        assert_eq!(told(&fuller, "0"), None);
    }
}
