//! How a database is opened: its schema is brought up to date, and what earlier versions left is settled.

use super::{Location, Store, StoreError, connect, pinning, writer};
use std::sync::Arc;

impl Store {
    /// Opens the database, makes it on first use, and brings its schema up to date.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        let (engine, readers, writer) = connect::open(location).await?;
        let store = Self { engine, readers, writer: writer.map(writer::start), all_read_packed: Arc::default() };
        pinning::pin_filters(&store).await?;
        Ok(store)
    }
}
