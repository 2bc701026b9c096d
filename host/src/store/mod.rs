//! The state: one schema on SQLite or PostgreSQL, chosen at run time. All SQL of Postigo stands in this module.
//!
//! Reads take a pooled connection. Writes go through [`Store::write`]: on PostgreSQL each is a transaction of its own, repeated when
//! the server reports a serialization failure; on SQLite one writer groups the writes that wait into one transaction, a savepoint each,
//! so that a `synchronous=FULL` commit is shared, in the order in which they were handed over. When `write` returns, its work is durable.

pub mod access;
pub mod broken_tasks;
pub mod communications;
pub mod components;
pub mod configuration;
mod connect;
pub mod counters;
pub mod customers;
pub mod fetch_requests;
pub mod filter_components;
#[cfg(test)]
mod fresh_store;
pub mod idempotency;
mod indexed;
pub mod leases;
pub mod mailboxes;
pub mod oauth2;
pub mod objects;
pub mod outgoing;
mod pinning;
mod respelling;
pub mod spool;
pub mod sql;
pub mod tickets;
mod writer;

pub use connect::Location;

use futures_util::future::BoxFuture;
use postigo_supervision::Panic;
use sqlx::AnyConnection;
use sqlx::AnyPool;
use sqlx::pool::PoolConnection;
use std::sync::Arc;
use tokio::sync::mpsc;

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
    #[error("Writing to the database panicked: {0}. Nothing was changed. This is a fault of Postigo: please report it.")]
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
    /// The folder of large messages.
    #[error("A message could not {doing} {place}: {source}")]
    Object {
        /// What was tried, with its preposition.
        doing: &'static str,
        /// The folder.
        place: String,
        /// Why.
        source: object_store::Error,
    },
}

impl From<sqlx::Error> for StoreError {
    fn from(source: sqlx::Error) -> Self {
        Self::Database { doing: "carry out a statement", source }
    }
}

impl StoreError {
    /// Whether the same may work later, unchanged: the database or the disk is gone, full, locked or busy. Intake then stops, tells its
    /// sources nothing, and resumes by itself.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Database { source, .. } => is_temporary(source),
            Self::Object { source, .. } => !matches!(source, object_store::Error::NotFound { .. }),
            // A shared commit that failed says nothing against this write.
            Self::Commit { .. } | Self::Stopped => true,
            Self::Open { .. }
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
fn causes<'e>(error: &'e (dyn std::error::Error + 'static)) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// SQLSTATE `disk_full`; SQLite's result code `SQLITE_FULL`.
fn is_full(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "53100" || code == "13")
}

fn is_temporary(error: &sqlx::Error) -> bool {
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
        // SQLSTATE classes: connection, transaction rollback, resources, operator intervention, system; a standby that takes no writes,
        // and a transaction that took too long: this machine was busy or asleep.
        return ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class)) || ["25006", "25P03", "25P04"].contains(&code);
    }
    // SQLite's primary result codes: perm, busy, locked, nomem, readonly, ioerr, full, cantopen.
    let primary = code.parse::<u32>().unwrap_or_default() & 0xff;
    [3, 5, 6, 7, 8, 10, 13, 14].contains(&primary)
}

/// Which database is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The embedded default.
    Sqlite,
    /// A server, shared by any number of hosts.
    Postgres,
}

impl Engine {
    /// The database below a connection.
    pub(crate) fn of(connection: &AnyConnection) -> Self {
        if connection.backend_name() == "SQLite" { Self::Sqlite } else { Self::Postgres }
    }

    /// The database's own clock in milliseconds since the epoch, an expression: hosts' clocks differ.
    pub fn clock(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }
}

/// What a write does: the borrowed input, the connection inside a transaction, the result. It may run more than once.
pub type Work<I, T> = for<'c> fn(&'c I, &'c mut AnyConnection) -> BoxFuture<'c, Result<T, StoreError>>;

/// The open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    readers: AnyPool,
    writer: Option<mpsc::Sender<Box<dyn writer::Job>>>,
}

impl Store {
    /// Opens the database, makes it on first use, and brings its schema up to date.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        let (engine, readers, writer) = connect::open(location).await?;
        let store = Self { engine, readers, writer: writer.map(writer::start) };
        pinning::pin_filters(&store).await?;
        Ok(store)
    }

    /// Which database is below.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<PoolConnection<sqlx::Any>, StoreError> {
        self.readers.acquire().await.map_err(|source| StoreError::Database { doing: "give a connection", source })
    }

    /// Runs `work` in a transaction. When this returns `Ok`, it is durable; on `Err`, nothing of it is.
    pub async fn write<I, T>(&self, input: I, work: Work<I, T>) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        match &self.writer {
            Some(writer) => writer::submit(writer, input, work).await,
            None => writer::transaction(&self.readers, &input, work).await,
        }
    }

    /// Runs one statement, for tests that need a row as no code of the program makes it.
    ///
    /// # Panics
    /// If the database refuses it.
    #[cfg(test)]
    pub async fn execute(&self, statement: impl Into<String>) {
        let run: Work<String, u64> =
            |statement, connection| Box::pin(async move { sql::Sql::new(statement.clone()).execute(connection).await });
        self.write(statement.into(), run).await.unwrap();
    }
}
