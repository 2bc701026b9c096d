//! Which models are in force, as the configuration has them; and that they go with their filters.

use super::StoreError;
use super::sql::Sql;
use postigo_model::configured::ModelReference;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;

/// The models in force, by filter.
pub(super) async fn all(connection: &mut AnyConnection) -> Result<BTreeMap<String, ModelReference>, StoreError> {
    let sql = "SELECT model.filter, model.number, digest, format FROM model \
               JOIN model_in_force ON model_in_force.filter = model.filter AND model_in_force.number = model.number";
    let read = |row: &AnyRow| {
        let reference = ModelReference { number: row.try_get(1)?, digest: row.try_get(2)?, format: row.try_get(3)? };
        Ok((row.try_get(0)?, reference))
    };
    Sql::new(sql).all(connection).await?.iter().map(read).collect()
}

/// Forgets all models of a filter that is removed.
pub(super) async fn forget(connection: &mut AnyConnection, filter: &str) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM model_bytes WHERE model_id IN (SELECT id FROM model WHERE filter = ");
    sql.bind(filter).push(")").execute(connection).await?;
    for table in ["model", "model_in_force", "model_number"] {
        Sql::new(format!("DELETE FROM {table} WHERE filter = ")).bind(filter).execute(connection).await?;
    }
    Ok(())
}
