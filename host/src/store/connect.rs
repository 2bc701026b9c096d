//! Where the state lies, and how it is opened and brought up to date.

use super::error::is_temporary;
use super::{Engine, StoreError, respelling};
use oauth2::url::form_urlencoded;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use postigo_files::data_folder;
use postigo_net::redaction::Redactor;
use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Row, SqlSafeStr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the state lies.
#[derive(Debug, Clone)]
pub enum Location {
    /// SQLite: `postigo.db` in this folder.
    Folder(PathBuf),
    /// `postgres://…`.
    Postgres(String),
}

/// The schema's steps, in order. `{id}`, `{bytes}`, `{by_key}` (rows lie in the order of their key, without another
/// index) and `{clock}` (milliseconds since the epoch) are the only words that differ between the two databases.
const STEPS: &[(i64, &str, &str)] = &[
    (1, "configuration", include_str!("migrations/0001_configuration.sql")),
    (2, "messages", include_str!("migrations/0002_messages.sql")),
    (3, "access", include_str!("migrations/0003_access.sql")),
    (4, "outgoing", include_str!("migrations/0004_outgoing.sql")),
    (5, "oauth2", include_str!("migrations/0005_oauth2.sql")),
    (6, "mailbox", include_str!("migrations/0006_mailbox.sql")),
    (7, "together", include_str!("migrations/0007_together.sql")),
    (8, "answers", include_str!("migrations/0008_answers.sql")),
    (9, "uidl", include_str!("migrations/0009_uidl.sql")),
    (10, "sent bytes", include_str!("migrations/0010_sent_bytes.sql")),
    (11, "intake", include_str!("migrations/0011_intake.sql")),
    (12, "component schema", include_str!("migrations/0012_component_schema.sql")),
    (13, "put off", include_str!("migrations/0013_put_off.sql")),
    (15, "activated", include_str!("migrations/0015_activated.sql")),
    (16, "one form of addresses", include_str!("migrations/0016_one_form_of_addresses.sql")),
    (17, "vouched", include_str!("migrations/0017_vouched.sql")),
    (18, "broken tasks", include_str!("migrations/0018_broken_tasks.sql")),
    (19, "adopted", include_str!("migrations/0019_adopted.sql")),
    (20, "people again", include_str!("migrations/0020_people_again.sql")),
    (21, "deleted components", include_str!("migrations/0021_deleted_components.sql")),
    (22, "hosts", include_str!("migrations/0022_hosts.sql")),
    (23, "failures", include_str!("migrations/0023_failures.sql")),
    (24, "stamp", include_str!("migrations/0024_stamp.sql")),
    (25, "host run", include_str!("migrations/0025_host_run.sql")),
    (26, "held before", include_str!("migrations/0026_held_before.sql")),
    (27, "changed", include_str!("migrations/0027_changed.sql")),
    (28, "answers to", include_str!("migrations/0028_answers_to.sql")),
    (29, "mails in the log", include_str!("migrations/0029_mails_in_the_log.sql")),
    (30, "empty fetches", include_str!("migrations/0030_empty_fetches.sql")),
    (31, "packed", include_str!("migrations/0031_packed.sql")),
    (32, "sums", include_str!("migrations/0032_sums.sql")),
    (33, "actors", include_str!("migrations/0033_actors.sql")),
    (34, "jobs", include_str!("migrations/0034_jobs.sql")),
    (35, "small", include_str!("migrations/0035_small.sql")),
    (36, "ticket changes", include_str!("migrations/0036_ticket_changes.sql")),
    (37, "feedback", include_str!("migrations/0037_feedback.sql")),
    (38, "models", include_str!("migrations/0038_models.sql")),
    (39, "over mail", include_str!("migrations/0039_over_mail.sql")),
];

/// Two processes that open a new database at once both try to make the schema: one of them comes second and tries
/// again.
const TRIES: u32 = 20;

/// Opens the database: engine, pool for reading, and on SQLite the writer's pool of one.
pub async fn open(location: &Location) -> Result<(Engine, AnyPool, Option<AnyPool>), StoreError> {
    sqlx::any::install_default_drivers();
    let mut tried = 0;
    loop {
        tried += 1;
        match open_once(location).await {
            Err((_, true)) if tried < TRIES => tokio::time::sleep(Duration::from_millis(50)).await,
            Err((error, _)) => return Err(error),
            Ok(opened) => return Ok(opened),
        }
    }
}

/// A host that is stopped or cut off in the middle of a transaction must not lock the others out for longer than its
/// leases last.
const ABANDONED: &str = "SET idle_in_transaction_session_timeout = '10s'";

/// Each statement sees what was committed before it, whatever the server's default is: claims and sums rely on it.
const COMMITTED: &str = "SET default_transaction_isolation = 'read committed'";

/// An error, and whether it may be that another process makes the schema just now.
type ConnectFailure = (StoreError, bool);

async fn open_once(location: &Location) -> Result<(Engine, AnyPool, Option<AnyPool>), ConnectFailure> {
    match location {
        Location::Folder(folder) => {
            let place = std::path::absolute(folder.join("postigo.db")).unwrap_or_else(|_| folder.join("postigo.db"));
            let failed = |reason: String| StoreError::Open { place: place.display().to_string(), reason };
            make_file(folder, &place).map_err(|error| (failed(error.to_string()), false))?;
            let url = format!("sqlite://{}?mode=rwc", percent_encode(place.as_os_str().as_encoded_bytes(), IN_PATH));
            let writer =
                sqlite(1).connect(&url).await.map_err(|error| (failed(error.to_string()), is_temporary(&error)))?;
            migrate(&writer, Engine::Sqlite).await.map_err(|error| (failed(told(&error)), raced(&error)))?;
            respelling::carry_out(&writer).await.map_err(|error| (failed(error.to_string()), error.is_temporary()))?;
            let readers = sqlite(8).connect_lazy(&url).map_err(|error| (failed(error.to_string()), false))?;
            Ok((Engine::Sqlite, readers, Some(writer)))
        }
        Location::Postgres(url) => {
            let redactor = redactor(url);
            let failed =
                |reason: String| StoreError::Open { place: without_password(url), reason: redactor.redact(&reason) };
            let options = AnyPoolOptions::new().max_connections(24).acquire_timeout(Duration::from_secs(10));
            let options = options.after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::query(ABANDONED).execute(&mut *connection).await?;
                    sqlx::query(COMMITTED).execute(connection).await?;
                    Ok(())
                })
            });
            let pool = options.connect(url).await.map_err(|error| (failed(error.to_string()), false))?;
            migrate(&pool, Engine::Postgres).await.map_err(|error| (failed(told(&error)), raced(&error)))?;
            respelling::carry_out(&pool).await.map_err(|error| (failed(error.to_string()), error.is_temporary()))?;
            Ok((Engine::Postgres, pool, None))
        }
    }
}

/// Makes folder and file where they are missing. SQLite gives its other files (log, index of the log, journal) the mode
/// of the database; those that are there already are closed with it.
fn make_file(folder: &Path, database: &Path) -> std::io::Result<()> {
    data_folder::make(folder)?;
    data_folder::open_private(database)?;
    for ending in ["-wal", "-shm", "-journal"] {
        let mut name = database.as_os_str().to_owned();
        name.push(ending);
        data_folder::close(Path::new(&name));
    }
    Ok(())
}

/// What stands as it is in a path of a URL.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'_').remove(b'-');

/// What is removed can be given back in steps. It counts for a database that is made new, or is written anew by VACUUM.
pub(super) const GIVES_BACK: &str = "PRAGMA auto_vacuum = INCREMENTAL";

fn sqlite(connections: u32) -> AnyPoolOptions {
    const PRAGMAS: [&str; 7] = [
        "PRAGMA busy_timeout = 10000",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        // 16 MiB of log between two checkpoints: a checkpoint syncs the database file too.
        "PRAGMA wal_autocheckpoint = 4096",
        "PRAGMA cache_size = -16384",
        // What a flood of writes left of the log is given back, down to 32 MiB.
        "PRAGMA journal_size_limit = 33554432",
    ];
    let options = AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false);
    options.after_connect(|connection, _| {
        Box::pin(async move {
            // Of a database that is there already it would be a write for each connection, and none could be made while
            // the disk is full.
            let pages: i64 = sqlx::query("PRAGMA page_count").fetch_one(&mut *connection).await?.try_get(0)?;
            if pages == 0 {
                sqlx::query(GIVES_BACK).execute(&mut *connection).await?;
            }
            for pragma in PRAGMAS {
                sqlx::query(pragma).execute(&mut *connection).await?;
            }
            Ok(())
        })
    })
}

async fn migrate(pool: &AnyPool, engine: Engine) -> Result<(), MigrateError> {
    let mut migrator = Migrator::with_migrations(steps(engine));
    // No advisory locks: not everything that speaks PostgreSQL's protocol has them. Who comes second tries again.
    migrator.set_locking(false);
    migrator.run(pool).await
}

/// The schema's steps in the words of a database. A database that has one checks that its text is the same: these words
/// never change.
fn steps(engine: Engine) -> Vec<Migration> {
    let (id, bytes, by_key, clock) = match engine {
        Engine::Sqlite => {
            ("INTEGER PRIMARY KEY", "BLOB", " WITHOUT ROWID", "CAST(unixepoch('subsec') * 1000 AS INTEGER)")
        }
        Engine::Postgres => (
            "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
            "BYTEA",
            "",
            "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        ),
    };
    let step = |(version, name, text): &(i64, &'static str, &str)| {
        let text = text.replace("{id}", id).replace("{bytes}", bytes).replace("{by_key}", by_key);
        let text = AssertSqlSafe(text.replace("{clock}", clock)).into_sql_str();
        Migration::new(*version, (*name).into(), MigrationType::Simple, text, false)
    };
    STEPS.iter().map(step).collect()
}

/// Why the schema could not be brought up to date, a sentence.
fn told(error: &MigrateError) -> String {
    match error {
        MigrateError::VersionMissing(step) => format!(
            "it was brought up to date by a later version of Postigo (step {step} of its schema is not known here), and an earlier one cannot work on it. \
             Run that version or a later one, or restore the copy of the database that was made before the upgrade."
        ),
        error => error.to_string(),
    }
}

/// Whether another process made the schema at the same time: what this one makes exists already, or is locked. Each
/// step is a transaction of its own.
fn raced(error: &MigrateError) -> bool {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            // What is to be made is there already, and what is to be replaced is gone.
            let told = ["already exists", "duplicate column name", "no such index", "does not exist"];
            let text = error.to_string();
            is_temporary(error) || told.iter().any(|told| text.contains(told)) || is_unique_violation(error)
        }
        _ => false,
    }
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// The URL as it may be shown: without password, and without its parameters, which may hold one too.
fn without_password(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return "the database".into() };
    match rest.rsplit_once('@') {
        Some((login, place)) => format!("{scheme}://{}@{place}", login.split(':').next().unwrap_or_default()),
        None => url.to_owned(),
    }
}

/// What takes a URL's passwords out of the server's words, written in it with percent signs or plainly.
fn redactor(url: &str) -> Redactor {
    let (before, parameters) = url.split_once('?').unwrap_or((url, ""));
    let login = before.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(login, _)| login);
    let own = login.and_then(|login| login.split_once(':')).map(|(_, password)| password);
    let decoded = own.and_then(|own| {
        form_urlencoded::parse(format!("={}", own.replace('+', "%2B")).as_bytes())
            .map(|(_, own)| own.into_owned())
            .next()
    });
    let named = form_urlencoded::parse(parameters.as_bytes())
        .filter(|(name, _)| name == "password")
        .map(|(_, value)| value.into_owned());
    Redactor::of(own.map(str::to_owned).into_iter().chain(decoded).chain(named).map(|clear| ("password", clear)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::hexadecimal::hexadecimal;

    #[test]
    fn a_servers_words_about_a_url_are_shown_without_its_passwords() {
        let redactor = redactor("postgres://jo:p%40ss-wd@db.example.org/mail?password=other%26one");
        let words = redactor.redact("no entry for jo with \"p@ss-wd\" or p%40ss-wd or other&one");
        assert_eq!(words, "no entry for jo with \"[the password]\" or [the password] or [the password]");
    }

    #[test]
    fn a_url_is_shown_without_secrets() {
        assert_eq!(
            without_password("postgres://jo:p@ss/wd@db.example.org/mail?password=x"),
            "postgres://jo@db.example.org/mail"
        );
        assert_eq!(without_password("postgres://db.example.org/mail"), "postgres://db.example.org/mail");
        assert_eq!(without_password("p@ss"), "the database");
    }

    #[test]
    fn the_steps_of_the_schema_are_as_they_were_when_databases_took_them() {
        let pinned: Vec<&str> = include_str!("migrations/checksums.txt").lines().collect();
        let beginning = |migration: &Migration| hexadecimal(&migration.checksum[..8]);
        let of_both = steps(Engine::Sqlite).into_iter().zip(steps(Engine::Postgres));
        let told: Vec<String> = of_both
            .map(|(sqlite, postgres)| format!("{} {} {}", sqlite.version, beginning(&sqlite), beginning(&postgres)))
            .collect();
        let others: Vec<&String> = told.iter().filter(|line| !pinned.contains(&line.as_str())).collect();
        assert!(
            others.is_empty(),
            "a step that was released never changes; of a new one this is to be added: {others:?}"
        );
        assert_eq!(told.len(), pinned.len(), "a step is gone");
    }

    #[tokio::test]
    async fn a_database_of_a_later_version_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        let (_, _, writer) = open(&location).await.unwrap();
        let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, x'00', 0)";
        sqlx::query(later).execute(&writer.unwrap()).await.unwrap();
        let told = open(&location).await.unwrap_err().to_string();
        assert!(
            told.contains("by a later version of Postigo (step 9999") && told.contains("Run that version"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn a_folder_of_any_name_can_be_opened_by_many_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().join("a ?%20#é"));
        let opened = futures_util::future::join_all((0..4).map(|_| open(&location))).await;
        assert!(opened.iter().all(Result::is_ok), "{opened:?}");
        assert!(folder.path().join("a ?%20#é/postigo.db").exists());
    }
}
