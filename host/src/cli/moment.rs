//! Times on the command line: RFC 3339, or how long ago.

use super::Failed;
use postigo_model::configured::units::parse_duration;
use postigo_model::timestamp::now;
use postigo_model::timestamp::{parse, rfc3339};
use serde_json::Value;

/// Reads `2026-11-24T12:00:00Z`, a date `2026-11-24` (its beginning in UTC), or how long ago (`24h`), as milliseconds since the epoch.
pub fn read(option: &str, text: &str) -> Result<i64, Failed> {
    let ago = || parse_duration(text).and_then(|ago| i64::try_from(ago.as_millis()).ok()).map(|ago| now().saturating_sub(ago));
    parse(text).or_else(|| parse(&format!("{text}T00:00:00Z"))).or_else(ago).ok_or_else(|| {
        let sentence =
            format!("--{option}: \"{text}\" is no time such as 2026-11-24T12:00:00Z or 2026-11-24, and no duration such as 24h.");
        Failed::because(sentence).with_status(2)
    })
}

/// The document with its times (`…_at`, milliseconds since the epoch inside) written for people and programs.
pub fn written(mut document: Value) -> Value {
    write(&mut document);
    document
}

fn write(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(write),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_i64() {
                    Some(time) if key == "at" || key == "last" || key.ends_with("_at") => *value = Value::String(rfc3339(time)),
                    _ => write(value),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_read_in_three_ways() {
        assert_eq!(read("since", "2026-11-24T12:00:00Z").unwrap(), 1_795_521_600_000);
        assert_eq!(read("since", "2026-11-24").unwrap(), 1_795_478_400_000);
        let ago = now() - read("since", "24h").unwrap();
        assert!((86_400_000..86_401_000).contains(&ago), "{ago}");
        assert!(read("since", "yesterday").is_err());
    }

    #[test]
    fn times_are_written_wherever_they_stand() {
        let document = written(json!({"started_at": 1_795_521_600_000_i64, "size": 5, "entries": [{"at": 0}], "ended_at": null}));
        assert_eq!(
            document,
            json!({"started_at": "2026-11-24T12:00:00Z", "size": 5, "entries": [{"at": "1970-01-01T00:00:00Z"}], "ended_at": null})
        );
    }
}
