//! Leases: one host works on an account at a time, by the database's clock.

use super::claims::LEASE;
use super::spool;
use super::sql::Sql;
use super::{Engine, Store, StoreError, communications};
use sqlx::{AnyConnection, Row};

/// Who works: a data folder, which one process at a time holds (by its lock file), and the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Of the data folder: the same after a restart.
    pub id: String,
    /// Of the process.
    pub run: String,
}

impl Host {
    /// This process, working on the data folder of that id.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), run: uuid::Uuid::now_v7().to_string() }
    }
}

/// The right to work on an account's messages. It ends by itself; work done after that is stopped by the claims'
/// fences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Account name.
    pub account: String,
    /// Who holds it.
    pub host: Host,
}

struct LeaseQuery {
    engine: Engine,
    host: Host,
    accounts: Vec<String>,
}

impl LeaseQuery {
    fn new(store: &Store, host: &Host, accounts: &[String]) -> Self {
        Self { engine: store.engine(), host: host.clone(), accounts: accounts.to_vec() }
    }
}

/// Takes the lease of an account that is free, has run out, is held already, or was held by an earlier run of this
/// host; false where it is another's. What a former holder had claimed waits again, each message for a process of its
/// own.
pub async fn take(
    connection: &mut AnyConnection,
    engine: Engine,
    host: &Host,
    account: &str,
) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT run FROM lease WHERE account = ");
    let row = sql.bind(account).optional(connection).await?;
    let before: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    let mut sql =
        Sql::new("INSERT INTO lease (account, host, run, reads_packed, reads_over_mail, expires_at) VALUES (");
    sql.bind(account).push(", ").bind(&host.id);
    for _ in ["run", "reads_packed", "reads_over_mail"] {
        sql.push(", ").bind(&host.run);
    }
    LEASE.from_now(sql.push(", "), engine);
    sql.push(") ON CONFLICT (account) DO UPDATE SET host = excluded.host, run = excluded.run, reads_packed = excluded.reads_packed, reads_over_mail = excluded.reads_over_mail, expires_at = excluded.expires_at WHERE ");
    LEASE.free_for(&mut sql, engine, ("lease.host", &host.id));
    if sql.execute(connection).await? == 0 {
        return Ok(false);
    }
    if before.as_ref() == Some(&host.run) {
        return Ok(true);
    }
    spool::after_unclean_end(connection, account).await?;
    communications::end_abandoned(connection, account).await?;
    Ok(true)
}

/// Renews all leases of a process that nobody took over; gives the accounts that it still holds.
pub async fn renew(store: &Store, host: &Host) -> Result<Vec<String>, StoreError> {
    store
        .write(LeaseQuery::new(store, host, &[]), |asked, connection| {
            Box::pin(async move {
                let mut sql = Sql::new("UPDATE lease SET expires_at = ");
                LEASE
                    .from_now(&mut sql, asked.engine)
                    .push(" WHERE run = ")
                    .bind(&asked.host.run)
                    .push(" RETURNING account");
                sql.all(connection).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
            })
        })
        .await
}

/// Gives leases back; without names all of the process's. What is still claimed under them waits again, its try not
/// counted.
pub async fn release(store: &Store, host: &Host, accounts: &[String]) -> Result<(), StoreError> {
    store
        .write(LeaseQuery::new(store, host, accounts), |asked, connection| {
            Box::pin(async move {
                let mut sql = Sql::new("DELETE FROM lease WHERE run = ");
                sql.bind(&asked.host.run);
                if !asked.accounts.is_empty() {
                    sql.push(" AND account IN ").list(&asked.accounts);
                }
                for row in sql.push(" RETURNING account").all(connection).await? {
                    spool::unclaim(connection, row.try_get(0)?).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Whether a lease is still this process's own, and stays so until the end of the transaction.
pub async fn is_held(connection: &mut AnyConnection, lease: &Lease) -> Result<bool, StoreError> {
    let mut sql = Sql::new("UPDATE lease SET run = run WHERE account = ");
    Ok(sql.bind(&lease.account).push(" AND run = ").bind(&lease.host.run).execute(connection).await? == 1)
}

/// The id of the host that holds the lease of an account now, if any does.
pub async fn holder(store: &Store, account: &str) -> Result<Option<String>, StoreError> {
    let mut sql = Sql::new("SELECT host FROM lease WHERE account = ");
    LEASE.running(sql.bind(account).push(" AND "), store.engine());
    let row = sql.optional(&mut *store.read().await?).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// The leases in force: account and id of the host that holds it.
pub async fn in_force(store: &Store) -> Result<Vec<(String, String)>, StoreError> {
    let mut sql = Sql::new("SELECT account, host FROM lease WHERE ");
    let rows = LEASE.running(&mut sql, store.engine()).all(&mut *store.read().await?).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
