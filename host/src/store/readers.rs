//! Whether everybody who works on the database reads packed articles and mails, articles over their mails among them, and
//! says which communications it changes. A program of before may go on while others are brought up to date; it would take
//! what is packed for what people wrote, or for damaged.

use super::sql::Sql;
use super::{Engine, Store, StoreError, WriteWork};
use sqlx::AnyConnection;
use std::sync::atomic::Ordering;

/// Whether a program of before works on the database. A host counts until it said that it ended, or was not seen for a
/// day; whoever works without a daemon, while its leases last. What `reads_over_mail` names is the run that wrote the row:
/// an earlier program that takes a row over leaves it as it is, and the row's run is another then.
pub async fn an_earlier_version_works(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    let clock = Engine::of(connection).clock();
    let mut sql = Sql::new("SELECT 1 FROM host WHERE reads_over_mail <> run");
    sql.push(" UNION ALL SELECT 1 FROM lease WHERE reads_over_mail <> run AND expires_at > ").push(clock);
    Ok(sql.push(" LIMIT 1").optional(connection).await?.is_some())
}

/// Whether everybody reads what is packed.
pub async fn all_read_packed(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    Ok(!an_earlier_version_works(connection).await?)
}

/// Removes what hosts of before said of themselves, where it is known that none works: they ended without a word.
pub async fn forget_earlier_hosts(store: &Store) -> Result<(), StoreError> {
    let forget: WriteWork<(), ()> = |(), connection| {
        Box::pin(async move {
            Sql::new("DELETE FROM host WHERE reads_over_mail <> run").execute(connection).await?;
            Ok(())
        })
    };
    store.write((), forget).await
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
    use crate::store::hosts::{self, HostState};
    use crate::store::leases::{self, Host};
    use postigo_model::configured::ConfigurationVersion;

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

    #[tokio::test]
    async fn a_program_of_before_that_takes_over_a_row_of_this_version_is_known_for_what_it_is() {
        let (_folder, store, _) = fresh().await;
        let works = async || an_earlier_version_works(&mut store.read().await.unwrap()).await.unwrap();
        let version = ConfigurationVersion { number: 1, stamp: 1 };
        let said = |run: &str| HostState {
            id: "h".into(),
            run: run.into(),
            name: "n".into(),
            version,
            refused: String::new(),
        };
        let host = Host { id: "h".into(), run: "this".into() };
        hosts::say(&store, &said("this")).await.unwrap();
        let take: WriteWork<Host, bool> =
            |host, connection| Box::pin(leases::take(connection, Engine::Sqlite, host, "main"));
        assert!(store.write(host, take).await.unwrap());
        assert!(!works().await);
        // As versions of before write over a row that is there.
        let soon = format!("{} + 30000", Engine::Sqlite.clock());
        store
            .execute(format!(
                "INSERT INTO lease (account, host, run, expires_at) VALUES ('main', 'h', 'before', {soon}) \
                 ON CONFLICT (account) DO UPDATE SET host = excluded.host, run = excluded.run, expires_at = excluded.expires_at"
            ))
            .await;
        assert!(works().await, "its lease");
        store.execute("DELETE FROM lease").await;
        assert!(!works().await);
        let before = "INSERT INTO host (id, run, name, version, stamp, refused, seen) VALUES ('h', 'before', 'n', 1, 1, '', 1) \
                      ON CONFLICT (id) DO UPDATE SET run = excluded.run, seen = excluded.seen";
        store.execute(before).await;
        assert!(works().await, "its daemon");
        hosts::say(&store, &said("next")).await.unwrap();
        assert!(!works().await, "it was brought up to date");
        store.execute(before).await;
        forget_earlier_hosts(&store).await.unwrap();
        assert!(!works().await, "nobody works on the database");
    }
}
