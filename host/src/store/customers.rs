//! Customer users, looked up by sender address or login.

use super::sql::{Sql, pieces};
use super::{Store, StoreError};
use postigo_model::configured::CustomerUser;
use postigo_model::mailbox::Mailbox;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::HashMap;

const COLUMNS: &str = "SELECT login, email, customer_number, first_name, last_name, language FROM customer_user WHERE ";

fn read(row: &AnyRow) -> Result<CustomerUser, StoreError> {
    Ok(CustomerUser {
        login: row.try_get(0)?,
        email: row.try_get(1)?,
        customer_number: row.try_get(2)?,
        first_name: row.try_get(3)?,
        last_name: row.try_get(4)?,
        language: row.try_get(5)?,
    })
}

/// The customer user with this login.
pub async fn by_login(connection: &mut AnyConnection, login: &str) -> Result<Option<CustomerUser>, StoreError> {
    let mut sql = Sql::new(format!("{COLUMNS} login = "));
    sql.bind(login).optional(connection).await?.as_ref().map(read).transpose()
}

/// The customer users of these mailboxes; of several the first by login.
pub async fn with_emails(
    connection: &mut AnyConnection,
    emails: Vec<Mailbox>,
) -> Result<HashMap<Mailbox, CustomerUser>, StoreError> {
    let emails = emails.into_iter().map(String::from).collect();
    let mut found = HashMap::new();
    for user in find(connection, "email_folded", emails).await? {
        found.entry(Mailbox::of(&user.email)).or_insert(user);
    }
    Ok(found)
}

/// The customer users with these logins, by login.
pub async fn with_logins(
    connection: &mut AnyConnection,
    logins: Vec<String>,
) -> Result<HashMap<String, CustomerUser>, StoreError> {
    let found = find(connection, "login", logins).await?;
    Ok(found.into_iter().map(|user| (user.login.clone(), user)).collect())
}

async fn find(
    connection: &mut AnyConnection,
    column: &'static str,
    mut values: Vec<String>,
) -> Result<Vec<CustomerUser>, StoreError> {
    values.sort_unstable();
    values.dedup();
    let mut found = Vec::new();
    for piece in pieces(&values) {
        let mut sql = Sql::new(format!("{COLUMNS} {column} IN "));
        let rows = sql.list(piece).push(" ORDER BY login").all(connection).await?;
        found.extend(rows.iter().map(read).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

/// The stored customer users among these logins.
pub async fn by_logins(store: &Store, logins: impl Iterator<Item = &str>) -> Result<Vec<CustomerUser>, StoreError> {
    let mut connection = store.read().await?;
    let mut found = Vec::new();
    for login in logins {
        found.extend(by_login(&mut connection, login).await?);
    }
    Ok(found)
}

/// At most `limit` customer users after `after` (a login; empty: from the first on), by login.
pub async fn list(store: &Store, after: &str, limit: i64) -> Result<Vec<CustomerUser>, StoreError> {
    let mut sql = Sql::new(format!("{COLUMNS} login > "));
    let rows = sql.bind(after).push(" ORDER BY login LIMIT ").bind(limit).all(&mut *store.read().await?).await?;
    rows.iter().map(read).collect()
}
