//! `/tickets/{number}/answers` and `/filters/{name}/answers`: what classifiers answered, and what would follow.

use super::ApiState;
use super::problem::Problem;
use crate::service::ServiceError;
use crate::service::answers::{self, ClassifierOutlook, TicketAnswers};
use axum::extract::{Path, State};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(of_ticket)).routes(routes!(of_filter))
}

/// Shows what classifiers answered about a ticket's mails, and what followed, from what is kept of that.
#[utoipa::path(get, path = "/tickets/{number}/answers", tag = "tickets", params(("number" = String, Path)), responses((status = 200, body = TicketAnswers)))]
async fn of_ticket(
    State(state): State<ApiState>,
    Path(number): Path<String>,
) -> Result<axum::Json<TicketAnswers>, Problem> {
    Ok(axum::Json(answers::of_ticket(&state.spool, &number).await?))
}

/// Shows what would follow from each label of a classifier's questions; 404 for a filter that is none, or is not in use.
#[utoipa::path(get, path = "/filters/{name}/answers", tag = "filters", params(("name" = String, Path)), responses((status = 200, body = ClassifierOutlook)))]
async fn of_filter(
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> Result<axum::Json<ClassifierOutlook>, Problem> {
    let outlook = answers::outlook(&state.live.current(), &name)?;
    let none = || ServiceError::NotFound(format!("The filter \"{name}\" is no classifier that is in use."));
    Ok(axum::Json(outlook.ok_or_else(none)?))
}
