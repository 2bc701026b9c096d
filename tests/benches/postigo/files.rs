//! Messages from files into tickets, durable, beside what the disk and the database do alone.

use super::report::{line, once, section};
use super::rules::{configuration, mails};
use postigo_tests::gate::Gate;
use postigo_tests::postgres::Postgres;
use sqlx::{Connection, Executor};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const MESSAGES: usize = 6_000;

pub fn run() {
    section(&format!("{MESSAGES} messages from a file into tickets, 20 filters, durable"));
    let folder = tempfile::tempdir().unwrap();
    let mbox = folder.path().join("box.mbox");
    write_mbox(&mbox);
    let flushes = flushes(folder.path());
    let bare = bare(folder.path());
    let sqlite = ingest(&Gate::new(), &mbox);
    let baseline = format!("bare grouped inserts {bare:.0}/s, ratio {:.2}; fdatasync {flushes:.0}/s", sqlite / bare);
    line("into SQLite", &format!("{sqlite:.0}/s"), "≥ 0.35 of it", &baseline);
    if let Some(server) = Postgres::start() {
        let postgres = ingest(&Gate::on_postgres(&server.database(), None), &mbox);
        let baseline = format!("into SQLite {sqlite:.0}/s, ratio {:.2}", postgres / sqlite);
        line("into PostgreSQL", &format!("{postgres:.0}/s"), "–", &baseline);
    }
}

fn write_mbox(path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let raws = mails();
    for number in 0..MESSAGES {
        let raw = String::from_utf8(raws[number % raws.len()].to_vec()).unwrap();
        let raw = raw.replace("<bench", &format!("<{number}.bench")).replace("\r\n", "\n");
        write!(file, "From jane@customer.example Tue Nov 24 10:00:00 2026\n{raw}\n").unwrap();
    }
    file.flush().unwrap();
}

fn ingest(gate: &Gate, mbox: &Path) -> f64 {
    gate.configure(&configuration(20));
    let (took, lines) = once(|| gate.json(&["ingest", mbox.to_str().unwrap()]));
    assert!(lines.iter().all(|line| line["status"] == "filed"), "every message is filed");
    assert_eq!(lines.len(), MESSAGES);
    lines.len() as f64 / took.as_secs_f64()
}

/// The same bytes into one table of SQLite, 64 rows a transaction, `synchronous=FULL`.
fn bare(folder: &Path) -> f64 {
    let raws = mails();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let url = format!("sqlite://{}?mode=rwc", folder.join("bare.db").display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        connection.execute("PRAGMA journal_mode = WAL").await.unwrap();
        connection.execute("PRAGMA synchronous = FULL").await.unwrap();
        connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, raw BLOB NOT NULL)").await.unwrap();
        let begun = Instant::now();
        for group in 0..MESSAGES / 64 {
            let mut transaction = connection.begin().await.unwrap();
            for number in 0..64 {
                let raw = raws[(group + number) % raws.len()].to_vec();
                sqlx::query("INSERT INTO bare (raw) VALUES ($1)").bind(raw).execute(&mut *transaction).await.unwrap();
            }
            transaction.commit().await.unwrap();
        }
        (MESSAGES / 64 * 64) as f64 / begun.elapsed().as_secs_f64()
    })
}

/// Appends of 4 KiB, each synced.
fn flushes(folder: &Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("flushes")).unwrap();
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        file.write_all(&[b'x'; 4096]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}
