//! The error by which the host ends a guest's call.

use postigo_model::guest::FailureKind;

/// Why the host ended a call.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct StopReason {
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

impl StopReason {
    pub(super) fn error(kind: FailureKind, message: impl Into<String>) -> wasmtime::Error {
        wasmtime::Error::new(Self { kind, message: message.into() })
    }
}
