//! Groups: which filters share an instance, and how a guilty one is found and set apart.
//!
//! The valid filters of one component with the same grants and limits form a group. Where a filter keeps its group from
//! being prepared, the group is split by halves until that filter stands alone; the others are brought together again.

use super::component::FilterComponent;
use super::guests::Sandbox;
use super::planned_filter::{BrokenFilter, PlannedGroup};
use postigo_model::configured::Filter;
use postigo_model::guest::Grant;
use postigo_model::guest::{FailureKind, GuestLimits};
use postigo_sandbox::{Asset, CallFailure, GroupMember, GroupSpec, PrepareError, SettingsMistake};
use postigo_supervision::{WorkKind, caught_here};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

/// What makes two groups the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupKey {
    /// The component's digest.
    pub digest: String,
    /// Sorted, each once.
    pub grants: Vec<Grant>,
    /// Limits.
    pub limits: GuestLimits,
    /// In the order of the chain.
    pub members: Vec<GroupMember>,
}

/// A group that a plan wants.
pub struct GroupDemand {
    /// What it is.
    pub key: GroupKey,
    /// The component's name.
    pub component: Arc<str>,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// A group that was prepared, or a filter alone that could not be.
#[derive(Clone)]
pub struct PreparedGroup {
    /// What it is.
    pub key: GroupKey,
    /// How it went.
    pub outcome: Result<PlannedGroup, BrokenFilter>,
}

/// Adds a filter, with what it reads besides its settings, to the group it belongs to.
pub fn join(wanted: &mut Vec<GroupDemand>, filter: &Filter, component: &FilterComponent, assets: Vec<Asset>) {
    let member = GroupMember { assets, ..GroupMember::new(filter.name.as_str(), filter.settings.clone()) };
    let mut grants = grants(filter, component);
    // What a guest is not told of makes no group of its own.
    grants.retain(|grant| Grant::OF_GUESTS.contains(grant));
    let digest = &component.description.digest;
    let limits = if member.assets.is_empty() { filter.limits } else { filter.limits.with_assets() };
    let same = |group: &&mut GroupDemand| {
        group.key.digest == *digest && group.key.grants == grants && group.key.limits == limits
    };
    match wanted.iter_mut().find(same) {
        Some(group) => group.key.members.push(member),
        None => wanted.push(GroupDemand {
            key: GroupKey { digest: digest.clone(), grants, limits, members: vec![member] },
            component: component.description.name.as_str().into(),
            bytes: Arc::clone(&component.bytes),
        }),
    }
}

/// What a filter may do beside reading headers, sorted, each once: what is stated, else what a shipped component asks for,
/// and of an uploaded one nothing.
pub fn grants(filter: &Filter, component: &FilterComponent) -> Vec<Grant> {
    let mut grants = match &filter.grants {
        Some(stated) => stated.clone(),
        None if component.shipped => component.description.grants.clone(),
        None => Vec::new(),
    };
    grants.sort();
    grants.dedup();
    grants
}

/// Prepares groups, as many at a time as there are processors. What `known` has already is taken from there.
pub fn prepare_all(wanted: Vec<GroupDemand>, known: &[PreparedGroup], sandbox: &dyn Sandbox) -> Vec<PreparedGroup> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(wanted.len());
    let left = Mutex::new(wanted.into_iter());
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some(group) = left.lock().unwrap_or_else(PoisonError::into_inner).next() {
            let prepared = prepare(&group, known, sandbox);
            done.lock().unwrap_or_else(PoisonError::into_inner).extend(prepared);
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> =
            (1..threads).map(|_| scope.spawn(move || caught_here(WorkKind::Preparation, "", work))).collect();
        work();
        if others.into_iter().any(|other| !matches!(other.join(), Ok(Ok(())))) {
            // It has told why. A plan without its group would let mail pass unfiltered.
            resume_unwind(Box::new("a thread that prepared filters panicked"));
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Prepares one wanted group: as a whole, or the parts that its guilty filters leave.
fn prepare(group: &GroupDemand, known: &[PreparedGroup], sandbox: &dyn Sandbox) -> Vec<PreparedGroup> {
    let (mistaken, members): (Vec<_>, Vec<_>) =
        group.key.members.iter().cloned().partition(|member| is_known_mistake(group, member, known));
    let mut parts = split(group, members.clone(), known, sandbox);
    let good: Vec<GroupMember> = members.into_iter().filter(|member| is_good(&parts, member)).collect();
    let good_parts = parts.iter().filter(|part| part.outcome.is_ok()).count();
    // Only a guilty filter is a reason to try the others together again: a group that is too large stays split.
    if good_parts > 1
        && good_parts < parts.len()
        && let Ok(whole) = attempt(group, good, known, sandbox)
    {
        parts.retain(|part| part.outcome.is_err());
        parts.push(whole);
    }
    parts.extend(mistaken.into_iter().filter_map(|member| find(&group.key.with(vec![member]), known).cloned()));
    parts
}

/// Prepares members together; when that fails, without those whose settings are mistaken, or by halves.
fn split(
    group: &GroupDemand,
    mut members: Vec<GroupMember>,
    known: &[PreparedGroup],
    sandbox: &dyn Sandbox,
) -> Vec<PreparedGroup> {
    if members.is_empty() {
        return Vec::new();
    }
    let error = match attempt(group, members.clone(), known, sandbox) {
        Ok(prepared) => return vec![prepared],
        Err(error) => error,
    };
    let mut parts = take_mistaken(group, &mut members, &error);
    if !parts.is_empty() {
        parts.extend(split(group, members, known, sandbox));
        return parts;
    }
    if members.len() > 1 && may_be_one_filters_fault(&error) {
        let rest = members.split_off(members.len() / 2);
        parts.extend(split(group, members, known, sandbox));
        parts.extend(split(group, rest, known, sandbox));
        return parts;
    }
    let may_pass = matches!(error, PrepareError::Unavailable(_));
    let broken = BrokenFilter { may_pass, ..BrokenFilter::by_failure(failure(error)) };
    members
        .into_iter()
        .map(|member| PreparedGroup { key: group.key.with(vec![member]), outcome: Err(broken.clone()) })
        .collect()
}

/// Whether fewer filters could fare better: not where the component itself is refused, or the host cannot do its part.
fn may_be_one_filters_fault(error: &PrepareError) -> bool {
    matches!(error, PrepareError::Failed(_) | PrepareError::Problems(_))
}

fn failure(error: PrepareError) -> CallFailure {
    match error {
        PrepareError::Failed(failure) => failure,
        other => CallFailure { kind: FailureKind::Trap, message: format!("The filter could not be prepared: {other}") },
    }
}

/// Takes out of `members` those whose settings the component found mistaken.
fn take_mistaken(group: &GroupDemand, members: &mut Vec<GroupMember>, error: &PrepareError) -> Vec<PreparedGroup> {
    let PrepareError::Problems(problems) = error else { return Vec::new() };
    let mut mistaken = Vec::new();
    members.retain(|member| {
        let own: Vec<SettingsMistake> =
            problems.iter().filter(|problem| *problem.filter == *member.name).cloned().collect();
        let good = own.is_empty();
        if !good {
            mistaken.push(PreparedGroup {
                key: group.key.with(vec![member.clone()]),
                outcome: Err(BrokenFilter::by_settings(own)),
            });
        }
        good
    });
    mistaken
}

fn attempt(
    group: &GroupDemand,
    members: Vec<GroupMember>,
    known: &[PreparedGroup],
    sandbox: &dyn Sandbox,
) -> Result<PreparedGroup, PrepareError> {
    let key = group.key.with(members);
    if let Some(prepared) = find(&key, known).filter(|prepared| prepared.outcome.is_ok()) {
        return Ok(prepared.clone());
    }
    let spec = GroupSpec {
        component: Arc::clone(&group.bytes),
        digest: key.digest.clone(),
        members: key.members.clone(),
        grants: key.grants.clone(),
        limits: key.limits,
    };
    let guests = sandbox.prepare(&spec)?;
    let component = Arc::clone(&group.component);
    Ok(PreparedGroup { key, outcome: Ok(PlannedGroup { component, guests, screening: Arc::default() }) })
}

fn find<'k>(key: &GroupKey, known: &'k [PreparedGroup]) -> Option<&'k PreparedGroup> {
    known.iter().find(|prepared| prepared.key == *key)
}

/// Whether this filter could not be prepared before, by its own or its component's fault: it is not tried again while
/// it stays as it is.
fn is_known_mistake(group: &GroupDemand, member: &GroupMember, known: &[PreparedGroup]) -> bool {
    let alone = group.key.with(vec![member.clone()]);
    find(&alone, known).is_some_and(|prepared| matches!(&prepared.outcome, Err(broken) if !broken.may_pass))
}

fn is_good(parts: &[PreparedGroup], member: &GroupMember) -> bool {
    parts.iter().any(|part| part.outcome.is_ok() && part.key.members.contains(member))
}

impl GroupKey {
    /// The same component, grants and limits with other members.
    fn with(&self, members: Vec<GroupMember>) -> Self {
        Self { digest: self.digest.clone(), grants: self.grants.clone(), limits: self.limits, members }
    }
}
