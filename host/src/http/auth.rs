//! Bearer tokens (RFC 6750): who asks, and whether the table of [`super::role`] lets them.

use super::ApiState;
use super::problem::{Problem, ProblemKind};
use super::role::{self, Role};
use crate::service::tokens::{self, Bearer};
use crate::store::Store;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use postigo_model::actor::Actor;
use postigo_sandbox::Asker;

/// Longer ones are no tokens of ours and are not even hashed.
const LONGEST_TOKEN: usize = 128;

/// Whoever sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Row id of the token.
    pub token: i64,
    /// The token's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

impl Caller {
    /// On whose behalf the sandbox works for this request.
    pub fn asker(&self) -> Asker {
        match self.role {
            Role::Admin => Asker::Admin(self.token),
            Role::Author | Role::Agent | Role::Reader => Asker::Author(self.token),
        }
    }

    /// How the caller is noted beside what was changed.
    pub fn actor(&self) -> Actor {
        Actor::Token { id: self.token, name: self.name.clone() }
    }
}

/// Finds out who asks.
pub async fn identify(store: &Store, headers: &HeaderMap) -> Result<Caller, Problem> {
    let token = bearer(headers)?;
    let found = tokens::recognize(store, token).await?;
    let unknown = || {
        Problem::new(
            ProblemKind::Unauthenticated,
            "The token is not known: it was deleted, or was never one of this Postigo.",
        )
    };
    let Bearer { token, name, role } = found.ok_or_else(unknown)?;
    Ok(Caller { token, name, role })
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        Problem::new(
            ProblemKind::Unauthenticated,
            "Send a token as \"Authorization: Bearer …\"; `postigo token create` makes one.",
        )
    };
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > LONGEST_TOKEN {
        return Err(missing());
    }
    Ok(token)
}

/// Lets a request through to its handler if the table says so; the handler finds a [`Caller`] among the request's
/// extensions.
pub async fn authorize(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let path = path.strip_prefix(super::BASE).unwrap_or(&path);
    let Some(rule) = role::find(request.method(), path) else {
        return not_allowed(&role::methods(path));
    };
    let caller = match identify(&state.store, request.headers()).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    if !rule.roles.contains(&caller.role) {
        let may = rule.roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
        return Problem::new(
            ProblemKind::Forbidden,
            format!("A token of role {} may not do this; it takes: {may}.", caller.role),
        )
        .into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

fn not_allowed(methods: &[&str]) -> Response {
    let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
    if let Ok(allow) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_authorization_header_is_a_token() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            bearer(&headers).map(str::to_owned).ok()
        };
        assert_eq!(with("Bearer postigo_abc"), Some("postigo_abc".to_owned()));
        assert_eq!(with("bearer postigo_abc"), Some("postigo_abc".to_owned()));
        for wrong in
            ["", "Bearer", "Bearer ", "Basic cG9zdGlnbzp4", &format!("Bearer {}", "x".repeat(LONGEST_TOKEN + 1))]
        {
            assert_eq!(with(wrong), None, "{wrong:?}");
        }
    }
}
