//! The plain types in which the sandbox speaks with the rest: no type of wasmtime among them.

use postigo_mail::Mail;
use postigo_model::guest::Grant;
use postigo_model::guest::{FailureKind, GuestLimits};
use postigo_model::hexadecimal::hexadecimal;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a component says of itself (WIT `description`), with its digest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ComponentDescription {
    /// SHA-256 of the uploaded bytes, hexadecimal.
    pub digest: String,
    /// The component's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// JSON Schema of a filter's settings.
    pub settings_schema: serde_json::Value,
    /// The grants it wants.
    pub grants: Vec<Grant>,
    /// What components of its world alone say, beside the rest where it is written.
    #[serde(flatten)]
    pub of_world: WorldDescription,
}

/// What components of one world alone say, of themselves or once they are configured: keys and values, which the world's own file gives and reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct WorldDescription(serde_json::Map<String, serde_json::Value>);

impl WorldDescription {
    /// What a world's type of its own has to say.
    pub(super) fn of(said: &impl serde::Serialize) -> Self {
        match serde_json::to_value(said) {
            Ok(serde_json::Value::Object(said)) => Self(said),
            _ => Self::default(),
        }
    }

    /// The same as that type; nothing where it is another world's.
    pub(super) fn read<T: serde::de::DeserializeOwned + Default>(&self) -> T {
        T::deserialize(&self.0).unwrap_or_default()
    }
}

/// A mistake in the settings of one filter.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SettingsMistake {
    /// The filter's name.
    pub filter: String,
    /// JSON Pointer into its settings.
    pub place: String,
    /// What is wrong, a sentence.
    pub reason: String,
}

/// How messages start from a configured group.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct GroupStart {
    /// Bytes over all memories of a configured instance.
    pub(super) memory: u64,
    /// Why there is no snapshot; none where there is one.
    pub(super) unsnapshotable: Option<String>,
    /// What components of its world alone say once they are configured.
    #[serde(default)]
    pub(super) of_world: WorldDescription,
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CallFailure {
    /// Which limit or rule.
    pub kind: FailureKind,
    /// A sentence for the log.
    pub message: String,
}

impl CallFailure {
    /// With what the guest wrote last, where it wrote something.
    #[must_use]
    pub(super) fn with_last_words(mut self, wrote: &str) -> Self {
        if !wrote.is_empty() {
            self.message = format!("{}; it wrote: {wrote}", self.message);
        }
        self
    }
}

/// A line that a guest logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `debug`, `info`, `notice`, `warning`, `error`.
    pub priority: &'static str,
    /// At most 1 KiB.
    pub text: String,
}

/// One filter of a group as it is to be configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// The filter's name.
    pub name: Arc<str>,
    /// Its settings.
    pub settings: serde_json::Value,
    /// What the admin gave it besides, each under a name of its own.
    pub assets: Vec<Asset>,
}

impl GroupMember {
    /// A filter without assets.
    pub fn new(name: impl Into<Arc<str>>, settings: serde_json::Value) -> Self {
        Self { name: name.into(), settings, assets: Vec::new() }
    }
}

/// Bytes that a filter reads while it is configured: a model, a word list. At most 64 MiB.
///
/// Two of the same name, digest and format are the same.
#[derive(Clone)]
pub struct Asset {
    /// What the component calls it: `model`.
    pub name: Arc<str>,
    /// SHA-256 of the bytes, hexadecimal.
    pub digest: String,
    /// Which bytes these are, by whoever made them; may be empty.
    pub format: String,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

impl Asset {
    /// An asset of these bytes, with their digest.
    pub fn new(name: impl Into<Arc<str>>, format: impl Into<String>, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { name: name.into(), digest: hexadecimal(&Sha256::digest(&bytes)), format: format.into(), bytes }
    }
}

impl PartialEq for Asset {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.digest, &self.format) == (&other.name, &other.digest, &other.format)
    }
}

impl Eq for Asset {}

impl fmt::Debug for Asset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, digest, format, bytes } = self;
        write!(formatter, "Asset({name:?}, {format:?}, {} bytes, {digest})", bytes.len())
    }
}

/// What a call gave: the mail back, how long it took, what the guest logged, and the result.
pub struct CallReport<T> {
    /// The mail, handed back.
    pub mail: Box<Mail>,
    /// The guest's own time: without what the host did for it, and without its start.
    pub own: Duration,
    /// The time of its host calls.
    pub host: Duration,
    /// Whether the call was broken off, by nobody's fault, because the host's other guests left no room for it. It may
    /// be made again.
    pub no_room: bool,
    /// The guest's log lines.
    pub log: Vec<LogLine>,
    /// The result.
    pub result: Result<T, CallFailure>,
}

/// A group as it is to be prepared: filters of one component with the same grants and limits.
#[derive(Debug, Clone)]
pub struct GroupSpec {
    /// The component, as [`Inspection::component`] gave it.
    pub component: Arc<[u8]>,
    /// [`ComponentDescription::digest`] of it.
    pub digest: String,
    /// The filters, in the order of the chain; their index here names them in calls.
    pub members: Vec<GroupMember>,
    /// What they were granted: `body`, `attachments`, `raw`.
    pub grants: Vec<Grant>,
    /// Their limits.
    pub limits: GuestLimits,
}

/// A component that may be stored and used.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// What it says of itself, checked.
    pub description: ComponentDescription,
    /// The component; made of the uploaded bytes where these were a core module.
    pub component: Vec<u8>,
    /// Why it cannot be snapshotted, a sentence; none where it can.
    pub unsnapshotable: Option<String>,
}

/// What a message pays for a group.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Cost {
    /// Bytes over all memories of a fresh instance.
    pub memory: u64,
    /// Whether messages start from a snapshot; otherwise from instances that are configured ahead, which costs more.
    pub snapshot: bool,
    /// Whether the fast engine runs it; the plain one does where the component needs more than a slot of the pool has.
    pub pooled: bool,
    /// Why it costs more than usual, a sentence; empty where it does not.
    pub because: String,
}
