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

impl GuestLimits {
    /// Bytes that a filter with assets has where its memory is left at the default: models are large.
    const MEMORY_WITH_ASSETS: u64 = 256 << 20;

    /// The same for a filter that was given assets.
    #[must_use]
    pub fn with_assets(self) -> Self {
        if self.memory == Self::default().memory { Self { memory: Self::MEMORY_WITH_ASSETS, ..self } } else { self }
    }
}

/// What a filter may do beside reading headers and setting what anybody's filter may set, by WIT `description.grants` and a filter's key `grants`.
///
/// In the order in which they are shown.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// The text and the HTML.
    Body,
    /// The attachments.
    Attachments,
    /// The message's bytes as they were received.
    Raw,
    /// That what follows from a classifier's answers may end a mail's way: ignore it, answer nobody, close its ticket.
    /// It is the host's to look at, so that no component asks for it, and no guest is told.
    Final,
}

impl Grant {
    /// All that there are.
    pub const ALL: [Self; 4] = [Self::Body, Self::Attachments, Self::Raw, Self::Final];
    /// Those that a component may ask for, and its guest is told of.
    pub const OF_GUESTS: [Self; 3] = [Self::Body, Self::Attachments, Self::Raw];

    /// Its name in the contract, in configuration, log and REST.
    pub fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Attachments => "attachments",
            Self::Raw => "raw",
            Self::Final => "final",
        }
    }

    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }

    /// Their names, to be shown: `body, raw`.
    pub fn list(grants: &[Self]) -> String {
        grants.iter().map(|grant| grant.name()).collect::<Vec<_>>().join(", ")
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
