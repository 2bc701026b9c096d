//! The hosts that do not work yet by a configuration that was saved, as they are shown.

use crate::store::hosts::HostBehind;
use serde::Serialize;
use utoipa::ToSchema;

/// The key under which an answer lists the hosts that do not work yet by what was saved.
pub const BEHIND: &str = "behind";

/// A host that is there and does not work by what was saved yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HostBehind)]
pub struct HostNotYet {
    /// Id of its data folder.
    pub id: String,
    /// The machine's name.
    pub name: String,
    /// The version of the configuration that it works by.
    pub version: i64,
    /// Seconds since it was seen last.
    pub seen_seconds_ago: u64,
    /// Why it cannot take up a later one, where it cannot.
    pub why: Option<String>,
}

impl From<HostBehind> for HostNotYet {
    fn from(HostBehind { host, seen }: HostBehind) -> Self {
        let why = Some(host.refused).filter(|why| !why.is_empty());
        Self { id: host.id, name: host.name, version: host.version.number, seen_seconds_ago: seen.as_secs(), why }
    }
}

impl HostNotYet {
    /// A line for people.
    pub fn sentence(&self) -> String {
        let Self { id, name, version, seen_seconds_ago, why } = self;
        let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        format!("{name} ({id}) works by version {version} still, and was seen {seen_seconds_ago} s ago{why}")
    }
}
