//! Which filters judged a mail: the chain's filters in their order, each with what decides how it judges. Kept once for
//! all the mails that it judged, so that what happened to filters that did not match need not be written for each.

use crate::text::beginning;
use serde::{Deserialize, Serialize};

/// So many digits of a digest tell one from the others.
const DIGITS_SHOWN: usize = 8;

/// What of a filter decides how it judges a mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FilterVersion {
    /// The component's name.
    pub component: String,
    /// The component's version; empty where the component was not there.
    pub version: String,
    /// SHA-256 of the component's bytes, hexadecimal; empty where the component was not there.
    pub digest: String,
    /// SHA-256 of what the filter is told, hexadecimal: its settings, grants and limits, and whether it stops the chain.
    pub settings: String,
}

impl FilterVersion {
    /// As people read it: `match@1.2.0, settings 3f9a02c1`, the component's name alone where it was not there. The same
    /// words mean the same verdicts.
    pub fn title(&self) -> String {
        if self.version.is_empty() {
            self.component.clone()
        } else {
            format!("{}@{}, settings {}", self.component, self.version, self.revision())
        }
    }

    /// The beginning of the digest of what the filter is told.
    pub fn revision(&self) -> &str {
        beginning(&self.settings, DIGITS_SHOWN)
    }
}

/// A filter in a chain's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainMember {
    /// The filter's name.
    pub name: String,
    /// What decides how it judges.
    #[serde(flatten)]
    pub version: FilterVersion,
}

/// The filters of a chain in their order. Two chains of equal filters have one version, on whichever host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanVersion {
    /// In the order of the chain.
    pub filters: Vec<ChainMember>,
}

/// The number of a plan's version as it is shown, 16 hexadecimal digits.
pub fn shown_number(plan: i64) -> String {
    format!("{plan:016x}")
}

/// What is kept of a chain's run beside what its filters did: enough to say what became of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainTrace {
    /// Number of the plan's version.
    pub plan: i64,
    /// How many entries of the communication come before those of the filters.
    pub first: usize,
    /// How many filters ran before the chain ended.
    pub ran: usize,
    /// The places in the chain of those whose outcome is kept itself, rising.
    pub told: Vec<usize>,
}
