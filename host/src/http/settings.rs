//! `/settings`: the general settings.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::configured;
use super::problem::{PlacedMistake, Problem};
use crate::service::configured::load;
use crate::service::settings;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "settings";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show, change))
}

/// Shows the settings.
#[utoipa::path(get, path = "/settings", tag = TAG, responses((status = 200, body = ref("#/components/schemas/Settings"))))]
async fn show(State(state): State<ApiState>) -> Result<Response, Problem> {
    let configuration = load(&state.store, &state.key).await?;
    Ok(configured::answer(StatusCode::OK, settings::show(&configuration)))
}

/// Changes the settings that the body names; what it leaves out stays.
#[utoipa::path(patch, path = "/settings", tag = TAG, request_body = ref("#/components/schemas/SettingsChange"),
    responses((status = 200, body = ref("#/components/schemas/Settings")), (status = 202, body = ref("#/components/schemas/Settings"), description = "Saved, not in force yet")))]
async fn change(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let Value::Object(mut fields) = body else {
        return Err(Problem::invalid(vec![PlacedMistake::at("", "It must be an object of settings.")]));
    };
    configured::without_notes(&mut fields);
    let actor = caller.actor();
    let saved = settings::alter(configured::editor(&state, &caller, &actor), &fields).await?;
    Ok(configured::answer_saved(&state, &saved, settings::show(&saved.configuration), StatusCode::OK).await)
}
