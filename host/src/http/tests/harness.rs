//! A Postigo of its own for every test, and a client that checks each answer against the OpenAPI document.

use crate::chain::LazySandbox;
use crate::http::role::Role;
use crate::http::{ApiState, BASE, router};
use crate::machine::Machine;
use crate::metrics::Metrics;
use crate::oauth2::Tokens;
use crate::secret_key::SecretKey;
use crate::service::tokens;
use crate::spool::Spool;
use crate::store::{Location, Store};
use crate::worker::Live;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use postigo_model::actor::Actor;
use postigo_sandbox::RuntimeOptions;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tower::ServiceExt as _;

/// The API over a database in a folder of its own.
pub struct Api {
    pub state: ApiState,
    router: Router,
    tokens: HashMap<Role, String>,
    document: Value,
    pub folder: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The value of a header; empty where there is none.
    pub fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts the status and gives the body.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Asserts that this is a problem of a status, and gives it.
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.header(header::CONTENT_TYPE), "application/problem+json");
        let problem = self.expect(status);
        assert_eq!(problem["status"], json!(status));
        problem
    }
}

impl Api {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let mut by_role = HashMap::new();
        for role in Role::ALL {
            by_role.insert(
                role,
                tokens::create(&store, role.name().to_owned(), role, &Actor::Daemon).await.unwrap().token,
            );
        }
        let spool = Spool::open(store, folder.path()).unwrap();
        let key = SecretKey::at(folder.path().join("key"));
        let sandbox =
            LazySandbox::new(RuntimeOptions::new(folder.path().join("cache"), "no-filter-runs-in-these-tests".into()));
        let live = Live::start(spool.store().clone(), key.clone(), Arc::new(sandbox)).await.unwrap();
        let signed_in = Tokens::new(spool.store().clone(), key.clone());
        let machine =
            Arc::new(Machine::new(Vec::new(), vec![format!("given={}", folder.path().display()).parse().unwrap()]));
        let state = ApiState {
            loopback: true,
            ..ApiState::new(spool, key, signed_in, live, Arc::new(Metrics::new()), machine)
        };
        let mut api = Self { router: router(state.clone()), state, tokens: by_role, document: Value::Null, folder };
        api.document = api.raw(request(Method::GET, "/api/v1/openapi.json", &[], Vec::new())).await.json();
        api
    }

    /// The token of a role.
    pub fn token(&self, role: Role) -> &str {
        &self.tokens[&role]
    }

    /// The served OpenAPI document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Sends a request as it is, without token or check.
    pub async fn raw(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a body of a media type with a role's token and checks that the answer is a documented one.
    pub async fn send(
        &self,
        role: Role,
        method: Method,
        path: &str,
        media_type: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let authorization = format!("Bearer {}", self.token(role));
        let headers = [("authorization", authorization.as_str()), ("content-type", media_type)];
        let answer = self.raw(request(method.clone(), &format!("{BASE}{path}"), &headers, body.into())).await;
        self.check(&method, path, &answer);
        answer
    }

    pub async fn get(&self, role: Role, path: &str) -> Answer {
        self.send(role, Method::GET, path, "application/json", "").await
    }

    pub async fn delete(&self, role: Role, path: &str) -> Answer {
        self.send(role, Method::DELETE, path, "application/json", "").await
    }

    pub async fn post(&self, role: Role, path: &str, body: &Value) -> Answer {
        self.send(role, Method::POST, path, "application/json", body.to_string()).await
    }

    pub async fn put(&self, role: Role, path: &str, body: &Value) -> Answer {
        self.send(role, Method::PUT, path, "application/json", body.to_string()).await
    }

    pub async fn patch(&self, role: Role, path: &str, body: &Value) -> Answer {
        self.send(role, Method::PATCH, path, "application/json", body.to_string()).await
    }

    fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap();
        let operation = self.operation(method, path).unwrap_or_else(|| panic!("{method} {path} is not documented"));
        let responses = &operation["responses"];
        let response =
            responses.get(answer.status.as_str()).or_else(|| responses.get("default")).expect("a documented status");
        for name in response["headers"].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(answer.headers.contains_key(name), "{method} {path}: {name} is documented for {}", answer.status);
        }
        let Some(content) = response["content"].as_object() else {
            assert!(answer.body.is_empty(), "{method} {path}: {} is documented without a body", answer.status);
            return;
        };
        let media_type = answer.header(header::CONTENT_TYPE).split(';').next().unwrap();
        let media = content
            .get(media_type)
            .unwrap_or_else(|| panic!("{method} {path}: {media_type} is not documented for {}", answer.status));
        if media_type.ends_with("json") {
            self.fits(&media["schema"], &answer.json());
        }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let full = format!("{BASE}{path}");
        let paths = self.document["paths"].as_object()?;
        let fits = |template: &str| {
            let (given, wanted): (Vec<_>, Vec<_>) = (full.split('/').collect(), template.split('/').collect());
            given.len() == wanted.len()
                && given.iter().zip(&wanted).all(|(given, wanted)| wanted.starts_with('{') || given == wanted)
        };
        let literal_first = |template: &&String| template.matches('{').count();
        let template = paths.keys().filter(|template| fits(template)).min_by_key(literal_first)?;
        paths[template].get(method.as_str().to_ascii_lowercase())
    }

    /// Asserts that a value fits a schema of the document.
    fn fits(&self, schema: &Value, value: &Value) {
        let mut schema = schema.clone();
        schema["components"] = self.document["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).expect("the document's schemas are JSON Schema 2020-12");
        let errors: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path)).collect();
        assert!(errors.is_empty(), "the answer does not fit its schema: {errors:#?}\n{value:#}");
    }
}

/// A request of this machine, unless its headers name another host.
pub fn request(method: Method, uri: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost:8025");
    }
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(Body::from(body)).unwrap()
}
