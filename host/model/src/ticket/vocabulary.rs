//! The names that exist everywhere: states with their types, priorities, locks, sender types (OTOBO's initial data).

use serde::{Deserialize, Serialize};

/// The state of a removed ticket.
pub const REMOVED: &str = "removed";

/// Every state with its type.
const STATES: [(&str, StateType); 9] = [
    ("new", StateType::New),
    ("open", StateType::Open),
    ("closed successful", StateType::Closed),
    ("closed unsuccessful", StateType::Closed),
    ("pending reminder", StateType::PendingReminder),
    ("pending auto close+", StateType::PendingAuto),
    ("pending auto close-", StateType::PendingAuto),
    (REMOVED, StateType::Removed),
    ("merged", StateType::Merged),
];

/// The priorities; the third is the default.
pub const PRIORITIES: [&str; 5] = ["1 very low", "2 low", "3 normal", "4 high", "5 very high"];
/// The priority of a ticket that names none.
pub const DEFAULT_PRIORITY: &str = "3 normal";
/// The locks.
pub const LOCKS: [&str; 3] = ["unlock", "lock", "tmp_lock"];
/// A title has at most so many characters.
pub const LONGEST_TITLE: usize = 191;

/// Who wrote an article.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SenderType {
    /// Somebody of the helpdesk.
    Agent,
    /// Postigo itself, or another program.
    System,
    /// Somebody who writes to the helpdesk.
    #[default]
    Customer,
}

impl SenderType {
    const ALL: [Self; 3] = [Self::Agent, Self::System, Self::Customer];

    /// Its name, as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::System => "system",
            Self::Customer => "customer",
        }
    }

    /// The one of this name. Names are compared exactly.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// What kind of state a state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StateType {
    /// Nobody has looked at it.
    New,
    /// In work.
    Open,
    /// Done.
    Closed,
    /// Someone is to be reminded.
    PendingReminder,
    /// It closes by itself.
    PendingAuto,
    /// Not a ticket any more.
    Removed,
    /// Another ticket stands for it.
    Merged,
}

impl StateType {
    /// The type of a state; none where there is no such state. Names are compared exactly.
    pub fn of(state: &str) -> Option<Self> {
        STATES.iter().find(|(name, _)| *name == state).map(|(_, state_type)| *state_type)
    }

    /// Its name: `new`, `open`, `closed`, `pending reminder`, `pending auto`, `removed`, `merged`.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::Closed => "closed",
            Self::PendingReminder => "pending reminder",
            Self::PendingAuto => "pending auto",
            Self::Removed => "removed",
            Self::Merged => "merged",
        }
    }

    /// Whether a ticket waits for a time in such a state.
    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingReminder | Self::PendingAuto)
    }

    /// Whether a queue's follow-up option is asked in such a state.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Closed | Self::Removed)
    }
}

/// The names of all states.
pub fn states() -> impl Iterator<Item = &'static str> {
    STATES.iter().map(|(name, _)| *name)
}

/// Cuts a title at its greatest length.
pub fn cut_title(title: &str) -> String {
    title.chars().take(LONGEST_TITLE).collect()
}
