//! The rules of claims, written once for whatever several processes could work on: the messages of an account (its
//! lease), outgoing mails, access tokens.
//!
//! - *Who may claim*: anybody, once nobody has it or the time of whoever has it is over; and a host that comes back,
//!   what it had itself before it ended.
//! - *For how long*: a [`Term`], by the database's own clock, since those of hosts differ. Leases and outgoing mails are
//!   renewed well before its end, so that what a host had that is gone is free soon; a claim on an access token lasts
//!   longer than asking the provider can, and is never renewed.
//! - *The fence*: messages and outgoing mails have the claim's token in their rows, which are changed only while they
//!   still have it: who comes back late changes nothing, and is told so ([`StoreError::Fenced`]). A lease has no token:
//!   the run of the host that holds it fences. An access token has a claim, and what a late renewal gave counts all the
//!   same while the refresh token is the one before, since the provider gave this one for it.
//! - *After a host's end*: what it had claimed is taken back by whoever finds the term over. What that means for the
//!   work is for the room that does it to say.

use super::sql::{Sql, Value};
use super::{Engine, StoreError, counters};
use std::time::Duration;

/// So often is renewed what is held: a third of the shortest term.
pub const RENEWED: Duration = Duration::from_secs(10);

/// For how long something is claimed, and where that is written.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// The column, with its table, that has the end: milliseconds since the epoch.
    pub until: &'static str,
    /// So long without being renewed.
    pub lasts: Duration,
}

/// The term of an account's lease.
pub const LEASE: Term = Term { until: "lease.expires_at", lasts: Duration::from_secs(30) };

impl Term {
    /// Adds the end of a term that begins, or is renewed, now.
    pub fn from_now(self, sql: &mut Sql, engine: Engine) -> &mut Sql {
        sql.push(engine.clock()).push(" + ").bind(i64::try_from(self.lasts.as_millis()).unwrap_or(i64::MAX))
    }

    /// Adds the condition that a term is over.
    pub fn over(self, sql: &mut Sql, engine: Engine) -> &mut Sql {
        sql.push(self.until).push(" <= ").push(engine.clock())
    }

    /// Adds the condition that it runs still.
    pub fn running(self, sql: &mut Sql, engine: Engine) -> &mut Sql {
        sql.push(self.until).push(" > ").push(engine.clock())
    }

    /// Adds the condition that a host may have it: the term is over, or the host, by its id and the column of the
    /// holder's, had it itself.
    pub fn free_for<'s>(self, sql: &'s mut Sql, engine: Engine, (holder, host): (&str, &str)) -> &'s mut Sql {
        self.over(sql.push("("), engine).push(" OR ").push(holder).push(" = ").bind(host).push(")")
    }
}

/// A claim's token.
pub fn token() -> Result<i64, StoreError> {
    Ok(i64::try_from(counters::random()? >> 1).unwrap_or(i64::MAX) | 1)
}

/// Adds the condition that a row is claimed, and by this claim: `status` is the word for claimed in its table, `token`
/// the claim's as the table has it. [`fenced`] looks at what came of it.
pub fn fence<'s>(sql: &'s mut Sql, status: &str, id: i64, token: impl Into<Value>) -> &'s mut Sql {
    sql.push(" WHERE status = '").push(status).push("' AND id = ").bind(id).push(" AND claim = ").bind(token)
}

/// [`StoreError::Fenced`] if fewer rows were changed than claims were to be in force; then the transaction must be
/// rolled back.
pub fn fenced(changed: u64, claims: usize) -> Result<(), StoreError> {
    if changed == claims as u64 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Adds, to a look for rows to be claimed or taken back, that those are left out which another process is at: no two
/// get the same, and none waits for another.
pub fn but_for_locked(sql: &mut Sql, engine: Engine) -> &mut Sql {
    match engine {
        Engine::Postgres => sql.push(" FOR UPDATE SKIP LOCKED"),
        // Nobody else writes meanwhile.
        Engine::Sqlite => sql,
    }
}
