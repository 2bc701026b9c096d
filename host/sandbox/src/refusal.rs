//! Why a component is not taken, a group not prepared, or the runtime not started: a sentence for the admin each.

use super::contract::{CallFailure, SettingsMistake};
use super::guest_log::one_line;
use serde::{Deserialize, Serialize};

/// Why an upload is refused. Nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadRefusal {
    /// Not WebAssembly, or not valid.
    #[error("this is not a valid WebAssembly module or component: {0}")]
    NotWasm(String),
    /// A core module that does not say which component it is.
    #[error(
        "this core module carries no usable component type ({reason}); build it with the crate postigo-filter or with wit-bindgen \
         against the world {worlds}, or upload a component"
    )]
    NoComponentType {
        /// What is wrong with it.
        reason: String,
        /// The worlds that this host has.
        worlds: String,
    },
    /// It wants something that is not offered here.
    #[error("the component imports `{import}`: {reason}")]
    Import {
        /// The import's name as the component wrote it, with the version it wants.
        import: String,
        /// A sentence with the version wanted and the version here.
        reason: String,
    },
    /// It does not export what a filter must.
    #[error("{0}")]
    Export(String),
    /// What it says of itself breaks a rule.
    #[error("the component's description is not usable: {0}")]
    Description(String),
    /// `describe` failed.
    #[error("the component could not be asked what it is: {0}")]
    Describe(CallFailure),
    /// It could not be compiled within the limits.
    #[error("the component could not be compiled: {0}")]
    Compile(String),
    /// The child process that inspects uploads could not do its work; the upload may be fine.
    #[error("the upload could not be inspected: {0}; try again, and look at the host's log if it stays so")]
    Unavailable(String),
}

/// Bytes of what a refusal repeats of a component, or of what a tool says of it.
const SAID: usize = 1000;

impl UploadRefusal {
    /// The same in one short line each: names inside a component are as long as it likes.
    pub(super) fn shortened(self) -> Self {
        let short = |text: String| one_line(&text, SAID);
        match self {
            Self::NotWasm(text) => Self::NotWasm(short(text)),
            Self::NoComponentType { reason, worlds } => Self::NoComponentType { reason: short(reason), worlds },
            Self::Import { import, reason } => Self::Import { import: short(import), reason: short(reason) },
            Self::Export(text) => Self::Export(short(text)),
            Self::Description(text) => Self::Description(short(text)),
            Self::Describe(CallFailure { kind, message }) => {
                Self::Describe(CallFailure { kind, message: short(message) })
            }
            Self::Compile(text) => Self::Compile(short(text)),
            Self::Unavailable(text) => Self::Unavailable(short(text)),
        }
    }
}

/// Why a group could not be prepared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrepareError {
    /// What the component says of the settings.
    #[error("{}", list(.0))]
    Problems(Vec<SettingsMistake>),
    /// `configure` broke a limit or trapped.
    #[error("the component could not be configured: {0}")]
    Failed(CallFailure),
    /// The component is refused, after an upgrade of the host, say.
    #[error(transparent)]
    Refused(#[from] UploadRefusal),
    /// The host could not do its part: no child process, no room for caches.
    #[error("the filters could not be prepared: {0}")]
    Unavailable(String),
}

/// Why the runtime could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No engine could be made.
    #[error("the WebAssembly engine could not be started: {0}")]
    Engine(String),
    /// The folder of the caches cannot be used.
    #[error("the folder of compiled code {path} could not be used: {source}; give another one by POSTIGO_CACHE")]
    Cache {
        /// The folder.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No thread could be started.
    #[error("the threads for guests could not be started: {0}")]
    Threads(std::io::Error),
}

/// A job on a guest thread ended without a result: a bug in the host, which the log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work on a guest thread ended without a result")]
pub struct LostJob;

impl PrepareError {
    /// The same in one short line each; what the component says of settings is short already.
    pub(super) fn shortened(self) -> Self {
        match self {
            Self::Failed(CallFailure { kind, message }) => {
                Self::Failed(CallFailure { kind, message: one_line(&message, SAID) })
            }
            Self::Refused(refused) => Self::Refused(refused.shortened()),
            Self::Problems(_) | Self::Unavailable(_) => self,
        }
    }
}

fn list(problems: &[SettingsMistake]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl std::fmt::Display for SettingsMistake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = if self.place.is_empty() { "/" } else { &self.place };
        write!(formatter, "filter {:?}, settings at {place}: {}", self.filter, self.reason)
    }
}

impl std::fmt::Display for CallFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.message, self.kind.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_component_is_called_does_not_fill_an_answer_or_a_terminal() {
        let long = "\u{1b}[2Jname ".repeat(100_000);
        let refused = [
            UploadRefusal::NotWasm(long.clone()),
            UploadRefusal::NoComponentType { reason: long.clone(), worlds: String::new() },
            UploadRefusal::Import { import: long.clone(), reason: long.clone() },
            UploadRefusal::Export(long.clone()),
            UploadRefusal::Compile(long),
        ];
        for refused in refused {
            let said = refused.shortened().to_string();
            assert!(said.len() < 3 * SAID && !said.contains('\u{1b}'), "{} bytes", said.len());
        }
    }
}
