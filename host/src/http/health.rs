//! What operations look at: `/healthz` (the process answers), `/readyz` (it can do its work: database, key, files and configuration can be read), `/metrics` (Prometheus).
//!
//! They stand outside `/api/v1`. On a listener that only this machine reaches they are open, so that a service manager
//! or an agent needs no token; on any other, `/metrics` and the figures of `/readyz` ask for one.

use super::ApiState;
use super::auth;
use super::problem::Problem;
use crate::metrics;
use crate::store::{StoreError, jobs, outgoing};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use postigo_model::configured::Transport;
use postigo_model::timestamp::now;
use postigo_model::timestamp::rfc3339;
use postigo_supervision as supervision;
use postigo_supervision::Breakage;
use serde_json::{Value, json};

/// The routes.
pub fn routes() -> Router<ApiState> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(show_metrics))
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(state): State<ApiState>, headers: HeaderMap) -> Response {
    let (database, key) = (state.store.read().await.is_ok(), state.key.check());
    let files = state.spool.unusable_files();
    let refused = state.live.refused();
    let ready = database && key.is_ok() && files.is_empty() && refused.is_none();
    // A task that broke goes on by itself, and the others go on meanwhile: taking the host out of service would stop
    // them too.
    let broken = supervision::broken();
    // Rows that cannot be read: all that does not need them goes on as well.
    let mut unreadable = state.live.unreadable();
    if database {
        unreadable.extend(state.tokens.unreadable().await);
    }
    let is_rows = unreadable.is_empty();
    unreadable.extend(key.as_ref().err().map(ToString::to_string));
    unreadable.extend(files.iter().cloned());
    // All mail but the large goes on, here as on any other host.
    unreadable.extend(state.spool.objects_away().await);
    let checks = json!({
        "database": word(database), "key": word(key.is_ok()), "files": word(files.is_empty()), "configuration": word(refused.is_none()),
        "tasks": word(broken.is_empty()), "rows": word(is_rows)
    });
    let namesake = state.namesake.borrow().clone();
    let degraded = !broken.is_empty() || !unreadable.is_empty() || namesake.is_some();
    let mut report = json!({ "ready": ready, "degraded": degraded, "checks": checks });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // Where the database is away only those are told who need no token.
    let may_see = state.loopback || (database && may_see_figures(&state, &headers).await.is_ok());
    if may_see && !broken.is_empty() {
        report["broken_tasks"] = broken.iter().map(told).collect();
    }
    if may_see && !unreadable.is_empty() {
        report["unreadable"] = json!(unreadable);
    }
    if database
        && may_see
        && let Some(counts) = spool_counts(&state).await
    {
        report["spool"] = counts;
        if let Some(outgoing) = outgoing_counts(&state).await {
            report["outgoing"] = outgoing;
        }
        if let Some(jobs) = job_counts(&state).await {
            report["jobs"] = jobs;
        }
        let hints: Vec<String> = namesake.into_iter().chain(about_transports(&state)).collect();
        if !hints.is_empty() {
            report["hints"] = json!(hints);
        }
    }
    (status, axum::Json(report)).into_response()
}

fn told(broken: &Breakage) -> Value {
    json!({
        "task": broken.work.name(),
        "of": broken.of,
        "why": broken.why,
        "times": broken.times,
        "at": rfc3339(broken.at),
        "again_at": broken.again_at.map(rfc3339),
    })
}

fn word(good: bool) -> &'static str {
    if good { "ok" } else { "failed" }
}

async fn show_metrics(State(state): State<ApiState>, headers: HeaderMap) -> Result<Response, Problem> {
    may_see_figures(&state, &headers).await?;
    spool_counts(&state).await;
    outgoing_counts(&state).await;
    job_counts(&state).await;
    let setup = state.live.current();
    match state.tokens.watch(&setup.configuration).await {
        Ok(watched) => state.metrics.signed_in(&watched),
        Err(error) => tracing::warn!(%error, "the tokens of accounts could not be looked at"),
    }
    let plan = &setup.plan;
    let memory = plan.filters().iter().filter_map(|filter| Some((&*filter.name, plan.cost(filter)?.memory)));
    state.metrics.filter_memory(memory);
    state.metrics.filters_suspended(
        plan.filters().iter().map(|filter| (&*filter.name, filter.breaker.suspended_by().is_some())),
    );
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], state.metrics.encode()).into_response())
}

async fn may_see_figures(state: &ApiState, headers: &HeaderMap) -> Result<(), Problem> {
    if !state.loopback {
        auth::identify(&state.store, headers).await?;
    }
    Ok(())
}

/// Counts what is in the spool, into the metrics too.
async fn spool_counts(state: &ApiState) -> Option<Value> {
    let depths = state
        .spool
        .depths()
        .await
        .inspect_err(|error| tracing::warn!(%error, "the spool could not be counted"))
        .ok()?;
    for (status, messages) in &depths {
        state.metrics.spool_depth(status.name(), u64::try_from(*messages).unwrap_or_default());
    }
    Some(
        depths
            .into_iter()
            .map(|(status, messages)| (status.name().to_owned(), Value::from(messages)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    )
}

/// Counts the outgoing mails that are not sent, into the metrics too.
async fn outgoing_counts(state: &ApiState) -> Option<Value> {
    let counted = async { outgoing::depths(&mut *state.store.read().await?, now()).await }.await;
    let (depths, oldest) = counted
        .inspect_err(|error: &StoreError| tracing::warn!(%error, "the outgoing queue could not be counted"))
        .ok()?;
    let count = |mails: &i64| u64::try_from(*mails).unwrap_or_default();
    state
        .metrics
        .outgoing_queue(depths.iter().map(|(status, mails)| (status.name(), count(mails))), count(&(oldest / 1_000)));
    Some(
        depths
            .into_iter()
            .map(|(status, mails)| (status.name().to_owned(), Value::from(mails)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    )
}

/// Counts the jobs, into the metrics too.
async fn job_counts(state: &ApiState) -> Option<Value> {
    let counted = async { jobs::counts(&mut *state.store.read().await?).await }.await;
    let (counts, oldest) =
        counted.inspect_err(|error: &StoreError| tracing::warn!(%error, "the jobs could not be counted")).ok()?;
    let whole = |count: i64| u64::try_from(count).unwrap_or_default();
    let waited = oldest.map_or(0, |oldest| whole((now() - oldest) / 1_000));
    state.metrics.jobs(counts.iter().map(|(status, jobs)| (status.name(), whole(*jobs))), waited);
    let counts = counts.into_iter().map(|(status, jobs)| (status.name().to_owned(), Value::from(jobs)));
    Some(counts.collect::<serde_json::Map<_, _>>().into())
}

/// What an admin should know of sending, in sentences.
fn about_transports(state: &ApiState) -> Vec<String> {
    let setup = state.live.current();
    let valid: Vec<_> =
        setup.configuration.transports.values().filter(|transport| transport.valid.is_valid()).collect();
    if valid.is_empty() {
        return vec!["There is no valid transport: outgoing mail waits.".to_owned()];
    }
    let refused = |transport: &&Transport| {
        Some(format!("The transport {:?}: host {}", transport.name, state.machine.refuses(transport)?))
    };
    valid.iter().filter_map(refused).collect()
}
