//! The routes of configured things, the same for every kind: thin, for what they do stands in [`super::configured`].

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::configured;
use super::customer_users;
use super::page::{ListQuery, Page};
use super::problem::Problem;
use super::query::Query;
use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{delete, get};
use postigo_model::configured::form::{ConfiguredKind, LoadedKind};
use postigo_model::configured::{KindVisitor, visit_kinds};
use serde_json::Value;

/// The routes of all kinds.
pub fn routes() -> Router<ApiState> {
    let mut routes = Routes(Router::new());
    visit_kinds(&mut routes);
    routes.0
}

struct Routes(Router<ApiState>);

impl KindVisitor for Routes {
    fn loaded<K: LoadedKind>(&mut self) {
        let mut one = get(show::<K>).put(replace::<K>).patch(change::<K>);
        if K::ABOUT.is_deletable {
            one = one.merge(delete(remove::<K>));
        }
        let path = K::ABOUT.path;
        let routes = std::mem::take(&mut self.0);
        self.0 = routes.route(path, get(list::<K>).post(create::<K>)).route(&format!("{path}/{{name}}"), one);
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        self.0 = std::mem::take(&mut self.0).merge(customer_users::routes());
    }
}

async fn list<K: LoadedKind>(
    State(state): State<ApiState>,
    Query(query): Query<ListQuery>,
) -> Result<Page<Value>, Problem> {
    configured::list::<K>(&state, query).await
}

async fn create<K: LoadedKind>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    configured::create::<K>(&state, &caller, body).await
}

async fn show<K: LoadedKind>(
    State(state): State<ApiState>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    configured::show::<K>(&state, &headers, &name).await
}

async fn replace<K: LoadedKind>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    configured::replace::<K>(&state, &caller, &headers, &name, body).await
}

async fn change<K: LoadedKind>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    configured::change::<K>(&state, &caller, &headers, &name, body).await
}

async fn remove<K: LoadedKind>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    configured::delete::<K>(&state, &caller, &headers, &name).await
}
