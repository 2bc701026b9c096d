//! What became of a message: the JSON object that `ingest`, `fetch`, REST and the spool show.

use crate::answer_result::AnswerResult;
use crate::guest::FailureKind;
use crate::plan_version::{ChainTrace, FilterVersion, PlanVersion};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// What became of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    /// New ticket or follow-up.
    Filed,
    /// `X-OTOBO-Ignore`.
    Ignored,
    /// A follow-up that the queue refuses.
    Rejected,
    /// A filter with `on_failure = "hold"` failed, or three tries did.
    Held,
    /// This very message of this account was filed before.
    Duplicate,
    /// Nothing could be stored.
    #[default]
    Failed,
}

/// One JSON object a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct MessageResult {
    /// Where it came from: `box.mbox#3`.
    pub source: String,
    /// Message-ID header.
    pub message_id: Option<String>,
    /// Id of its communication.
    pub communication: Option<String>,
    /// What became of it.
    pub status: MessageStatus,
    /// Whether it followed up a ticket.
    pub follow_up: bool,
    /// Which check found the ticket.
    pub why_follow_up: Option<crate::ticket::WhyFollowUp>,
    /// The ticket as it is afterwards: number …
    pub ticket_number: Option<String>,
    /// … row id …
    pub ticket_id: Option<i64>,
    /// The article's row id.
    pub article_id: Option<i64>,
    /// Queue.
    pub queue: Option<String>,
    /// What decided the queue.
    pub queue_by: Option<String>,
    /// State.
    pub state: Option<String>,
    /// Priority.
    pub priority: Option<String>,
    /// Type.
    pub r#type: Option<String>,
    /// Service.
    pub service: Option<String>,
    /// Service level agreement.
    pub sla: Option<String>,
    /// Lock.
    pub lock: Option<String>,
    /// Owner.
    pub owner: Option<String>,
    /// Responsible.
    pub responsible: Option<String>,
    /// Customer's number.
    pub customer_number: Option<String>,
    /// Customer user.
    pub customer_user: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Sender type of the article.
    pub sender_type: Option<String>,
    /// Whether the customer sees the article.
    pub visible_for_customer: Option<bool>,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub pending_until: Option<String>,
    /// Dynamic fields, lists only.
    pub dynamic_fields: BTreeMap<String, Vec<String>>,
    /// `X-OTOBO-*` in force after the chain; a string, or a list for a `multiple` dynamic field.
    pub headers: BTreeMap<String, Value>,
    /// `queued`, `suppressed`, null.
    pub auto_response: Option<crate::ticket::AutoResponseStatus>,
    /// Every valid filter in the order of the chain. Where the result was read from the spool, those that neither matched
    /// nor failed nor were suspended come from the plan's version.
    pub filters: Vec<FilterResult>,
    /// Number of the plan's version, hexadecimal: messages with the same one were judged by the same filters. Where the
    /// result was read from the spool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Sentences that name the header and the value.
    pub warnings: Vec<String>,
    /// Why it failed or is held, a sentence.
    pub error: Option<String>,
}

impl MessageResult {
    /// The result of a message that waits for an admin, with the reason, a sentence.
    pub fn held(source: &str, reason: String) -> Self {
        Self { source: source.to_owned(), status: MessageStatus::Held, error: Some(reason), ..Self::default() }
    }

    /// The same with these filters: those that are here, of which there may be hundreds, are not copied.
    #[must_use]
    pub fn with_filters(&self, filters: Vec<FilterResult>) -> Self {
        Self {
            filters,
            state: self.state.clone(),
            priority: self.priority.clone(),
            r#type: self.r#type.clone(),
            service: self.service.clone(),
            sla: self.sla.clone(),
            lock: self.lock.clone(),
            owner: self.owner.clone(),
            responsible: self.responsible.clone(),
            customer_number: self.customer_number.clone(),
            customer_user: self.customer_user.clone(),
            title: self.title.clone(),
            sender_type: self.sender_type.clone(),
            visible_for_customer: self.visible_for_customer,
            pending_until: self.pending_until.clone(),
            dynamic_fields: self.dynamic_fields.clone(),
            headers: self.headers.clone(),
            queue_by: self.queue_by.clone(),
            auto_response: self.auto_response,
            plan: self.plan.clone(),
            warnings: self.warnings.clone(),
            error: self.error.clone(),
            ..self.in_short()
        }
    }

    /// What of it is kept when the rest is forgotten: what became of the message, its Message-ID, ticket and article.
    #[must_use]
    pub fn in_short(&self) -> Self {
        Self {
            source: self.source.clone(),
            message_id: self.message_id.clone(),
            communication: self.communication.clone(),
            status: self.status,
            follow_up: self.follow_up,
            why_follow_up: self.why_follow_up,
            ticket_number: self.ticket_number.clone(),
            ticket_id: self.ticket_id,
            article_id: self.article_id,
            queue: self.queue.clone(),
            ..Self::default()
        }
    }
}

/// What a filter did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FilterResult {
    /// Its name.
    pub name: String,
    /// What came of it.
    pub outcome: FilterOutcome,
    /// Whether the chain ended here.
    pub stopped: bool,
    /// What it set.
    pub changes: Vec<HeaderChange>,
    /// Microseconds, all that it took: its own time, the host's for it, and waiting for a processor. Null where that is
    /// not kept: of a filter that did not match or was not run, once the result is read from the spool.
    #[schema(required)]
    pub micros: Option<u64>,
    /// Why it failed.
    pub error: Option<FilterError>,
    /// Of a classifier that was asked, what came of its answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<AnswerResult>,
    /// In a dry run the component that ran: a shipped one's name, or `name@version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// In a dry run what the filter says of its own finding: of `match`, which condition held, which failed, and the value
    /// that was compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where a message of the spool is shown by itself, what judged it: the component's version, and which settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<FilterVersion>,
}

/// What came of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FilterOutcome {
    /// It matched.
    Matched,
    /// It did not.
    NotMatched,
    /// It failed; its failure policy followed.
    Failed,
    /// Its breaker is open.
    Suspended,
    /// The chain had stopped.
    NotRun,
}

/// A header that a filter set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HeaderChange {
    /// Canonical name.
    pub header: String,
    /// Value.
    pub value: String,
}

/// Why a filter failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FilterError {
    /// Which limit or rule.
    pub kind: FailureKind,
    /// A sentence.
    pub message: String,
}

impl ChainTrace {
    /// What became of a filter whose outcome is not kept itself, by its place in the chain.
    pub fn outcome(&self, place: usize) -> FilterOutcome {
        untold(self.ran, place)
    }
}

fn untold(ran: usize, place: usize) -> FilterOutcome {
    if place < ran { FilterOutcome::NotMatched } else { FilterOutcome::NotRun }
}

impl FilterResult {
    /// Of a filter of which nothing is known but its outcome.
    pub fn new(name: impl Into<String>, outcome: FilterOutcome) -> Self {
        Self {
            name: name.into(),
            outcome,
            stopped: false,
            changes: Vec::new(),
            micros: None,
            error: None,
            answers: Vec::new(),
            component: None,
            reason: None,
            version: None,
        }
    }
}

impl PlanVersion {
    /// All filters of a chain of which `ran` ran, where the results of some are kept. The others have no time.
    pub fn results(&self, ran: usize, kept: Vec<FilterResult>) -> Vec<FilterResult> {
        let mut kept: HashMap<String, FilterResult> =
            kept.into_iter().map(|result| (result.name.clone(), result)).collect();
        let results = self.filters.iter().enumerate().map(|(place, filter)| {
            kept.remove(&filter.name).unwrap_or_else(|| FilterResult::new(filter.name.as_str(), untold(ran, place)))
        });
        results.collect()
    }

    /// Gives results of this plan's filters, in its order, their versions.
    pub fn add_versions(&self, results: &mut [FilterResult]) {
        for (result, filter) in results.iter_mut().zip(&self.filters) {
            if result.name == filter.name {
                result.version = Some(filter.version.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan_version::ChainMember;

    fn member(name: &str) -> ChainMember {
        let version = FilterVersion { component: "match".into(), version: "1.0.0".into(), ..FilterVersion::default() };
        ChainMember { name: name.to_owned(), version }
    }

    #[test]
    fn a_result_with_other_filters_is_otherwise_the_same() {
        let text = || Some("said".to_owned());
        // Every field by its name: one that is added is to be kept too.
        let whole = MessageResult {
            source: "a".into(),
            message_id: text(),
            communication: text(),
            status: MessageStatus::Held,
            follow_up: true,
            why_follow_up: Some(crate::ticket::WhyFollowUp::Body),
            ticket_number: text(),
            ticket_id: Some(1),
            article_id: Some(2),
            queue: text(),
            queue_by: text(),
            state: text(),
            priority: text(),
            r#type: text(),
            service: text(),
            sla: text(),
            lock: text(),
            owner: text(),
            responsible: text(),
            customer_number: text(),
            customer_user: text(),
            title: text(),
            sender_type: text(),
            visible_for_customer: Some(false),
            pending_until: text(),
            dynamic_fields: [("A".to_owned(), Vec::new())].into(),
            headers: [("X-OTOBO-A".to_owned(), Value::Null)].into(),
            auto_response: Some(crate::ticket::AutoResponseStatus::Queued),
            filters: vec![FilterResult::new("a", FilterOutcome::Matched)],
            plan: text(),
            warnings: vec!["w".into()],
            error: text(),
        };
        assert_eq!(whole.with_filters(whole.filters.clone()), whole);
        assert_eq!(whole.with_filters(Vec::new()), MessageResult { filters: Vec::new(), ..whole });
    }

    #[test]
    fn what_is_not_kept_did_not_match_or_was_not_run_and_has_no_time() {
        let plan = PlanVersion { filters: ["a", "b", "c", "d"].map(member).to_vec() };
        let whole = |name: &str| plan.results(4, Vec::new()).into_iter().find(|result| result.name == name).unwrap();
        let matched = FilterResult { outcome: FilterOutcome::Matched, stopped: true, micros: Some(7), ..whole("b") };
        let mut results = plan.results(2, vec![matched.clone()]);
        let outcomes: Vec<_> = results.iter().map(|result| (result.outcome, result.micros)).collect();
        assert_eq!(
            outcomes,
            [
                (FilterOutcome::NotMatched, None),
                (FilterOutcome::Matched, Some(7)),
                (FilterOutcome::NotRun, None),
                (FilterOutcome::NotRun, None)
            ]
        );
        assert_eq!(results[1], matched);
        plan.add_versions(&mut results);
        assert_eq!(results[3].version.as_ref().map(FilterVersion::title).as_deref(), Some("match@1.0.0, settings "));
    }
}
