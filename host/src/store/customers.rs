//! Customer users, looked up by sender address or login.

use super::StoreError;
use super::sql::Sql;
use crate::config::CustomerUser;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

const COLUMNS: &str = "SELECT login, email, customer_number FROM customer_user WHERE ";

fn read(row: &AnyRow) -> Result<CustomerUser, StoreError> {
    Ok(CustomerUser { login: row.try_get(0)?, email: row.try_get(1)?, customer_number: row.try_get(2)? })
}

/// The customer user with this address, case ignored; of several the first by login.
pub async fn by_email(connection: &mut AnyConnection, email: &str) -> Result<Option<CustomerUser>, StoreError> {
    let mut sql = Sql::new(format!("{COLUMNS} email_folded = "));
    sql.bind(email.to_lowercase()).push(" ORDER BY login LIMIT 1").optional(connection).await?.as_ref().map(read).transpose()
}

/// The customer user with this login.
pub async fn by_login(connection: &mut AnyConnection, login: &str) -> Result<Option<CustomerUser>, StoreError> {
    let mut sql = Sql::new(format!("{COLUMNS} login = "));
    sql.bind(login).optional(connection).await?.as_ref().map(read).transpose()
}
