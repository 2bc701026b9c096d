//! The rows of jobs: asked for, claimed by one host at a time, ended. A claim lasts for a term by the database's clock;
//! what a host had that is gone is claimed by another, which finds where the first had come to.

use super::claims::{self, Term, but_for_locked, fence, fenced};
use super::leases::Host;
use super::sql::Sql;
use super::{Engine, Store, StoreError, json};
use postigo_model::claim::Claim;
use postigo_model::job::{Job, JobProgress, JobStatus};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::time::Duration;

/// The term of a claim, renewed with each progress that is noted.
const TERM: Term = Term { until: "job.claimed_until", lasts: Duration::from_secs(30) };

/// A job that is asked for.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What it is.
    pub kind: String,
    /// What is to be done, the kind's own.
    pub asked: Value,
    /// Who asks.
    pub asked_by: String,
    /// Milliseconds since the epoch.
    pub asked_at: i64,
}

/// What a host asks for when it looks for work.
#[derive(Debug, Clone)]
pub struct JobClaimQuery {
    /// The database.
    pub engine: Engine,
    /// Who asks.
    pub host: Host,
    /// The machine's name, for people.
    pub host_name: String,
    /// The kinds that this version knows.
    pub kinds: Vec<String>,
    /// This job alone.
    pub only: Option<i64>,
}

/// A job that this host works on.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The right to change it.
    pub claim: Claim,
    /// What it is.
    pub kind: String,
    /// What is to be done, the kind's own.
    pub asked: Value,
    /// Where it is to go on, the kind's own; none: at its beginning.
    pub position: Option<Value>,
    /// How much was done when it was noted last.
    pub progress: JobProgress,
    /// How many hosts ended uncleanly while they ran it.
    pub abandoned: i64,
    /// The name of the last of them, where it was one that had it before this claim.
    pub left_by: Option<String>,
}

/// Adds a job that waits; gives its id. None is added where so many wait or run already: then there is no id.
pub async fn add(connection: &mut AnyConnection, new: &NewJob, most: i64) -> Result<Option<i64>, StoreError> {
    if open_count(connection).await? >= most {
        return Ok(None);
    }
    let mut sql = Sql::new("INSERT INTO job (kind, asked, asked_by, asked_at, status) VALUES ");
    sql.tuple([
        (&new.kind).into(),
        json("job", &new.asked)?.into(),
        (&new.asked_by).into(),
        new.asked_at.into(),
        JobStatus::Waiting.name().into(),
    ]);
    Ok(Some(sql.push(" RETURNING id").one(connection).await?.try_get(0)?))
}

async fn open_count(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let mut sql = Sql::new("SELECT COUNT(*) FROM job WHERE status IN ('waiting', 'running')");
    Ok(sql.one(connection).await?.try_get(0)?)
}

/// Adds the condition that a job may be claimed: it waits, or whoever ran it is gone. A host that comes back waits for the
/// end of the term, too: beside its daemon, commands run jobs in the host's name.
fn claimable(sql: &mut Sql, asked: &JobClaimQuery) {
    TERM.over(sql.push(" AND (status = 'waiting' OR "), asked.engine).push(")");
    sql.push(" AND kind IN ").list(&asked.kinds);
    if let Some(id) = asked.only {
        sql.push(" AND id = ").bind(id);
    }
}

/// Claims the job that was asked for first of those that may be. No two processes ever have the same. One whose row
/// cannot be read fails, and the next is claimed.
pub async fn claim(store: &Store, asked: JobClaimQuery) -> Result<Option<ClaimedJob>, StoreError> {
    // Most of the time there is none, and nothing is to be written.
    let mut open = Sql::new("SELECT 1 FROM job WHERE status IN ('waiting', 'running')");
    claimable(&mut open, &asked);
    if open.push(" LIMIT 1").optional(&mut *store.read().await?).await?.is_none() {
        return Ok(None);
    }
    let (claimed, unreadable) =
        store.write(asked, |asked, connection| Box::pin(claim_readable(connection, asked))).await?;
    for (id, reason) in unreadable {
        tracing::warn!(job = id, reason, "the row of a job cannot be read: the job has failed");
    }
    Ok(claimed)
}

/// The first job that can be read, and those before it that cannot, with the reason, which end in the same transaction.
async fn claim_readable(
    connection: &mut AnyConnection,
    asked: &JobClaimQuery,
) -> Result<(Option<ClaimedJob>, Vec<(i64, String)>), StoreError> {
    let mut unreadable = Vec::new();
    loop {
        match claim_first(connection, asked).await? {
            None => return Ok((None, unreadable)),
            Some(Ok(job)) => return Ok((Some(job), unreadable)),
            Some(Err((id, reason))) => {
                let sentence = format!("Its row in the database cannot be read ({reason}). Ask for it again.");
                let mut sql =
                    Sql::new("UPDATE job SET status = 'failed', claim = 0, cancel_asked = 0, position = NULL");
                sql.push(", ended_at = ").bind(postigo_model::timestamp::now()).push(", error = ").bind(sentence);
                sql.push(" WHERE id = ").bind(id).execute(connection).await?;
                unreadable.push((id, reason));
            }
        }
    }
}

/// A job that was claimed; or its id, and why its row cannot be read.
type ClaimedRow = Result<ClaimedJob, (i64, String)>;

async fn claim_first(connection: &mut AnyConnection, asked: &JobClaimQuery) -> Result<Option<ClaimedRow>, StoreError> {
    let mut sql = Sql::new("SELECT id, status, host_name, run FROM job WHERE status IN ('waiting', 'running')");
    claimable(&mut sql, asked);
    sql.push(" ORDER BY id LIMIT 1");
    let Some(row) = but_for_locked(&mut sql, asked.engine).optional(connection).await? else { return Ok(None) };
    let id: i64 = row.try_get(0)?;
    // This run may have lost it to a database that was away.
    let is_left = row.try_get::<&str, _>(1)? == JobStatus::Running.name()
        && row.try_get::<Option<&str>, _>(3)? != Some(asked.host.run.as_str());
    let left_by: Option<String> = row.try_get(2)?;
    let claim = Claim { id, token: claims::token()? };
    let mut sql = Sql::new("UPDATE job SET status = 'running', claim = ");
    sql.bind(claim.token).push(", claimed_by = ").bind(&asked.host.id).push(", run = ").bind(&asked.host.run);
    sql.push(", host_name = ").bind(&asked.host_name).push(", claimed_until = ");
    TERM.from_now(&mut sql, asked.engine).push(", begun_at = COALESCE(begun_at, ");
    sql.bind(postigo_model::timestamp::now()).push("), abandoned = abandoned + ").bind(is_left);
    sql.push(" WHERE id = ").bind(id);
    sql.push(" RETURNING kind, asked, position, done, total, note, abandoned");
    let row = sql.one(connection).await?;
    // It is this host's by now, whatever is in it.
    let read = read_claimed(&row, claim, left_by.filter(|_| is_left));
    Ok(Some(read.map_err(|error| (id, error.to_string()))))
}

fn read_claimed(row: &AnyRow, claim: Claim, left_by: Option<String>) -> Result<ClaimedJob, StoreError> {
    Ok(ClaimedJob {
        claim,
        kind: row.try_get(0)?,
        asked: read_json(row, 1)?.unwrap_or_default(),
        position: read_json(row, 2)?,
        progress: JobProgress { done: row.try_get(3)?, total: row.try_get(4)?, note: row.try_get(5)? },
        abandoned: row.try_get(6)?,
        left_by,
    })
}

/// Renews the claim of a job, and notes how far it has come and its position (JSON), where these are given.
/// [`StoreError::Fenced`] where the claim is lost.
pub async fn note(
    store: &Store,
    claim: Claim,
    progress: Option<JobProgress>,
    position: Option<String>,
) -> Result<(), StoreError> {
    let input = (claim, store.engine(), progress, position);
    store
        .write(input, |(claim, engine, progress, position), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("UPDATE job SET claimed_until = ");
                TERM.from_now(&mut sql, *engine);
                if let Some(progress) = progress {
                    set_progress(&mut sql, progress);
                }
                set_position(&mut sql, position.as_deref());
                fenced(fence(&mut sql, RUNNING, claim.id, claim.token).execute(connection).await?, 1)
            })
        })
        .await
}

const RUNNING: &str = "running";

fn set_progress(sql: &mut Sql, progress: &JobProgress) {
    sql.push(", done = ").bind(progress.done).push(", total = ").bind(progress.total);
    sql.push(", note = ").bind(&progress.note);
}

fn set_position(sql: &mut Sql, position: Option<&str>) {
    if let Some(position) = position {
        sql.push(", position = ").bind(position);
    }
}

/// Whether somebody wants a claimed job to end; none where the claim is lost.
pub async fn is_cancel_asked(store: &Store, claim: Claim) -> Result<Option<bool>, StoreError> {
    let mut sql = Sql::new("SELECT cancel_asked FROM job");
    let row = fence(&mut sql, RUNNING, claim.id, claim.token).optional(&mut *store.read().await?).await?;
    row.map(|row| Ok(row.try_get::<i64, _>(0)? != 0)).transpose()
}

/// How a job came to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEnding {
    /// Done, failed or cancelled.
    pub status: JobStatus,
    /// How much was done.
    pub progress: JobProgress,
    /// What came of it, the kind's own.
    pub result: Option<Value>,
    /// Why it failed, a sentence.
    pub error: Option<String>,
}

/// Ends a claimed job. [`StoreError::Fenced`] where the claim is lost.
pub async fn end(store: &Store, claim: Claim, ending: JobEnding) -> Result<(), StoreError> {
    let result = ending.result.as_ref().map(|result| json("job", result)).transpose()?;
    store
        .write((claim, ending, result), |(claim, ending, result), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("UPDATE job SET status = ");
                sql.bind(ending.status.name()).push(", claim = 0, cancel_asked = 0, position = NULL, ended_at = ");
                sql.bind(postigo_model::timestamp::now()).push(", result = ").bind(result);
                sql.push(", error = ").bind(&ending.error);
                set_progress(&mut sql, &ending.progress);
                fenced(fence(&mut sql, RUNNING, claim.id, claim.token).execute(connection).await?, 1)
            })
        })
        .await
}

/// Lets a claimed job wait for whoever goes on with it, at this position (JSON) where one is given. [`StoreError::Fenced`]
/// where the claim is lost.
pub async fn give_back(
    store: &Store,
    claim: Claim,
    progress: JobProgress,
    position: Option<String>,
) -> Result<(), StoreError> {
    store
        .write((claim, progress, position), |(claim, progress, position), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("UPDATE job SET status = 'waiting', claim = 0");
                set_progress(&mut sql, progress);
                set_position(&mut sql, position.as_deref());
                fenced(fence(&mut sql, RUNNING, claim.id, claim.token).execute(connection).await?, 1)
            })
        })
        .await
}

/// Has jobs end, all of them or none: those that wait, or whose host is gone, at once; those that run as soon as whoever
/// runs them looks.
pub async fn cancel(connection: &mut AnyConnection, ids: &[i64], now: i64) -> Result<(), StoreError> {
    for id in ids {
        let mut sql = Sql::new("UPDATE job SET status = 'cancelled', claim = 0, position = NULL, ended_at = ");
        // One whose host is gone has nobody who would look.
        sql.bind(now).push(", cancel_asked = 0 WHERE (status = 'waiting' OR (status = 'running' AND ");
        TERM.over(&mut sql, Engine::of(connection)).push(")) AND id = ").bind(*id);
        let mut flag = Sql::new("UPDATE job SET cancel_asked = 1 WHERE status = 'running' AND id = ");
        if sql.execute(connection).await? + flag.bind(*id).execute(connection).await? > 0 {
            continue;
        }
        let row = Sql::new("SELECT status FROM job WHERE id = ").bind(*id).optional(connection).await?;
        let row = row.ok_or_else(|| StoreError::NotFound(format!("There is no job {id}.")))?;
        let status: JobStatus = read_status(&row, 0)?;
        if status != JobStatus::Cancelled {
            return Err(StoreError::Conflict(format!(
                "The job {id} is {status}; only one that is waiting or running can be cancelled."
            )));
        }
    }
    Ok(())
}

/// Which jobs a list has.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Empty: all.
    pub status: Vec<JobStatus>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Asked for before the job with this id.
    pub after: Option<i64>,
    /// So many at most.
    pub limit: i64,
}

const COLUMNS: &str = "id, kind, asked, asked_by, asked_at, status, cancel_asked, claimed_by, host_name, begun_at, ended_at, done, total, note, error";

/// Jobs, the last asked for first, without their results.
pub async fn list(connection: &mut AnyConnection, filter: &JobFilter) -> Result<Vec<Job>, StoreError> {
    let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM job WHERE status IN "));
    let status = if filter.status.is_empty() { &JobStatus::ALL[..] } else { &filter.status };
    sql.list(status.iter().map(|status| status.name()));
    if let Some(kind) = &filter.kind {
        sql.push(" AND kind = ").bind(kind);
    }
    if let Some(after) = filter.after {
        sql.push(" AND id < ").bind(after);
    }
    let rows = sql.push(" ORDER BY id DESC LIMIT ").bind(filter.limit).all(connection).await?;
    rows.iter().map(read).collect()
}

/// A job, with its result.
pub async fn show(connection: &mut AnyConnection, id: i64) -> Result<Option<Job>, StoreError> {
    let mut sql = Sql::new(format!("SELECT {COLUMNS}, result FROM job WHERE id = "));
    let row = sql.bind(id).optional(connection).await?;
    row.map(|row| Ok(Job { result: read_json(&row, 15)?, ..read(&row)? })).transpose()
}

fn read(row: &AnyRow) -> Result<Job, StoreError> {
    Ok(Job {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        // One that cannot be read keeps nobody from the others.
        asked: read_json(row, 2).ok().flatten().unwrap_or_default(),
        asked_by: row.try_get(3)?,
        asked_at: row.try_get(4)?,
        status: read_status(row, 5)?,
        cancel_asked: row.try_get::<i64, _>(6)? != 0,
        host: row.try_get(7)?,
        host_name: row.try_get(8)?,
        begun_at: row.try_get(9)?,
        ended_at: row.try_get(10)?,
        progress: JobProgress { done: row.try_get(11)?, total: row.try_get(12)?, note: row.try_get(13)? },
        result: None,
        error: row.try_get(14)?,
    })
}

fn read_status(row: &AnyRow, column: usize) -> Result<JobStatus, StoreError> {
    let status: &str = row.try_get(column)?;
    status.parse().map_err(|reason| StoreError::Corrupt { what: "job", reason })
}

fn read_json<T: DeserializeOwned>(row: &AnyRow, column: usize) -> Result<Option<T>, StoreError> {
    let text: Option<&str> = row.try_get(column)?;
    let read = |text| {
        serde_json::from_str(text).map_err(|error| StoreError::Corrupt { what: "job", reason: error.to_string() })
    };
    text.map(read).transpose()
}

/// How many jobs wait, run, and failed (as far as they are kept), and since when the oldest waits, milliseconds since
/// the epoch.
pub async fn counts(connection: &mut AnyConnection) -> Result<(Vec<(JobStatus, i64)>, Option<i64>), StoreError> {
    let mut counts: Vec<(JobStatus, i64)> =
        [JobStatus::Waiting, JobStatus::Running, JobStatus::Failed].map(|status| (status, 0)).into();
    let mut sql = Sql::new("SELECT status, COUNT(*) FROM job WHERE status IN ");
    sql.list(counts.iter().map(|(status, _)| status.name()).collect::<Vec<_>>()).push(" GROUP BY status");
    for row in sql.all(connection).await? {
        let status = read_status(&row, 0)?;
        if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == status) {
            *count = row.try_get(1)?;
        }
    }
    let row = Sql::new("SELECT MIN(asked_at) FROM job WHERE status = 'waiting'").one(connection).await?;
    Ok((counts, row.try_get(0)?))
}

/// Removes jobs that ended before this time (milliseconds since the epoch); gives their number.
pub async fn purge(connection: &mut AnyConnection, before: i64) -> Result<u64, StoreError> {
    Sql::new("DELETE FROM job WHERE ended_at < ").bind(before).execute(connection).await
}

/// The jobs that this host runs, may go on with, or has done: those whose files it keeps.
pub async fn of_host(connection: &mut AnyConnection, host: &str) -> Result<Vec<i64>, StoreError> {
    let rows = Sql::new("SELECT id FROM job WHERE status IN ('waiting', 'running', 'done') AND claimed_by = ")
        .bind(host)
        .all(connection)
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
