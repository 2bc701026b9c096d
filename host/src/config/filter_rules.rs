//! What may make no sense in filters that are new or changed, and is saved all the same. What their settings may be at
//! all, their components say.

use postigo_model::configured::form::ConfiguredKind;
use postigo_model::configured::{Breach, Configuration, Filter};
use serde_json::Value;

/// The headers that put a mail into the queue of this name.
const QUEUE_HEADERS: [&str; 2] = ["X-OTOBO-Queue", "X-OTOBO-FollowUp-Queue"];
/// The component whose settings have fixed values.
const MATCH: &str = "match";

/// What is worth a second look in the filters that are new or others than in `before`.
pub fn warnings(before: &Configuration, after: &Configuration) -> Vec<Breach> {
    let filters = after.filters.iter().filter(|(name, filter)| before.filters.get(*name) != Some(*filter));
    filters.flat_map(|(_, filter)| fixed_queues(filter, after)).collect()
}

/// A fixed value that puts mails into a queue should name one. The queue may come later, and until then the value counts
/// as none, as one does that a mail or another filter has: that is told, and refused by nobody.
fn fixed_queues(filter: &Filter, configuration: &Configuration) -> Vec<Breach> {
    let set = filter.settings.get("set").and_then(Value::as_array).filter(|_| filter.component == MATCH);
    let told = |(index, item): (usize, &Value)| {
        let text = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
        let (header, value) = (text("header"), text("value"));
        let names_queue = QUEUE_HEADERS.iter().any(|name| name.eq_ignore_ascii_case(header.trim()));
        // What is taken from the mail is known when it comes.
        let is_fixed = !value.contains("[**") && !value.is_empty();
        (names_queue && is_fixed && !configuration.queues.contains_key(value)).then(|| Breach {
            kind: Filter::KIND,
            name: filter.name.clone(),
            place: format!("/settings/set/{index}/value"),
            sentence: format!("there is no queue \"{value}\": mails go where they would without this."),
        })
    };
    set.into_iter().flatten().enumerate().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fixed_queue_of_a_filter_that_is_not_there_is_warned_of() {
        let settings = json!({ "set": [
            { "header": "x-otobo-queue", "value": "Raw" },
            { "header": "X-OTOBO-Queue", "value": "[** \\queue **]" },
            { "header": "X-OTOBO-Queue", "value": "Nowhere" },
            { "header": "X-OTOBO-Title", "value": "Nowhere" },
        ] });
        let filter = Filter { name: "f".into(), component: "match".into(), settings, ..Filter::default() };
        let mut after = Configuration { filters: [("f".to_owned(), filter)].into(), ..Configuration::default() };
        after.queues.insert("Raw".into(), postigo_model::configured::Queue::default());
        let told = warnings(&Configuration::default(), &after);
        assert_eq!(told.iter().map(|breach| breach.place.as_str()).collect::<Vec<_>>(), ["/settings/set/2/value"]);
        assert_eq!(warnings(&after, &after), [], "what is there already is left alone");
    }
}
