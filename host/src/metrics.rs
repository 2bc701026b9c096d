//! What Postigo counts, for Prometheus: how filters do, what became of messages, what accounts fetched, what waits in
//! the spool.
//!
//! Whoever does the work records it here; [`crate::http`] shows it at `/metrics`. Label values are names that an admin
//! chose or words of a fixed list, never anything out of a mail, so that a sender cannot grow the number of series.

use crate::oauth2::TokenWatch;
use postigo_model::guest::FailureKind;
use postigo_model::outgoing::OutgoingStatus;
use postigo_model::result::{FilterOutcome, FilterResult, MessageResult, MessageStatus};
use postigo_net::listen::ListenerFigures;
use postigo_supervision as supervision;
use postigo_supervision::Counts;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// From 4 µs, a fresh call of an empty filter, to four seconds, well above any limit that an admin would set for one
/// call.
const LATENCY_BUCKETS: [f64; 11] = [4e-6, 16e-6, 64e-6, 256e-6, 1e-3, 4e-3, 16e-3, 64e-3, 0.25, 1.0, 4.0];

/// The media type that [`Metrics::encode`] writes.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FilterLabel {
    filter: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    filter: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    filter: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FetchLabels {
    account: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AccountLabel {
    account: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OwnerLabels {
    kind: &'static str,
    name: String,
}

/// Bytes, seconds and messages do not come in fractions below zero: a gauge of whole numbers.
type WholeGauge = Gauge<u64, AtomicU64>;

/// The counters of one process. Shared by reference; recording never blocks for long and never fails.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    filter_seconds: Family<FilterLabel, Histogram, fn() -> Histogram>,
    filter_outcomes: Family<OutcomeLabels, Counter>,
    filter_failures: Family<FailureLabels, Counter>,
    filter_memory: Family<FilterLabel, WholeGauge>,
    filter_suspended: Family<FilterLabel, WholeGauge>,
    messages: Family<StatusLabel, Counter>,
    fetches: Family<FetchLabels, Counter>,
    fetched_messages: Family<AccountLabel, Counter>,
    received_messages: Family<FetchLabels, Counter>,
    spool: Family<StatusLabel, WholeGauge>,
    oauth2_refused: Family<OwnerLabels, WholeGauge>,
    oauth2_left: Family<OwnerLabels, WholeGauge>,
    outgoing: Family<StatusLabel, WholeGauge>,
    outgoing_tries: Family<StatusLabel, Counter>,
    outgoing_oldest: WholeGauge,
    jobs: Family<StatusLabel, WholeGauge>,
    jobs_oldest: WholeGauge,
    listeners: ListenerFigures,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// An empty set, all names under `postigo_`.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("postigo"),
            filter_seconds: Family::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS)),
            filter_outcomes: Family::default(),
            filter_failures: Family::default(),
            filter_memory: Family::default(),
            filter_suspended: Family::default(),
            messages: Family::default(),
            fetches: Family::default(),
            fetched_messages: Family::default(),
            received_messages: Family::default(),
            spool: Family::default(),
            oauth2_refused: Family::default(),
            oauth2_left: Family::default(),
            outgoing: Family::default(),
            outgoing_tries: Family::default(),
            outgoing_oldest: WholeGauge::default(),
            jobs: Family::default(),
            jobs_oldest: WholeGauge::default(),
            listeners: ListenerFigures::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register_collector(Box::new(BrokenTasks));
        registry.register_with_unit(
            "filter_duration",
            "All the time of a filter for one message: its own, the host's for it, and waiting for a processor",
            Unit::Seconds,
            self.filter_seconds.clone(),
        );
        registry.register("filter_outcomes", "What came of a filter, by outcome", self.filter_outcomes.clone());
        registry.register("filter_failures", "Failed calls of a filter, by kind", self.filter_failures.clone());
        registry.register_with_unit(
            "filter_memory",
            "Memory of a fresh instance of the filter's group",
            Unit::Bytes,
            self.filter_memory.clone(),
        );
        registry.register("filter_suspended", "1 while the filter is suspended, else 0", self.filter_suspended.clone());
        registry.register("messages", "Messages worked on, by what became of them", self.messages.clone());
        registry.register("fetches", "Fetch runs of an account, by outcome", self.fetches.clone());
        registry.register(
            "fetched_messages",
            "Messages that an account's fetches made durable",
            self.fetched_messages.clone(),
        );
        registry.register(
            "received_messages",
            "Messages that clients brought to a listener's account, by the answer: stored, known, refused, deferred",
            self.received_messages.clone(),
        );
        registry.register_with_unit(
            "oauth2_refused",
            "Time since a provider first refused an access token; 0: it does not",
            Unit::Seconds,
            self.oauth2_refused.clone(),
        );
        registry.register_with_unit(
            "oauth2_refresh_token_left",
            "Time until a refresh token ends if it is not used",
            Unit::Seconds,
            self.oauth2_left.clone(),
        );
        registry.register("spool_messages", "Messages in the spool, by status", self.spool.clone());
        registry.register("outgoing_messages", "Outgoing mails that are not sent, by status", self.outgoing.clone());
        registry.register(
            "outgoing_tries",
            "Tries to send a mail, by what the mail's status was afterwards",
            self.outgoing_tries.clone(),
        );
        registry.register_with_unit(
            "outgoing_oldest",
            "Age of the oldest mail that waits to be sent",
            Unit::Seconds,
            self.outgoing_oldest.clone(),
        );
        registry.register("jobs", "Jobs that wait, run, or failed and are kept, by status", self.jobs.clone());
        registry.register_with_unit(
            "jobs_oldest",
            "Age of the oldest job that waits",
            Unit::Seconds,
            self.jobs_oldest.clone(),
        );
        self.listeners.register(registry);
    }

    /// What listeners count.
    pub fn listeners(&self) -> &ListenerFigures {
        &self.listeners
    }

    /// A try to send a mail has ended; the status is the mail's afterwards.
    pub fn outgoing_done(&self, status: OutgoingStatus) {
        self.outgoing_tries.get_or_create(&StatusLabel { status: status.name().to_owned() }).inc();
    }

    /// How many outgoing mails have which status now, and how many seconds the oldest has waited.
    pub fn outgoing_queue<'s>(&self, statuses: impl IntoIterator<Item = (&'s str, u64)>, oldest: u64) {
        self.outgoing.clear();
        for (status, mails) in statuses {
            self.outgoing.get_or_create(&StatusLabel { status: label(status) }).set(mails);
        }
        self.outgoing_oldest.set(oldest);
    }

    /// How many jobs have which status now, and how many seconds the oldest that waits has waited.
    pub fn jobs<'s>(&self, statuses: impl IntoIterator<Item = (&'s str, u64)>, oldest: u64) {
        for (status, jobs) in statuses {
            self.jobs.get_or_create(&StatusLabel { status: label(status) }).set(jobs);
        }
        self.jobs_oldest.set(oldest);
    }

    /// A message was worked on to its end, and its filters with it.
    pub fn message_done(&self, result: &MessageResult) {
        self.messages.get_or_create(&StatusLabel { status: status_name(result.status).to_owned() }).inc();
        for filter in &result.filters {
            self.filter_done(filter);
        }
    }

    /// Only filters that were called (matched, not matched, failed) have a time worth keeping.
    fn filter_done(&self, result: &FilterResult) {
        let filter = label(&result.name);
        let called = !matches!(result.outcome, FilterOutcome::Suspended | FilterOutcome::NotRun);
        if let Some(micros) = result.micros.filter(|_| called) {
            let took = Duration::from_micros(micros).as_secs_f64();
            self.filter_seconds.get_or_create(&FilterLabel { filter: filter.clone() }).observe(took);
        }
        self.filter_outcomes
            .get_or_create(&OutcomeLabels { filter: filter.clone(), outcome: outcome_name(result.outcome) })
            .inc();
        if let Some(error) = result.error.as_ref().filter(|_| result.outcome == FilterOutcome::Failed) {
            self.filter_failures.get_or_create(&FailureLabels { filter, kind: failure_name(error.kind) }).inc();
        }
    }

    /// The memory, in bytes, of a fresh instance of each filter's group. Filters that are not named any more lose
    /// theirs.
    pub fn filter_memory<'f>(&self, filters: impl IntoIterator<Item = (&'f str, u64)>) {
        self.filter_memory.clear();
        for (filter, bytes) in filters {
            self.filter_memory.get_or_create(&FilterLabel { filter: label(filter) }).set(bytes);
        }
    }

    /// Which filters are suspended. Those that are not named any more lose their figure.
    pub fn filters_suspended<'f>(&self, filters: impl IntoIterator<Item = (&'f str, bool)>) {
        self.filter_suspended.clear();
        for (filter, suspended) in filters {
            self.filter_suspended.get_or_create(&FilterLabel { filter: label(filter) }).set(suspended.into());
        }
    }

    /// A fetch run of an account ended: with so many messages made durable, or with an error.
    pub fn fetched(&self, account: &str, messages: u64, failed: bool) {
        let outcome = if failed { "failed" } else { "successful" };
        self.fetches.get_or_create(&FetchLabels { account: label(account), outcome }).inc();
        self.fetched_messages.get_or_create(&AccountLabel { account: label(account) }).inc_by(messages);
    }

    /// A client that brought a message for an account was answered: `stored`, `known`, `refused`, `deferred`.
    pub fn received(&self, account: &str, outcome: &'static str) {
        self.received_messages.get_or_create(&FetchLabels { account: label(account), outcome }).inc();
    }

    /// How the tokens of accounts and transports stand. Those that are not named any more lose their figures.
    pub fn signed_in(&self, watched: &[TokenWatch]) {
        self.oauth2_refused.clear();
        self.oauth2_left.clear();
        for watched in watched {
            let labels = OwnerLabels { kind: watched.owner.kind(), name: label(watched.owner.name()) };
            self.oauth2_refused.get_or_create(&labels).set(watched.refused_for);
            if let Some(left) = watched.refresh_token_left {
                self.oauth2_left.get_or_create(&labels).set(left);
            }
        }
    }

    /// How many messages of a status are in the spool now.
    pub fn spool_depth(&self, status: &str, messages: u64) {
        self.spool.get_or_create(&StatusLabel { status: label(status) }).set(messages);
    }

    /// The text that Prometheus reads, of the media type [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// The tasks that broke: what [`supervision`] knows of this process.
#[derive(Debug)]
struct BrokenTasks;

impl Collector for BrokenTasks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let counts = supervision::counts();
        let mut counter = |name: &str, help: &str, count: fn(&Counts) -> u64| -> std::fmt::Result {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (work, counts) in &counts {
                metric
                    .encode_family(&[("task", work.name())])?
                    .encode_counter::<NoLabelSet, u64, u64>(&count(counts), None)?;
            }
            Ok(())
        };
        counter("task_panics", "Panics of the daemon's tasks, by kind of task", |counts| counts.panics)?;
        counter("task_ends", "Tasks of the daemon that ended though they were to go on, by kind of task", |counts| {
            counts.ends
        })?;
        let mut broken: BTreeMap<&'static str, u64> = counts.iter().map(|(work, _)| (work.name(), 0)).collect();
        for task in supervision::broken() {
            *broken.entry(task.work.name()).or_default() += 1;
        }
        let help = "Tasks of the daemon that broke and have not shown since that they work, by kind of task";
        let mut metric = encoder.encode_descriptor("tasks_broken", help, None, MetricType::Gauge)?;
        for (task, number) in broken {
            metric.encode_family(&[("task", task)])?.encode_gauge(&number)?;
        }
        Ok(())
    }
}

/// Escapes a label's value (OpenMetrics section 4.1.6.1), which the encoder leaves to its caller.
fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn outcome_name(outcome: FilterOutcome) -> &'static str {
    match outcome {
        FilterOutcome::Matched => "matched",
        FilterOutcome::NotMatched => "not-matched",
        FilterOutcome::Failed => "failed",
        FilterOutcome::Suspended => "suspended",
        FilterOutcome::NotRun => "not-run",
    }
}

fn failure_name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Timeout => "timeout",
        FailureKind::Memory => "memory",
        FailureKind::Trap => "trap",
        FailureKind::Output => "output",
        FailureKind::Denied => "denied",
        FailureKind::HostCalls => "host-calls",
    }
}

fn status_name(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Filed => "filed",
        MessageStatus::Ignored => "ignored",
        MessageStatus::Rejected => "rejected",
        MessageStatus::Held => "held",
        MessageStatus::Duplicate => "duplicate",
        MessageStatus::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::result::FilterError;

    fn message(filter: &str, outcome: FilterOutcome) -> MessageResult {
        let error = FilterError { kind: FailureKind::HostCalls, message: "too many".into() };
        let error = (outcome == FilterOutcome::Failed).then_some(error);
        let filter = FilterResult {
            name: filter.into(),
            outcome,
            stopped: false,
            changes: Vec::new(),
            micros: Some(14),
            error,
            answers: Vec::new(),
            component: None,
            reason: None,
            version: None,
        };
        MessageResult { status: MessageStatus::Filed, filters: vec![filter], ..MessageResult::default() }
    }

    #[test]
    fn every_figure_appears_under_its_name_and_labels() {
        let metrics = Metrics::new();
        metrics.message_done(&message("10 Invoices", FilterOutcome::Matched));
        metrics.message_done(&message("10 Invoices", FilterOutcome::Failed));
        metrics.message_done(&message("20 Never", FilterOutcome::NotRun));
        metrics.filter_memory([("5 Gone", 1)]);
        metrics.filter_memory([("10 Invoices", 65_536)]);
        metrics.filters_suspended([("10 Invoices", true), ("20 Never", false)]);
        metrics.fetched("main", 3, false);
        metrics.spool_depth("held", 2);
        let text = metrics.encode();
        for line in [
            "postigo_filter_duration_seconds_count{filter=\"10 Invoices\"} 2",
            "postigo_filter_outcomes_total{filter=\"10 Invoices\",outcome=\"matched\"} 1",
            "postigo_filter_outcomes_total{filter=\"20 Never\",outcome=\"not-run\"} 1",
            "postigo_filter_failures_total{filter=\"10 Invoices\",kind=\"host-calls\"} 1",
            "postigo_filter_memory_bytes{filter=\"10 Invoices\"} 65536",
            "postigo_filter_suspended{filter=\"10 Invoices\"} 1",
            "postigo_filter_suspended{filter=\"20 Never\"} 0",
            "postigo_messages_total{status=\"filed\"} 3",
            "postigo_fetches_total{account=\"main\",outcome=\"successful\"} 1",
            "postigo_fetched_messages_total{account=\"main\"} 3",
            "postigo_spool_messages{status=\"held\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
        }
        assert!(
            !text.contains("postigo_filter_duration_seconds_count{filter=\"20 Never\"}"),
            "a filter that did not run has no time"
        );
        assert!(!text.contains("5 Gone"));
    }

    #[test]
    fn a_quote_in_a_name_cannot_add_a_label() {
        let metrics = Metrics::new();
        metrics.message_done(&message("a\",x=\"y\n", FilterOutcome::Failed));
        assert!(metrics.encode().contains("{filter=\"a\\\",x=\\\"y\\n\",kind=\"host-calls\"} 1"));
    }
}
