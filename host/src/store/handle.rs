//! The open database: reading from it, and writing to it.

#[cfg(test)]
use super::sql;
use super::writer::{self, WriteWork};
use super::{Engine, StoreError};
use sqlx::AnyPool;
use sqlx::pool::PoolConnection;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::mpsc;

/// The open database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) engine: Engine,
    pub(super) readers: AnyPool,
    pub(super) writer: Option<mpsc::Sender<Box<dyn writer::WriteJob>>>,
    /// Whether it is known that everybody reads packed articles and mails.
    pub(super) all_read_packed: Arc<AtomicBool>,
}

impl Store {
    /// Which database is below.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// A connection for reading.
    pub async fn read(&self) -> Result<PoolConnection<sqlx::Any>, StoreError> {
        self.readers.acquire().await.map_err(|source| StoreError::Database { doing: "give a connection", source })
    }

    /// Runs `work` in a transaction. When this returns `Ok`, it is durable; on `Err`, nothing of it is.
    pub async fn write<I, T>(&self, input: I, work: WriteWork<I, T>) -> Result<T, StoreError>
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
        let run: WriteWork<String, u64> =
            |statement, connection| Box::pin(async move { sql::Sql::new(statement.clone()).execute(connection).await });
        self.write(statement.into(), run).await.unwrap();
    }
}
