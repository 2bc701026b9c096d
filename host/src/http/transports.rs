//! `/transports/{name}/test`: tests of transports.

use super::ApiState;
use super::probe::ProbeDocument;
use super::problem::Problem;
use crate::service::{configured, probing};
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(test))
}

/// What came of connecting to a transport's server.
#[derive(Serialize, ToSchema)]
struct TransportTest {
    /// The transport.
    transport: String,
    /// What came of it.
    #[serde(flatten)]
    probed: ProbeDocument,
}

/// Connects to the transport's server and signs in; nothing is sent.
#[utoipa::path(post, path = "/transports/{name}/test", tag = "transports", params(("name" = String, Path)), responses((status = 200, body = TransportTest)))]
async fn test(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<TransportTest>, Problem> {
    let configuration = configured::load(&state.store, &state.key).await?;
    let probed =
        probing::transport(&configuration, &name, &state.store, &state.tokens, Some(&state.machine)).await?.into();
    Ok(axum::Json(TransportTest { transport: name, probed }))
}
