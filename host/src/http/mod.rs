//! The REST API `/api/v1`, and what operations look at.
//!
//! One file per noun has its routes, its JSON shapes and their OpenAPI descriptions; what is configured has the same
//! ones for every kind (`kinds`, `openapi`), made of its keys. What is common stands beside them: `auth` (tokens),
//! `role` (who may do what), `problem` (every error), `body` and `page`. Handlers hold no rules of their own: they call
//! what the command line calls, so that both give the same results and the same errors.

mod accounts;
mod answers;
mod articles;
mod auth;
mod authority;
mod body;
mod chain;
mod communications;
mod components;
mod configured;
mod correspondence;
mod customer_users;
mod dry_runs;
mod feedback;
mod filters;
mod front;
mod health;
mod idempotent;
mod jobs;
mod kinds;
mod messages;
mod models;
mod openapi;
mod outbound;
mod paced;
mod page;
mod probe;
mod problem;
mod query;
mod raw;
mod refused;
mod role;
mod serving;
mod settings;
mod sign_in;
mod spool;
mod state;
mod tickets;
mod tokens;
mod transports;
mod upgrades;
mod values;
mod version_paths;
mod versions;

#[cfg(test)]
mod tests;

pub use front::keep_serving;
pub use openapi::BASE;
pub use serving::Doors;
pub use state::ApiState;
pub use values::reckoned;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use serde_json::Value;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

/// What a request asks for is given up when it takes longer; its body has come before that.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// Serves the API until `stop`, then finishes the requests under way.
pub async fn serve(
    listener: TcpListener,
    mut state: ApiState,
    doors: Doors,
    stop: CancellationToken,
) -> std::io::Result<()> {
    state.loopback = listener.local_addr()?.ip().is_loopback();
    serving::serve(listener, router(state), doors, stop).await;
    Ok(())
}

/// All routes.
pub fn router(state: ApiState) -> Router {
    let (nouns, document) =
        OpenApiRouter::with_openapi(openapi::BaseDocument::openapi()).nest(BASE, nouns()).split_for_parts();
    let document = openapi::complete(&document);
    let nouns = nouns.merge(Router::new().nest(BASE, kinds::routes()).nest(BASE, versions::routes_of_kinds()));
    // The last is asked first: who it is, then for their body, then for what they want.
    let nouns = nouns
        .layer(DefaultBodyLimit::disable())
        .route_layer(from_fn(page::lead_on))
        .route_layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .route_layer(from_fn_with_state(state.clone(), body::take))
        .route_layer(from_fn_with_state(state.clone(), auth::authorize));
    let open = Router::new()
        .route(&format!("{BASE}/openapi.json"), served(&document))
        .route(&format!("{BASE}/openapi-3.0.json"), served(&openapi::as_version_3_0(&document)))
        .merge(health::routes())
        .merge(sign_in::callback())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT));
    let routes = Router::new().merge(nouns).merge(open).layer(from_fn_with_state(state.clone(), authority::check));
    layered(routes).with_state(state)
}

/// A document, as text: read into values it takes many times as much memory, and each answer would copy them.
fn served(document: &Value) -> MethodRouter<ApiState> {
    let text = Bytes::from(document.to_string());
    get(|| async { ([(header::CONTENT_TYPE, "application/json")], text) })
}

/// What every request goes through.
fn layered(routes: Router<ApiState>) -> Router<ApiState> {
    routes.layer(from_fn(problem::problems_only)).layer(from_fn(problem::no_panics)).layer(from_fn(harden))
}

fn nouns() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .merge(accounts::routes())
        .merge(answers::routes())
        .merge(articles::routes())
        .merge(chain::routes())
        .merge(communications::routes())
        .merge(components::routes())
        .merge(correspondence::routes())
        .merge(dry_runs::routes())
        .merge(feedback::routes())
        .merge(filters::routes())
        .merge(jobs::routes())
        .merge(messages::routes())
        .merge(models::routes())
        .merge(outbound::routes())
        .merge(settings::routes())
        .merge(versions::routes())
        .merge(sign_in::routes())
        .merge(spool::routes())
        .merge(tickets::routes())
        .merge(tokens::routes())
        .merge(transports::routes())
        .merge(upgrades::routes())
}

/// Headers that keep a browser from doing anything with an answer but showing it to the script that asked.
async fn harden(request: axum::extract::Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox"),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}
