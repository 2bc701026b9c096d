//! Whether everybody who works on the database reads packed articles and mails. A host of before they were packed may
//! go on while others are brought up to date; it would take what is packed for what people wrote.

use super::sql::Sql;
use super::{Engine, Store, StoreError};
use sqlx::AnyConnection;
use std::sync::atomic::Ordering;

/// Whether everybody does. A host that does not counts until it said that it ended, or was not seen for a day; whoever
/// works without a daemon, while its leases last.
pub async fn all_read_packed(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    let clock = Engine::of(connection).clock();
    let mut sql = Sql::new(
        "SELECT 1 FROM host WHERE reads_packed = 0 UNION ALL SELECT 1 FROM lease WHERE reads_packed = 0 AND expires_at > ",
    );
    Ok(sql.push(clock).push(" LIMIT 1").optional(connection).await?.is_none())
}

impl Store {
    /// The same, asked until it is so: no earlier version opens a database of this one, so that it stays so.
    pub async fn all_read_packed(&self) -> Result<bool, StoreError> {
        if self.all_read_packed.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let all = all_read_packed(&mut *self.read().await?).await?;
        self.all_read_packed.store(all, Ordering::Relaxed);
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;

    #[tokio::test]
    async fn nothing_is_packed_while_a_host_or_a_command_of_before_works_on_the_database() {
        let (_folder, store, _) = fresh().await;
        let all = async || all_read_packed(&mut store.read().await.unwrap()).await.unwrap();
        assert!(all().await);
        let now = Engine::Sqlite.clock();
        // As they write it.
        store.execute(format!("INSERT INTO host (id, run, name, version, stamp, refused, seen) VALUES ('h', 'r', 'n', 1, 1, '', {now})")).await;
        assert!(!all().await && !store.all_read_packed().await.unwrap());
        store.execute("DELETE FROM host WHERE run = 'r'").await;
        store
            .execute(format!(
                "INSERT INTO lease (account, host, run, expires_at) VALUES ('a', 'h', 'r', {now} + 30000)"
            ))
            .await;
        assert!(!all().await && !store.all_read_packed().await.unwrap());
        store.execute(format!("UPDATE lease SET expires_at = {now} - 1")).await;
        assert!(all().await && store.all_read_packed().await.unwrap());
    }
}
