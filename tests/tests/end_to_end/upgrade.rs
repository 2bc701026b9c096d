//! A database that an earlier version made, opened by this one: it shows what that one showed, before its rows are packed
//! and after, with any number of mails, and takes less; and an earlier version does not open one of this.

use postigo_tests::gate::{Daemon, Gate, PATIENCE, is_full};
use postigo_tests::postgres::Postgres;
use serde_json::Value;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// A database of before, copied to where it is opened.
struct OldDatabase {
    gate: Gate,
    url: String,
    answers: Vec<Answer>,
}

/// What the earlier version answered.
struct Answer {
    command: Vec<String>,
    documents: Vec<Value>,
}

fn kept(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("kept/database-27").join(name);
    zstd::decode_all(std::fs::read(path).unwrap().as_slice()).unwrap()
}

fn answers(name: &str) -> Vec<Answer> {
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let command =
            line["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect();
        Answer { command, documents: line["answer"].as_array().unwrap().clone() }
    };
    String::from_utf8(kept(name)).unwrap().lines().map(read).collect()
}

/// Puts the key where a gate looks for it.
fn put_key(engine: &str, gate: &Gate) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("kept/database-27").join(format!("{engine}.key"));
    let mut place = std::fs::OpenOptions::new();
    // Nobody else may read it.
    let mut file = place.write(true).create(true).truncate(true).mode(0o600).open(gate.folder().join("key")).unwrap();
    file.write_all(&std::fs::read(kept).unwrap()).unwrap();
}

impl OldDatabase {
    fn in_sqlite() -> Self {
        let gate = Gate::new();
        let path = gate.folder().join("postigo.db");
        std::fs::write(&path, kept("sqlite.db.zst")).unwrap();
        put_key("sqlite", &gate);
        Self { gate, url: format!("sqlite://{}", path.display()), answers: answers("sqlite.jsonl.zst") }
    }

    fn in_postgres(server: &Postgres) -> Self {
        let url = server.database();
        let gate = Gate::on_postgres(&url, None);
        put_key("postgres", &gate);
        let old = Self { gate, url, answers: answers("postgres.jsonl.zst") };
        old.run(&String::from_utf8(kept("postgres.sql.zst")).unwrap());
        old
    }

    fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite")
    }

    fn with<T>(&self, work: impl AsyncFnOnce(&mut AnyConnection) -> T) -> T {
        sqlx::any::install_default_drivers();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut connection = AnyConnection::connect(&self.url).await.unwrap();
            let done = work(&mut connection).await;
            connection.close().await.unwrap();
            done
        })
    }

    fn run(&self, statements: &str) {
        let statements = AssertSqlSafe(statements.to_owned());
        self.with(async |connection| {
            connection.execute(sqlx::raw_sql(statements)).await.unwrap();
        });
    }

    fn number(&self, statement: &'static str) -> i64 {
        self.with(async |connection| connection.fetch_one(statement).await.unwrap().get(0))
    }

    /// Bytes of the database, once it is written anew without what is free in it.
    fn bytes(&self) -> i64 {
        if self.is_sqlite() {
            self.run("VACUUM");
            return self.number("PRAGMA page_count") * self.number("PRAGMA page_size");
        }
        self.run("VACUUM FULL");
        self.number(
            "SELECT CAST(SUM(pg_total_relation_size(oid)) AS BIGINT) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
        )
    }

    /// Adds so many copies of its messages, tickets, articles and communications, as the earlier version would have
    /// written them.
    fn multiply(&self, copies: u32) {
        // Held ones are long, and two are enough.
        let tables = [
            ("ticket", "1 = 1", [("id", "ticket.id + n * 1000"), ("number", "number || '-' || n")].as_slice()),
            (
                "article",
                "1 = 1",
                &[
                    ("id", "article.id + n * 1000"),
                    ("ticket_id", "ticket_id + n * 1000"),
                    ("spool_id", "spool_id + n * 1000"),
                ],
            ),
            (
                "communication",
                "1 = 1",
                &[
                    ("id", "substr(id, 1, 28) || (10000000 + n)"),
                    ("spool_id", "spool_id + n * 1000"),
                    ("article_id", "article_id + n * 1000"),
                ],
            ),
            (
                "spool_raw",
                "spool_id IN (SELECT id FROM spool WHERE status <> 'held')",
                &[("spool_id", "spool_id + n * 1000")],
            ),
            ("spool", "status <> 'held'", &[("id", "spool.id + n * 1000"), ("source_key", "source_key || '-' || n")]),
        ];
        for (table, condition, replaced) in tables {
            let listed = if self.is_sqlite() {
                format!("SELECT name FROM pragma_table_info('{table}')")
            } else {
                format!("SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}'")
            };
            let columns: Vec<String> = self.with(async |connection| {
                let rows = connection.fetch_all(AssertSqlSafe(listed)).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            });
            let values: Vec<&str> = columns
                .iter()
                .map(|column| {
                    replaced.iter().find(|(name, _)| name == column).map_or(column.as_str(), |(_, value)| value)
                })
                .collect();
            self.run(&format!(
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {copies}) \
                 INSERT INTO {table} ({}) SELECT {} FROM {table}, numbers WHERE {condition}",
                columns.join(", "),
                values.join(", ")
            ));
        }
    }

    /// Runs the commands whose answers are kept, each `step`th of those that show one thing, and gives what they say.
    fn ask(&self, step: usize) -> Vec<(&Answer, Vec<Value>)> {
        let (shows, lists): (Vec<&Answer>, Vec<&Answer>) =
            self.answers.iter().partition(|answer| answer.command.iter().any(|word| word == "show"));
        lists
            .into_iter()
            .chain(shows.into_iter().step_by(step))
            .map(|answer| (answer, self.say(&answer.command)))
            .collect()
    }

    fn say(&self, command: &[String]) -> Vec<Value> {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        self.gate.json(&words)
    }
}

/// Whether an answer of today says all that the one of before said.
fn lost(old: &Value, new: &Value, place: &str, lost_places: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                lost(value, new.get(name).unwrap_or(&Value::Null), &format!("{place}.{name}"), lost_places);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (number, (old, new)) in old.iter().zip(new).enumerate() {
                lost(old, new, &format!("{place}[{number}]"), lost_places);
            }
        }
        _ if old == new => {}
        _ => lost_places.push(format!("{place}: {old} became {new}")),
    }
}

fn nothing_is_lost(when: &str, asked: &[(&Answer, Vec<Value>)]) {
    let mut places = Vec::new();
    for (answer, documents) in asked {
        let all = |documents: &[Value]| Value::Array(documents.to_vec());
        lost(&all(&answer.documents), &all(documents), &answer.command.join(" "), &mut places);
    }
    assert!(places.is_empty(), "{when}:\n{}", places.join("\n"));
}

/// Waits until a daemon has packed all.
fn packed(daemon: &Daemon) {
    let end = Instant::now() + if is_full() { Duration::from_hours(2) } else { PATIENCE };
    loop {
        let line = daemon.lines.recv_timeout(end.saturating_duration_since(Instant::now())).expect("it packs all");
        if line.contains("the mails of earlier versions are packed") {
            return;
        }
    }
}

/// Nothing comes into the log while it is compared.
fn fetch_no_more(gate: &Gate) {
    gate.run(&["account", "set", "away", "valid=false"]);
}

fn upgraded(old: &OldDatabase) {
    let step = if is_full() { 1 } else { 9 };
    let before = old.ask(step);
    nothing_is_lost("before its rows are packed", &before);
    fetch_no_more(&old.gate);
    let daemon = old.gate.serve("warn,postigo=info");
    packed(&daemon);
    daemon.stop();
    let after = old.ask(step);
    for ((answer, before), (_, after)) in
        before.iter().zip(&after).filter(|((answer, _), _)| answer.command[0] != "account")
    {
        assert_eq!(before, after, "{}", answer.command.join(" "));
    }
    assert_eq!(old.number("SELECT COUNT(*) FROM article WHERE detail <> ''"), 0);
    assert_eq!(old.number("SELECT COUNT(*) FROM communication WHERE entries <> '[]'"), 0);
    assert_eq!(old.number("SELECT COUNT(*) FROM spool WHERE result IS NOT NULL"), 0);
    assert_eq!(old.number("SELECT COUNT(*) FROM spool_raw WHERE packed = 0"), 0);
}

#[test]
fn a_database_of_an_earlier_version_shows_what_that_one_showed_before_it_is_packed_and_after() {
    upgraded(&OldDatabase::in_sqlite());
    if let Some(server) = Postgres::start() {
        upgraded(&OldDatabase::in_postgres(&server));
    }
}

/// The beginnings of lists, and single things among all the copies.
const COMMANDS: [&[&str]; 9] = [
    &["ticket", "list", "--limit", "60"],
    &["ticket", "list", "--search", "invoice", "--limit", "60"],
    &["spool", "list", "--limit", "60"],
    &["spool", "list", "--status", "filed", "--limit", "60"],
    &["log", "list", "--limit", "60"],
    &["log", "list", "--search", "jane1", "--limit", "60"],
    &["log", "list", "--priority", "warning", "--limit", "60"],
    &["spool", "show", "1005"],
    &["article", "show", "1004"],
];

fn multiplied(what: &str, old: &OldDatabase, mails: i64) {
    let own = old.number("SELECT COUNT(*) FROM spool");
    old.multiply(u32::try_from(mails / own).unwrap().max(1));
    let count = old.number("SELECT COUNT(*) FROM spool");
    let bytes = old.bytes();
    let begun = Instant::now();
    old.gate.run(&["queue", "list"]);
    let migrated = begun.elapsed();
    fetch_no_more(&old.gate);
    let ask = || COMMANDS.map(|command| old.gate.json(command));
    let before = ask();
    let begun = Instant::now();
    let daemon = old.gate.serve("warn,postigo=info");
    packed(&daemon);
    let packing = begun.elapsed();
    daemon.stop();
    for (command, (before, after)) in COMMANDS.iter().zip(before.iter().zip(&ask())) {
        assert_eq!(before, after, "{command:?}");
        assert!(!after.is_empty(), "{command:?}");
    }
    let smaller = old.bytes();
    println!(
        "{what}: {count} mails, migrated in {migrated:.1?}, packed in the background in {packing:.1?}, {} B a mail became {}",
        bytes / count,
        smaller / count
    );
    assert!(smaller < bytes * 9 / 10, "{bytes} bytes became {smaller}");
}

#[test]
fn a_database_of_many_mails_shows_the_same_after_it_is_packed_and_takes_less() {
    let mails = if is_full() { 100_000 } else { 300 };
    multiplied("SQLite", &OldDatabase::in_sqlite(), mails);
    if let Some(server) = Postgres::start() {
        multiplied("PostgreSQL", &OldDatabase::in_postgres(&server), mails);
    }
}

fn later_is_refused(gate: &Gate, url: &str) {
    gate.run(&["queue", "list"]);
    let database = OldDatabase { gate: Gate::new(), url: url.to_owned(), answers: Vec::new() };
    database.run(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    );
    for command in [["queue", "list"].as_slice(), &["serve", "--listen", "127.0.0.1:0"]] {
        let output = gate.try_run(command);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{command:?}");
        assert!(
            told.contains("by a later version of Postigo") && told.contains("Run that version or a later one"),
            "{told}"
        );
    }
}

#[test]
fn a_database_of_a_later_version_is_refused_with_a_sentence() {
    let gate = Gate::new();
    later_is_refused(&gate, &format!("sqlite://{}", gate.folder().join("postigo.db").display()));
    if let Some(server) = Postgres::start() {
        let url = server.database();
        later_is_refused(&Gate::on_postgres(&url, None), &url);
    }
}
