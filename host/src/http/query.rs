//! Query parameters, with the name of the one that is wrong.

use super::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use postigo_model::timestamp;
use serde::de::DeserializeOwned;

/// The query parameters of a known shape. One that the shape does not have is a mistake.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let text = rejection.body_text();
                let reason = text.split_once("query string: ").map_or(text.as_str(), |(_, reason)| reason);
                Err(Problem::bad_parameter(
                    parameter(reason),
                    format!("The query is wrong: {}.", reason.trim_end_matches('.')),
                ))
            }
        }
    }
}

/// A time in a parameter, as milliseconds since the epoch.
pub fn time(parameter: &str, text: Option<String>) -> Result<Option<i64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let wrong =
        format!("\"{text}\" is not a time such as 2026-11-24T12:00:00Z (the \"+\" of an offset is written %2B).");
    timestamp::parse(&text).map(Some).ok_or_else(|| Problem::bad_parameter(parameter, wrong))
}

/// The parameter that a reason is about: ``unknown field `colour`, …`` or `limit: invalid digit …`.
fn parameter(reason: &str) -> &str {
    let quoted = reason.split('`').nth(1);
    let led = reason
        .split_once(": ")
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|letter| letter.is_alphanumeric() || letter == '_'));
    led.or(quoted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        #[allow(dead_code, reason = "only whether it can be read matters")]
        limit: Option<u32>,
    }

    async fn wrong(query: &str) -> String {
        let (mut parts, ()) = Request::get(format!("/list?{query}")).body(()).unwrap().into_parts();
        let problem = Query::<Shape>::from_request_parts(&mut parts, &()).await.unwrap_err();
        problem.errors[0].parameter.clone().unwrap()
    }

    #[tokio::test]
    async fn the_wrong_parameter_is_named() {
        assert_eq!(wrong("limit=many").await, "limit");
        assert_eq!(wrong("colour=red").await, "colour");
        assert_eq!(wrong("limit=1&limit=2").await, "limit");
    }
}
