//! The chain: all valid filters in byte order over one mail, with stop-after-match.
//!
//! A [`ChainPlan`] is built when the configuration changes and replaced as a whole; [`run`] takes one mail through it. What
//! runs inside the sandbox is reached through [`Sandbox`] and [`Guests`] alone.

mod breaker;
mod component;
mod components;
mod group;
mod guests;
mod plan;
mod plan_document;
mod planned_filter;
mod record;
mod run;
mod sandbox;
mod share;
mod trial;
mod verdict;

#[cfg(test)]
mod tests;

pub use breaker::{Breaker, FAILURES_IN_A_ROW};
pub use component::{Components, FilterComponent};
pub use components::{NeededComponents, shipped_component};
pub use group::grants;
pub use guests::{Guest, Guests, Job, Sandbox};
pub use plan::{ChainPlan, revision};
pub use plan_document::PlanDocument;
pub use planned_filter::{BrokenFilter, FilterPlace, PlannedFilter, PlannedGroup};
pub use record::ChainRecord;
pub use run::{BUDGET, ChainRun, ChainStep, Mode, PutOff, run};
pub use sandbox::{AskersSandbox, LazySandbox, Turn};
pub use trial::BreakerTrial;
pub use verdict::DeclaredHeaders;

use postigo_model::configured::{Filter, Validity};
use postigo_sandbox::SettingsMistake;

/// Configures filters as they would run, valid or not, and names every mistake in their settings. Blocks while that
/// takes.
///
/// What it prepared is kept in the sandbox's cache: the plan that follows finds it there.
pub fn check_settings<'f>(
    filters: impl IntoIterator<Item = &'f Filter>,
    components: &dyn Components,
    sandbox: &dyn Sandbox,
) -> Vec<SettingsMistake> {
    let (valid, mut others): (Vec<Filter>, Vec<Filter>) =
        filters.into_iter().cloned().partition(|filter| filter.valid == Validity::Valid);
    for filter in &mut others {
        filter.valid = Validity::Valid;
    }
    let plans =
        [ChainPlan::build(&valid, components, sandbox, None), ChainPlan::build(&others, components, sandbox, None)];
    plans.iter().flat_map(ChainPlan::broken).flat_map(|(filter, broken)| broken.to_problems(&filter.name)).collect()
}
