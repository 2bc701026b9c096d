//! Reading with several statements what is of one instant.

use super::sql::Sql;
use super::{Engine, StoreError};
use sqlx::{Any, AnyConnection, Connection as _, Transaction};

/// A transaction in which everything that is read is of one instant.
pub async fn snapshot(connection: &mut AnyConnection) -> Result<Transaction<'_, Any>, StoreError> {
    let mut snapshot = connection.begin().await?;
    if Engine::of(&snapshot) == Engine::Postgres {
        Sql::new("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut snapshot).await?;
    }
    Ok(snapshot)
}
