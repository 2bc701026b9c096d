//! A plan as another process is given it: filters, prepared groups, breakages and suspensions as they are here, so that it
//! prepares nothing that failed here, calls nothing that is suspended here, and finds what was prepared in the sandbox's
//! cache.

use super::answering::AnswerRules;
use super::breaker::{Breaker, Suspension};
use super::group::{self, GroupDemand, GroupKey, PreparedGroup};
use super::guests::Sandbox;
use super::plan::ChainPlan;
use super::planned_filter::{BrokenFilter, FilterPlace, PlannedFilter};
use super::verdict::DeclaredHeaders;
use postigo_mail::SetBy;
use postigo_model::configured::FailurePolicy;
use postigo_model::guest::{Grant, GuestLimits};
use postigo_model::plan_version::FilterVersion;
use postigo_sandbox::{Asset, GroupMember};
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
    version: FilterVersion,
    declared: DeclaredHeaders,
    answering: Option<AnswerRules>,
    stop_after_match: bool,
    on_failure: FailurePolicy,
    /// Why it has no place, where it has none.
    broken: Option<BrokenFilter>,
    suspended: Option<Suspension>,
}

#[derive(Debug, Serialize, Deserialize)]
struct GroupDocument {
    component: String,
    digest: String,
    grants: Vec<Grant>,
    limits: GuestLimits,
    members: Vec<MemberDocument>,
    /// That its screening is suspended.
    suspended: Option<Suspension>,
}

#[derive(Debug, Serialize, Deserialize)]
struct MemberDocument {
    name: String,
    settings: serde_json::Value,
    assets: Vec<AssetDocument>,
}

/// An asset without its bytes.
#[derive(Debug, Serialize, Deserialize)]
struct AssetDocument {
    name: String,
    format: String,
    digest: String,
}

impl PlanDocument {
    /// Of a plan.
    pub fn of(plan: &ChainPlan) -> Self {
        let filters = plan.filters().iter().map(|filter| FilterDocument {
            name: filter.name.to_string(),
            component: filter.component.to_string(),
            version: filter.version.clone(),
            declared: (*filter.declared).clone(),
            answering: filter.answering.as_deref().cloned(),
            stop_after_match: filter.stop_after_match,
            on_failure: filter.on_failure,
            broken: match &filter.place {
                FilterPlace::Member { .. } => None,
                FilterPlace::Broken(broken) => Some(broken.clone()),
            },
            suspended: filter.breaker.suspension(),
        });
        let groups = plan.groups().iter().zip(plan.group_keys()).map(|(group, key)| GroupDocument {
            component: group.component.to_string(),
            digest: key.digest.clone(),
            grants: key.grants.clone(),
            limits: key.limits,
            members: key.members.iter().map(MemberDocument::of).collect(),
            suspended: group.screening.suspension(),
        });
        Self { filters: filters.collect(), groups: groups.collect() }
    }

    /// The digests of what its groups are prepared of: components, and assets of their filters.
    pub fn digests(&self) -> BTreeSet<&str> {
        let assets = self.groups.iter().flat_map(|group| &group.members).flat_map(|member| &member.assets);
        let components = self.groups.iter().map(|group| group.digest.as_str());
        components.chain(assets.map(|asset| asset.digest.as_str())).collect()
    }

    /// The plan, its groups prepared in this sandbox of these components and assets, by digest. As at home, a filter that keeps its
    /// group from being prepared is broken, and the others have their places.
    ///
    /// # Errors
    /// What keeps a group that is prepared at home from being prepared here, a clause, where that is no fault of its
    /// filters: memory, descriptors, bytes that were not handed over. What a mail then met would not be its chain.
    pub fn prepare(self, bytes: &HashMap<String, Arc<[u8]>>, sandbox: &dyn Sandbox) -> Result<ChainPlan, String> {
        let (mut wanted, mut suspended) = (Vec::new(), Vec::new());
        for group in self.groups {
            let (key, component) = (group.key(bytes)?, group.component);
            let Some(of_component) = bytes.get(&key.digest) else {
                return Err(format!("the bytes of component {component} were not handed over"));
            };
            suspended.extend(group.suspended.map(|suspension| (key.clone(), suspension)));
            wanted.push(GroupDemand { key, component: component.into(), bytes: Arc::clone(of_component) });
        }
        let mut prepared = group::prepare_all(wanted, &[], sandbox);
        for PreparedGroup { key, outcome } in &mut prepared {
            match outcome {
                Ok(group) => {
                    if let Some(at) = suspended.iter().position(|(suspended, _)| *suspended == *key) {
                        group.screening = Arc::new(Breaker::with(Some(suspended.swap_remove(at).1)));
                    }
                }
                Err(broken) if broken.may_pass => return Err(broken.failure.message.clone()),
                Err(_) => {}
            }
        }
        Ok(ChainPlan::of_parts(self.filters.into_iter().map(FilterDocument::into_filter).collect(), prepared))
    }
}

impl GroupDocument {
    fn key(&self, bytes: &HashMap<String, Arc<[u8]>>) -> Result<GroupKey, String> {
        Ok(GroupKey {
            digest: self.digest.clone(),
            grants: self.grants.clone(),
            limits: self.limits,
            members: self.members.iter().map(|member| member.with(bytes)).collect::<Result<_, _>>()?,
        })
    }
}

impl MemberDocument {
    fn of(member: &GroupMember) -> Self {
        let assets = member.assets.iter().map(|asset| AssetDocument {
            name: asset.name.to_string(),
            format: asset.format.clone(),
            digest: asset.digest.clone(),
        });
        Self { name: member.name.to_string(), settings: member.settings.clone(), assets: assets.collect() }
    }

    /// With the bytes of its assets.
    fn with(&self, bytes: &HashMap<String, Arc<[u8]>>) -> Result<GroupMember, String> {
        let asset = |asset: &AssetDocument| {
            let Some(bytes) = bytes.get(&asset.digest) else {
                return Err(format!("the bytes of the asset {} of {} were not handed over", asset.name, self.name));
            };
            Ok(Asset {
                name: asset.name.as_str().into(),
                digest: asset.digest.clone(),
                format: asset.format.clone(),
                bytes: Arc::clone(bytes),
            })
        };
        let assets = self.assets.iter().map(asset).collect::<Result<_, _>>()?;
        Ok(GroupMember { assets, ..GroupMember::new(self.name.as_str(), self.settings.clone()) })
    }
}

impl FilterDocument {
    fn into_filter(self) -> PlannedFilter {
        let name: Arc<str> = self.name.into();
        PlannedFilter {
            set_by: SetBy::Filter(Arc::clone(&name)),
            name,
            component: self.component.into(),
            version: self.version,
            declared: Arc::new(self.declared),
            answering: self.answering.map(Arc::new),
            stop_after_match: self.stop_after_match,
            on_failure: self.on_failure,
            place: FilterPlace::Broken(self.broken.unwrap_or_else(BrokenFilter::never_prepared)),
            breaker: Arc::new(Breaker::with(self.suspended)),
        }
    }
}
