//! A plan as another process is given it: filters, prepared groups and breakages as they are here, so that it prepares
//! nothing that failed here, and finds what was prepared in the sandbox's cache.

use super::breaker::Breaker;
use super::guests::Sandbox;
use super::plan::ChainPlan;
use super::planned_filter::{FilterPlace, PlannedFilter, PlannedGroup};
use super::verdict::DeclaredHeaders;
use postigo_mail::SetBy;
use postigo_model::configured::FailurePolicy;
use postigo_model::guest::{Grant, GuestLimits};
use postigo_sandbox::{GroupMember, GroupSpec, PrepareError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A plan without what runs it.
#[derive(Debug, Serialize, Deserialize)]
pub struct PlanDocument {
    filters: Vec<FilterDocument>,
    groups: Vec<GroupDocument>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FilterDocument {
    name: String,
    component: String,
    declared: DeclaredHeaders,
    stop_after_match: bool,
    on_failure: FailurePolicy,
    place: FilterPlace,
}

#[derive(Debug, Serialize, Deserialize)]
struct GroupDocument {
    component: String,
    digest: String,
    grants: Vec<Grant>,
    limits: GuestLimits,
    /// Names and settings.
    members: Vec<(String, serde_json::Value)>,
}

impl PlanDocument {
    /// Of a plan.
    pub fn of(plan: &ChainPlan) -> Self {
        let filters = plan.filters().iter().map(|filter| FilterDocument {
            name: filter.name.to_string(),
            component: filter.component.to_string(),
            declared: (*filter.declared).clone(),
            stop_after_match: filter.stop_after_match,
            on_failure: filter.on_failure,
            place: filter.place.clone(),
        });
        let groups = plan.groups().iter().zip(plan.group_keys()).map(|(group, key)| GroupDocument {
            component: group.component.to_string(),
            digest: key.digest.clone(),
            grants: key.grants.clone(),
            limits: key.limits,
            members: key.members.iter().map(|member| (member.name.to_string(), member.settings.clone())).collect(),
        });
        Self { filters: filters.collect(), groups: groups.collect() }
    }

    /// The digests of the components that its groups run.
    pub fn digests(&self) -> BTreeSet<&str> {
        self.groups.iter().map(|group| group.digest.as_str()).collect()
    }

    /// The plan, its groups prepared in this sandbox of these components, by digest.
    pub fn prepare(
        self,
        components: &HashMap<String, Arc<[u8]>>,
        sandbox: &dyn Sandbox,
    ) -> Result<ChainPlan, PrepareError> {
        let groups = self.groups.into_iter().map(|group| group.prepare(components, sandbox));
        let groups: Vec<PlannedGroup> = groups.collect::<Result<_, _>>()?;
        Ok(ChainPlan::of_parts(self.filters.into_iter().map(FilterDocument::into_filter).collect(), groups))
    }
}

impl GroupDocument {
    fn prepare(
        self,
        components: &HashMap<String, Arc<[u8]>>,
        sandbox: &dyn Sandbox,
    ) -> Result<PlannedGroup, PrepareError> {
        let component = components.get(&self.digest).ok_or_else(|| {
            PrepareError::Unavailable(format!("the bytes of component {} were not handed over", self.component))
        })?;
        let members = self.members.into_iter();
        let spec = GroupSpec {
            component: Arc::clone(component),
            digest: self.digest,
            members: members.map(|(name, settings)| GroupMember { name: name.into(), settings }).collect(),
            grants: self.grants,
            limits: self.limits,
        };
        let guests = sandbox.prepare(&spec)?;
        Ok(PlannedGroup { component: self.component.into(), guests, screening: Arc::default() })
    }
}

impl FilterDocument {
    fn into_filter(self) -> PlannedFilter {
        let name: Arc<str> = self.name.into();
        PlannedFilter {
            set_by: SetBy::Filter(Arc::clone(&name)),
            name,
            component: self.component.into(),
            declared: Arc::new(self.declared),
            stop_after_match: self.stop_after_match,
            on_failure: self.on_failure,
            place: self.place,
            breaker: Arc::new(Breaker::default()),
        }
    }
}
