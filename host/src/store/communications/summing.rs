//! Keeps the sums of communications, in steps of an hour each.
//!
//! Each step reads what it counts in one instant, outside of any write, and writes a few rows, if no other step was
//! taken since that instant. It goes in two ways:
//!
//! 1. **Forward.** `summing_to` is set to a moment ago; then, hour by hour, what started before it is added to the sums and
//!    `summed_to` follows. A transaction that wrote communications before it could see the new `summing_to` does not
//!    say what it changed, so it must have ended before anything is counted: on SQLite one transaction writes at a
//!    time; on PostgreSQL a transaction has its number before it looks at `summing_to`, and those with a number from
//!    before the change became visible are waited for.
//! 2. **Again.** An hour that `communication_change` names is counted anew, and what named it at that instant is removed.
//!
//! A host of an earlier version says nothing of what it changes. While one is there, and some minutes longer, since it goes
//! on for a while after its row is gone, there are no sums: they begin anew after it.

use super::figures::{Figures, Group, counted};
use super::sums::{DAY, HOUR, Progress, beginning, progress, summed};
use super::time_span::{first_id, started};
use crate::store::snapshot::snapshot;
use crate::store::sql::{Sql, Value, pieces};
use crate::store::{Engine, Store, StoreError, WriteWork, readers};
use sqlx::{AnyConnection, Row};
use std::collections::BTreeSet;
use std::time::Duration;

/// What started within so many milliseconds is not summed up yet: most of it changes once more.
const SETTLES_WITHIN: i64 = 15_000;

/// A host goes on for less than so many milliseconds after its row is gone, or before it is there.
const ENDS_WITHIN: i64 = 5 * 60_000;

/// Older transactions are looked for again after this time, and so often in one step.
const AGAIN: Duration = Duration::from_millis(20);
const TRIES: u32 = 100;

/// One host's work on the sums. Any number may do it at once.
#[derive(Debug, Default)]
pub struct Summing {
    /// Who does not say what they change of before this time have ended.
    settled_to: i64,
}

/// What a step counted, to be written.
struct Count {
    /// As it was when this was counted.
    progress: Progress,
    /// The hour, when it begins.
    hour: i64,
    what: Counted,
    figures: Vec<(Group, Figures)>,
}

enum Counted {
    /// What the hour has got since, up to this time.
    Further { to: i64 },
    /// All that it has, and the changes, by their ids, that are in this with certainty.
    Again { changes: Vec<i64> },
}

impl Summing {
    /// Takes the next step; whether there is another one to be taken now.
    pub async fn step(&mut self, store: &Store) -> Result<bool, StoreError> {
        let mut connection = store.read().await?;
        if is_to_wait(&mut connection).await? {
            drop(connection);
            store.write((), |(), connection| Box::pin(begin_anew(connection))).await?;
            return Ok(false);
        }
        self.settle(&mut connection).await?;
        let mut seen = snapshot(&mut connection).await?;
        let progress = progress(&mut seen).await?;
        let found = match further(&mut seen, progress, self.settled_to.min(progress.summing_to)).await? {
            Some(count) => Some(count),
            None => again(&mut seen, progress).await?,
        };
        let begins = match found {
            None if progress.summed_to == progress.summing_to => begins(&mut seen, progress).await?,
            _ => None,
        };
        seen.rollback().await?;
        drop(connection);
        let work: WriteWork<Count, bool> = |count, connection| Box::pin(write(connection, count));
        if let Some(count) = found {
            store.write(count, work).await?;
            return Ok(true);
        }
        let Some(to) = begins else { return Ok(false) };
        store.write((progress, to), |(progress, to), connection| Box::pin(begin(connection, *progress, *to))).await
    }

    /// Waits until those have ended who do not know up to when they are to say what they change. Where one of them takes
    /// its time, sums go as far as they could before.
    async fn settle(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let mut sql = Sql::new("SELECT summing_to, ");
        sql.push(match Engine::of(connection) {
            Engine::Sqlite => "0",
            Engine::Postgres => "txid_snapshot_xmax(txid_current_snapshot())",
        });
        let row = sql.push(" FROM communication_summing WHERE id = 1").one(connection).await?;
        let (summing_to, awaited): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if summing_to <= self.settled_to {
            return Ok(());
        }
        if Engine::of(connection) == Engine::Postgres {
            let mut tries = 0;
            loop {
                let mut sql = Sql::new("SELECT txid_snapshot_xmin(txid_current_snapshot())");
                if sql.one(connection).await?.try_get::<i64, _>(0)? >= awaited {
                    break;
                }
                tries += 1;
                if tries == TRIES {
                    return Ok(());
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
        self.settled_to = summing_to;
        Ok(())
    }
}

/// Whether somebody may work on the database who does not say what they change: a host of an earlier version that is
/// there, or might have been when the sums were made.
async fn is_to_wait(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    if readers::an_earlier_version_works(connection).await? {
        return Ok(true);
    }
    let mut sql = Sql::new("SELECT 1 FROM communication_summing WHERE not_before < 0");
    Ok(sql.optional(connection).await?.is_some())
}

/// Takes all sums back, and has none made for some minutes.
async fn begin_anew(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let clock = Engine::of(connection).clock();
    let mut sql = Sql::new("UPDATE communication_summing SET step = step + 1, summing_to = 0, summed_to = 0");
    sql.push(", not_before = ").push(clock).push(" + ").bind(ENDS_WITHIN).push(" WHERE id = 1");
    sql.execute(connection).await?;
    for table in ["communication_sum", "communication_change"] {
        Sql::new(format!("DELETE FROM {table}")).execute(connection).await?;
    }
    Ok(())
}

/// Counts what the next hour has got since `summed_to`; none where the sums go as far as they can.
async fn further(seen: &mut AnyConnection, progress: Progress, settled_to: i64) -> Result<Option<Count>, StoreError> {
    if progress.summed_to >= settled_to {
        return Ok(None);
    }
    let Some(next) = next(seen, progress.summed_to, settled_to).await? else {
        let what = Counted::Further { to: settled_to };
        return Ok(Some(Count { progress, hour: beginning(progress.summed_to, HOUR), what, figures: Vec::new() }));
    };
    // An id that is none of ours has any time.
    let hour = beginning(next.clamp(progress.summed_to, settled_to - 1), HOUR);
    let to = (hour + HOUR).min(settled_to);
    let figures = counted(seen, hour.max(progress.summed_to), Some(to)).await?;
    Ok(Some(Count { progress, hour, what: Counted::Further { to }, figures }))
}

/// When the first communication of a span of time started.
async fn next(seen: &mut AnyConnection, since: i64, until: i64) -> Result<Option<i64>, StoreError> {
    let mut sql = Sql::new("SELECT id FROM communication WHERE id >= ");
    sql.bind(first_id(since)).push(" AND id < ").bind(first_id(until)).push(" ORDER BY id LIMIT 1");
    Ok(sql.optional(seen).await?.map(|row| row.try_get::<String, _>(0)).transpose()?.map(|id| started(&id)))
}

/// Counts an hour whose sums do not hold; none where all do.
async fn again(seen: &mut AnyConnection, progress: Progress) -> Result<Option<Count>, StoreError> {
    let mut sql = Sql::new("SELECT MAX(hour) FROM communication_change WHERE hour < ");
    let Some(hour) = sql.bind(progress.summed_to).one(seen).await?.try_get::<Option<i64>, _>(0)? else {
        return Ok(None);
    };
    let rows = Sql::new("SELECT id FROM communication_change WHERE hour = ").bind(hour).all(seen).await?;
    let changes = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let figures = counted(seen, hour, Some((hour + HOUR).min(progress.summed_to))).await?;
    Ok(Some(Count { progress, hour, what: Counted::Again { changes }, figures }))
}

/// Up to when sums can be made that are not made yet, by the database's clock; none where there is nothing to be summed
/// up.
async fn begins(seen: &mut AnyConnection, progress: Progress) -> Result<Option<i64>, StoreError> {
    let clock = Engine::of(seen).clock();
    let mut sql = Sql::new(format!("SELECT {clock}, not_before FROM communication_summing WHERE id = 1"));
    let row = sql.one(seen).await?;
    let (clock, not_before): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if clock < not_before {
        return Ok(None);
    }
    let to = clock - SETTLES_WITHIN;
    Ok(next(seen, progress.summed_to, to).await?.map(|_| to))
}

async fn begin(connection: &mut AnyConnection, progress: Progress, to: i64) -> Result<bool, StoreError> {
    let mut sql = Sql::new("UPDATE communication_summing SET summing_to = ");
    sql.bind(to).push(" WHERE id = 1 AND step = ").bind(progress.step).push(" AND summing_to = ");
    sql.bind(progress.summing_to).execute(connection).await?;
    Ok(true)
}

/// Writes a count, unless another step was taken since; whether it did.
async fn write(connection: &mut AnyConnection, count: &Count) -> Result<bool, StoreError> {
    let (progress, hour) = (count.progress, count.hour);
    let summed_to = match count.what {
        Counted::Further { to } => to,
        Counted::Again { .. } => progress.summed_to,
    };
    let mut sql = Sql::new("UPDATE communication_summing SET step = step + 1, summed_to = ");
    sql.bind(summed_to).push(" WHERE id = 1 AND step = ").bind(progress.step);
    if sql.execute(connection).await? == 0 {
        return Ok(false);
    }
    let mut days = BTreeSet::from([beginning(hour, DAY)]);
    match &count.what {
        // The day that the sums have come out of may have had nothing more.
        Counted::Further { .. } => _ = days.insert(beginning(progress.summed_to, DAY)),
        Counted::Again { changes } => {
            remove(connection, HOUR, hour).await?;
            for piece in pieces(changes) {
                let mut sql = Sql::new("DELETE FROM communication_change WHERE id IN ");
                sql.list(piece.iter().copied()).execute(connection).await?;
            }
        }
    }
    add(connection, HOUR, hour, &count.figures).await?;
    for day in days.into_iter().filter(|day| day + DAY <= summed_to) {
        let figures = summed(connection, HOUR, day, day + DAY).await?;
        remove(connection, DAY, day).await?;
        add(connection, DAY, day, &figures).await?;
    }
    Ok(true)
}

async fn remove(connection: &mut AnyConnection, span: i64, starts_at: i64) -> Result<(), StoreError> {
    let mut sql = Sql::new("DELETE FROM communication_sum WHERE span = ");
    sql.bind(span).push(" AND starts_at = ").bind(starts_at).execute(connection).await?;
    Ok(())
}

async fn add(
    connection: &mut AnyConnection,
    span: i64,
    starts_at: i64,
    figures: &[(Group, Figures)],
) -> Result<(), StoreError> {
    let row = |(group, figures): &(Group, Figures)| -> [Value; 10] {
        [
            span.into(),
            starts_at.into(),
            (&group.account).into(),
            group.direction.name().into(),
            group.kind.name().into(),
            group.status.name().into(),
            figures.communications.into(),
            figures.timed.into(),
            figures.took.into(),
            (&figures.last_id).into(),
        ]
    };
    for piece in pieces(figures) {
        let mut sql = Sql::new(
            "INSERT INTO communication_sum (span, starts_at, account, direction, kind, status, communications, timed, took, last_id) VALUES ",
        );
        sql.tuples(piece.iter().map(row));
        sql.push(" ON CONFLICT (span, starts_at, account, direction, kind, status) DO UPDATE SET");
        sql.push(" communications = communication_sum.communications + excluded.communications,");
        sql.push(" timed = communication_sum.timed + excluded.timed, took = communication_sum.took + excluded.took,");
        sql.push(" last_id = CASE WHEN excluded.last_id > communication_sum.last_id");
        sql.push(" THEN excluded.last_id ELSE communication_sum.last_id END").execute(connection).await?;
    }
    Ok(())
}
