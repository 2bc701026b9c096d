//! What holds for the whole document, each kind of mistake that clients which are generated would stumble over.

use super::walk::{each_body, each_operation, each_schema, each_within, members};
use super::{BASE, BaseDocument, as_version_3_0, complete};
use crate::http::nouns;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

fn document() -> Value {
    let (_, document) = OpenApiRouter::with_openapi(BaseDocument::openapi()).nest(BASE, nouns()).split_for_parts();
    complete(&document)
}

/// Every value of a document with the way to it.
fn each_value(value: &Value, place: &str, see: &mut dyn FnMut(&str, &Value)) {
    see(place, value);
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| each_value(value, &format!("{place}/{key}"), see));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, value)| each_value(value, &format!("{place}/{number}"), see));
        }
        _ => {}
    }
}

/// Asserts that nothing was found.
fn none_of(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// Whether a schema takes texts.
fn takes_text(schema: &Value) -> bool {
    schema["type"] == "string" || schema["type"].as_array().is_some_and(|types| types.contains(&json!("string")))
}

#[test]
fn every_answer_says_what_it_is() {
    let mut found = Vec::new();
    each_operation(&mut document(), |method, path, operation| {
        for (status, response) in members(&mut operation["responses"]) {
            if !is_text(&response["description"]) {
                found.push(format!("{method} {path} {status}"));
            }
        }
    });
    none_of("answers without a description", &found);
}

#[test]
fn null_stands_only_where_a_value_may_be_null() {
    let mut found = Vec::new();
    each_value(&document(), "", &mut |place, value| {
        if value.is_null() && !place.ends_with("/default") {
            found.push(place.to_owned());
        }
    });
    none_of("null where something must be", &found);
}

#[test]
fn defaults_and_examples_fit_their_schemas() {
    let mut document = document();
    let components = document["components"].clone();
    let (mut found, mut count) = (Vec::new(), 0);
    each_schema(&mut document, &mut |schema| {
        let examples = schema.get("examples").and_then(Value::as_array).into_iter().flatten();
        let values: Vec<Value> = schema.get("default").into_iter().chain(examples).cloned().collect();
        if values.is_empty() {
            return;
        }
        let mut whole = schema.clone();
        whole["components"] = components.clone();
        let validator = jsonschema::draft202012::new(&whole).expect("the schemas are JSON Schema 2020-12");
        count += values.len();
        found.extend(
            values.iter().filter(|value| !validator.is_valid(value)).map(|value| format!("{value} in {schema}")),
        );
    });
    assert!(count > 50);
    none_of("defaults and examples that do not fit", &found);
}

#[test]
fn bytes_are_binary_bodies_or_base64_and_never_lists_of_numbers() {
    let mut document = document();
    let mut found = Vec::new();
    let mut binary = BTreeSet::new();
    each_operation(&mut document, |method, path, operation| {
        each_body(operation, |media_type, body| {
            if media_type.ends_with("json") {
                return;
            }
            binary.insert(media_type.to_owned());
            if (&body["schema"]["type"], &body["schema"]["format"]) != (&json!("string"), &json!("binary")) {
                found.push(format!("{method} {path} {media_type}: {}", body["schema"]));
            }
        });
    });
    assert_eq!(
        binary,
        BTreeSet::from(["application/jsonl".to_owned(), "application/wasm".to_owned(), "message/rfc822".to_owned()])
    );
    each_schema(&mut document, &mut |schema| {
        let is_byte =
            schema["type"] == "array" && schema["items"]["type"] == "integer" && schema["items"]["minimum"] == 0;
        if is_byte && schema["items"]["maximum"].as_u64().is_none_or(|most| most <= 255) {
            found.push(schema.to_string());
        }
    });
    none_of("bytes that are no binary", &found);
    let file = &document["components"]["schemas"]["AttachmentInput"]["properties"]["content"];
    assert_eq!(file["contentEncoding"], "base64");
}

/// Names of keys and parameters that are times.
fn names_a_time(name: &str) -> bool {
    name.ends_with("_at") || matches!(name, "at" | "since" | "until" | "changed_since")
}

#[test]
fn every_time_says_that_it_is_one() {
    let mut document = document();
    let mut found = Vec::new();
    let mut count = 0;
    let mut see = |name: &str, description: &Value, schema: &Value| {
        let is_said = description.as_str().is_some_and(|text| text.contains("RFC 3339"));
        if takes_text(schema) && (is_said || names_a_time(name)) {
            count += 1;
            if schema["format"] != "date-time" {
                found.push(format!("{name}: {schema}"));
            }
        }
    };
    each_schema(&mut document, &mut |schema| {
        for (name, property) in schema.get_mut("properties").into_iter().flat_map(members) {
            see(name, &property["description"].clone(), property);
        }
    });
    each_operation(&mut document, |_, _, operation| {
        for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            see(parameter["name"].as_str().unwrap(), &parameter["description"], &parameter["schema"]);
        }
    });
    assert!(count > 30, "{count}");
    none_of("times that do not say so", &found);
}

#[test]
fn nothing_is_said_in_the_dialect_of_3_0() {
    let mut found = Vec::new();
    each_schema(&mut document(), &mut |schema| {
        let has = |key: &str| schema.get(key).is_some();
        if has("nullable")
            || has("example")
            || schema["exclusiveMinimum"].is_boolean()
            || schema["exclusiveMaximum"].is_boolean()
        {
            found.push(schema.to_string());
        }
    });
    none_of("words of 3.0", &found);
}

#[test]
fn a_shape_is_one_object_or_has_names_for_its_parts() {
    let mut found = Vec::new();
    each_schema(&mut document(), &mut |schema| {
        let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        if parts.clone().count() > 0 && !parts.clone().any(|part| part.get("$ref").is_some()) {
            found.push(schema.to_string());
        }
    });
    none_of("parts without names", &found);
    let article = &document()["components"]["schemas"]["ArticleInput"];
    assert_eq!(article["type"], "object");
    for key in ["kind", "quote", "subject", "attachments"] {
        assert!(article["properties"][key].is_object(), "{key}");
    }
}

#[test]
fn parameters_are_never_null_and_rows_have_the_type_of_what_they_show() {
    let mut document = document();
    let (mut found, mut pages) = (Vec::new(), 0);
    each_operation(&mut document, |method, path, operation| {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            let name = parameter["name"].clone();
            each_within(&mut parameter["schema"], &mut |schema| {
                if schema["type"] == "null" || schema["type"].is_array() {
                    found.push(format!("{method} {path} {name}: {schema}"));
                }
            });
        }
        let page = operation.pointer("/responses/200/content/application~1json/schema/$ref").and_then(Value::as_str);
        if page.is_some_and(|page| page.contains("/Page_")) {
            pages += 1;
            if operation["responses"]["200"]["headers"]["Link"].is_null() {
                found.push(format!("{method} {path} leads to no next page"));
            }
        }
    });
    for (name, schema) in members(&mut document["components"]["schemas"]).filter(|(name, _)| name.starts_with("Page_"))
    {
        let item = name.trim_start_matches("Page_");
        if schema["properties"]["items"]["items"] != json!({ "$ref": format!("#/components/schemas/{item}") }) {
            found.push(name.clone());
        }
    }
    none_of("parameters, pages", &found);
    assert!(pages >= 15, "{pages}");
}

#[test]
fn tags_have_texts_and_servers_are_named() {
    let mut document = document();
    let described: BTreeSet<String> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|tag| is_text(&tag["description"]))
        .map(|tag| tag["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(described.len(), document["tags"].as_array().unwrap().len(), "a tag without text, or twice");
    assert!(is_text(&document["servers"][0]["url"]) && is_text(&document["servers"][0]["description"]));
    let mut used = BTreeSet::new();
    each_operation(&mut document, |_, _, operation| {
        used.extend(operation["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()));
    });
    assert_eq!(used, described);
}

/// Words of 3.1 that 3.0 does not know.
const ONLY_IN_3_1: [&str; 11] = [
    "const",
    "examples",
    "contentEncoding",
    "contentMediaType",
    "propertyNames",
    "patternProperties",
    "prefixItems",
    "if",
    "$defs",
    "unevaluatedProperties",
    "dependentRequired",
];

#[test]
fn the_document_in_3_0_has_nothing_of_3_1() {
    let mut document = as_version_3_0(&document());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.0."));
    let (mut found, mut nullable) = (Vec::new(), 0);
    each_schema(&mut document, &mut |schema| {
        let alone = schema.get("$ref").is_none() || schema.as_object().is_some_and(|fields| fields.len() == 1);
        let is_one_type = schema.get("type").is_none_or(|kind| kind.is_string() && kind != "null");
        let is_list = schema["type"] == "array";
        if !alone || !is_one_type || (is_list && schema.get("items").is_none()) {
            found.push(schema.to_string());
        }
        found
            .extend(ONLY_IN_3_1.iter().filter(|key| schema.get(key).is_some()).map(|key| format!("{key} in {schema}")));
        nullable += usize::from(schema["nullable"] == true);
    });
    none_of("words of 3.1", &found);
    assert!(nullable > 50);
    assert_eq!(document["info"]["license"].get("identifier"), None);
}
