//! The plan: all valid filters in byte order, their groups prepared. It never changes; a new one takes its place as a whole.

use super::breaker::Breaker;
use super::group::{self, Prepared, Wanted};
use super::guests::{Guests, Sandbox};
use super::share::Share;
use super::trial::Trial;
use super::verdict::Declared;
use postigo_mail::SetBy;
use postigo_model::configured::{FailurePolicy, Filter, Validity};
use postigo_model::guest::FailureKind;
use postigo_sandbox::{Cost, Description, Failure, SettingsProblem};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// So many problems of a filter's settings are told where it fails for them.
const TOLD: usize = 5;
/// In so many bytes.
const LONGEST: usize = 1000;

/// A component as filters use it.
#[derive(Debug, Clone)]
pub struct Component {
    /// What it says of itself.
    pub description: Arc<Description>,
    /// The component's bytes.
    pub bytes: Arc<[u8]>,
    /// Whether it ships with Postigo: then filters that state no grants have what it asks for.
    pub shipped: bool,
}

/// The components that filters run.
pub trait Components: Sync {
    /// The one that a filter was settled on.
    fn find(&self, filter: &Filter) -> Option<Component>;

    /// Why that one is not found although it is stored, a clause: its row cannot be read.
    fn unreadable(&self, _filter: &Filter) -> Option<&str> {
        None
    }
}

/// A filter in its place.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its name.
    pub name: Arc<str>,
    /// The name as the origin of the headers that it sets.
    pub set_by: SetBy,
    /// The component as it is shown: a shipped one's name, or `name@version`.
    pub component: Arc<str>,
    /// The headers that its component declared.
    pub declared: Arc<Declared>,
    /// Whether a match ends the chain.
    pub stop_after_match: bool,
    /// What a failure does.
    pub on_failure: FailurePolicy,
    /// Where it runs.
    pub place: Place,
    /// Its breaker, the same one as long as the filter is unchanged.
    pub breaker: Arc<Breaker>,
}

/// Where a filter runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a group.
    Member {
        /// Index in [`Plan::groups`].
        group: usize,
        /// Index in the group.
        index: u32,
    },
    /// Nowhere: it could not be prepared, and fails so at each message.
    Broken(Broken),
}

/// Why a filter could not be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What each message's result says.
    pub failure: Failure,
    /// The mistakes in its settings, if that is why.
    pub problems: Vec<SettingsProblem>,
    /// Whether it is not the filter's fault, but the host's, or a row's that cannot be read: it may go well another time.
    pub may_pass: bool,
}

/// A prepared group, shared by the plans that it stays unchanged in.
#[derive(Clone)]
pub struct PlannedGroup {
    /// The component's name.
    pub component: Arc<str>,
    /// What runs its filters.
    pub guests: Arc<dyn Guests>,
    /// Keeps a screening that fails again and again from costing each message its time limit.
    pub screening: Arc<Breaker>,
}

impl Broken {
    /// Broken by a failure of the component.
    pub fn by_failure(failure: Failure) -> Self {
        Self { failure, problems: Vec::new(), may_pass: false }
    }

    /// Broken by mistakes in its settings.
    pub fn by_settings(problems: Vec<SettingsProblem>) -> Self {
        // Each message's result says so, and a component may name a thousand problems of some kilobytes.
        let said: Vec<String> = problems.iter().take(TOLD).map(|problem| format!("{}: {}", problem.place, problem.reason)).collect();
        let said = said.join("; ");
        let (short, more) = (said.floor_char_boundary(LONGEST), problems.len().saturating_sub(TOLD));
        let mut message = format!("Its settings do not suit the component: {}", said.get(..short).unwrap_or_default());
        if more > 0 {
            message = format!("{message}; and {more} more");
        }
        Self { failure: Failure { kind: FailureKind::Output, message }, problems, may_pass: false }
    }

    /// What an admin has to mend, one entry at least.
    pub fn to_problems(&self, filter: &str) -> Vec<SettingsProblem> {
        if self.problems.is_empty() {
            vec![SettingsProblem { filter: filter.to_owned(), place: String::new(), reason: self.failure.message.clone() }]
        } else {
            self.problems.clone()
        }
    }
}

/// All valid filters in their order.
#[derive(Default)]
pub struct Plan {
    filters: Vec<Planned>,
    groups: Vec<PlannedGroup>,
    prepared: Vec<Prepared>,
    sources: HashMap<Arc<str>, Filter>,
    share: Arc<Share>,
}

impl Plan {
    /// The filters in their order.
    pub fn filters(&self) -> &[Planned] {
        &self.filters
    }

    /// The prepared groups.
    pub fn groups(&self) -> &[PlannedGroup] {
        &self.groups
    }

    /// What a message pays for the group of a filter; none where the filter could not be prepared.
    pub fn cost(&self, filter: &Planned) -> Option<Cost> {
        match filter.place {
            Place::Member { group, .. } => self.groups.get(group).map(|group| group.guests.cost()),
            Place::Broken(_) => None,
        }
    }

    /// What failed calls may have of the workers' time, the same in all plans of the process.
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// The trials of suspended filters and screenings whose pauses are over; each is named once.
    pub fn due_trials(&self) -> Vec<Trial> {
        let now = Instant::now();
        let filters = self.filters.iter().filter_map(|filter| {
            let Place::Member { group, index } = filter.place else { return None };
            let group = self.groups.get(group)?;
            filter.breaker.is_due(now).then(|| Trial::of_filter(filter, group, index))
        });
        let screenings = self.groups.iter().filter(|group| group.screening.is_due(now)).map(Trial::of_screening);
        filters.chain(screenings).collect()
    }

    /// The filters that could not be prepared.
    pub fn broken(&self) -> impl Iterator<Item = (&Planned, &Broken)> {
        self.filters.iter().filter_map(|filter| match &filter.place {
            Place::Broken(broken) => Some((filter, broken)),
            Place::Member { .. } => None,
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

    /// Builds the plan of the valid filters among `filters`. Blocks while groups are prepared, several at a time; groups that `previous`
    /// has as they are wanted are taken over.
    pub fn build<'f>(
        filters: impl IntoIterator<Item = &'f Filter>,
        components: &dyn Components,
        sandbox: &dyn Sandbox,
        previous: Option<&Self>,
    ) -> Self {
        let mut valid: Vec<&Filter> = filters.into_iter().filter(|filter| filter.valid == Validity::Valid).collect();
        valid.sort_by(|left, right| left.name.as_bytes().cmp(right.name.as_bytes()));
        let mut plan = Self { share: previous.map(|previous| Arc::clone(&previous.share)).unwrap_or_default(), ..Self::default() };
        let mut declared: HashMap<String, Arc<Declared>> = HashMap::new();
        let mut wanted: Vec<Wanted> = Vec::new();
        for filter in valid {
            let planned = match components.find(filter) {
                Some(component) => {
                    group::join(&mut wanted, filter, &component);
                    let declared = declared.entry(component.description.digest.clone());
                    let declared = declared.or_insert_with(|| Arc::new(Declared::of(&component.description.headers)));
                    planned(filter, Arc::clone(declared), previous)
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
    fn place(&mut self, prepared: &Prepared) {
        let group = self.groups.len();
        if let Ok(prepared) = &prepared.outcome {
            self.groups.push(prepared.clone());
        }
        let members = prepared.key.members.iter().map(|member| &member.name);
        for (index, name) in (0..).zip(members) {
            let Some(filter) = self.filters.iter_mut().find(|filter| filter.name == *name) else { continue };
            filter.place = match &prepared.outcome {
                Ok(_) => Place::Member { group, index },
                Err(broken) => Place::Broken(broken.clone()),
            };
        }
    }
}

fn planned(filter: &Filter, declared: Arc<Declared>, previous: Option<&Plan>) -> Planned {
    let name: Arc<str> = filter.name.as_str().into();
    let never = Failure { kind: FailureKind::Trap, message: "The filter was not prepared.".into() };
    Planned {
        set_by: SetBy::Filter(Arc::clone(&name)),
        component: filter.component.as_str().into(),
        declared,
        stop_after_match: filter.stop_after_match,
        on_failure: filter.on_failure,
        place: Place::Broken(Broken::by_failure(never)),
        breaker: previous.and_then(|plan| plan.breaker_of(filter)).unwrap_or_default(),
        name,
    }
}

/// A filter whose component is not there, or is there and cannot be read.
fn without_component(filter: &Filter, unreadable: Option<&str>) -> Planned {
    let name: Arc<str> = filter.name.as_str().into();
    let message = match unreadable {
        Some(reason) => format!("Its component \"{}\" is stored and cannot be read: {reason}.", filter.component),
        None => format!("There is no component \"{}\"; upload it, or name another one.", filter.component),
    };
    let failed = Broken::by_failure(Failure { kind: FailureKind::Output, message });
    Planned {
        set_by: SetBy::Filter(Arc::clone(&name)),
        component: filter.component.as_str().into(),
        declared: Arc::default(),
        stop_after_match: filter.stop_after_match,
        on_failure: filter.on_failure,
        // A row that was mended by hand is looked at again.
        place: Place::Broken(Broken { may_pass: unreadable.is_some(), ..failed }),
        breaker: Arc::default(),
        name,
    }
}

impl Plan {
    /// The breaker of a filter that is unchanged since this plan was built.
    fn breaker_of(&self, filter: &Filter) -> Option<Arc<Breaker>> {
        let unchanged = self.sources.get(filter.name.as_str()) == Some(filter);
        let planned = self.filters.iter().find(|planned| *planned.name == *filter.name)?;
        unchanged.then(|| Arc::clone(&planned.breaker))
    }
}
