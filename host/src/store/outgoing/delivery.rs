//! What became of a mail for each of its recipients.

use super::read_word;
use crate::store::sql::Sql;
use crate::store::{StoreError, tickets};
use postigo_model::outgoing::{DeliveryFailure, DeliveryStatus, OutgoingKind, OutgoingStatus};
use postigo_model::ticket::NewArticle;
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What became of a mail for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Delivery {
    /// Bare address.
    pub recipient: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Whether a failure is for good; none where nothing failed.
    pub failure: Option<DeliveryFailure>,
    /// The server's words; empty where there are none.
    pub detail: String,
    /// Milliseconds since the epoch.
    pub changed_at: i64,
}

const COLUMNS: &str = "delivery.recipient, delivery.status, delivery.failure, delivery.detail, delivery.changed_at";

fn read(row: &AnyRow) -> Result<Delivery, StoreError> {
    let failure = if row.try_get::<&str, _>(2)?.is_empty() { None } else { Some(read_word(row, 2)?) };
    Ok(Delivery {
        recipient: row.try_get(0)?,
        status: read_word(row, 1)?,
        failure,
        detail: row.try_get(3)?,
        changed_at: row.try_get(4)?,
    })
}

/// The deliveries of a mail, by recipient.
pub async fn deliveries(connection: &mut AnyConnection, outgoing_id: i64) -> Result<Vec<Delivery>, StoreError> {
    let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM delivery WHERE outgoing_id = "));
    sql.bind(outgoing_id).push(" ORDER BY recipient").all(connection).await?.iter().map(read).collect()
}

/// The deliveries of the articles of a ticket that we sent, by article.
pub async fn deliveries_of(
    connection: &mut AnyConnection,
    ticket_id: i64,
) -> Result<BTreeMap<i64, Vec<Delivery>>, StoreError> {
    let mut sql = Sql::new(format!(
        "SELECT {COLUMNS}, article.id FROM article JOIN delivery ON delivery.outgoing_id = article.outgoing_id WHERE article.outgoing_id <> 0 AND article.ticket_id = "
    ));
    let mut deliveries: BTreeMap<i64, Vec<Delivery>> = BTreeMap::new();
    for row in sql.bind(ticket_id).push(" ORDER BY article.id, recipient").all(connection).await? {
        deliveries.entry(row.try_get(5)?).or_default().push(read(&row)?);
    }
    Ok(deliveries)
}

/// A mail in the queue, as a delivery report finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMail {
    /// Row id.
    pub id: i64,
    /// What it is.
    pub kind: OutgoingKind,
    /// The ticket's row id; 0: none.
    pub ticket_id: i64,
    /// How far it has come.
    pub status: OutgoingStatus,
}

/// A report about more mails of one Message-ID than these, the latest, finds no others.
const MOST_OF_ONE_ID: i64 = 100;

/// The mails that we sent under this Message-ID (with its angle brackets), the latest first: one that was sent on
/// several times keeps its own.
pub async fn find_sent(connection: &mut AnyConnection, message_id: &str) -> Result<Vec<SentMail>, StoreError> {
    let mut sql = Sql::new("SELECT id, kind, ticket_id, status FROM outgoing WHERE message_id <> '' AND message_id = ");
    let rows = sql.bind(message_id).push(" ORDER BY id DESC LIMIT ").bind(MOST_OF_ONE_ID).all(connection).await?;
    let read = |row: &AnyRow| {
        Ok(SentMail {
            id: row.try_get(0)?,
            kind: read_word(row, 1)?,
            ticket_id: row.try_get(2)?,
            status: read_word(row, 3)?,
        })
    };
    rows.iter().map(read).collect()
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryUpdate {
    /// Bare address, as the mail has it.
    pub recipient: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Whether a failure is for good; none where nothing failed.
    pub failure: Option<DeliveryFailure>,
    /// The server's words.
    pub detail: String,
}

/// Notes what became of a delivery; says whether that is news.
pub async fn delivered(
    connection: &mut AnyConnection,
    outgoing_id: i64,
    delivered: &DeliveryUpdate,
    now: i64,
) -> Result<bool, StoreError> {
    let failure = delivered.failure.map_or("", DeliveryFailure::name);
    let mut sql = Sql::new("UPDATE delivery SET status = ");
    sql.bind(delivered.status.name()).push(", failure = ").bind(failure);
    sql.push(", detail = ").bind(&delivered.detail).push(", changed_at = ").bind(now);
    sql.push(" WHERE outgoing_id = ").bind(outgoing_id).push(" AND recipient = ").bind(&delivered.recipient);
    sql.push(" AND (status, failure, detail) <> ");
    sql.tuple([delivered.status.name().into(), failure.into(), (&delivered.detail).into()]);
    Ok(sql.execute(connection).await? > 0)
}

/// Puts a note about a mail into the ticket that has its article now: it may have been merged meanwhile. `ticket_id` is
/// that which it was sent from.
pub async fn add_note(
    connection: &mut AnyConnection,
    outgoing_id: i64,
    ticket_id: i64,
    note: &NewArticle,
    now: i64,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("SELECT ticket_id FROM article WHERE outgoing_id = ");
    let row = sql.bind(outgoing_id).push(" LIMIT 1").optional(connection).await?;
    let ticket_id = row.map(|row| row.try_get(0)).transpose()?.unwrap_or(ticket_id);
    tickets::add_article(connection, ticket_id, 0, note, now).await?;
    Ok(())
}
