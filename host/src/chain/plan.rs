//! The plan: all valid filters in byte order, their groups prepared. It never changes; a new one takes its place as a
//! whole.

use super::answering::AnswerRules;
use super::breaker::Breaker;
use super::component::{Components, FilterComponent};
use super::group::{self, GroupDemand, GroupKey, PreparedGroup};
use super::guests::Sandbox;
use super::planned_filter::{BrokenFilter, FilterPlace, PlannedFilter, PlannedGroup};
use super::share::FailureShare;
use super::trial::BreakerTrial;
use super::verdict::DeclaredHeaders;
use postigo_mail::SetBy;
use postigo_model::classification::Question;
use postigo_model::configured::{Filter, Validity};
use postigo_model::guest::FailureKind;
use postigo_model::hexadecimal::hexadecimal;
use postigo_model::plan_version::{ChainMember, FilterVersion, PlanVersion};
use postigo_sandbox::{Asset, CallFailure, Cost};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// All valid filters in their order.
#[derive(Default)]
pub struct ChainPlan {
    filters: Vec<PlannedFilter>,
    groups: Vec<PlannedGroup>,
    prepared: Vec<PreparedGroup>,
    sources: HashMap<Arc<str>, Filter>,
    share: Arc<FailureShare>,
}

impl ChainPlan {
    /// The filters in their order.
    pub fn filters(&self) -> &[PlannedFilter] {
        &self.filters
    }

    /// The prepared groups.
    pub fn groups(&self) -> &[PlannedGroup] {
        &self.groups
    }

    /// Which filters these are, for whoever reads later what they did.
    pub fn version(&self) -> PlanVersion {
        let member =
            |filter: &PlannedFilter| ChainMember { name: filter.name.to_string(), version: filter.version.clone() };
        PlanVersion { filters: self.filters.iter().map(member).collect() }
    }

    /// What was prepared for each of the groups, in their order.
    pub(super) fn group_keys(&self) -> impl Iterator<Item = &GroupKey> {
        self.prepared.iter().filter(|prepared| prepared.outcome.is_ok()).map(|prepared| &prepared.key)
    }

    /// A plan of filters that the groups which were prepared give their places to. No later plan takes anything over
    /// from it.
    pub(super) fn of_parts(filters: Vec<PlannedFilter>, prepared: Vec<PreparedGroup>) -> Self {
        let mut plan = Self { filters, ..Self::default() };
        for prepared in prepared {
            plan.place(&prepared);
            plan.prepared.push(prepared);
        }
        plan
    }

    /// What a message pays for the group of a filter; none where the filter could not be prepared.
    pub fn cost(&self, filter: &PlannedFilter) -> Option<Cost> {
        match filter.place {
            FilterPlace::Member { group, .. } => self.groups.get(group).map(|group| group.guests.cost()),
            FilterPlace::Broken(_) => None,
        }
    }

    /// The questions that a filter answers, where it is a classifier.
    pub fn questions(&self, filter: &PlannedFilter) -> &[Question] {
        match filter.place {
            FilterPlace::Member { group, index } => {
                self.groups.get(group).map(|group| group.guests.questions(index)).unwrap_or_default()
            }
            FilterPlace::Broken(_) => &[],
        }
    }

    /// What failed calls may have of the workers' time, the same in all plans of the process.
    pub fn share(&self) -> &FailureShare {
        &self.share
    }

    /// The trials of suspended filters and screenings whose pauses are over; each is named once.
    pub fn due_trials(&self) -> Vec<BreakerTrial> {
        let now = Instant::now();
        let filters = self.filters.iter().filter_map(|filter| {
            let FilterPlace::Member { group, index } = filter.place else { return None };
            let group = self.groups.get(group)?;
            filter.breaker.is_due(now).then(|| BreakerTrial::of_filter(filter, group, index))
        });
        let screenings = self.groups.iter().filter(|group| group.screening.is_due(now)).map(BreakerTrial::of_screening);
        filters.chain(screenings).collect()
    }

    /// What its filters were given besides their settings.
    pub fn assets(&self) -> impl Iterator<Item = &Asset> {
        self.group_keys().flat_map(|key| &key.members).flat_map(|member| &member.assets)
    }

    /// The filters that could not be prepared.
    pub fn broken(&self) -> impl Iterator<Item = (&PlannedFilter, &BrokenFilter)> {
        self.filters.iter().filter_map(|filter| match &filter.place {
            FilterPlace::Broken(broken) => Some((filter, broken)),
            FilterPlace::Member { .. } => None,
        })
    }

    /// The same plan with fewer filters: groups stay as they are, so that it is ready at once.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self {
            filters: self.filters.iter().filter(|filter| keep(&filter.name)).cloned().collect(),
            groups: self.groups.clone(),
            prepared: self.prepared.clone(),
            sources: self.sources.clone(),
            share: Arc::clone(&self.share),
        }
    }

    /// Builds the plan of the valid filters among `filters`. Blocks while groups are prepared, several at a time;
    /// groups that `previous` has as they are wanted are taken over.
    pub fn build<'f>(
        filters: impl IntoIterator<Item = &'f Filter>,
        components: &dyn Components,
        sandbox: &dyn Sandbox,
        previous: Option<&Self>,
    ) -> Self {
        let mut valid: Vec<&Filter> = filters.into_iter().filter(|filter| filter.valid == Validity::Valid).collect();
        valid.sort_by(|left, right| left.name.as_bytes().cmp(right.name.as_bytes()));
        let mut plan =
            Self { share: previous.map(|previous| Arc::clone(&previous.share)).unwrap_or_default(), ..Self::default() };
        let mut declared: HashMap<String, Arc<DeclaredHeaders>> = HashMap::new();
        let mut wanted: Vec<GroupDemand> = Vec::new();
        for filter in valid {
            let planned = match components.find(filter) {
                Some(component) => {
                    let assets = components.assets(filter);
                    let version = version(filter, Some(&component), assets.first().map(|asset| &*asset.digest));
                    group::join(&mut wanted, filter, &component, assets);
                    let declared = declared.entry(component.description.digest.clone());
                    let declared = declared
                        .or_insert_with(|| Arc::new(DeclaredHeaders::of(&component.description.filter().headers)));
                    planned(filter, (&component, version), Arc::clone(declared), previous)
                }
                None => without_component(filter, components.unreadable(filter)),
            };
            plan.sources.insert(Arc::clone(&planned.name), filter.clone());
            plan.filters.push(planned);
        }
        let known = previous.map_or(&[][..], |previous| previous.prepared.as_slice());
        for prepared in group::prepare_all(wanted, known, sandbox) {
            plan.place(&prepared);
            plan.prepared.push(prepared);
        }
        plan
    }

    /// Puts the members of a prepared group, or a broken filter, into their places.
    fn place(&mut self, prepared: &PreparedGroup) {
        let group = self.groups.len();
        if let Ok(prepared) = &prepared.outcome {
            self.groups.push(prepared.clone());
        }
        let members = prepared.key.members.iter().map(|member| &member.name);
        for (index, name) in (0..).zip(members) {
            let Some(filter) = self.filters.iter_mut().find(|filter| filter.name == *name) else { continue };
            filter.place = match &prepared.outcome {
                Ok(_) => FilterPlace::Member { group, index },
                Err(broken) => FilterPlace::Broken(broken.clone()),
            };
        }
    }
}

/// What decides how a filter judges. `model`: the digest of the one in force.
fn version(filter: &Filter, component: Option<&FilterComponent>, model: Option<&str>) -> FilterVersion {
    let settings = digest_of_told(filter, model);
    match component.map(|component| &component.description) {
        Some(description) => FilterVersion {
            component: description.name.clone(),
            version: description.version.clone(),
            digest: description.digest.clone(),
            settings,
        },
        None => FilterVersion { component: filter.component.clone(), settings, ..FilterVersion::default() },
    }
}

/// SHA-256 of what a filter is told: settings, grants, limits and whether it stops the chain, of a classifier what follows
/// from its answers, and its model; hexadecimal.
fn digest_of_told(filter: &Filter, model: Option<&str>) -> String {
    let mut told = serde_json::json!([filter.settings, filter.grants, filter.limits, filter.stop_after_match]);
    let Filter { mode, follow_ups, answer, .. } = filter;
    // Where none of it is said, the digest is the one that filters had before there were classifiers.
    if let (Some(told), true) = (told.as_array_mut(), mode.is_some() || *follow_ups || !answer.is_empty()) {
        told.push(serde_json::json!([mode, follow_ups, answer]));
    }
    if let (Some(told), Some(model)) = (told.as_array_mut(), model) {
        told.push(serde_json::json!({ "model": model }));
    }
    hexadecimal(&Sha256::digest(told.to_string()))
}

/// The beginning of the digest of what a filter is told, as the communication log and results name it.
/// `model`: the digest of the model in force.
pub fn revision(filter: &Filter, model: Option<&str>) -> String {
    version(filter, None, model).revision().to_owned()
}

fn planned(
    filter: &Filter,
    (component, version): (&FilterComponent, FilterVersion),
    declared: Arc<DeclaredHeaders>,
    previous: Option<&ChainPlan>,
) -> PlannedFilter {
    let name: Arc<str> = filter.name.as_str().into();
    PlannedFilter {
        set_by: SetBy::Filter(Arc::clone(&name)),
        component: filter.component.as_str().into(),
        breaker: previous.and_then(|plan| plan.breaker_of(filter, &version)).unwrap_or_default(),
        version,
        declared,
        answering: component.is_classifier().then(|| Arc::new(AnswerRules::of(filter))),
        stop_after_match: filter.stop_after_match,
        on_failure: filter.on_failure,
        place: FilterPlace::Broken(BrokenFilter::never_prepared()),
        name,
    }
}

/// A filter whose component is not there, or is there and cannot be read.
fn without_component(filter: &Filter, unreadable: Option<&str>) -> PlannedFilter {
    let name: Arc<str> = filter.name.as_str().into();
    let message = match unreadable {
        Some(reason) => format!("Its component \"{}\" is stored and cannot be read: {reason}.", filter.component),
        None => format!("There is no component \"{}\"; upload it, or name another one.", filter.component),
    };
    let failed = BrokenFilter::by_failure(CallFailure { kind: FailureKind::Output, message });
    PlannedFilter {
        set_by: SetBy::Filter(Arc::clone(&name)),
        component: filter.component.as_str().into(),
        version: version(filter, None, None),
        declared: Arc::default(),
        answering: None,
        stop_after_match: filter.stop_after_match,
        on_failure: filter.on_failure,
        // A row that was mended by hand is looked at again.
        place: FilterPlace::Broken(BrokenFilter { may_pass: unreadable.is_some(), ..failed }),
        breaker: Arc::default(),
        name,
    }
}

impl ChainPlan {
    /// The breaker of a filter that is unchanged since this plan was built, its model among it.
    fn breaker_of(&self, filter: &Filter, version: &FilterVersion) -> Option<Arc<Breaker>> {
        let planned = self.filters.iter().find(|planned| *planned.name == *filter.name)?;
        let unchanged = self.sources.get(filter.name.as_str()) == Some(filter) && planned.version == *version;
        unchanged.then(|| Arc::clone(&planned.breaker))
    }
}
