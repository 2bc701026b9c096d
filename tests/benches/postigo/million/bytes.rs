//! What the mails take in a database, by table and index.

use crate::report::line;
use sqlx::{Connection, Executor, Row};
use std::path::Path;

/// Tables and indexes that are named, the largest first.
const NAMED: usize = 12;

/// Bytes of a database.
pub struct Bytes {
    /// Of all tables and indexes.
    all: i64,
    /// Those of the mails themselves, as they came.
    own: i64,
    mails: i64,
    /// By table and index, the largest first.
    by_name: Vec<(String, i64)>,
}

const OWN: &str = "SELECT CAST(SUM(size) AS BIGINT), COUNT(*) FROM spool";

/// Of the database in this folder.
pub fn of_sqlite(folder: &Path) -> Bytes {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let url = format!("sqlite://{}", folder.join("postigo.db").display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
        let own = connection.fetch_one(OWN).await.unwrap();
        let rows = connection.fetch_all("SELECT name, SUM(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC").await;
        let by_name: Vec<(String, i64)> = rows.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
        // Pages that nobody has are taken by the next mails.
        let all = by_name.iter().map(|(_, bytes)| bytes).sum();
        Bytes { all, own: own.get(0), mails: own.get(1), by_name }
    })
}

/// Of the database with this URL.
pub fn of_postgres(url: &str) -> Bytes {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        // As autovacuum does by and by.
        connection.execute("VACUUM ANALYZE").await.unwrap();
        let own = connection.fetch_one(OWN).await.unwrap();
        let rows = connection
            .fetch_all(
                "SELECT relname::text, CASE WHEN relkind = 'i' THEN pg_relation_size(pg_class.oid) ELSE pg_table_size(pg_class.oid) END \
                 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
                 WHERE nspname = 'public' AND relkind IN ('r', 'i') ORDER BY 2 DESC",
            )
            .await;
        let by_name: Vec<(String, i64)> = rows.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
        let all = by_name.iter().map(|(_, bytes)| bytes).sum();
        Bytes { all, own: own.get(0), mails: own.get(1), by_name }
    })
}

impl Bytes {
    /// Prints what a mail takes.
    pub fn print(&self) {
        let each = |bytes: i64| bytes as f64 / self.mails.max(1) as f64;
        let baseline = format!("its own {:.0} B, all of it {:.0} B", each(self.own), each(self.all));
        line("bytes a mail beyond its own", &format!("{:.0}", each(self.all - self.own)), "≤ 1,500", &baseline);
        for (name, bytes) in self.by_name.iter().take(NAMED) {
            println!("    {name:<50} {:>10.0} B a mail", each(*bytes));
        }
    }
}
