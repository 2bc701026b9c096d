//! What agents ask for: a body in which every mistake has its place, and the name of the request.
//!
//! A request with an `Idempotency-Key` is carried out once: sent again, it gets the first answer.

use super::auth::Caller;
use super::body::{Json, read_as};
use super::problem::{PlacedMistake, Problem};
use crate::filing::correspondence::RequestIdentity;
use axum::extract::{Extension, FromRequest, FromRequestParts as _, Request};
use postigo_model::configured::form::below;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The header that names a request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A request as it came: its body, and what names it.
pub struct IdempotentRequest {
    body: Value,
    once: Option<RequestIdentity>,
}

impl<S: Send + Sync> FromRequest<S> for IdempotentRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Extension::<Caller>::from_request_parts(&mut parts, state)
            .await
            .map_err(|error| Problem::internal(&error))?;
        let (route, name) = (parts.uri.path().to_owned(), parts.headers.get(IDEMPOTENCY_KEY).cloned());
        let Json(body) = Json::<Value>::from_request(Request::from_parts(parts, body), state).await?;
        let Some(name) = name else { return Ok(Self { body, once: None }) };
        let name = name.to_str().unwrap_or_default().trim().trim_matches('"');
        let once = RequestIdentity::new(format!("token:{}", caller.token), name, |asked| {
            asked.bytes(route.as_bytes());
            asked.value(&body);
        });
        Ok(Self { body, once: Some(once.map_err(|sentence| Problem::bad_parameter("Idempotency-Key", sentence))?) })
    }
}

impl IdempotentRequest {
    /// The body in a shape with the keys `own`, and the mail in it with the keys `mail`, each read alone: so that
    /// mistakes keep their places.
    pub fn read<T: DeserializeOwned, M: DeserializeOwned>(
        self,
        own: &[&str],
        mail: &[&str],
    ) -> Result<(T, M, Option<RequestIdentity>), Problem> {
        let Value::Object(fields) = self.body else {
            return Err(Problem::invalid(vec![PlacedMistake::at("", "It must be an object.")]));
        };
        let known = || own.iter().chain(mail);
        let unknown = fields.keys().filter(|key| !known().any(|name| name == key));
        let mistakes: Vec<PlacedMistake> = unknown
            .map(|key| PlacedMistake::at(below("", key), stranger(key, &known().copied().collect::<Vec<_>>())))
            .collect();
        if !mistakes.is_empty() {
            return Err(Problem::invalid(mistakes));
        }
        let (mail, own): (Map<String, Value>, Map<String, Value>) =
            fields.into_iter().partition(|(key, _)| mail.contains(&key.as_str()));
        Ok((read_as(Value::Object(own))?, read_as(Value::Object(mail))?, self.once))
    }
}

fn stranger(key: &str, known: &[&str]) -> String {
    if key == "from" {
        return "A mail goes out from the address of its ticket's queue; no other sender can be chosen.".to_owned();
    }
    format!("There is no key `{key}` here; the keys are {}.", known.join(", "))
}
