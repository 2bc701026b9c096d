//! The chain: all valid filters in byte order over one mail, with stop-after-match.
//!
//! A [`ChainPlan`] is built when the configuration changes and replaced as a whole; [`run`] takes one mail through it. What
//! runs inside the sandbox is reached through [`Sandbox`] and [`Guests`] alone.

mod answering;
mod breaker;
mod component;
mod components;
mod group;
mod guests;
mod outlook;
mod plan;
mod plan_document;
mod planned_filter;
mod record;
mod run;
mod sandbox;
mod share;
mod step;
mod trial;
mod verdict;

#[cfg(test)]
mod classifier_tests;
#[cfg(test)]
mod tests;

pub use answering::{AnswerRules, field_header};
pub use breaker::{Breaker, FAILURES_IN_A_ROW};
pub use component::{Components, FilterComponent};
pub use components::{NeededComponents, shipped_component};
pub use group::grants;
pub use guests::{Guest, Guests, Job, Sandbox};
pub use outlook::{MappedLabel, MappedQuestion};
pub use plan::{ChainPlan, revision};
pub use plan_document::PlanDocument;
pub use planned_filter::{BrokenFilter, FilterPlace, PlannedFilter, PlannedGroup};
pub use record::ChainRecord;
pub use run::{BUDGET, Mode, run};
pub use sandbox::{AskersSandbox, LazySandbox, Turn};
pub use step::{ChainRun, ChainStep, PutOff};
pub use trial::BreakerTrial;
pub use verdict::DeclaredHeaders;

use postigo_model::classification::Question;
use postigo_model::configured::{Filter, Validity};
use postigo_sandbox::SettingsMistake;
use std::collections::BTreeMap;

/// What configuring filters told of them.
#[derive(Debug, Default)]
pub struct ConfiguredFilters {
    /// Every mistake in their settings.
    pub mistakes: Vec<SettingsMistake>,
    /// The questions of each that is a classifier, by its name.
    pub questions: BTreeMap<String, Vec<Question>>,
}

/// Configures filters as they would run, valid or not. Blocks while that takes.
///
/// What it prepared is kept in the sandbox's cache: the plan that follows finds it there.
pub fn check_settings<'f>(
    filters: impl IntoIterator<Item = &'f Filter>,
    components: &dyn Components,
    sandbox: &dyn Sandbox,
) -> ConfiguredFilters {
    let (valid, mut others): (Vec<Filter>, Vec<Filter>) =
        filters.into_iter().cloned().partition(|filter| filter.valid == Validity::Valid);
    for filter in &mut others {
        filter.valid = Validity::Valid;
    }
    let plans =
        [ChainPlan::build(&valid, components, sandbox, None), ChainPlan::build(&others, components, sandbox, None)];
    let broken = plans.iter().flat_map(ChainPlan::broken);
    let questions = plans.iter().flat_map(|plan| {
        let classifiers = plan.filters().iter().filter(|filter| filter.answering.is_some());
        classifiers.map(|filter| (filter.name.to_string(), plan.questions(filter).to_vec()))
    });
    ConfiguredFilters {
        mistakes: broken.flat_map(|(filter, broken)| broken.to_problems(&filter.name)).collect(),
        questions: questions.collect(),
    }
}
