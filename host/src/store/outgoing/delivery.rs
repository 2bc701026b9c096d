//! What became of a mail for each of its recipients.

use super::{read_addresses, read_word};
use crate::outbound::DeliveryStatus;
use crate::store::StoreError;
use crate::store::sql::Sql;
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
    /// The server's words; empty where there are none.
    pub detail: String,
    /// Milliseconds since the epoch.
    pub changed_at: i64,
}

const COLUMNS: &str = "delivery.recipient, delivery.status, delivery.detail, delivery.changed_at";

fn read(row: &AnyRow) -> Result<Delivery, StoreError> {
    Ok(Delivery { recipient: row.try_get(0)?, status: read_word(row, 1)?, detail: row.try_get(2)?, changed_at: row.try_get(3)? })
}

/// The deliveries of a mail, by recipient.
pub async fn deliveries(connection: &mut AnyConnection, outgoing_id: i64) -> Result<Vec<Delivery>, StoreError> {
    let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM delivery WHERE outgoing_id = "));
    sql.bind(outgoing_id).push(" ORDER BY recipient").all(connection).await?.iter().map(read).collect()
}

/// The deliveries of the articles of a ticket that we sent, by article.
pub async fn deliveries_of(connection: &mut AnyConnection, ticket_id: i64) -> Result<BTreeMap<i64, Vec<Delivery>>, StoreError> {
    let mut sql = Sql::new(format!(
        "SELECT {COLUMNS}, article.id FROM article JOIN delivery ON delivery.outgoing_id = article.outgoing_id WHERE article.outgoing_id <> 0 AND article.ticket_id = "
    ));
    let mut deliveries: BTreeMap<i64, Vec<Delivery>> = BTreeMap::new();
    for row in sql.bind(ticket_id).push(" ORDER BY article.id, recipient").all(connection).await? {
        deliveries.entry(row.try_get(4)?).or_default().push(read(&row)?);
    }
    Ok(deliveries)
}

/// The mail that we sent under this Message-ID (with its angle brackets): row id and recipients, the latest if there are several.
pub async fn find_sent(connection: &mut AnyConnection, message_id: &str) -> Result<Option<(i64, Vec<String>)>, StoreError> {
    let mut sql = Sql::new("SELECT id, recipients FROM outgoing WHERE message_id <> '' AND message_id = ");
    let row = sql.bind(message_id).push(" ORDER BY id DESC LIMIT 1").optional(connection).await?;
    row.map(|row| Ok((row.try_get(0)?, read_addresses(&row, 1)?))).transpose()
}

/// Notes what was reported of a delivery; says whether the mail has that recipient (case ignored) and this is news.
pub async fn report(
    connection: &mut AnyConnection,
    outgoing_id: i64,
    recipient: &str,
    status: DeliveryStatus,
    detail: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let mut sql = Sql::new("UPDATE delivery SET status = ");
    sql.bind(status.name()).push(", detail = ").bind(detail).push(", changed_at = ").bind(now);
    sql.push(" WHERE outgoing_id = ").bind(outgoing_id).push(" AND lower(recipient) = lower(").bind(recipient);
    sql.push(") AND (status, detail) <> ").tuple([status.name().into(), detail.into()]);
    Ok(sql.execute(connection).await? > 0)
}
