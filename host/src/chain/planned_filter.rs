//! What a plan is made of: filters in their places, prepared groups, and why a filter has no place.

use super::answering::AnswerRules;
use super::breaker::Breaker;
use super::guests::Guests;
use super::verdict::DeclaredHeaders;
use postigo_mail::SetBy;
use postigo_model::configured::FailurePolicy;
use postigo_model::guest::FailureKind;
use postigo_model::plan_version::FilterVersion;
use postigo_model::text::beginning;
use postigo_sandbox::{CallFailure, SettingsMistake};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// So many problems of a filter's settings are told where it fails for them.
const TOLD: usize = 5;
/// In so many bytes.
const LONGEST: usize = 1000;

/// A filter in its place.
#[derive(Debug, Clone)]
pub struct PlannedFilter {
    /// Its name.
    pub name: Arc<str>,
    /// The name as the origin of the headers that it sets.
    pub set_by: SetBy,
    /// The component as it is shown: a shipped one's name, or `name@version`.
    pub component: Arc<str>,
    /// What decides how it judges.
    pub version: FilterVersion,
    /// The headers that its component declared.
    pub declared: Arc<DeclaredHeaders>,
    /// What follows from its answers, where it is a classifier.
    pub answering: Option<Arc<AnswerRules>>,
    /// Whether a match ends the chain.
    pub stop_after_match: bool,
    /// What a failure does.
    pub on_failure: FailurePolicy,
    /// Where it runs.
    pub place: FilterPlace,
    /// Its breaker, the same one as long as the filter is unchanged.
    pub breaker: Arc<Breaker>,
}

/// Where a filter runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilterPlace {
    /// In a group.
    Member {
        /// Index in [`Plan::groups`](super::ChainPlan::groups).
        group: usize,
        /// Index in the group.
        index: u32,
    },
    /// Nowhere: it could not be prepared, and fails so at each message.
    Broken(BrokenFilter),
}

/// Why a filter could not be prepared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenFilter {
    /// What each message's result says.
    pub failure: CallFailure,
    /// The mistakes in its settings, if that is why.
    pub problems: Vec<SettingsMistake>,
    /// Whether it is not the filter's fault, but the host's, or a row's that cannot be read: it may go well another
    /// time.
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

impl BrokenFilter {
    /// Broken by a failure of the component.
    pub fn by_failure(failure: CallFailure) -> Self {
        Self { failure, problems: Vec::new(), may_pass: false }
    }

    /// Not prepared yet, which is what a filter is until its group gives it its place.
    pub fn never_prepared() -> Self {
        Self::by_failure(CallFailure { kind: FailureKind::Trap, message: "The filter was not prepared.".into() })
    }

    /// Broken by mistakes in its settings.
    pub fn by_settings(problems: Vec<SettingsMistake>) -> Self {
        // Each message's result says so, and a component may name a thousand problems of some kilobytes.
        let said: Vec<String> =
            problems.iter().take(TOLD).map(|problem| format!("{}: {}", problem.place, problem.reason)).collect();
        let said = said.join("; ");
        let more = problems.len().saturating_sub(TOLD);
        let mut message = format!("Its settings do not suit the component: {}", beginning(&said, LONGEST));
        if more > 0 {
            message = format!("{message}; and {more} more");
        }
        Self { failure: CallFailure { kind: FailureKind::Output, message }, problems, may_pass: false }
    }

    /// What an admin has to mend, one entry at least.
    pub fn to_problems(&self, filter: &str) -> Vec<SettingsMistake> {
        if self.problems.is_empty() {
            vec![SettingsMistake {
                filter: filter.to_owned(),
                place: String::new(),
                reason: self.failure.message.clone(),
            }]
        } else {
            self.problems.clone()
        }
    }
}
