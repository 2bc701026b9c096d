//! The databases that each promise is tested on.

use postigo::spool::Spool;
use postigo::store::{Location, Store};
use postigo_model::spool::{Arrival, SourceKey};
use postigo_tests::postgres::Postgres;
use sqlx::{Connection as _, Row as _};

/// A data folder for SQLite, and a PostgreSQL where it is installed.
pub struct Databases {
    folder: tempfile::TempDir,
    pub postgres: Option<Postgres>,
}

/// One of them, empty, with the spool on it.
pub struct Database {
    pub location: Location,
    pub spool: Spool,
    pub folder: tempfile::TempDir,
}

impl Databases {
    pub fn start() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), postgres: Postgres::start() }
    }

    /// An empty database on each engine.
    pub async fn each(&self) -> Vec<Database> {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let mut locations = vec![Location::Folder(folder.path().to_owned())];
        locations.extend(self.postgres.as_ref().map(|postgres| Location::Postgres(postgres.database())));
        let mut databases = Vec::new();
        let mut folder = Some(folder);
        for location in locations {
            let folder = folder.take().unwrap_or_else(|| tempfile::tempdir_in(self.folder.path()).unwrap());
            let store = Store::open(&location).await.unwrap();
            databases.push(Database { location, spool: Spool::open(store, folder.path()).unwrap(), folder });
        }
        databases
    }
}

impl Database {
    pub fn store(&self) -> &Store {
        self.spool.store()
    }

    /// Changes rows by hand.
    pub async fn execute(&self, statement: &'static str) {
        sqlx::query(statement).execute(&mut self.connection().await).await.unwrap();
    }

    /// The first column, a text, of the rows that a statement finds.
    pub async fn texts(&self, statement: &'static str) -> Vec<String> {
        let rows = sqlx::query(statement).fetch_all(&mut self.connection().await).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn connection(&self) -> sqlx::AnyConnection {
        let url = match &self.location {
            Location::Folder(folder) => format!("sqlite://{}/postigo.db", folder.display()),
            Location::Postgres(url) => url.clone(),
        };
        sqlx::AnyConnection::connect(&url).await.unwrap()
    }
}

/// A small mail that arrived under this key.
pub fn arrival(account: &str, key: SourceKey, raw: impl Into<Vec<u8>>) -> Arrival {
    Arrival {
        account: account.into(),
        key,
        source: "INBOX".into(),
        received_at: 1_795_000_000_000,
        recipients: Vec::new(),
        communication: None,
        raw: raw.into().into(),
    }
}

/// Bytes of a mail with that Message-ID.
pub fn mail(id: &str) -> String {
    format!("Message-ID: <{id}@example.org>\r\nSubject: {id}\r\n\r\nHello.\r\n")
}
