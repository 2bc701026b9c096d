//! What the document says of configured things: schemas that are made of their keys, and the operations that all kinds
//! have alike.
//!
//! Each kind has three schemas: as it is shown, `…Input` for a whole one that is given, `…Change` for a part of one.

use crate::http::page::ListQuery;
use crate::oauth2::Owner;
use crate::service::behind::BEHIND;
use crate::service::configured::{SIGN_IN, WARNINGS};
use postigo_model::configured::form::{ConfiguredKind, HasKeys, LoadedKind};
use postigo_model::configured::keys::{SchemaShape, keys, schema};
use postigo_model::configured::{About, KindVisitor, Settings, visit_kinds};
use serde_json::{Map, Value, json};
use utoipa::IntoParams;
use utoipa::openapi::path::ParameterIn;

/// What the general settings are.
const SETTINGS: (&str, &str) = ("Settings", "The general settings.");

/// The schemas by name, and the paths below the base.
#[derive(Default)]
pub struct KindSchemas {
    /// Schemas by their names.
    pub schemas: Map<String, Value>,
    /// Path items by their paths.
    pub paths: Map<String, Value>,
}

/// What is made of the kinds' keys.
pub fn parts() -> KindSchemas {
    let mut parts = KindSchemas::default();
    for shape in [SchemaShape::Shown, SchemaShape::Given, SchemaShape::Change] {
        parts.shape::<Settings>(SETTINGS, shape);
    }
    parts.tells_of_changes(SETTINGS.0);
    visit_kinds(&mut parts);
    parts
}

impl KindVisitor for KindSchemas {
    fn loaded<K: LoadedKind>(&mut self) {
        self.schemas_of::<K>();
        self.tells_of_changes(K::ABOUT.schema);
        if Owner::of_kind(K::KIND, "").is_some() {
            let help = "How that stands; only there with `oauth2`. Passed over in bodies.";
            let sign_in = json!({ "$ref": reference("SignIn"), "description": help, "readOnly": true });
            self.schemas[K::ABOUT.schema]["properties"][SIGN_IN] = sign_in;
        }
        let operations = Operations { about: K::ABOUT, parameter: "name", is_in_force_later: true };
        self.paths_of(&operations, &list_query());
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        self.schemas_of::<K>();
        let operations = Operations { about: K::ABOUT, parameter: K::NAME, is_in_force_later: false };
        self.paths_of(&operations, &list_query());
    }
}

/// What lists may be asked for.
fn list_query() -> Value {
    serde_json::to_value(ListQuery::into_params(|| Some(ParameterIn::Query))).unwrap_or_default()
}

impl KindSchemas {
    /// Adds what answers to a change have besides: which hosts do not work yet by what was saved, and what of it is
    /// worth a second look.
    fn tells_of_changes(&mut self, schema: &str) {
        self.schemas[schema]["properties"][BEHIND] = json!({
            "type": "array", "items": { "$ref": reference("HostBehind") }, "readOnly": true,
            "description": "The hosts that do not work by it yet; only in answers with 202. Passed over in bodies."
        });
        self.schemas[schema]["properties"][WARNINGS] = json!({
            "type": "array", "items": { "$ref": reference("ProblemError") }, "readOnly": true,
            "description": "What was saved and is worth a second look; only in answers to changes, where there is some. Passed over in bodies."
        });
    }

    fn schemas_of<K: ConfiguredKind>(&mut self) {
        for shape in [SchemaShape::Shown, SchemaShape::Given, SchemaShape::Change] {
            self.shape::<K>((K::ABOUT.schema, K::ABOUT.sentence), shape);
        }
        let page = json!({
            "type": "object",
            "description": "One page of a list.",
            "required": ["items"],
            "properties": {
                "items": { "type": "array", "items": { "$ref": reference(K::ABOUT.schema) }, "description": "The rows." },
                "next_cursor": {
                    "type": ["string", "null"],
                    "description": "What to send as `cursor` for the next page; null on the last one."
                }
            }
        });
        self.schemas.insert(page_of(&K::ABOUT), page);
    }

    fn shape<D: HasKeys>(&mut self, (title, sentence): (&str, &str), shape: SchemaShape) {
        let schema = schema(title, sentence, &keys::<D>(), shape);
        self.lift(schema);
    }

    /// Puts every shape that has a name among the schemas, and a reference in its place.
    fn lift(&mut self, schema: Value) -> Value {
        match schema {
            Value::Object(fields) => {
                let is_data = |key: &str| matches!(key, "default" | "enum" | "examples");
                let lifted = fields
                    .into_iter()
                    .map(|(key, value)| if is_data(&key) { (key, value) } else { (key, self.lift(value)) });
                let mut fields: Map<String, Value> = lifted.collect();
                // What a key says of a shape that has a name stands beside the reference.
                if let Some(Value::Array(parts)) = fields.remove("allOf") {
                    let parts = parts
                        .into_iter()
                        .filter_map(|part| if let Value::Object(part) = part { Some(part) } else { None });
                    fields = parts.flatten().chain(fields).collect();
                }
                match fields.remove("title") {
                    Some(Value::String(title)) => {
                        let reference = json!({ "$ref": reference(&title) });
                        self.schemas.entry(title).or_insert(Value::Object(fields));
                        reference
                    }
                    // A property of this name.
                    Some(title) => {
                        fields.insert("title".to_owned(), title);
                        Value::Object(fields)
                    }
                    None => Value::Object(fields),
                }
            }
            Value::Array(items) => items.into_iter().map(|item| self.lift(item)).collect(),
            other => other,
        }
    }

    fn paths_of(&mut self, operations: &Operations, query: &Value) {
        let About { path, is_deletable, .. } = operations.about;
        self.paths.insert(path.to_owned(), json!({ "get": operations.list(query), "post": operations.create() }));
        let mut one = json!({ "get": operations.show(), "put": operations.replace(), "patch": operations.change() });
        if is_deletable {
            one["delete"] = operations.delete();
        }
        self.paths.insert(format!("{path}/{{{}}}", operations.parameter), one);
    }
}

/// The operations of a kind.
struct Operations {
    about: About,
    /// The part of a path that names one.
    parameter: &'static str,
    /// Whether what is saved may come into force later, and has a tag that tells whether it changed.
    is_in_force_later: bool,
}

impl Operations {
    fn list(&self, query: &Value) -> Value {
        let summary =
            if self.is_in_force_later { "Lists them in byte order of their names." } else { "Lists them in order." };
        let page = content(&page_of(&self.about));
        json!({ "tags": self.tags(), "summary": summary, "parameters": query, "responses": { "200": { "description": "", "content": page } } })
    }

    fn create(&self) -> Value {
        let summary = "Adds one. What the body leaves out has its default.";
        let body = self.body(SchemaShape::Given);
        json!({ "tags": self.tags(), "summary": summary, "requestBody": body, "responses": self.saved(&["201"]) })
    }

    fn show(&self) -> Value {
        let mut responses = json!({ "200": { "description": "", "content": self.content() } });
        if self.is_in_force_later {
            responses["304"] = json!({ "description": "Unchanged since If-None-Match" });
        }
        json!({ "tags": self.tags(), "summary": "Shows one.", "parameters": self.parameters(), "responses": responses })
    }

    fn replace(&self) -> Value {
        let summary = "Puts a whole one in the place of this name, or adds it. What the body leaves out has its default; secrets that it \
                       leaves out stay.";
        let (body, responses) = (self.body(SchemaShape::Given), self.saved(&["200", "201"]));
        json!({ "tags": self.tags(), "summary": summary, "parameters": self.parameters(), "requestBody": body, "responses": responses })
    }

    fn change(&self) -> Value {
        let summary = "Changes the keys that the body names; what it leaves out stays.";
        let (body, responses) = (self.body(SchemaShape::Change), self.saved(&["200"]));
        json!({ "tags": self.tags(), "summary": summary, "parameters": self.parameters(), "requestBody": body, "responses": responses })
    }

    fn delete(&self) -> Value {
        let mut responses = json!({ "204": { "description": "" } });
        if self.is_in_force_later {
            let behind = json!({ "type": "object", "required": [BEHIND], "properties": { BEHIND: { "type": "array", "items": { "$ref": reference("HostBehind") } } } });
            let content = json!({ "application/json": { "schema": behind } });
            responses["202"] =
                json!({ "description": "Deleted; these hosts do not work by it yet", "content": content });
        }
        json!({ "tags": self.tags(), "summary": "Deletes it.", "parameters": self.parameters(), "responses": responses })
    }

    fn tags(&self) -> Value {
        json!([self.about.path.trim_start_matches('/')])
    }

    fn parameters(&self) -> Value {
        json!([{ "name": self.parameter, "in": "path", "required": true, "schema": { "type": "string" } }])
    }

    fn content(&self) -> Value {
        content(self.about.schema)
    }

    fn body(&self, shape: SchemaShape) -> Value {
        json!({ "content": content(&format!("{}{}", self.about.schema, shape.ending())), "required": true })
    }

    fn saved(&self, statuses: &[&str]) -> Value {
        let saved = |status: &&str| ((*status).to_owned(), json!({ "description": "", "content": self.content() }));
        let mut responses: Map<String, Value> = statuses.iter().map(saved).collect();
        if self.is_in_force_later {
            responses.insert(
                "202".to_owned(),
                json!({ "description": "Saved, not in force yet", "content": self.content() }),
            );
        }
        Value::Object(responses)
    }
}

fn page_of(about: &About) -> String {
    format!("Page_{}", about.schema)
}

fn reference(schema: &str) -> String {
    format!("#/components/schemas/{schema}")
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": reference(schema) } } })
}
