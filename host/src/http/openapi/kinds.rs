//! What the document says of configured things: schemas that are made of their keys, and the operations that all kinds
//! have alike.
//!
//! Each kind has three schemas: as it is shown, `…Input` for a whole one that is given, `…Change` for a part of one.

use super::shapes::{PAGE, page_of, reference};
use crate::http::page::{ListQuery, PageQuery};
use crate::http::version_paths::{self, RestoreQuery};
use crate::oauth2::Owner;
use crate::service::behind::BEHIND;
use crate::service::configured::{SIGN_IN, WARNINGS};
use crate::service::versions::DIFFERENCES;
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
    /// What operations are listed under, with a text.
    pub tags: Vec<Value>,
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
        self.tells_of_people(K::ABOUT.schema);
        if Owner::of_kind(K::KIND, "").is_some() {
            let help = "How that stands; only there with `oauth2`. Passed over in bodies.";
            let sign_in = json!({ "$ref": reference("SignIn"), "description": help, "readOnly": true });
            self.schemas[K::ABOUT.schema]["properties"][SIGN_IN] = sign_in;
        }
        let operations = Operations { about: K::ABOUT, parameter: "name", is_in_force_later: true };
        self.paths_of(&operations, &list_query());
        self.versions_of::<K>(&operations);
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        self.schemas_of::<K>();
        self.tells_of_restorations(K::ABOUT.schema);
        self.tells_of_people(K::ABOUT.schema);
        let operations = Operations { about: K::ABOUT, parameter: K::NAME, is_in_force_later: false };
        self.paths_of(&operations, &list_query());
        self.versions_of::<K>(&operations);
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
        self.tells_of_restorations(schema);
    }

    /// Adds what answers to a restoration have besides.
    fn tells_of_restorations(&mut self, schema: &str) {
        self.schemas[schema]["properties"][DIFFERENCES] = json!({
            "type": "array", "items": { "$ref": reference("KeyDifference") }, "readOnly": true,
            "description": "What a restoration changed, or would change; only in answers to restorations. Passed over in bodies."
        });
    }

    /// Adds who made and changed a thing.
    fn tells_of_people(&mut self, schema: &str) {
        for (key, description) in [
            ("created_at", "When it was made, RFC 3339, UTC; null where it was not noted. Passed over in bodies."),
            ("created_by", "Who made it; null where it was not noted. Passed over in bodies."),
            (
                "changed_at",
                "When it was changed last, RFC 3339, UTC; null where it was not noted. Passed over in bodies.",
            ),
            ("changed_by", "Who changed it last; null where it was not noted. Passed over in bodies."),
        ] {
            let mut shape = json!({ "type": ["string", "null"], "readOnly": true, "description": description });
            if key.ends_with("_at") {
                shape["format"] = json!("date-time");
            }
            self.schemas[schema]["properties"][key] = shape;
        }
    }

    fn schemas_of<K: ConfiguredKind>(&mut self) {
        for shape in [SchemaShape::Shown, SchemaShape::Given, SchemaShape::Change] {
            self.shape::<K>((K::ABOUT.schema, K::ABOUT.sentence), shape);
        }
        self.schemas.insert(page_name(&K::ABOUT), page_of(K::ABOUT.schema));
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

    fn versions_of<K: ConfiguredKind>(&mut self, operations: &Operations) {
        let [all, one, restore] = version_paths::paths::<K>(operations.parameter);
        self.paths.insert(all, json!({ "get": operations.list_versions(), "delete": operations.forget_versions() }));
        self.paths.insert(one, json!({ "get": operations.show_version(), "delete": operations.forget_version() }));
        self.paths.insert(restore, json!({ "post": operations.restore() }));
    }

    fn paths_of(&mut self, operations: &Operations, query: &Value) {
        let About { path, heading, is_deletable, .. } = operations.about;
        self.tags.push(json!({ "name": operations.tag(), "description": format!("{heading}.") }));
        self.paths.insert(path.to_owned(), json!({ "get": operations.list(query), "post": operations.create() }));
        let mut one = json!({ "get": operations.show(), "put": operations.replace(), "patch": operations.change() });
        if is_deletable {
            one["delete"] = operations.delete();
        }
        self.paths.insert(format!("{path}/{{{}}}", operations.parameter), one);
    }
}

/// What pages of versions, and restorations, may be asked for.
fn query_of<Q: IntoParams>() -> Vec<Value> {
    let parameters = serde_json::to_value(Q::into_params(|| Some(ParameterIn::Query))).unwrap_or_default();
    if let Value::Array(parameters) = parameters { parameters } else { Vec::new() }
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
        let responses =
            json!({ "200": { "description": "One page of the list", "content": content(&page_name(&self.about)) } });
        json!({ "tags": self.tags(), "summary": summary, "parameters": query, "responses": responses })
    }

    fn create(&self) -> Value {
        let summary = "Adds one. What the body leaves out has its default.";
        let (body, mut responses) = (self.body(SchemaShape::Given), self.saved(&["201"]));
        if self.is_in_force_later {
            let headers = &mut responses["201"]["headers"];
            headers["Location"] = header_of("Where it is from now on.");
        }
        json!({ "tags": self.tags(), "summary": summary, "requestBody": body, "responses": responses })
    }

    fn show(&self) -> Value {
        let mut responses = json!({ "200": self.one("As it is") });
        if self.is_in_force_later {
            responses["304"] = json!({ "description": "Unchanged since If-None-Match", "headers": tag_header() });
        }
        let parameters = self.parameters(&[IF_NONE_MATCH]);
        json!({ "tags": self.tags(), "summary": "Shows one.", "parameters": parameters, "responses": responses })
    }

    fn replace(&self) -> Value {
        let summary = "Puts a whole one in the place of this name, or adds it. What the body leaves out has its default; secrets that it \
                       leaves out stay.";
        let (body, responses) = (self.body(SchemaShape::Given), self.saved(&["200", "201"]));
        let parameters = self.parameters(&[IF_MATCH, IF_ABSENT]);
        json!({ "tags": self.tags(), "summary": summary, "parameters": parameters, "requestBody": body, "responses": responses })
    }

    fn change(&self) -> Value {
        let summary = "Changes the keys that the body names; what it leaves out stays.";
        let (body, responses) = (self.body(SchemaShape::Change), self.saved(&["200"]));
        let parameters = self.parameters(&[IF_MATCH]);
        json!({ "tags": self.tags(), "summary": summary, "parameters": parameters, "requestBody": body, "responses": responses })
    }

    fn delete(&self) -> Value {
        let mut responses = json!({ "204": { "description": "Deleted" } });
        if self.is_in_force_later {
            let behind = json!({ "type": "object", "required": [BEHIND], "properties": { BEHIND: { "type": "array", "items": { "$ref": reference("HostBehind") } } } });
            let content = json!({ "application/json": { "schema": behind } });
            responses["202"] =
                json!({ "description": "Deleted; these hosts do not work by it yet", "content": content });
        }
        let parameters = self.parameters(&[IF_MATCH]);
        json!({ "tags": self.tags(), "summary": "Deletes it.", "parameters": parameters, "responses": responses })
    }

    fn list_versions(&self) -> Value {
        let summary = "Lists the versions of one, the latest first: who changed it, when, and which keys.";
        let parameters = [self.path_parameter()].into_iter().chain(query_of::<PageQuery>());
        let page = format!("{PAGE}ConfiguredVersion");
        let responses = json!({ "200": { "description": "One page of the list", "content": content(&page) } });
        json!({ "tags": self.tags(), "summary": summary, "parameters": parameters.collect::<Vec<_>>(), "responses": responses })
    }

    fn show_version(&self) -> Value {
        let parameters = json!([self.path_parameter(), number_parameter()]);
        let responses =
            json!({ "200": { "description": "The version", "content": content("ConfiguredVersionWithThing") } });
        json!({ "tags": self.tags(), "summary": "Shows a version of one.", "parameters": parameters, "responses": responses })
    }

    fn forget_versions(&self) -> Value {
        let summary = "Has the versions of one forget what it was, wherever that is not what it is now; who changed it, and when, stays.";
        let responses = json!({ "204": { "description": "Forgotten" } });
        json!({ "tags": self.tags(), "summary": summary, "parameters": [self.path_parameter()], "responses": responses })
    }

    fn forget_version(&self) -> Value {
        let summary = "Has a version of one forget what it was; who changed it, and when, stays.";
        let responses = json!({ "204": { "description": "Forgotten" } });
        let parameters = json!([self.path_parameter(), number_parameter()]);
        json!({ "tags": self.tags(), "summary": summary, "parameters": parameters, "responses": responses })
    }

    fn restore(&self) -> Value {
        let summary = "Makes one what it was by a version, with the keys of the body otherwise. The rules hold; secrets that the body leaves \
                       out stay as they are now.";
        let (body, responses) = (self.body(SchemaShape::Change), self.saved(&["200", "201"]));
        let conditions: &[(&str, &str)] = if self.is_in_force_later { &[IF_MATCH] } else { &[] };
        let mut parameters = vec![self.path_parameter(), number_parameter()];
        parameters.extend(query_of::<RestoreQuery>());
        parameters.extend(conditions.iter().copied().map(condition));
        json!({ "tags": self.tags(), "summary": summary, "parameters": parameters, "requestBody": body, "responses": responses })
    }

    fn tag(&self) -> &'static str {
        self.about.path.trim_start_matches('/')
    }

    fn tags(&self) -> Value {
        json!([self.tag()])
    }

    /// The name in the path, and the conditions that a request may have, which are for what has a tag.
    fn parameters(&self, conditions: &[(&str, &str)]) -> Value {
        let conditions = conditions.iter().copied().filter(|_| self.is_in_force_later).map(condition);
        std::iter::once(self.path_parameter()).chain(conditions).collect()
    }

    fn path_parameter(&self) -> Value {
        json!({ "name": self.parameter, "in": "path", "required": true, "schema": { "type": "string" }, "description": "Which one." })
    }

    fn body(&self, shape: SchemaShape) -> Value {
        json!({ "content": content(&format!("{}{}", self.about.schema, shape.ending())), "required": true })
    }

    /// An answer that shows one.
    fn one(&self, description: &str) -> Value {
        let mut one = json!({ "description": description, "content": content(self.about.schema) });
        if self.is_in_force_later {
            one["headers"] = tag_header();
        }
        one
    }

    fn saved(&self, statuses: &[&str]) -> Value {
        let saved = |status: &&str| {
            let description =
                if *status == "201" { "Added; as it is from now on" } else { "Saved; as it is from now on" };
            ((*status).to_owned(), self.one(description))
        };
        let mut responses: Map<String, Value> = statuses.iter().map(saved).collect();
        if self.is_in_force_later {
            responses.insert("202".to_owned(), self.one("Saved, not in force yet"));
        }
        Value::Object(responses)
    }
}

/// What a request may ask for of what is there, by its tag.
const IF_MATCH: (&str, &str) = ("If-Match", "Only where the tag of what is there is this one, else 412.");
const IF_ABSENT: (&str, &str) = ("If-None-Match", "`*`: only where there is none of this name, else 412.");
const IF_NONE_MATCH: (&str, &str) = ("If-None-Match", "Only where the tag of what is there is another one, else 304.");

fn condition((name, description): (&str, &str)) -> Value {
    json!({ "name": name, "in": "header", "required": false, "schema": { "type": "string" }, "description": description })
}

fn number_parameter() -> Value {
    let schema = json!({ "type": "integer", "format": "int64" });
    json!({ "name": "number", "in": "path", "required": true, "schema": schema, "description": "Which version." })
}

fn tag_header() -> Value {
    json!({ "ETag": header_of("Its tag, for `If-Match` and `If-None-Match`.") })
}

fn header_of(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string" } })
}

fn page_name(about: &About) -> String {
    format!("{PAGE}{}", about.schema)
}

fn content(schema: &str) -> Value {
    json!({ "application/json": { "schema": { "$ref": reference(schema) } } })
}
