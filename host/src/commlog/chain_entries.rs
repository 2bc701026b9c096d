//! The entries of filters that did not match or were not run: they are not kept for each message, but put together from
//! the version of the plan that judged it.

use postigo_model::communication::{CommunicationRecord, LogEntry, Priority};
use postigo_model::plan_version::{ChainMember, PlanVersion, shown_number};
use postigo_model::result::FilterOutcome;
use std::collections::HashSet;

/// The key of a filter's entries.
pub fn entry_key(filter: &str) -> String {
    format!("filter:{filter}")
}

/// Puts the entries into a communication that were left out of it; they have the time of the entry before them.
pub fn add_left_out(record: &mut CommunicationRecord, plan: &PlanVersion) {
    let Some(chain) = record.chain.take() else { return };
    let told: HashSet<usize> = chain.told.iter().copied().collect();
    let first = chain.first.min(record.entries.len());
    let mut stored = std::mem::take(&mut record.entries).into_iter().peekable();
    let mut entries: Vec<LogEntry> = stored.by_ref().take(first).collect();
    let at = |entries: &[LogEntry]| entries.last().map_or(record.started_at, |entry| entry.at);
    let value =
        format!("The chain is version {} of the plan, filters: {}.", shown_number(chain.plan), plan.filters.len());
    entries.push(LogEntry { at: at(&entries), priority: Priority::Debug, key: "chain".to_owned(), value });
    for (place, filter) in plan.filters.iter().enumerate() {
        let key = entry_key(&filter.name);
        entries.extend(std::iter::from_fn(|| stored.next_if(|entry| entry.key == key)));
        if !told.contains(&place) {
            let value = left_out(filter, chain.outcome(place));
            entries.push(LogEntry { at: at(&entries), priority: Priority::Debug, key, value });
        }
    }
    entries.extend(stored);
    record.entries = entries;
}

/// Says, where the entries would stand that were left out of a communication, why they are not there.
pub fn say_missing(record: &mut CommunicationRecord, why: &str) {
    let Some(chain) = record.chain.take() else { return };
    let first = chain.first.min(record.entries.len());
    let at = record.entries.get(first.saturating_sub(1)).map_or(record.started_at, |entry| entry.at);
    let value = format!("The chain is version {} of the plan, {why}", shown_number(chain.plan));
    record.entries.insert(first, LogEntry { at, priority: Priority::Debug, key: "chain".to_owned(), value });
}

fn left_out(filter: &ChainMember, outcome: FilterOutcome) -> String {
    match outcome {
        FilterOutcome::NotRun => "Not run: the chain had ended.".to_owned(),
        _ => format!("Not matched by {}.", filter.version.title()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commlog::Communication;
    use postigo_model::communication::CommunicationKind;
    use postigo_model::plan_version::FilterVersion;

    fn plan(names: &[&str]) -> PlanVersion {
        let version = FilterVersion {
            component: "match".into(),
            version: "1.2.0".into(),
            settings: "0123456789abcdef".into(),
            ..FilterVersion::default()
        };
        let member = |name: &&str| ChainMember { name: (*name).to_owned(), version: version.clone() };
        PlanVersion { filters: names.iter().map(member).collect() }
    }

    #[test]
    fn entries_that_were_left_out_stand_where_they_would_have_been_written() {
        let mut communication = Communication::start(CommunicationKind::Message, "main", "imap");
        communication.entry(Priority::Info, "worker", "Message from a.");
        communication.entries_of_chain(255, 3, vec![1]);
        communication.entry(Priority::Info, "filter:a", "A line of its own.");
        communication.entry(Priority::Info, "filter:b", "Matched.");
        communication.entry(Priority::Info, "ticket", "New ticket.");
        let mut record = communication.finish(false);
        add_left_out(&mut record, &plan(&["a", "b", "c", "d"]));
        let told: Vec<String> = record.entries.iter().map(|entry| format!("{}: {}", entry.key, entry.value)).collect();
        assert_eq!(
            told,
            [
                "worker: Message from a.",
                "chain: The chain is version 00000000000000ff of the plan, filters: 4.",
                "filter:a: A line of its own.",
                "filter:a: Not matched by match@1.2.0, settings 01234567.",
                "filter:b: Matched.",
                "filter:c: Not matched by match@1.2.0, settings 01234567.",
                "filter:d: Not run: the chain had ended.",
                "ticket: New ticket.",
            ]
        );
        assert_eq!(record.priority, Priority::Info, "what is left out is for those who look closely");
    }

    #[test]
    fn entries_that_cannot_be_put_together_are_said_to_be_missing_in_their_place() {
        let mut communication = Communication::start(CommunicationKind::Message, "main", "imap");
        communication.entry(Priority::Info, "worker", "Message from a.");
        communication.entries_of_chain(255, 3, vec![1]);
        communication.entry(Priority::Info, "filter:b", "Matched.");
        let mut record = communication.finish(false);
        say_missing(&mut record, "which is not kept any more.");
        let told: Vec<&str> = record.entries.iter().map(|entry| entry.value.as_str()).collect();
        let missing = "The chain is version 00000000000000ff of the plan, which is not kept any more.";
        assert_eq!(told, ["Message from a.", missing, "Matched."]);
    }

    #[test]
    fn a_communication_without_a_chain_stays_as_it_is() {
        let mut communication = Communication::start(CommunicationKind::Connection, "main", "imap");
        communication.entry(Priority::Info, "transport.imap", "Connected.");
        let mut record = communication.finish(false);
        let before = record.clone();
        add_left_out(&mut record, &plan(&["a"]));
        assert_eq!(record, before);
    }
}
