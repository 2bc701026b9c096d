//! What is counted of listeners, for Prometheus. A listener's name is the endpoint that an admin chose.

use super::Descriptors;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

/// Why a client's connection was closed before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The listener has as many clients as it may have, all of them being served.
    Full,
    /// Its address has as many connections as one may have.
    Address,
    /// It waited longest when all places were taken and others came.
    Displaced,
    /// Its message came slowest when all places were taken and others came.
    Slow,
    /// The system could not give a connection.
    Failed,
}

impl CloseReason {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Address => "address",
            Self::Displaced => "displaced",
            Self::Slow => "slow",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabel {
    listener: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    listener: String,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

/// Connections and descriptors, counted. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct ListenerFigures {
    connections: Family<ListenerLabel, Gauge>,
    refused: Family<RefusalLabels, Counter>,
    descriptors: Family<KindLabel, Gauge<u64, AtomicU64>>,
}

impl ListenerFigures {
    /// Names them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("connections", "Clients that are connected to a listener", self.connections.clone());
        let refused =
            "Clients of a listener that were turned away or had to leave: full, address, displaced, slow, failed";
        registry.register("connections_refused", refused, self.refused.clone());
        registry.register(
            "descriptors",
            "Descriptors that the process may have, and those of them that listeners' clients never take",
            self.descriptors.clone(),
        );
    }

    /// What the process may have open.
    pub fn descriptors(&self, descriptors: &Descriptors) {
        for (kind, count) in [("all", descriptors.limit()), ("kept-back", descriptors.kept_back())] {
            self.descriptors.get_or_create(&KindLabel { kind }).set(count as u64);
        }
    }

    /// How many clients of a listener were turned away or had to leave for this reason.
    pub fn refused(&self, listener: &str, reason: CloseReason) -> u64 {
        self.refused.get_or_create(&labels(listener, reason)).get()
    }

    pub(super) fn refuse(&self, listener: &str, reason: CloseReason) {
        self.refused.get_or_create(&labels(listener, reason)).inc();
    }

    pub(super) fn connections(&self, listener: &str, change: i64) {
        self.connections.get_or_create(&ListenerLabel { listener: listener.to_owned() }).inc_by(change);
    }
}

fn labels(listener: &str, reason: CloseReason) -> RefusalLabels {
    RefusalLabels { listener: listener.to_owned(), reason: reason.name() }
}
