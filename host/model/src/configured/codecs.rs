//! How the values of configured things are written in file, REST and database.

use super::form::Codec;
use super::units::{format_duration, format_size, parse_duration, parse_size};
use super::{AfterFetch, Dispatch, Thresholds, Validity};
use crate::guest::Grant;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;

/// A duration in whole seconds, at least one.
const WHOLE_SECONDS: &str = "^([1-9][0-9]{0,10} ?[smhd]|[1-9][0-9]{0,7}000 ?ms)$";
/// The same, or none at all.
const WHOLE_SECONDS_OR_NONE: &str = "^(0|[0-9]{1,11} ?[smhd]|[1-9][0-9]{0,7}000 ?ms)$";
/// A size, at least a byte.
const BYTES: &str = "^([1-9][0-9]{0,9} ?([KMG]iB|[kMG]B)|[1-9][0-9]{0,18}( ?B)?)$";

/// Any string.
pub const TEXT: Codec<String> = Codec {
    read: |value| value.as_str().map(str::to_owned).ok_or_else(|| "a string".to_owned()),
    write: |text| Value::String(text.clone()),
    schema: || json!({ "type": "string" }),
};

/// A string; empty or left out: none.
pub const OPTIONAL_TEXT: Codec<Option<String>> = Codec {
    read: |value| match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        _ => Err("a string".to_owned()),
    },
    write: |text| text.clone().map_or(Value::Null, Value::String),
    schema: || json!({ "type": ["string", "null"] }),
};

/// `true` or `false`.
pub const FLAG: Codec<bool> = Codec {
    read: |value| value.as_bool().ok_or_else(|| "true or false".to_owned()),
    write: |flag| Value::Bool(*flag),
    schema: || json!({ "type": "boolean" }),
};

/// A list of strings.
pub const TEXTS: Codec<Vec<String>> = Codec {
    read: |value| {
        let texts =
            value.as_array().and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        texts.ok_or_else(|| "a list of strings".to_owned())
    },
    write: |texts| Value::from(texts.clone()),
    schema: || json!({ "type": "array", "items": { "type": "string" } }),
};

/// A list of strings, or left out.
pub const OPTIONAL_TEXTS: Codec<Option<Vec<String>>> = Codec {
    read: |value| if value.is_null() { Ok(None) } else { (TEXTS.read)(value).map(Some) },
    write: |texts| texts.as_ref().map_or(Value::Null, TEXTS.write),
    schema: || json!({ "type": ["array", "null"], "items": { "type": "string" } }),
};

/// A list of names that must differ.
pub const NAMES: Codec<Vec<String>> = Codec {
    read: |value| {
        let names = (TEXTS.read)(value)?;
        let twice =
            names.iter().enumerate().find(|(index, name)| names.iter().take(*index).any(|other| other == *name));
        match twice {
            Some((_, name)) => Err(format!("a list of different names; \"{name}\" is there twice")),
            None if names.iter().any(|name| name.trim().is_empty()) => {
                Err("a list of names, none of them empty".to_owned())
            }
            None => Ok(names),
        }
    },
    write: TEXTS.write,
    schema: || json!({ "type": "array", "items": { "type": "string", "pattern": "\\S" }, "uniqueItems": true }),
};

/// A port; left out: the protocol's own.
pub const PORT: Codec<Option<u16>> = Codec {
    read: |value| match value {
        Value::Null => Ok(None),
        value => match value.as_u64().and_then(|port| u16::try_from(port).ok()) {
            Some(port) if port > 0 => Ok(Some(port)),
            _ => Err("a port from 1 to 65535".to_owned()),
        },
    },
    write: |port| port.map_or(Value::Null, Value::from),
    schema: || json!({ "type": ["integer", "null"], "minimum": 1, "maximum": u16::MAX }),
};

/// A number from 0 on.
pub const COUNT: Codec<u32> = Codec {
    read: |value| {
        value.as_u64().and_then(|count| u32::try_from(count).ok()).ok_or_else(|| "a number from 0 on".to_owned())
    },
    write: |count| Value::from(*count),
    schema: || json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
};

/// How many versions are kept: 20 at least, so that nobody takes what was configured lately out of sight.
pub const KEPT_VERSIONS: Codec<u32> = Codec {
    read: |value| match (COUNT.read)(value) {
        Ok(count) if count >= FEWEST_VERSIONS => Ok(count),
        _ => Err(format!("a number from {FEWEST_VERSIONS} on")),
    },
    write: COUNT.write,
    schema: || json!({ "type": "integer", "minimum": FEWEST_VERSIONS, "maximum": u32::MAX }),
};

/// No fewer versions are kept.
const FEWEST_VERSIONS: u32 = 20;

/// Seconds, at least one, written as a duration.
pub const INTERVAL: Codec<u64> = Codec {
    read: |value| match seconds(value)? {
        0 => Err("a duration of at least 1s, such as \"10m\"".to_owned()),
        seconds => Ok(seconds),
    },
    write: |seconds| Value::String(format_duration(Duration::from_secs(*seconds))),
    schema: || json!({ "type": "string", "pattern": WHOLE_SECONDS, "examples": ["10m"] }),
};

/// The same, or left out.
pub const OPTIONAL_INTERVAL: Codec<Option<u64>> = Codec {
    read: |value| if value.is_null() { Ok(None) } else { (INTERVAL.read)(value).map(Some) },
    write: |seconds| seconds.as_ref().map_or(Value::Null, INTERVAL.write),
    schema: || json!({ "type": ["string", "null"], "pattern": WHOLE_SECONDS, "examples": ["10m"] }),
};

/// Seconds, written as a duration; 0 is allowed.
pub const AGE: Codec<u64> = Codec {
    read: seconds,
    write: |seconds| Value::String(format_duration(Duration::from_secs(*seconds))),
    schema: || json!({ "type": "string", "pattern": WHOLE_SECONDS_OR_NONE, "examples": ["7d", "0"] }),
};

/// The same, or left out.
pub const OPTIONAL_AGE: Codec<Option<u64>> = Codec {
    read: |value| if value.is_null() { Ok(None) } else { (AGE.read)(value).map(Some) },
    write: |seconds| seconds.as_ref().map_or(Value::Null, AGE.write),
    schema: || json!({ "type": ["string", "null"], "pattern": WHOLE_SECONDS_OR_NONE, "examples": ["7d", "0"] }),
};

/// A duration from one millisecond to a minute.
pub const CALL_TIME: Codec<Duration> = Codec {
    read: |value| match value.as_str().and_then(parse_duration) {
        Some(time) if !time.is_zero() && time <= Duration::from_mins(1) => Ok(time),
        _ => Err("a duration from \"1ms\" to \"60s\"".to_owned()),
    },
    write: |time| Value::String(format_duration(*time)),
    schema: || json!({ "type": "string", "pattern": "^(([1-9][0-9]{0,3}|[1-5][0-9]{4}|60000) ?ms|([1-9]|[1-5][0-9]|60) ?s|1 ?m)$", "examples": ["250ms"] }),
};

/// Memory of an instance, in bytes.
pub const MEMORY: Codec<u64> = Codec {
    read: |value| match size(value)? {
        bytes if (64 << 10..=1 << 30).contains(&bytes) => Ok(bytes),
        _ => Err("a size from \"64 KiB\" to \"1 GiB\"".to_owned()),
    },
    write: |bytes| Value::String(format_size(*bytes)),
    schema: || json!({ "type": "string", "pattern": BYTES, "examples": ["32 MiB"] }),
};

/// Bytes, at least one.
pub const SIZE: Codec<u64> = Codec {
    read: |value| match size(value)? {
        0 => Err("a size above 0, such as \"32 MiB\"".to_owned()),
        bytes => Ok(bytes),
    },
    write: |bytes| Value::String(format_size(*bytes)),
    schema: || json!({ "type": "string", "pattern": BYTES, "examples": ["32 MiB"] }),
};

/// The largest setting `max_component_size`, in bytes: what REST takes, where a component lies in memory.
pub const LARGEST_COMPONENT: u64 = 128 << 20;

/// Bytes of a component.
pub const COMPONENT_SIZE: Codec<u64> = Codec {
    read: |value| match (SIZE.read)(value)? {
        bytes if bytes <= LARGEST_COMPONENT => Ok(bytes),
        _ => Err("a size of at most \"128 MiB\"".to_owned()),
    },
    write: SIZE.write,
    schema: SIZE.schema,
};

/// `true`, `false` or `"temporarily-invalid"`.
pub const VALIDITY: Codec<Validity> = Codec {
    read: |value| match value {
        Value::Bool(true) => Ok(Validity::Valid),
        Value::Bool(false) => Ok(Validity::Invalid),
        Value::String(text) if text == "temporarily-invalid" => Ok(Validity::TemporarilyInvalid),
        _ => Err("true, false or \"temporarily-invalid\"".to_owned()),
    },
    write: |valid| match valid {
        Validity::Valid => Value::Bool(true),
        Validity::Invalid => Value::Bool(false),
        Validity::TemporarilyInvalid => Value::from("temporarily-invalid"),
    },
    schema: || {
        json!({
            "title": "Validity",
            "description": "`true`: in use; `false`: not in use; `\"temporarily-invalid\"`: not in use for now.",
            "oneOf": [{ "type": "boolean" }, {
                "title": "TemporarilyInvalid",
                "description": "The word that stands beside `true` and `false` in `valid`.",
                "type": "string",
                "enum": ["temporarily-invalid"]
            }]
        })
    },
};

/// `to` or `queue:NAME`.
pub const DISPATCH: Codec<Dispatch> = Codec {
    read: |value| match value.as_str().map(|text| (text, text.strip_prefix("queue:"))) {
        Some(("to", _)) => Ok(Dispatch::To),
        Some((_, Some(queue))) if !queue.is_empty() => Ok(Dispatch::Queue(queue.to_owned())),
        _ => Err("\"to\" or \"queue:NAME\"".to_owned()),
    },
    write: |dispatch| match dispatch {
        Dispatch::To => Value::from("to"),
        Dispatch::Queue(queue) => Value::String(format!("queue:{queue}")),
    },
    schema: || json!({ "type": "string", "pattern": "^(to|queue:.+)$", "examples": ["to", "queue:NAME"] }),
};

/// `delete`, `seen`, `move:FOLDER` or `keep`.
pub const AFTER_FETCH: Codec<AfterFetch> = Codec {
    read: |value| match value.as_str().map(|text| (text, text.strip_prefix("move:"))) {
        Some(("delete", _)) => Ok(AfterFetch::Delete),
        Some(("seen", _)) => Ok(AfterFetch::Seen),
        Some(("keep", _)) => Ok(AfterFetch::Keep),
        Some((_, Some(folder))) if !folder.is_empty() => Ok(AfterFetch::Move(folder.to_owned())),
        _ => Err("\"delete\", \"seen\", \"move:FOLDER\" or \"keep\"".to_owned()),
    },
    write: |after| match after {
        AfterFetch::Delete => Value::from("delete"),
        AfterFetch::Seen => Value::from("seen"),
        AfterFetch::Keep => Value::from("keep"),
        AfterFetch::Move(folder) => Value::String(format!("move:{folder}")),
    },
    schema: || json!({ "type": "string", "pattern": "^(delete|seen|move:.+|keep)$", "examples": ["delete", "seen", "move:FOLDER", "keep"] }),
};

/// A JSON object, kept as it is.
pub const OBJECT: Codec<Value> = Codec {
    read: |value| if value.is_object() { Ok(value.clone()) } else { Err("a table".to_owned()) },
    write: Clone::clone,
    schema: || json!({ "type": "object" }),
};

/// Texts by name.
pub const TEXTS_BY_NAME: Codec<BTreeMap<String, String>> = Codec {
    read: |value| {
        let text = |(name, text): (&String, &Value)| Some((name.clone(), text.as_str()?.to_owned()));
        let texts = value.as_object().and_then(|fields| fields.iter().map(text).collect());
        texts.ok_or_else(|| "a table of texts".to_owned())
    },
    write: |texts| texts.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect(),
    schema: || json!({ "type": "object", "additionalProperties": { "type": "string" } }),
};

/// The key of a table of thresholds that is no label.
const DEFAULT: &str = "default";

/// How sure a classifier must be: a number for all labels, or a table with one for each and a `default`.
pub const THRESHOLDS: Codec<Thresholds> = Codec {
    read: |value| {
        let expected =
            || "a number from 0 to 1, or a table of such, as in { default = 0.9, \"Billing\" = 0.97 }".to_owned();
        let share = |value: &Value| value.as_f64().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(expected);
        let Value::Object(fields) = value else {
            return Ok(Thresholds { default: share(value)?, labels: BTreeMap::new() });
        };
        let mut thresholds = Thresholds::default();
        for (label, value) in fields {
            if label == DEFAULT {
                thresholds.default = share(value)?;
            } else {
                thresholds.labels.insert(label.clone(), share(value)?);
            }
        }
        Ok(thresholds)
    },
    write: |thresholds| {
        if thresholds.labels.is_empty() {
            return Value::from(thresholds.default);
        }
        let labels = thresholds.labels.iter().map(|(label, share)| (label.as_str(), *share));
        [(DEFAULT, thresholds.default)]
            .into_iter()
            .chain(labels)
            .map(|(label, share)| (label.to_owned(), Value::from(share)))
            .collect()
    },
    schema: || {
        let share = json!({ "type": "number", "minimum": 0, "maximum": 1 });
        json!({ "oneOf": [share, { "type": "object", "additionalProperties": share }] })
    },
};

/// What a filter may read beside headers, or do; null: as its component has it.
pub const GRANTS: Codec<Option<Vec<Grant>>> = Codec {
    read: |value| {
        let Some(names) = (OPTIONAL_TEXTS.read)(value)? else { return Ok(None) };
        let mut grants = Vec::with_capacity(names.len());
        for name in names {
            match Grant::of_name(&name) {
                Some(grant) if grants.contains(&grant) => {
                    return Err(format!("a list of different grants; \"{name}\" is there twice"));
                }
                Some(grant) => grants.push(grant),
                None => {
                    return Err(format!(
                        "a list of grants, which are {}; {}",
                        Grant::list(&Grant::ALL),
                        no_grant(&name)
                    ));
                }
            }
        }
        Ok(Some(grants))
    },
    write: |grants| {
        grants.as_ref().map_or(Value::Null, |grants| grants.iter().map(|grant| Value::from(grant.name())).collect())
    },
    schema: || {
        let grant = json!({
            "title": "Grant",
            "description": "What a filter may read beside headers (text and HTML, attachments, the received bytes), and, as `final`, that a classifier may end a mail's way.",
            "type": "string",
            "enum": Grant::ALL.map(Grant::name)
        });
        json!({ "type": ["array", "null"], "items": grant })
    },
};

/// Why this is no grant, a clause.
fn no_grant(name: &str) -> String {
    match name {
        "state" => "\"state\" is reserved, and this version does not offer it".to_owned(),
        http if http.starts_with("http:") => {
            format!("\"{http}\" is reserved, and this version offers no HTTP to filters")
        }
        other => format!("there is no \"{other}\""),
    }
}

/// How many pieces of a mail are kept with an answer.
pub const EVIDENCE: Codec<u32> = Codec {
    read: |value| match (COUNT.read)(value) {
        Ok(count) if count <= MOST_EVIDENCE => Ok(count),
        _ => Err(format!("a number from 0 to {MOST_EVIDENCE}")),
    },
    write: COUNT.write,
    schema: || json!({ "type": "integer", "minimum": 0, "maximum": MOST_EVIDENCE }),
};

/// The most pieces of a mail that are kept with an answer.
pub const MOST_EVIDENCE: u32 = 20;

/// How many connections there may be.
pub const CONNECTIONS: Codec<u32> =
    Codec { schema: || json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }), ..COUNT };

/// One of the words of an enumeration; serde's own list of them is the error.
pub const fn word<T: Serialize + DeserializeOwned + ToSchema>() -> Codec<T> {
    Codec { read: read_word, write: write_word, schema: word_schema::<T> }
}

/// One of the words of an enumeration; null, or left out: none of them.
pub const fn optional_word<T: Serialize + DeserializeOwned + ToSchema>() -> Codec<Option<T>> {
    Codec {
        read: |value| if value.is_null() { Ok(None) } else { read_word(value).map(Some) },
        write: |word| word.as_ref().map_or(Value::Null, write_word),
        schema: || json!({ "oneOf": [word_schema::<T>(), { "type": "null" }] }),
    }
}

/// A list of the words of an enumeration, sorted, each once.
pub const fn words<T: Serialize + DeserializeOwned + Ord + ToSchema>() -> Codec<Vec<T>> {
    Codec {
        read: |value| {
            let items = value.as_array().ok_or_else(|| "a list of strings".to_owned())?;
            let mut words = items.iter().map(read_word).collect::<Result<Vec<T>, String>>()?;
            words.sort();
            words.dedup();
            Ok(words)
        },
        write: |words| words.iter().map(write_word).collect(),
        schema: || json!({ "type": "array", "items": word_schema::<T>() }),
    }
}

fn read_word<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    let Value::String(word) = value else { return Err("a string".to_owned()) };
    serde_json::from_value(value.clone()).map_err(|error| {
        let error = error.to_string();
        let words = error.split_once("expected ").map_or(error.as_str(), |(_, words)| words);
        format!("{}, not \"{word}\"", words.replace('`', "\""))
    })
}

fn write_word<T: Serialize>(word: &T) -> Value {
    serde_json::to_value(word).unwrap_or_default()
}

/// The words of an enumeration, under its name.
fn word_schema<T: ToSchema>() -> Value {
    let mut schema = serde_json::to_value(T::schema()).unwrap_or_default();
    schema["title"] = Value::String(T::name().into_owned());
    schema
}

fn seconds(value: &Value) -> Result<u64, String> {
    let duration = match value {
        Value::String(text) => parse_duration(text),
        value => value.as_u64().filter(|number| *number == 0).map(|_| Duration::ZERO),
    };
    match duration {
        Some(duration) if duration.subsec_millis() == 0 => Ok(duration.as_secs()),
        _ => Err("a duration in whole seconds, such as \"10m\" (units s, m, h, d)".to_owned()),
    }
}

fn size(value: &Value) -> Result<u64, String> {
    let size = match value {
        Value::String(text) => parse_size(text),
        value => value.as_u64(),
    };
    size.ok_or_else(|| "a size, such as \"32 MiB\" (units B, KiB, MiB, GiB, kB, MB, GB)".to_owned())
}
