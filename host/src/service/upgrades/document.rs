//! What an upgrade of filters changes, or would, as the command line and REST show it.

use crate::service::behind::HostNotYet;
use postigo_model::configured::form::ConfiguredKind;
use postigo_model::configured::{Breach, Filter};
use postigo_model::guest::Grant;
use serde::Serialize;
use utoipa::ToSchema;

/// What changes, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FilterUpgrade)]
pub struct UpgradeDocument {
    /// The component that the filters have, as it is shown.
    pub from: String,
    /// The component that they are to have.
    pub to: String,
    /// Whether an admin activated that, or it ships with Postigo; else it can be checked only.
    pub activated: bool,
    /// Headers that a filter may set by the one and not by the other.
    pub headers: Differs,
    /// Grants that the components ask for.
    pub grants: DeclarationChange,
    /// Settings.
    pub schema: SchemaDiffers,
    /// The filters, each tried with its settings as they are.
    pub filters: Vec<UpgradedFilter>,
    /// Whether it is done: the filters have `to`. False where it was only checked, and where they had it before.
    pub changed: bool,
    /// The version of the configuration that has it.
    pub version: i64,
    /// The hosts that do not work by it yet; only in answers with 202.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub behind: Vec<HostNotYet>,
}

/// What is in one of two lists alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Differs {
    /// Only in the later.
    pub added: Vec<String>,
    /// Only in the earlier.
    pub removed: Vec<String>,
}

/// What is declared before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DeclaredGrants)]
pub struct DeclarationChange {
    /// Before.
    pub before: Vec<Grant>,
    /// After.
    pub after: Vec<Grant>,
}

/// How two schemas of settings differ, by the keys that they describe: `when.header`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SchemaDiffers {
    /// Keys that appear.
    pub added: Vec<String>,
    /// Keys that vanish.
    pub removed: Vec<String>,
    /// Keys that must be there and needed not.
    pub required: Vec<String>,
    /// Keys of which something else is said.
    pub changed: Vec<String>,
}

/// A filter that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UpgradedFilter {
    /// Its name.
    pub name: String,
    /// What it is granted with the other version.
    pub granted: Vec<Grant>,
    /// What that asks for and the filter is not granted.
    pub not_granted: Vec<Grant>,
    /// Why it cannot run with it; empty where it can.
    pub problems: Vec<UpgradeMistake>,
}

/// Why a filter cannot run with a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = UpgradeProblem)]
pub struct UpgradeMistake {
    /// Where in the filter, a JSON Pointer: `/settings/word`.
    pub place: String,
    /// A sentence.
    pub reason: String,
}

impl UpgradeDocument {
    /// A line for every reason why a filter cannot run with the version.
    pub fn problems(&self) -> Vec<String> {
        let line = |filter: &UpgradedFilter, problem: &UpgradeMistake| {
            let sentence = problem.reason.clone();
            Breach { kind: Filter::KIND, name: filter.name.clone(), place: problem.place.clone(), sentence }.to_string()
        };
        self.filters
            .iter()
            .flat_map(|filter| filter.problems.iter().map(move |problem| line(filter, problem)))
            .collect()
    }

    /// That nothing was changed, and why: a line for every reason, and a sentence.
    pub fn refusal(&self) -> String {
        let filters = self.filters.iter().filter(|filter| !filter.problems.is_empty()).count();
        format!("{}\nNothing was changed: {filters} of the filters cannot run {}.", self.problems().join("\n"), self.to)
    }
}
