//! `/chain`: the filters as this host runs them now.

use super::ApiState;
use crate::chain::{ChainPlan, FilterPlace, PlannedFilter};
use axum::extract::State;
use postigo_model::configured::FailurePolicy;
use postigo_sandbox::{CallFailure, Cost};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "filters";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// The chain of this host.
#[derive(Debug, Serialize, ToSchema)]
struct Chain {
    /// The version of the configuration that it runs by.
    version: i64,
    /// The valid filters, in the order in which they run.
    filters: Vec<Link>,
}

/// A filter in the chain.
#[derive(Debug, Serialize, ToSchema)]
struct Link {
    /// Its name.
    name: String,
    /// Its component's name.
    component: String,
    /// The component's version and a digest of what the filter is told, as the communication log names them with each
    /// verdict: `match@1.2.0, settings 3f9a02c1`.
    made_of: String,
    /// Whether a match ends the chain.
    stop_after_match: bool,
    /// What a failure does.
    on_failure: FailurePolicy,
    /// Whether it runs.
    state: LinkState,
    /// Why it does not, a sentence; null where it does.
    #[schema(required)]
    reason: Option<String>,
    /// What a message pays for its group; null where it could not be prepared.
    #[schema(required)]
    cost: Option<Cost>,
}

/// Whether a filter runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum LinkState {
    /// It runs.
    Ready,
    /// It failed on several mails in a row and on one that it should handle, is not run for now, and will be tried
    /// again.
    Suspended,
    /// It could not be prepared; its failure policy applies to each message.
    Broken,
}

fn link(plan: &ChainPlan, filter: &PlannedFilter) -> Link {
    let (state, reason) = match &filter.place {
        FilterPlace::Broken(broken) => (LinkState::Broken, Some(broken.failure.message.clone())),
        FilterPlace::Member { .. } => match filter.breaker.suspended_by() {
            Some(failure) => (LinkState::Suspended, Some(suspended(&failure))),
            None => (LinkState::Ready, None),
        },
    };
    Link {
        name: filter.name.to_string(),
        component: filter.component.to_string(),
        made_of: filter.version.title(),
        stop_after_match: filter.stop_after_match,
        on_failure: filter.on_failure,
        state,
        reason,
        cost: plan.cost(filter),
    }
}

fn suspended(failure: &CallFailure) -> String {
    format!(
        "It failed on several mails in a row, and on one that it should handle; it is tried again with growing pauses. The last failure: {}",
        failure.message
    )
}

/// Shows the chain as this host runs it.
#[utoipa::path(get, path = "/chain", tag = TAG, responses((status = 200, body = Chain)))]
async fn show(State(state): State<ApiState>) -> axum::Json<Chain> {
    let setup = state.live.current();
    axum::Json(Chain {
        version: setup.configuration.version.number,
        filters: setup.plan.filters().iter().map(|filter| link(&setup.plan, filter)).collect(),
    })
}
