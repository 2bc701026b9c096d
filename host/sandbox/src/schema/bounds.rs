//! What a settings schema may be. A stranger wrote it, and what applies a schema may take as long, and as much memory,
//! as the schema likes: so it is bounded before it is kept, and again before it is applied.

use serde_json::{Map, Value};

/// Bytes of the schema as JSON text.
const BYTES: usize = 64 << 10;
/// Bytes of the schema with every reference written out in its place. What applies a schema writes it out so.
const WRITTEN_OUT: usize = 1 << 20;
/// How deep schemas lie within each other, references followed.
const DEPTH: usize = 64;

/// Keywords of one schema for the same value (JSON Schema 2020-12, core, section 10.2; `$ref` is looked at by itself).
const SAME_VALUE: [&str; 4] = ["not", "if", "then", "else"];
/// Keywords of lists of schemas for the same value.
const SAME_VALUE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords of schemas for the same value, each under a name.
const SAME_VALUE_NAMED: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Keywords of one schema, or of a list of them, for values inside the value (section 10.3).
const INNER_VALUES: [&str; 9] = [
    "prefixItems",
    "items",
    "additionalItems",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
/// Keywords of schemas for values inside the value, or for none of their own, each under a name.
const INNER_VALUES_NAMED: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
/// Keywords that make a reference mean another place than the one it spells, or the rules others than those of 2020-12.
const UNTAKEN: [&str; 8] =
    ["$id", "$schema", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef", "$vocabulary"];

/// Reads a schema from what a component said; the error is the rest of a sentence that begins with "the settings
/// schema".
pub(crate) fn read(text: &str) -> Result<Value, String> {
    if text.len() > BYTES {
        return Err(format!("has {} bytes; at most {BYTES} are taken", text.len()));
    }
    let schema: Value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    if !schema.is_object() {
        return Err("is not a JSON object".into());
    }
    check(&schema)?;
    Ok(schema)
}

/// Checks a schema that was read. It ends after [`WRITTEN_OUT`] bytes, whatever refers to what.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    SchemaWalk { root: schema, path: Vec::new(), written: 0 }.visit(schema, 1, 0)
}

/// A walk through the schema as it is applied: into every schema inside it, and wherever a reference leads.
struct SchemaWalk<'s> {
    root: &'s Value,
    path: Vec<SchemaStep<'s>>,
    written: usize,
}

/// A schema that contains, or refers to, where the walk is.
struct SchemaStep<'s> {
    schema: &'s Value,
    /// How many steps to this one led to a value inside the value.
    inward: usize,
}

impl<'s> SchemaWalk<'s> {
    /// `times`: so often is it made ready for each time that it is written.
    fn visit(&mut self, schema: &'s Value, times: usize, inward: usize) -> Result<(), String> {
        if let Some(step) = self.path.iter().find(|step| std::ptr::eq(step.schema, schema)) {
            // Inside the value it ends where the value does.
            let endless = step.inward == inward;
            return if endless {
                Err("applies a part of itself to the same value again and again".into())
            } else {
                self.write("", times)
            };
        }
        if self.path.len() == DEPTH {
            return Err(format!("nests more than {DEPTH} schemas, references followed"));
        }
        let Some(keywords) = schema.as_object() else { return self.write(&schema.to_string(), times) };
        self.path.push(SchemaStep { schema, inward });
        let visited = self.keywords(keywords, times, inward);
        self.path.pop();
        visited
    }

    fn keywords(&mut self, keywords: &'s Map<String, Value>, times: usize, inward: usize) -> Result<(), String> {
        let is_root = self.path.len() == 1;
        // What was not evaluated is found by evaluating the rest once more.
        let again =
            ["unevaluatedItems", "unevaluatedProperties"].iter().filter(|key| keywords.contains_key(**key)).count();
        let within = times.saturating_mul(1 + again);
        for (key, value) in keywords {
            self.write(key, times)?;
            let (key, inner) = (key.as_str(), inward + 1);
            if key == "$ref" {
                self.visit(self.target(value)?, within, inward)?;
            } else if UNTAKEN.contains(&key) {
                let is_a_name = is_root && ["$id", "$schema"].contains(&key);
                if !is_a_name {
                    return Err(format!("has the keyword {key} where Postigo does not take it"));
                }
            } else if SAME_VALUE.contains(&key) || SAME_VALUE_LISTS.contains(&key) {
                self.each(value, within, inward)?;
            } else if SAME_VALUE_NAMED.contains(&key) {
                self.named(value, within, inward)?;
            } else if INNER_VALUES.contains(&key) {
                self.each(value, within, inner)?;
            } else if INNER_VALUES_NAMED.contains(&key) {
                self.named(value, within, inner)?;
            } else {
                self.write(&value.to_string(), times)?;
            }
        }
        Ok(())
    }

    /// A schema, or a list of them.
    fn each(&mut self, value: &'s Value, times: usize, inward: usize) -> Result<(), String> {
        match value {
            Value::Array(schemas) => schemas.iter().try_for_each(|schema| self.visit(schema, times, inward)),
            schema => self.visit(schema, times, inward),
        }
    }

    /// Schemas under names; what is no object of them is no schema, which others tell better.
    fn named(&mut self, value: &'s Value, times: usize, inward: usize) -> Result<(), String> {
        for (name, schema) in value.as_object().into_iter().flatten() {
            self.write(name, times)?;
            self.visit(schema, times, inward)?;
        }
        Ok(())
    }

    /// What a reference means: a place in this schema, as a JSON Pointer. Nothing is ever fetched.
    fn target(&self, reference: &Value) -> Result<&'s Value, String> {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).filter(|pointer| is_plain(pointer));
        let target = pointer.and_then(|pointer| self.root.pointer(pointer));
        target.ok_or_else(|| {
            let said: String = reference.to_string().chars().take(100).collect();
            format!("refers to {said}, which is no place in it; write a reference as \"#/$defs/name\"")
        })
    }

    /// Counts what is written, with quotes and a comma.
    fn write(&mut self, text: &str, times: usize) -> Result<(), String> {
        self.written = self.written.saturating_add((text.len() + 4).saturating_mul(times));
        if self.written > WRITTEN_OUT {
            return Err(format!(
                "has more than {} KiB when every reference is written out in its place",
                WRITTEN_OUT >> 10
            ));
        }
        Ok(())
    }
}

/// Whether everybody reads a pointer alike: no percent-encoding, `~` before 0 or 1 only (RFC 6901 section 3).
fn is_plain(pointer: &str) -> bool {
    let escapes = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    escapes && !pointer.contains('%')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(schema: &Value) -> String {
        read(&schema.to_string()).map(|_| "taken").unwrap_err()
    }

    /// `n0` is all of `n1` twice, and so on.
    fn doubling(levels: usize, keyword: &str) -> Value {
        let mut definitions = Map::new();
        for level in 0..levels {
            let next = json!({ "$ref": format!("#/$defs/n{}", level + 1) });
            let both = if keyword == "properties" { json!({ "a": next, "b": next }) } else { json!([next, next]) };
            definitions.insert(format!("n{level}"), json!({ keyword: both }));
        }
        definitions.insert(format!("n{levels}"), json!(true));
        json!({ "$ref": "#/$defs/n0", "$defs": definitions })
    }

    #[test]
    fn a_schema_that_applies_itself_to_the_same_value_is_refused() {
        let cycles = [
            json!({ "$ref": "#" }),
            json!({ "allOf": [{ "$ref": "#" }] }),
            json!({ "anyOf": [{ "oneOf": [{ "$ref": "#" }] }] }),
            json!({ "not": { "$ref": "#" } }),
            json!({ "if": true, "then": { "$ref": "#" } }),
            json!({ "else": { "$ref": "#/else" } }),
            json!({ "dependentSchemas": { "a": { "$ref": "#" } } }),
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "allOf": [{ "$ref": "#/$defs/a" }] } } }),
            json!({ "properties": { "x": { "$ref": "#/$defs/a" } }, "$defs": { "a": { "anyOf": [{ "$ref": "#/$defs/a" }] } } }),
            json!({ "$ref": "#/x/deep", "x": { "deep": { "not": { "$ref": "#/x/deep" } } } }),
        ];
        for schema in cycles {
            assert!(refused(&schema).contains("again and again"), "{schema}");
        }
    }

    #[test]
    fn a_schema_of_values_that_contain_each_other_is_taken() {
        let tree = json!({
            "$id": "https://vendor.example/tree", "$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": "#/$defs/node",
            "$defs": { "node": { "type": "object", "properties": {
                "left": { "$ref": "#/$defs/node" }, "right": { "$ref": "#/$defs/node" }, "$ref": { "type": "string" },
                "all": { "type": "array", "items": { "anyOf": [{ "$ref": "#/$defs/node" }, { "const": { "$id": "no keyword here" } }] } }
            } } }
        });
        assert_eq!(read(&tree.to_string()), Ok(tree));
    }

    #[test]
    fn what_grows_when_references_are_written_out_is_refused() {
        for keyword in ["allOf", "anyOf", "oneOf", "prefixItems", "properties"] {
            assert!(read(&doubling(8, keyword).to_string()).is_ok(), "{keyword}");
            assert!(refused(&doubling(28, keyword)).contains("written out"), "{keyword}");
        }
        // Without any reference: each `unevaluatedProperties` has the rest made ready once more.
        let nested = (0..28)
            .fold(json!(true), |inner, _| json!({ "properties": { "a": inner }, "unevaluatedProperties": false }));
        assert!(refused(&nested).contains("written out"));
        let long: Vec<String> = (0..4_000).map(|word| format!("word {word}")).collect();
        let references: Vec<Value> = (0..40).map(|_| json!({ "$ref": "#/$defs/words" })).collect();
        let enumerated = json!({ "prefixItems": references, "$defs": { "words": { "enum": long } } });
        assert!(refused(&enumerated).contains("written out"));
    }

    #[test]
    fn size_and_depth_are_bounded() {
        assert!(refused(&json!({ "description": "x".repeat(BYTES) })).contains("bytes"));
        let mut deep = json!(true);
        for _ in 0..DEPTH {
            deep = json!({ "not": deep });
        }
        assert!(refused(&deep).contains("nests"));
        let chain: Map<String, Value> =
            (0..500).map(|step| (format!("n{step}"), json!({ "$ref": format!("#/$defs/n{}", step + 1) }))).collect();
        assert!(refused(&json!({ "$ref": "#/$defs/n0", "$defs": chain })).contains("nests"));
        assert!(refused(&json!([])).contains("object"));
        assert!(read("{").unwrap_err().contains("JSON"));
        assert!(read(&"[".repeat(10_000)).unwrap_err().contains("JSON"));
    }

    #[test]
    fn references_lead_to_places_in_the_schema_itself() {
        for reference in [
            "https://schema.example/x.json",
            "file:///etc/passwd",
            "other.json#/a",
            "#name",
            "#/$defs/%61",
            "#/~2",
            "#/nowhere",
        ] {
            let schema = json!({ "properties": { "a": { "$ref": reference } }, "~2": true, "$defs": { "a": true } });
            assert!(refused(&schema).contains("refers to"), "{reference}");
        }
        for keyword in UNTAKEN {
            let schema = json!({ "properties": { "a": { keyword: "https://json-schema.org/draft/2019-09/schema" } } });
            assert!(refused(&schema).contains(keyword), "{keyword}");
        }
        assert!(
            refused(&json!({ "$defs": { "unused": { "$ref": "https://schema.example/x.json" } } }))
                .contains("refers to")
        );
    }
}
