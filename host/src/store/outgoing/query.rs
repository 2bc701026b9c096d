//! What the command line and REST ask the outgoing queue, and what they change in it.

use super::{Delivery, deliveries, read_addresses, read_word};
use crate::store::StoreError;
use crate::store::sql::Sql;
use postigo_model::actor::Actor;
use postigo_model::outgoing::{OutgoingKind, OutgoingStatus};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// An outgoing mail, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMail {
    /// Row id.
    pub id: i64,
    /// What it is.
    pub kind: OutgoingKind,
    /// How far it has come.
    pub status: OutgoingStatus,
    /// The ticket's number, if it has one.
    pub ticket_number: Option<String>,
    /// Envelope sender; empty: the null sender.
    pub sender: String,
    /// Envelope recipients.
    pub recipients: Vec<String>,
    /// The queue that it is sent from.
    pub queue: String,
    /// With its angle brackets; empty before it is composed.
    pub message_id: String,
    /// Bytes.
    pub size: i64,
    /// The transport that was chosen for it.
    pub transport: Option<String>,
    /// Tries so far.
    pub tries: i64,
    /// Of these, those whose answer was lost.
    pub uncertain_tries: i64,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// Not tried before, milliseconds since the epoch; 0: at once.
    pub next_try_at: i64,
    /// Milliseconds since the epoch.
    pub changed_at: i64,
    /// When somebody had it tried again or cancelled it last, milliseconds since the epoch; none where nobody did.
    pub handled_at: Option<i64>,
    /// Who did.
    pub handled_by: Option<String>,
    /// What went wrong last, a sentence; empty: nothing.
    pub error: String,
    /// Of an automatic answer, its occasion (`reply`, `follow-up`, …); of a refusal `oversize`; else empty.
    pub occasion: String,
    /// Of an automatic answer the configured one's name, once it is composed that of the language; of a refusal its
    /// text; else empty.
    pub response: String,
}

/// Which mails a list has.
#[derive(Debug, Clone, Default)]
pub struct OutgoingFilter {
    /// Empty: all that are neither sent nor cancelled.
    pub status: Vec<OutgoingStatus>,
    /// After the mail with this id.
    pub after: Option<i64>,
    /// So many at most.
    pub limit: i64,
}

/// What an admin has to look at, or may wait for.
const OPEN: [OutgoingStatus; 5] = [
    OutgoingStatus::Due,
    OutgoingStatus::Waiting,
    OutgoingStatus::Sending,
    OutgoingStatus::Failed,
    OutgoingStatus::Uncertain,
];

const SELECT: &str = "SELECT outgoing.id, kind, status, ticket.number, sender, recipients, outgoing.queue, message_id, size, transport, tries, uncertain_tries, outgoing.created_at, next_try_at, outgoing.changed_at, last_error, occasion, response, handled_at, handled_by FROM outgoing LEFT JOIN ticket ON ticket.id = outgoing.ticket_id WHERE ";

fn read(row: &AnyRow) -> Result<OutgoingMail, StoreError> {
    Ok(OutgoingMail {
        id: row.try_get(0)?,
        kind: read_word(row, 1)?,
        status: read_word(row, 2)?,
        ticket_number: row.try_get(3)?,
        sender: row.try_get(4)?,
        recipients: read_addresses(row, 5)?,
        queue: row.try_get(6)?,
        message_id: row.try_get(7)?,
        size: row.try_get(8)?,
        transport: row.try_get(9)?,
        tries: row.try_get(10)?,
        uncertain_tries: row.try_get(11)?,
        created_at: row.try_get(12)?,
        next_try_at: row.try_get(13)?,
        changed_at: row.try_get(14)?,
        error: row.try_get(15)?,
        occasion: row.try_get(16)?,
        response: row.try_get(17)?,
        handled_at: row.try_get(18)?,
        handled_by: row.try_get(19)?,
    })
}

/// Mails in the order in which they were decided.
pub async fn list(connection: &mut AnyConnection, filter: &OutgoingFilter) -> Result<Vec<OutgoingMail>, StoreError> {
    let statuses = if filter.status.is_empty() { &OPEN[..] } else { &filter.status };
    let mut sql = Sql::new(format!("{SELECT} status IN "));
    sql.list(statuses.iter().map(|status| status.name()));
    if let Some(after) = filter.after {
        sql.push(" AND outgoing.id > ").bind(after);
    }
    sql.push(" ORDER BY outgoing.id LIMIT ").bind(filter.limit);
    sql.all(connection).await?.iter().map(read).collect()
}

/// One mail, with what became of it for each recipient.
pub async fn show(
    connection: &mut AnyConnection,
    id: i64,
) -> Result<Option<(OutgoingMail, Vec<Delivery>)>, StoreError> {
    let Some(row) = Sql::new(format!("{SELECT} outgoing.id = ")).bind(id).optional(connection).await? else {
        return Ok(None);
    };
    Ok(Some((read(&row)?, deliveries(connection, id).await?)))
}

/// The automatic answers to the mail that became this article, in the order in which they were decided.
pub async fn answers_to(connection: &mut AnyConnection, article_id: i64) -> Result<Vec<OutgoingMail>, StoreError> {
    let mut sql = Sql::new(format!("{SELECT} outgoing.article_id = "));
    sql.bind(article_id).push(" AND outgoing.article_id <> 0 AND kind = ").bind(OutgoingKind::AutoResponse.name());
    sql.push(" ORDER BY outgoing.id").all(connection).await?.iter().map(read).collect()
}

/// How many mails have which status (sent and cancelled ones are not counted), and how many milliseconds the oldest
/// waiting one has waited at `now`.
pub async fn depths(connection: &mut AnyConnection, now: i64) -> Result<(Vec<(OutgoingStatus, i64)>, i64), StoreError> {
    let mut sql = Sql::new("SELECT status, COUNT(*) FROM outgoing WHERE status IN ");
    let rows = sql.list(OPEN.iter().map(|status| status.name())).push(" GROUP BY status").all(connection).await?;
    let mut depths: Vec<(OutgoingStatus, i64)> = OPEN.iter().map(|status| (*status, 0)).collect();
    for row in &rows {
        let status: OutgoingStatus = read_word(row, 0)?;
        if let Some((_, depth)) = depths.iter_mut().find(|(known, _)| *known == status) {
            *depth = row.try_get(1)?;
        }
    }
    let row = Sql::new("SELECT MIN(created_at) FROM outgoing WHERE status = 'waiting'").one(connection).await?;
    let oldest: Option<i64> = row.try_get(0)?;
    Ok((depths, oldest.map_or(0, |oldest| (now - oldest).max(0))))
}

/// Has mails tried at once, all of them or none: those that wait, and those that were given up, are uncertain or were
/// cancelled, for the recipients that they did not reach. They have their whole time again.
pub async fn retry(connection: &mut AnyConnection, ids: &[i64], by: &Actor, now: i64) -> Result<(), StoreError> {
    for id in ids {
        let status = status(connection, *id).await?;
        if !matches!(
            status,
            OutgoingStatus::Waiting | OutgoingStatus::Failed | OutgoingStatus::Uncertain | OutgoingStatus::Cancelled
        ) {
            return Err(StoreError::Conflict(format!(
                "The outgoing mail {id} is {status}; only one that is waiting, failed, uncertain or cancelled can be tried again."
            )));
        }
        let mut sql = Sql::new("UPDATE outgoing SET status = 'waiting', tries = 0, next_try_at = 0, queued_at = ");
        sql.bind(now)
            .push(", changed_at = ")
            .bind(now)
            .push(", handled_at = ")
            .bind(now)
            .push(", handled_by = ")
            .bind(by.to_string())
            .push(" WHERE id = ")
            .bind(*id)
            .push(" AND status = ")
            .bind(status.name());
        sql.push(" AND EXISTS (SELECT 1 FROM outgoing_raw WHERE outgoing_id = outgoing.id)");
        if sql.execute(connection).await? == 0 {
            return Err(StoreError::Conflict(format!(
                "The outgoing mail {id} cannot be tried again: it was never composed, its bytes are not kept any more, or it has just changed."
            )));
        }
        let mut sql = Sql::new("UPDATE delivery SET status = 'waiting', failure = '', changed_at = ");
        sql.bind(now).push(" WHERE status IN ('failed', 'uncertain', 'delayed') AND outgoing_id = ").bind(*id);
        sql.execute(connection).await?;
    }
    Ok(())
}

/// Ends mails that are due or wait, all of them or none: they are not sent.
pub async fn cancel(connection: &mut AnyConnection, ids: &[i64], by: &Actor, now: i64) -> Result<(), StoreError> {
    for id in ids {
        let status = status(connection, *id).await?;
        let mut sql = Sql::new("UPDATE outgoing SET status = 'cancelled', changed_at = ");
        sql.bind(now).push(", handled_at = ").bind(now).push(", handled_by = ").bind(by.to_string());
        sql.push(" WHERE status IN ('due', 'waiting') AND id = ").bind(*id);
        if sql.execute(connection).await? == 0 {
            return Err(StoreError::Conflict(format!(
                "The outgoing mail {id} is {status}; only one that is due or waiting can be cancelled."
            )));
        }
    }
    Ok(())
}

async fn status(connection: &mut AnyConnection, id: i64) -> Result<OutgoingStatus, StoreError> {
    let row = Sql::new("SELECT status FROM outgoing WHERE id = ").bind(id).optional(connection).await?;
    let row = row.ok_or_else(|| StoreError::NotFound(format!("There is no outgoing mail {id}.")))?;
    read_word(&row, 0)
}
