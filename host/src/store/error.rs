//! Why the database could not do what was asked, and whether that may pass.

use postigo_supervision::Panic;
use std::sync::Arc;

/// A database that could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused, or is not there.
    #[error("The database could not {doing}: {source}. Nothing was changed.")]
    Database {
        /// What was tried, an infinitive.
        doing: &'static str,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// The folder or the schema could not be prepared.
    #[error("The database at {place} could not be opened: {reason}")]
    Open {
        /// Path or URL, without its password.
        place: String,
        /// Why.
        reason: String,
    },
    /// A row holds what this version cannot read.
    #[error("A stored {what} cannot be read: {reason}")]
    Corrupt {
        /// What kind of row.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A secret that cannot be sealed or opened.
    #[error(transparent)]
    Secret(#[from] crate::secret_key::SecretError),
    /// The commit failed that this write shared with others.
    #[error("The database could not commit: {source}. Nothing was changed.")]
    Commit {
        /// The driver's error.
        source: Arc<sqlx::Error>,
    },
    /// The writer has stopped, with the program.
    #[error("The database is shutting down. Nothing was changed.")]
    Stopped,
    /// The code of a write broke; its transaction was rolled back.
    #[error(
        "Writing to the database panicked: {0}. Nothing was changed. This is a fault of Postigo: please report it."
    )]
    Panicked(#[from] Panic),
    /// A rule that only the database can check: a name that exists already, a state that does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// What was named is not there.
    #[error("{0}")]
    NotFound(String),
    /// The claim on a message is no longer in force: another host works on it, or has filed it.
    #[error("The claim on the message is no longer in force; another host has taken over. Nothing was filed.")]
    Fenced,
    /// The folder of large messages could not do what was asked.
    #[error("A large message could not {doing} {place}: {source}")]
    Object {
        /// What was tried, with its preposition.
        doing: &'static str,
        /// The folder.
        place: String,
        /// Why.
        source: object_store::Error,
    },
    /// The folder of large messages is not where it was, or has nothing in it: it may not be mounted.
    #[error(
        "The folder of large messages, {place}, is not as it was left: {reason}. Put it back, or mount it; until then its messages wait."
    )]
    ObjectsAway {
        /// The folder.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder of large messages is there, and the file of one is not.
    #[error(
        "The bytes of a large message are gone: the data folder's `objects` has no file {name}. Put the file back from a backup, or drop the message."
    )]
    ObjectMissing {
        /// Its path below the folder.
        name: String,
    },
    /// The file of a large message has other bytes than were received.
    #[error(
        "The bytes of a large message are damaged: the file {name} in the data folder's `objects` has {found} bytes, and {received} were received. Put the file back from a backup, or drop the message."
    )]
    ObjectDamaged {
        /// Its path below the folder.
        name: String,
        /// Its size, in bytes.
        found: u64,
        /// The message's, in bytes.
        received: u64,
    },
}

/// A value as a row has it, JSON.
pub fn json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt { what, reason: error.to_string() })
}

impl From<sqlx::Error> for StoreError {
    fn from(source: sqlx::Error) -> Self {
        Self::Database { doing: "carry out a statement", source }
    }
}

impl StoreError {
    /// Whether the same may work later, unchanged: the database, the disk or the folder of large messages is gone, full, locked or busy. Intake then
    /// stops, tells its sources nothing, and resumes by itself.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_temporary(source),
            // A shared commit that failed says nothing against this write.
            Self::Object { .. } | Self::ObjectsAway { .. } | Self::Commit { .. } | Self::Stopped => true,
            Self::ObjectMissing { .. }
            | Self::ObjectDamaged { .. }
            | Self::Open { .. }
            | Self::Corrupt { .. }
            | Self::Conflict(_)
            | Self::NotFound(_)
            | Self::Fenced
            | Self::Secret(_)
            | Self::Panicked(_) => false,
        }
    }

    /// Whether there is no room left: the disk of the database or of large messages is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_full(source),
            Self::Commit { source } => is_full(source),
            Self::Object { source, .. } => causes(source).any(|cause| {
                let system = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
                matches!(system, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
            }),
            _ => false,
        }
    }
}

/// An error and what caused it, down to the first cause.
fn causes<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// SQLSTATE `disk_full`; SQLite's result code `SQLITE_FULL`.
fn is_full(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "53100" || code == "13")
}

/// Whether the same may work later.
pub(super) fn is_temporary(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_temporary_code(&code)),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

fn is_temporary_code(code: &str) -> bool {
    if code.len() == 5 {
        // SQLSTATE classes: connection, transaction rollback, resources, operator intervention, system; a standby that
        // takes no writes, and a transaction that took too long: this machine was busy or asleep.
        return ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class))
            || ["25006", "25P03", "25P04"].contains(&code);
    }
    // SQLite's primary result codes: perm, busy, locked, nomem, readonly, ioerr, full, cantopen.
    let primary = code.parse::<u32>().unwrap_or_default() & 0xff;
    [3, 5, 6, 7, 8, 10, 13, 14].contains(&primary)
}
