//! How a composed mail comes into the queue, with its bytes and its recipients.

use crate::store::StoreError;
use crate::store::sql::{Sql, Value, pieces};
use bytes::Bytes;
use postigo_model::communication::MailHeading;
use postigo_model::mailbox::Mailbox;
use postigo_model::outgoing::{DeliveryStatus, OutgoingKind, OutgoingStatus};
use sqlx::{AnyConnection, Row};
use std::collections::HashSet;

/// At most so many bytes of a mail lie in one row.
const PART: usize = 1 << 20;

/// A composed mail that is to be sent.
#[derive(Debug, Clone)]
pub struct NewOutgoing {
    /// What it is.
    pub kind: OutgoingKind,
    /// The ticket's row id; 0: none.
    pub ticket_id: i64,
    /// The row id of the article that it answers, passes on or is made from; 0: none. The article that it becomes
    /// names it by `article.outgoing_id`.
    pub article_id: i64,
    /// What goes out.
    pub composed: SendableMail,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// A mail as it goes out.
#[derive(Debug, Clone, Default)]
pub struct SendableMail {
    /// Envelope sender, a bare address; empty: the null sender.
    pub sender: String,
    /// The queue that it is sent from: with the sender it decides the transport.
    pub queue: String,
    /// Envelope recipients, bare addresses, Bcc too; at least one.
    pub recipients: Vec<String>,
    /// With its angle brackets.
    pub message_id: String,
    /// The message with CRLF line ends, no line longer than 998 bytes, without Bcc; in pieces, so that what is large
    /// need not be copied.
    pub raw: Vec<Bytes>,
    /// Not sent before this time, milliseconds since the epoch; 0: at once.
    pub not_before: i64,
    /// Its subject, for the log.
    pub subject: String,
    /// The name of the configured response that it was made from; none where it was not, or says its own text.
    pub response: Option<String>,
}

/// Puts a mail into the queue; gives its row id. It is sent once the transaction is committed.
pub async fn queue(connection: &mut AnyConnection, new: &NewOutgoing) -> Result<i64, StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO outgoing (kind, status, ticket_id, article_id, occasion, response, recipients, created_at, changed_at) VALUES ",
    );
    let row: [Value; 9] = [
        new.kind.name().into(),
        OutgoingStatus::Due.name().into(),
        new.ticket_id.into(),
        new.article_id.into(),
        "".into(),
        "".into(),
        "[]".into(),
        new.now.into(),
        new.now.into(),
    ];
    let id = sql.tuple(row).push(" RETURNING id").one(connection).await?.try_get(0)?;
    composed(connection, id, &new.composed, new.now).await?;
    Ok(id)
}

/// Makes a row that is due a mail that waits to be sent. [`StoreError::Fenced`] if it is no longer due: another host
/// has composed it, or it was cancelled; then the caller's transaction must be rolled back.
pub async fn composed(
    connection: &mut AnyConnection,
    id: i64,
    mail: &SendableMail,
    now: i64,
) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    let recipients: Vec<&String> =
        mail.recipients.iter().filter(|recipient| seen.insert(Mailbox::of(recipient))).collect();
    if recipients.is_empty() {
        return Err(StoreError::Conflict(
            "A mail without recipients cannot be sent: name at least one address.".into(),
        ));
    }
    let mut sql = Sql::new("UPDATE outgoing SET status = 'waiting', sender = ");
    sql.bind(&mail.sender).push(", queue = ").bind(&mail.queue).push(", message_id = ").bind(&mail.message_id);
    sql.push(", recipients = ").bind(serde_json::json!(recipients).to_string());
    sql.push(", size = ").bind(i64::try_from(mail.raw.iter().map(Bytes::len).sum::<usize>()).unwrap_or(i64::MAX));
    sql.push(", eight_bits = ").bind(!mail.raw.iter().all(|piece| piece.is_ascii()));
    sql.push(", queued_at = ")
        .bind(now)
        .push(", changed_at = ")
        .bind(now)
        .push(", next_try_at = ")
        .bind(mail.not_before);
    sql.push(", subject = ").bind(MailHeading::new("", "", &mail.subject, "").subject);
    if let Some(response) = &mail.response {
        sql.push(", response = ").bind(response);
    }
    if sql.push(" WHERE status = 'due' AND id = ").bind(id).execute(connection).await? == 0 {
        return Err(StoreError::Fenced);
    }
    for (part, raw) in mail.raw.iter().flat_map(|piece| piece.chunks(PART)).enumerate() {
        let part = i64::try_from(part).unwrap_or(i64::MAX);
        let row: [Value; 3] = [id.into(), part.into(), raw.to_vec().into()];
        Sql::new("INSERT INTO outgoing_raw (outgoing_id, part, raw) VALUES ").tuple(row).execute(connection).await?;
    }
    let rows: Vec<[Value; 5]> = recipients
        .into_iter()
        .map(|recipient| [id.into(), recipient.into(), DeliveryStatus::Waiting.name().into(), "".into(), now.into()])
        .collect();
    for piece in pieces(&rows) {
        let mut sql = Sql::new("INSERT INTO delivery (outgoing_id, recipient, status, detail, changed_at) VALUES ");
        sql.tuples(piece.iter().cloned()).execute(connection).await?;
    }
    Ok(())
}

/// A part of a mail's bytes, counted from 0, at most 1 MiB; none after the last.
pub async fn raw_part(connection: &mut AnyConnection, id: i64, part: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let mut sql = Sql::new("SELECT raw FROM outgoing_raw WHERE outgoing_id = ");
    let row = sql.bind(id).push(" AND part = ").bind(part).optional(connection).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// The bytes of so many mails are removed at once at most: other writes wait for it.
pub const FORGOTTEN_AT_ONCE: usize = 200;

/// Removes the bytes of mails that were sent to all their recipients before this time (milliseconds since the epoch);
/// all others may go out still, or be tried again. Gives the number of mails; if it is [`FORGOTTEN_AT_ONCE`], there are
/// more.
pub async fn forget_raw(connection: &mut AnyConnection, before: i64) -> Result<usize, StoreError> {
    let mut sql = Sql::new(
        // In this order, whatever the database thinks of it: bytes are kept for some time, rows of sent mails for
        // ever.
        "SELECT outgoing_id FROM outgoing_raw CROSS JOIN outgoing WHERE outgoing.id = outgoing_id AND part = 0 AND status = 'sent' AND changed_at < ",
    );
    sql.bind(before).push(" ORDER BY outgoing_id LIMIT ").bind(i64::try_from(FORGOTTEN_AT_ONCE).unwrap_or(i64::MAX));
    let ids = sql.all(connection).await?.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
    for piece in pieces(&ids) {
        Sql::new("DELETE FROM outgoing_raw WHERE outgoing_id IN ")
            .list(piece.iter().copied())
            .execute(connection)
            .await?;
    }
    Ok(ids.len())
}

/// The bytes of a mail; none where it is not composed. [`StoreError::NotFound`] where they are not all kept any more.
pub async fn raw(connection: &mut AnyConnection, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let row = Sql::new("SELECT size FROM outgoing WHERE id = ").bind(id).optional(connection).await?;
    let size: i64 = row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    if size == 0 {
        return Ok(None);
    }
    let mut raw = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    let mut part = 0;
    while let Some(bytes) = raw_part(connection, id, part).await? {
        raw.extend(bytes);
        part += 1;
    }
    if i64::try_from(raw.len()) != Ok(size) {
        let there = raw.len();
        return Err(StoreError::NotFound(format!(
            "The bytes of outgoing mail {id} are not kept any more: {there} of {size} are there."
        )));
    }
    Ok(Some(raw))
}
