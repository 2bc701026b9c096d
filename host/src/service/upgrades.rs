//! `filter upgrade` and `filter rollback`: filters move from one version of their component to another, all of them or
//! none.
//!
//! What changes is shown, and every filter is configured with the other version before anything is saved. Grants stay
//! what they are: a version that asks for more has it once an admin names it.

mod document;

pub use document::UpgradeDocument;

use super::saving::Tries;
use super::{ServiceError, configured};
use crate::catalogue::{Catalogue, KnownComponent};
use crate::chain::{Components, FilterComponent, NeededComponents, grants};
use crate::config::{ConfigurationPlace, judge};
use crate::store::filter_components::{self, FilterMakeup};
use document::{DeclarationChange, Differs, SchemaDiffers, UpgradeMistake, UpgradedFilter};
use postigo_model::configured::form::ConfiguredKind;
use postigo_model::configured::{Breach, Configuration, Filter};
use postigo_model::guest::Grant;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Which way filters move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveDirection<'w> {
    /// To this version of the component, or to the newest that is activated.
    To(Option<&'w str>),
    /// To what the filter had before its latest change.
    Back,
}

/// What is wished.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'w> {
    /// A filter; where there is none of this name, an uploaded component, which filters use in one version.
    pub name: &'w str,
    /// Which way.
    pub way: MoveDirection<'w>,
    /// Only this filter, and not all that use the same component in the same version.
    pub only: bool,
    /// Show and try everything, change nothing.
    pub check: bool,
}

/// Moves filters, or checks what that would do. All of them or none.
pub async fn upgrade(place: ConfigurationPlace<'_>, wish: Wish<'_>) -> Result<UpgradeDocument, ServiceError> {
    let mut tries = Tries::default();
    loop {
        let before = configured::load(place.store, place.key).await?;
        let catalogue = Catalogue::load(place.store).await?;
        let moved = FilterMoves::of(&before, &catalogue, wish, place).await?;
        if !wish.check && !moved.activated {
            return Err(ServiceError::Conflict(format!(
                "The component {to} is uploaded and not activated: `postigo component activate {to}` lets it act. Nothing was changed.",
                to = moved.to.component
            )));
        }
        let after = moved.apply(&before);
        let breaches = judge(&before, &after, place).await?.mistakes;
        let mut upgrade = moved.describe(&before, &after, breaches, place).await?;
        if wish.check || moved.from == moved.to {
            return Ok(upgrade);
        }
        if upgrade.filters.iter().any(|filter| !filter.problems.is_empty()) {
            return Err(ServiceError::NotUpgraded(Box::new(upgrade)));
        }
        if let Some(version) = tries.save(place, &before, &after, Vec::new()).await? {
            upgrade.version = version.number;
            upgrade.changed = true;
            return Ok(upgrade);
        }
    }
}

/// Which filters move, from what to what.
struct FilterMoves {
    filters: BTreeSet<String>,
    from: FilterMakeup,
    to: FilterMakeup,
    activated: bool,
}

fn made(filter: &Filter) -> FilterMakeup {
    FilterMakeup { component: filter.component.clone(), digest: filter.digest.clone() }
}

impl FilterMoves {
    async fn of(
        before: &Configuration,
        catalogue: &Catalogue,
        wish: Wish<'_>,
        place: ConfigurationPlace<'_>,
    ) -> Result<Self, ServiceError> {
        let filter = one(before, catalogue, wish.name)?;
        let from = made(filter);
        let to = match wish.way {
            MoveDirection::To(version) => later(filter, version, catalogue)?,
            MoveDirection::Back => earlier(filter, catalogue, place).await?,
        };
        let mut filters = BTreeSet::from([filter.name.clone()]);
        let others = before.filters.values().filter(|other| !wish.only && made(other) == from);
        let others: Vec<String> = others.map(|other| other.name.clone()).collect();
        for other in others {
            let goes_along = match wish.way {
                MoveDirection::To(_) => true,
                // A filter that came here by another way stays.
                MoveDirection::Back => filter_components::before(place.store, &other).await?.as_ref() == Some(&to),
            };
            if goes_along {
                filters.insert(other);
            }
        }
        let uploaded = to.digest.as_deref().and_then(|digest| catalogue.by_digest(digest));
        let activated = uploaded.is_none_or(|component| component.activated_at.is_some());
        Ok(Self { filters, from, to, activated })
    }

    fn apply(&self, before: &Configuration) -> Configuration {
        let mut after = before.clone();
        for filter in after.filters.values_mut().filter(|filter| self.filters.contains(&filter.name)) {
            // What anybody may grant to a shipped component, an admin alone grants to an uploaded one.
            if filter.digest.is_none() && self.to.digest.is_some() {
                filter.grants = None;
            }
            filter.component.clone_from(&self.to.component);
            filter.digest.clone_from(&self.to.digest);
        }
        after
    }

    async fn describe(
        &self,
        before: &Configuration,
        after: &Configuration,
        breaches: Vec<Breach>,
        place: ConfigurationPlace<'_>,
    ) -> Result<UpgradeDocument, ServiceError> {
        let moved = |configuration: &Configuration| -> Vec<Filter> {
            configuration.filters.values().filter(|filter| self.filters.contains(&filter.name)).cloned().collect()
        };
        let (before_filters, filters) = (moved(before), moved(after));
        let both: Vec<Filter> = [before_filters.as_slice(), filters.as_slice()].concat();
        let gathered = NeededComponents::of(&both, place.store, place.sandbox).await?;
        let found = |filters: &[Filter]| filters.first().and_then(|filter| gathered.find(filter));
        let (earlier, later) = (found(&before_filters), found(&filters));
        let (before_says, says) = (ShownDescription::of(earlier.as_ref()), ShownDescription::of(later.as_ref()));
        let filters: Vec<UpgradedFilter> = filters
            .iter()
            .map(|filter| {
                let granted = later.as_ref().map(|component| grants(filter, component)).unwrap_or_default();
                let not_granted = says.grants.iter().filter(|grant| !granted.contains(grant)).copied().collect();
                let own = breaches.iter().filter(|breach| breach.kind == Filter::KIND && breach.name == filter.name);
                let problems = own
                    .map(|breach| UpgradeMistake { place: breach.place.clone(), reason: breach.sentence.clone() })
                    .collect();
                UpgradedFilter { name: filter.name.clone(), granted, not_granted, problems }
            })
            .collect();
        Ok(UpgradeDocument {
            from: self.from.component.clone(),
            to: self.to.component.clone(),
            activated: self.activated,
            filters,
            headers: differs(&before_says.headers, &says.headers),
            schema: schema_differs(&before_says.schema, &says.schema),
            grants: DeclarationChange { before: before_says.grants, after: says.grants },
            changed: false,
            version: before.version.number,
            behind: Vec::new(),
        })
    }
}

/// What a component says of itself, as far as an upgrade shows it; nothing where it is gone.
#[derive(Default)]
struct ShownDescription {
    headers: Vec<String>,
    grants: Vec<Grant>,
    schema: Value,
}

impl ShownDescription {
    fn of(component: Option<&FilterComponent>) -> Self {
        let Some(component) = component else { return Self::default() };
        let description = component.description.as_ref();
        Self {
            headers: description.filter().headers,
            grants: description.grants.clone(),
            schema: description.settings_schema.clone(),
        }
    }
}

/// The filter that is named; or one of those that use the component that is named, where they all have one version.
fn one<'c>(configuration: &'c Configuration, catalogue: &Catalogue, name: &str) -> Result<&'c Filter, ServiceError> {
    if let Some(filter) = configuration.filters.get(name) {
        return Ok(filter);
    }
    let uses = |filter: &&Filter| {
        let component = filter.digest.as_deref().and_then(|digest| catalogue.by_digest(digest));
        component.is_some_and(|component| {
            component.name == name || catalogue.find(name) == Ok(KnownComponent::Uploaded(component))
        })
    };
    let users: Vec<&Filter> = configuration.filters.values().filter(uses).collect();
    match users.as_slice() {
        [] => Err(ServiceError::NotFound(format!(
            "There is no filter \"{name}\", and no uploaded component of this name that a filter uses; `postigo filter list` shows those that exist."
        ))),
        [first, others @ ..] if others.iter().all(|other| other.digest == first.digest) => Ok(first),
        several => {
            let names: Vec<String> =
                several.iter().map(|filter| format!("\"{}\" ({})", filter.name, filter.component)).collect();
            Err(ServiceError::Conflict(format!(
                "Filters use several versions of {name}: name one of {}.",
                names.join(", ")
            )))
        }
    }
}

/// The version that a filter is upgraded to.
fn later(filter: &Filter, version: Option<&str>, catalogue: &Catalogue) -> Result<FilterMakeup, ServiceError> {
    let Some(digest) = &filter.digest else {
        return Err(ServiceError::Conflict(format!(
            "The component {} of the filter \"{}\" ships with Postigo and is upgraded with it.",
            filter.component, filter.name
        )));
    };
    let name = match catalogue.by_digest(digest) {
        Some(component) => component.name.clone(),
        None => filter.component.split('@').next().unwrap_or_default().to_owned(),
    };
    let found = match version {
        Some(version) => catalogue.by_version(&name, version).ok_or_else(|| {
            let versions: Vec<&str> = catalogue.of_name(&name).map(|component| component.version.as_str()).collect();
            ServiceError::NotFound(format!(
                "There is no component {name}@{version}; uploaded are {}.",
                versions.join(", ")
            ))
        })?,
        None => catalogue.newest_activated(&name).ok_or_else(|| {
            ServiceError::Conflict(format!(
                "No version of the component {name} is activated; `postigo component activate` lets one act."
            ))
        })?,
    };
    Ok(FilterMakeup { component: found.shown(), digest: Some(found.digest.clone()) })
}

/// What a filter goes back to.
async fn earlier(
    filter: &Filter,
    catalogue: &Catalogue,
    place: ConfigurationPlace<'_>,
) -> Result<FilterMakeup, ServiceError> {
    let Some(made) = filter_components::before(place.store, &filter.name).await? else {
        return Err(ServiceError::Conflict(format!(
            "The filter \"{}\" had no other component before {}: there is nothing to go back to.",
            filter.name, filter.component
        )));
    };
    let is_there = match &made.digest {
        Some(digest) => catalogue.by_digest(digest).is_some(),
        None => catalogue.is_shipped(&made.component),
    };
    if !is_there {
        return Err(ServiceError::NotFound(format!(
            "The component {} that the filter \"{}\" had is not there any more.",
            made.component, filter.name
        )));
    }
    Ok(made)
}

fn differs(before: &[String], after: &[String]) -> Differs {
    let missing = |from: &[String], of: &[String]| of.iter().filter(|item| !from.contains(item)).cloned().collect();
    Differs { added: missing(before, after), removed: missing(after, before) }
}

/// Keys are looked for so deep; a schema may be deeper, and then the rest counts as what is said of the last.
const DEPTH: usize = 16;

fn schema_differs(before: &Value, after: &Value) -> SchemaDiffers {
    let (mut earlier, mut later) = (Keys::default(), Keys::default());
    earlier.read(before, "", DEPTH);
    later.read(after, "", DEPTH);
    let added = later.said.keys().filter(|key| !earlier.said.contains_key(*key)).cloned().collect();
    let removed = earlier.said.keys().filter(|key| !later.said.contains_key(*key)).cloned().collect();
    let required = later.required.difference(&earlier.required).cloned().collect();
    let differs = |(key, said): &(&String, &Value)| earlier.said.get(*key).is_some_and(|before| before != *said);
    let changed = later.said.iter().filter(differs).map(|(key, _)| key.clone()).collect();
    SchemaDiffers { added, removed, required, changed }
}

/// The keys that a schema describes, by their path, with what it says of each besides the keys inside.
#[derive(Default)]
struct Keys {
    said: BTreeMap<String, Value>,
    required: BTreeSet<String>,
}

impl Keys {
    fn read(&mut self, schema: &Value, path: &str, depth: usize) {
        let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        self.required.extend(required.filter_map(Value::as_str).map(join));
        for (key, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut said = inner.clone();
            if depth > 0 {
                self.read(inner, &join(key), depth - 1);
                strip(&mut said);
            }
            self.said.insert(join(key), said);
        }
        if let Some(items) = schema.get("items").filter(|_| depth > 0) {
            self.read(items, path, depth - 1);
        }
    }
}

/// What is said of the keys inside is said at them.
fn strip(said: &mut Value) {
    if let Some(fields) = said.as_object_mut() {
        for key in ["properties", "required", "description", "title"] {
            fields.shift_remove(key);
        }
        if let Some(items) = fields.get_mut("items") {
            strip(items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_that_appear_vanish_change_or_become_required_are_told_by_their_path() {
        let before = json!({ "properties": {
            "when": { "type": "array", "items": { "properties": { "header": { "type": "string" }, "negate": { "type": "boolean" } } } },
            "word": { "type": "string", "description": "A word." }
        } });
        let after = json!({ "required": ["word"], "properties": {
            "when": { "type": "array", "items": { "required": ["header"], "properties": { "header": { "type": "integer" } } } },
            "word": { "type": "string", "description": "Any word." },
            "limit": { "type": "integer" }
        } });
        let differs = schema_differs(&before, &after);
        assert_eq!(differs.added, ["limit"]);
        assert_eq!(differs.removed, ["when.negate"]);
        assert_eq!(differs.required, ["when.header", "word"]);
        assert_eq!(differs.changed, ["when.header"], "other words of description change nothing");
        assert_eq!(schema_differs(&after, &after), SchemaDiffers::default());
    }
}
