//! `store`: the database itself.

use super::{CommandError, Context};
use crate::store::compacting::{self, DatabaseSize};
use crate::store::readers;
use crate::store::repacking::{self, OldRows, PackingStep};
use crate::worker::WorkLock;
use serde_json::json;
use std::time::{Duration, Instant};

/// `store …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Pack the rows of earlier versions now, and write a SQLite database anew without what is free in it. The daemon must
    /// not run; there must be room for twice the database beside it, and for one more in SQLite's temporary folder
    /// (SQLITE_TMPDIR, else TMPDIR, /var/tmp)
    Compact,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::Compact => compact(context).await,
        }
    }
}

async fn compact(context: &Context) -> Result<(), CommandError> {
    let store = context.store().await?;
    // Nobody can write while a database is written anew: a daemon would take its disk for broken.
    let Some(_lock) = WorkLock::try_acquire(context.data())? else {
        return Err(CommandError::because(format!(
            "Another postigo works on the folder {}, and a database cannot be compacted under it. Stop it first.",
            context.data().display()
        )));
    };
    let before = compacting::size(store).await?;
    if before.is_some() {
        // Whoever works on a database of SQLite holds the lock; hosts that ended without a word are gone.
        readers::forget_earlier_hosts(store).await?;
    }
    let (begun, mut rows, mut waits) = (Instant::now(), 0, false);
    for what in OldRows::ALL {
        loop {
            match repacking::step(store, what).await? {
                PackingStep::Packed(count) => rows += count,
                PackingStep::Done => break,
                PackingStep::Waits if begun.elapsed() < JUST_UPGRADED => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                PackingStep::Waits => {
                    waits = true;
                    break;
                }
            }
        }
    }
    if before.is_some() {
        let compacted = compacting::write_anew(store).await.map_err(|error| {
            CommandError::because(format!(
                "The database could not be written anew: {error} A copy of it lies in SQLite's temporary folder meanwhile (SQLITE_TMPDIR, else TMPDIR, /var/tmp); \
                 name one with more room by SQLITE_TMPDIR if that is full."
            ))
        })?;
        if !compacted {
            context.output().aside(
                "Somebody reads the database, so that its log (postigo.db-wal) keeps its size until they are done.",
            );
        }
    }
    let after = compacting::size(store).await?;
    let bytes = |size: Option<DatabaseSize>| size.map(|size| size.bytes);
    let document = json!({ "rows": rows, "bytes_before": bytes(before), "bytes_after": bytes(after) });
    context.output().document(&document, || match (before, after) {
        (Some(before), Some(after)) => {
            format!("The database has {} now, and had {}.\n", mebibytes(after), mebibytes(before))
        }
        _ if waits => "What earlier versions can read too is packed.\n".to_owned(),
        _ => "The rows of earlier versions are packed. PostgreSQL gives back by itself what is free.\n".to_owned(),
    });
    if waits {
        eprintln!("{WAITS}");
    }
    Ok(())
}

/// So long after an upgrade an earlier version may still begin to work on the database.
const JUST_UPGRADED: Duration = Duration::from_secs(15);

/// Why some rows are not packed.
const WAITS: &str = "Articles and mails stay as they are for now: a host of an earlier version, which could not read them, works on this database, or has not said within a day that it ended.";

fn mebibytes(size: DatabaseSize) -> String {
    format!("{:.1} MiB", size.bytes as f64 / f64::from(1 << 20))
}
