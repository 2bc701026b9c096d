//! What a guest may use, and by what it fails.

use std::time::Duration;

/// Limits of a filter; each has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct GuestLimits {
    /// The guest's own time in a call.
    pub time: Duration,
    /// Bytes over all memories of an instance.
    pub memory: u64,
}

impl Default for GuestLimits {
    fn default() -> Self {
        Self { time: Duration::from_millis(250), memory: 64 << 20 }
    }
}

/// Which limit or rule a call broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The guest's own time, or the whole call's.
    Timeout,
    /// Memory or tables.
    Memory,
    /// A trap, or an error that the guest returned.
    Trap,
    /// A result that does not fit the contract.
    Output,
    /// Something that was not granted.
    Denied,
    /// Too many host calls.
    HostCalls,
}

impl FailureKind {
    /// Its name in results, log and REST.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Trap => "trap",
            Self::Output => "output",
            Self::Denied => "denied",
            Self::HostCalls => "host-calls",
        }
    }
}
