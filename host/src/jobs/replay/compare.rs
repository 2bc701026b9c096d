//! What a replay tells: a mail as it became then beside what it would become now, and both counted.

use crate::store::spool::PastMessage;
use postigo_model::result::{FilterOutcome, FilterResult, MessageResult, MessageStatus};
use postigo_model::text::beginning;
use postigo_model::timestamp::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// So many mails that differ are listed; all are counted.
const MOST_LISTED: usize = 200;
/// They are listed as far as that takes so many bytes.
const MOST_LISTED_BYTES: usize = 64 << 10;
/// So many differences of one mail are listed.
const MOST_DIFFERENCES: usize = 12;
/// So many bytes of a value are shown.
const LONGEST_VALUE: usize = 120;
/// So many bytes of why a mail could not be tried are shown.
const LONGEST_ERROR: usize = 300;
/// Fields that are counted.
const MOST_FIELDS: usize = 500;
/// Filters that are counted; one that came after so many others, by name, is not.
const MOST_FILTERS: usize = 500;

/// What of a new ticket and its article is compared, by the keys of a result. `pending_until` follows from the time of
/// the run.
const OF_NEW_TICKETS: [&str; 15] = [
    "queue",
    "state",
    "priority",
    "type",
    "service",
    "sla",
    "lock",
    "owner",
    "responsible",
    "customer_number",
    "customer_user",
    "title",
    "sender_type",
    "visible_for_customer",
    "dynamic_fields",
];

/// What came of a replay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplaySummary {
    /// Messages of the span of time, as far as they were looked at.
    pub looked_at: i64,
    /// Whether it ended since so many were looked at as there may be: earlier ones were not.
    pub bound_reached: bool,
    /// Those that went into another queue than the one that was asked for.
    pub passed_over: i64,
    /// Those whose bytes are not kept any more.
    pub without_bytes: i64,
    /// Those that went through the chain.
    pub tried: i64,
    /// Those that could not: see `error` of each.
    pub failed: i64,
    /// Of those tried, what became of as many would be the same.
    pub same: i64,
    /// Of those tried, so many would follow up the ticket that they made themselves, by an external number: what they
    /// would have become without it is not known.
    pub own_ticket: i64,
    /// Of those tried, so many would become something else.
    pub differ: i64,
    /// How many differ in what.
    pub by_field: BTreeMap<String, i64>,
    /// What each filter did then, and would do now.
    pub by_filter: BTreeMap<String, FilterCounts>,
    /// The first of the mails that differ, or could not be tried: the latest that came.
    pub mails: Vec<ReplayedMail>,
    /// How many more there are.
    pub not_listed: i64,
}

/// What a filter did then, and would do now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterCounts {
    /// Mails that it matched then, where that is kept.
    pub matched_then: i64,
    /// Mails that it would match.
    pub matches_now: i64,
    /// Mails that it matched then and would not now, where the chain as it was is kept.
    pub lost: i64,
    /// Mails that it would match now and did not then.
    pub gained: i64,
    /// Mails that it would fail on.
    pub fails_now: i64,
}

/// A mail that would become something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedMail {
    /// The message's row in the spool.
    pub spool_id: i64,
    /// Account name.
    pub account: String,
    /// RFC 3339, UTC.
    pub received_at: String,
    /// Message-ID header.
    pub message_id: Option<String>,
    /// The title of its ticket.
    pub title: Option<String>,
    /// The number of the ticket that it became, or was added to.
    pub ticket_number: Option<String>,
    /// In what it would differ.
    pub differences: Vec<Difference>,
    /// Why it could not be tried, a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One thing in which a mail would differ. Values are texts; null: none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// A key of a message's result: `queue`, `priority`, `status`.
    pub field: String,
    /// What it was.
    pub then: Option<String>,
    /// What it would be.
    pub now: Option<String>,
}

impl ReplaySummary {
    /// Adds a mail that was tried.
    pub fn add(&mut self, past: &PastMessage, then: &MessageResult, now: &MessageResult) {
        self.tried += 1;
        self.count_filters(then, now, past.in_short);
        if !then.follow_up && now.follow_up && then.ticket_number == now.ticket_number {
            self.own_ticket += 1;
            return;
        }
        let differences = differences(then, now, past.in_short);
        if differences.is_empty() {
            self.same += 1;
            return;
        }
        self.differ += 1;
        for difference in &differences {
            if self.by_field.len() < MOST_FIELDS || self.by_field.contains_key(&difference.field) {
                *self.by_field.entry(difference.field.clone()).or_default() += 1;
            }
        }
        self.list(past, then, differences, None);
    }

    /// Adds a mail that could not be tried, for this reason.
    pub fn not_tried(&mut self, past: &PastMessage, then: &MessageResult, why: &str) {
        self.failed += 1;
        self.list(past, then, Vec::new(), Some(why.to_owned()));
    }

    fn list(
        &mut self,
        past: &PastMessage,
        then: &MessageResult,
        mut differences: Vec<Difference>,
        error: Option<String>,
    ) {
        if self.not_listed > 0 || self.mails.len() >= MOST_LISTED {
            self.not_listed += 1;
            return;
        }
        differences.truncate(MOST_DIFFERENCES);
        let short = |text: &Option<String>| text.as_deref().map(|text| beginning(text, LONGEST_VALUE).to_owned());
        let mail = ReplayedMail {
            spool_id: past.message.id,
            account: past.message.account.clone(),
            received_at: rfc3339(past.message.received_at),
            message_id: short(&then.message_id),
            title: short(&then.title),
            ticket_number: then.ticket_number.clone(),
            differences,
            error: error.map(|why| beginning(&why, LONGEST_ERROR).to_owned()),
        };
        let bytes = |json: serde_json::Result<String>| json.map_or(usize::MAX, |json| json.len());
        let listed = bytes(serde_json::to_string(&self.mails));
        if listed.saturating_add(bytes(serde_json::to_string(&mail))) > MOST_LISTED_BYTES {
            self.not_listed += 1;
        } else {
            self.mails.push(mail);
        }
    }

    fn count_filters(&mut self, then: &MessageResult, now: &MessageResult, in_short: bool) {
        let matched = |filters: &[FilterResult]| -> BTreeSet<String> {
            let matched = filters.iter().filter(|filter| filter.outcome == FilterOutcome::Matched);
            matched.map(|filter| filter.name.clone()).collect()
        };
        let (mut before, after) = (matched(&then.filters), matched(&now.filters));
        // Filters that do not run now have lost nothing.
        before.retain(|name| now.filters.iter().any(|filter| filter.name == *name));
        for name in before.union(&after) {
            let (did, does) = (before.contains(name), after.contains(name));
            if let Some(counts) = self.counts(name) {
                counts.matched_then += i64::from(did);
                counts.matches_now += i64::from(does);
                counts.lost += i64::from(did && !does);
                counts.gained += i64::from(does && !did && !in_short);
            }
        }
        for filter in now.filters.iter().filter(|filter| filter.outcome == FilterOutcome::Failed) {
            if let Some(counts) = self.counts(&filter.name) {
                counts.fails_now += 1;
            }
        }
    }

    fn counts(&mut self, name: &str) -> Option<&mut FilterCounts> {
        if self.by_filter.len() >= MOST_FILTERS && !self.by_filter.contains_key(name) {
            return None;
        }
        Some(self.by_filter.entry(name.to_owned()).or_default())
    }
}

/// In what a mail would differ. Of a mail that would follow up the same ticket as it did, what the chain says of the
/// ticket is compared: how that stands now is its agents' work.
fn differences(then: &MessageResult, now: &MessageResult, in_short: bool) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |field: &str, then: Option<String>, now: Option<String>| {
        if then != now {
            let short = |text: Option<String>| text.map(|text| beginning(&text, LONGEST_VALUE).to_owned());
            found.push(Difference { field: field.to_owned(), then: short(then), now: short(now) });
        }
    };
    compare("status", text(Some(&status(then))), text(Some(&status(now))));
    let is_same_ticket = now.follow_up && now.ticket_number == then.ticket_number;
    if !is_same_ticket {
        let followed = |result: &MessageResult| result.ticket_number.clone().filter(|_| result.follow_up);
        compare("follow_up_of", followed(then), followed(now));
    }
    let is_filed = |result: &MessageResult| matches!(result.status, MessageStatus::Filed);
    if !(is_filed(then) && is_filed(now)) {
        return found;
    }
    if !then.follow_up && !now.follow_up {
        let (then, now) = (serde_json::json!(then), serde_json::json!(now));
        for field in if in_short { &["queue"][..] } else { &OF_NEW_TICKETS } {
            compare(field, text(then.get(*field)), text(now.get(*field)));
        }
    } else if then.follow_up && is_same_ticket && !in_short {
        let set: BTreeSet<&String> = then.headers.keys().chain(now.headers.keys()).collect();
        for header in set.into_iter().filter(|header| header.starts_with("X-OTOBO-FollowUp-")) {
            compare(header, text(then.headers.get(header)), text(now.headers.get(header)));
        }
    }
    found
}

fn status(result: &MessageResult) -> Value {
    serde_json::json!(result.status)
}

/// A value as a text; what is empty is none.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Array(items) if items.is_empty() => None,
        Value::Object(fields) if fields.is_empty() => None,
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::SpoolMessage;
    use postigo_model::spool::SpoolStatus;

    fn past(in_short: bool) -> PastMessage {
        let message = SpoolMessage {
            id: 7,
            account: "main".into(),
            source: "INBOX/7".into(),
            status: SpoolStatus::Filed,
            received_at: 0,
            ended_at: Some(1),
            size: 1,
            tries: 1,
            reason: None,
            result: None,
            handled_at: None,
            handled_by: None,
        };
        PastMessage { message, recipients: Vec::new(), in_short }
    }

    fn filed(queue: &str) -> MessageResult {
        MessageResult {
            status: MessageStatus::Filed,
            queue: Some(queue.into()),
            priority: Some("3 normal".into()),
            ticket_number: Some("1".into()),
            ..MessageResult::default()
        }
    }

    fn compared(then: &MessageResult, now: &MessageResult, in_short: bool) -> Vec<String> {
        let mut summary = ReplaySummary::default();
        summary.add(&past(in_short), then, now);
        assert_eq!((summary.differ == 1, summary.same == 1), (!summary.mails.is_empty(), summary.mails.is_empty()));
        let differences = summary.mails.pop().map(|mail| mail.differences).unwrap_or_default();
        let shown = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        differences.into_iter().map(|one| format!("{}: {} {}", one.field, shown(one.then), shown(one.now))).collect()
    }

    #[test]
    fn a_new_ticket_differs_by_where_it_would_go() {
        let then = filed("Raw");
        let now = MessageResult { ticket_number: None, ..filed("Raw") };
        assert!(compared(&then, &now, false).is_empty(), "a new number is no difference");
        let now = MessageResult { priority: Some("5 very high".into()), ..filed("Sales") };
        assert_eq!(compared(&then, &now, false), ["queue: Raw Sales", "priority: 3 normal 5 very high"]);
        assert_eq!(compared(&then, &now, true), ["queue: Raw Sales"], "the rest is not kept");
        let now = MessageResult { status: MessageStatus::Ignored, ..MessageResult::default() };
        assert_eq!(compared(&then, &now, false), ["status: filed ignored"]);
    }

    #[test]
    fn a_follow_up_differs_by_its_ticket_and_by_what_the_chain_says_of_that() {
        let then = MessageResult { follow_up: true, ..filed("Raw") };
        let moved = MessageResult { follow_up: true, ..filed("Sales") };
        assert!(compared(&then, &moved, false).is_empty(), "an agent moved the ticket");
        let mut set = moved.clone();
        set.headers.insert("X-OTOBO-FollowUp-Priority".into(), "1 very low".into());
        assert_eq!(compared(&then, &set, false), ["X-OTOBO-FollowUp-Priority: - 1 very low"]);
        let new = MessageResult { ticket_number: None, ..filed("Raw") };
        assert_eq!(compared(&then, &new, false), ["follow_up_of: 1 -"]);
        let own = MessageResult { follow_up: true, ..filed("Sales") };
        let mut summary = ReplaySummary::default();
        summary.add(&past(false), &filed("Raw"), &own);
        assert_eq!((summary.own_ticket, summary.same, summary.differ), (1, 0, 0), "the ticket that it made itself");
    }

    #[test]
    fn filters_are_counted_and_lists_are_bounded() {
        let then = MessageResult { filters: vec![FilterResult::new("a", FilterOutcome::Matched)], ..filed("Raw") };
        let now = MessageResult {
            filters: vec![
                FilterResult::new("a", FilterOutcome::NotMatched),
                FilterResult::new("b", FilterOutcome::Matched),
                FilterResult::new("c", FilterOutcome::Failed),
            ],
            ..filed("Sales")
        };
        let mut summary = ReplaySummary::default();
        for _ in 0..MOST_LISTED + 3 {
            summary.add(&past(false), &then, &now);
        }
        assert_eq!((summary.mails.len(), summary.not_listed, summary.differ), (MOST_LISTED, 3, MOST_LISTED as i64 + 3));
        let counts = |name: &str| summary.by_filter[name];
        let all = MOST_LISTED as i64 + 3;
        assert_eq!((counts("a").matched_then, counts("a").lost, counts("a").matches_now), (all, all, 0));
        assert_eq!((counts("b").gained, counts("c").fails_now), (all, all));
        assert_eq!(summary.by_field, [("queue".to_owned(), all)].into());
    }

    #[test]
    fn long_values_and_errors_are_shortened_and_a_list_stays_below_its_bytes() {
        let mut summary = ReplaySummary::default();
        summary.not_tried(&past(false), &filed("Raw"), &"because ".repeat(10_000));
        assert!(summary.mails[0].error.as_ref().is_some_and(|why| why.len() <= LONGEST_ERROR));
        let with = |text: &str| {
            let headers = (0..20)
                .map(|number| (format!("X-OTOBO-FollowUp-DynamicField-{number}"), text.repeat(100).into()))
                .collect();
            MessageResult { follow_up: true, headers, ..filed("Raw") }
        };
        for _ in 0..MOST_LISTED {
            summary.add(&past(false), &with("\u{1}then"), &with("\u{1}now"));
        }
        let listed = serde_json::to_string(&summary.mails).unwrap().len();
        assert!((MOST_LISTED_BYTES / 2..=MOST_LISTED_BYTES + 1_000).contains(&listed), "{listed}");
        assert_eq!(summary.mails.len() as i64 + summary.not_listed, MOST_LISTED as i64 + 1);
    }
}
