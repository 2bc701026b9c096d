//! What whoever asks may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything but tokens.
    Reader,
    /// Reads, works on tickets and customer users, submits mail.
    Agent,
    /// Reads, makes dry runs, uploads components that wait for an admin to activate them, and writes filters of
    /// activated and shipped ones, without grants that only an admin gives.
    Author,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles, from the least to the most trusted.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Agent, Self::Author, Self::Admin];
    /// Who works on tickets and customer users.
    pub const AGENTS: &'static [Self] = &[Self::Agent, Self::Admin];
    /// Who writes filters.
    pub const AUTHORS: &'static [Self] = &[Self::Author, Self::Admin];
    /// Who configures everything else.
    pub const ADMINS: &'static [Self] = &[Self::Admin];

    /// The role's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Agent => "agent",
            Self::Author => "author",
            Self::Admin => "admin",
        }
    }
}

/// A name that is no role's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("There is no role \"{0}\"; the roles are admin, author, agent and reader.")]
pub struct UnknownRole(String);

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| UnknownRole(name.to_owned()))
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
