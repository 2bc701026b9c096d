//! A database is filled, in tenths, and what that took is kept beside it.

use super::corpus::{self, ACCOUNTS, NumberedMail};
use crate::report::{line, once};
use crate::rules::configuration;
use postigo_tests::gate::Gate;
use serde_json::{Value, json};
use sqlx::{Connection, Executor};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Parts that are filed one after the other.
const PARTS: u64 = 10;
/// Fetches that fail, so that there is something to find.
const FAILURES: usize = 20;
/// An account that nothing can be fetched from.
const AWAY: &str = "[[account]]\nname = \"away\"\nprotocol = \"imap\"\nhost = \"127.0.0.1\"\nport = 1\nuser = \"a\"\npassword = \"b\"\n";
/// The file that says what is in a folder.
const NOTE: &str = "filled.json";

/// What is in a database, and how it came there.
pub struct Filled {
    /// Mails.
    pub mails: u64,
    /// When a day's mails began to be filed, had all come within a year; milliseconds since the epoch.
    pub day_before: i64,
    /// Mails a second of the first tenth, of the last, and of bare inserts of the last tenth's bytes.
    rates: [f64; 3],
    /// Whether it was filled just now.
    is_fresh: bool,
}

impl Filled {
    /// What is in this folder, where it is what is asked for.
    pub fn there(folder: &Path, mails: u64, filters: usize) -> Option<Self> {
        let note: Value = serde_json::from_slice(&std::fs::read(folder.join(NOTE)).ok()?).ok()?;
        if note["asked"] != asked(mails, filters) {
            return None;
        }
        let rate = |name: &str| note[name].as_f64();
        let rates = [rate("first")?, rate("last")?, rate("bare")?];
        Some(Self { mails, day_before: note["day_before"].as_i64()?, rates, is_fresh: false })
    }

    /// Prints what filling it took.
    pub fn print(&self) {
        let [first, last, bare] = self.rates;
        let when = if self.is_fresh { "" } else { ", when it was filled" };
        let baseline =
            format!("the first tenth {first:.0}/s, ratio {:.2}; bare grouped inserts {bare:.0}/s{when}", last / first);
        line("filed, the last tenth", &format!("{last:.0}/s"), "≥ 0.9 of it", &baseline);
    }
}

fn asked(mails: u64, filters: usize) -> Value {
    json!({ "corpus": corpus::VERSION, "mails": mails, "filters": filters })
}

/// Fills an empty database.
pub fn fill(gate: &Gate, folder: &Path, mails: u64, filters: usize) -> Filled {
    let accounts =
        ACCOUNTS.map(|account| format!("[[account]]\nname = \"{account}\"\nprotocol = \"local\"\n")).concat();
    gate.configure(&format!("{}{accounts}{AWAY}", configuration(filters)));
    for _ in 0..FAILURES {
        assert!(!gate.try_run(["fetch", "--account", "away"]).status.success(), "nobody listens there");
    }
    // What is compiled once is not what is measured.
    part(gate, 0..1);
    let mut took = Vec::new();
    for tenth in 0..PARTS {
        took.push(part(gate, (mails * tenth / PARTS).max(1)..mails * (tenth + 1) / PARTS));
    }
    let rate = |took: Duration| mails as f64 / PARTS as f64 / took.as_secs_f64();
    let (first, last) = (took[0], took[took.len() - 1]);
    let day = last.mul_f64(PARTS as f64 / 365.0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let day_before = now.saturating_sub(day).as_millis() as i64;
    let rates = [rate(first), rate(last), bare(folder, mails - mails / PARTS..mails)];
    let note = json!({ "asked": asked(mails, filters), "first": rates[0], "last": rates[1], "bare": rates[2], "day_before": day_before });
    std::fs::write(folder.join(NOTE), note.to_string()).unwrap();
    Filled { mails, day_before, rates, is_fresh: true }
}

/// Files these mails; gives the time of the commands.
fn part(gate: &Gate, numbers: std::ops::Range<u64>) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let paths = ACCOUNTS.map(|account| folder.path().join(account));
    let mut files = paths.clone().map(|path| std::io::BufWriter::new(std::fs::File::create(path).unwrap()));
    for number in numbers {
        let NumberedMail { account, text } = corpus::mail(number);
        write!(files[account], "From a@x.example Tue Nov 24 10:00:00 2026\n{}\n", text.replace("\r\n", "\n")).unwrap();
    }
    for file in &mut files {
        file.flush().unwrap();
    }
    let mut took = Duration::ZERO;
    for (account, path) in ACCOUNTS.iter().zip(&paths) {
        if std::fs::metadata(path).unwrap().len() > 0 {
            took += once(|| gate.run(&["ingest", "--account", account, path.to_str().unwrap()])).0;
        }
    }
    took
}

/// The same bytes into one table of SQLite, 64 rows a transaction, `synchronous=FULL`; rows a second.
fn bare(folder: &Path, numbers: std::ops::Range<u64>) -> f64 {
    let path = folder.join("bare.db");
    let raws: Vec<Vec<u8>> = numbers.take(10_000).map(|number| corpus::mail(number).text.into_bytes()).collect();
    let rate = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        connection.execute("PRAGMA journal_mode = WAL").await.unwrap();
        connection.execute("PRAGMA synchronous = FULL").await.unwrap();
        connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, raw BLOB NOT NULL)").await.unwrap();
        let begun = Instant::now();
        for group in raws.chunks(64) {
            let mut transaction = connection.begin().await.unwrap();
            for raw in group {
                sqlx::query("INSERT INTO bare (raw) VALUES ($1)").bind(raw).execute(&mut *transaction).await.unwrap();
            }
            transaction.commit().await.unwrap();
        }
        raws.len() as f64 / begun.elapsed().as_secs_f64()
    });
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("bare.db{ending}")));
    }
    rate
}
