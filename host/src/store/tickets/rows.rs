//! The rows of tickets and articles that mails become; a statement for many at once.

use super::content::content_values;
use crate::store::indexed::indexed;
use crate::store::sql::{Sql, Value, pieces};
use crate::store::{Engine, StoreError, json, readers};
use postigo_model::ticket::{NewArticle, Ticket};
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Links new tickets to older ones: pairs of row ids.
pub async fn link(connection: &mut AnyConnection, links: &[(i64, i64)]) -> Result<(), StoreError> {
    let rows: Vec<[Value; 2]> = links.iter().map(|(ticket, other)| [(*ticket).into(), (*other).into()]).collect();
    insert(connection, "INSERT INTO ticket_link (ticket_id, other_id) VALUES ", &rows).await
}

/// Writes the dynamic fields of tickets, by row id, to be searched. What a ticket had before is gone
/// ([`change_ticket`]).
pub async fn index_fields(connection: &mut AnyConnection, tickets: &[(i64, &Ticket)]) -> Result<(), StoreError> {
    let rows: Vec<[Value; 3]> =
        tickets.iter().flat_map(|(id, ticket)| field_rows(*id, &ticket.dynamic_fields)).collect();
    insert(connection, "INSERT INTO ticket_field (ticket_id, field, value) VALUES ", &rows).await
}

async fn insert<const N: usize>(
    connection: &mut AnyConnection,
    text: &str,
    rows: &[[Value; N]],
) -> Result<(), StoreError> {
    for piece in pieces(rows) {
        Sql::new(text).tuples(piece.iter().cloned()).execute(connection).await?;
    }
    Ok(())
}

fn field_rows(ticket_id: i64, fields: &BTreeMap<String, Vec<String>>) -> impl Iterator<Item = [Value; 3]> {
    fields.iter().flat_map(move |(field, values)| {
        values.iter().map(move |value| [ticket_id.into(), field.into(), indexed(value).into()])
    })
}

const INSERT_TICKETS: &str = "INSERT INTO ticket (number, title, queue, state, priority, type, service, sla, lock_state, owner, responsible, customer_number, customer_user, pending_until, dynamic_fields, created_at, changed_at) VALUES ";

/// A ticket that is to be inserted.
pub struct NumberedTicket<'t> {
    /// Its number.
    pub number: &'t str,
    /// What it is.
    pub ticket: &'t Ticket,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// Inserts tickets under their numbers; gives row ids by number. What is missing there had a number that is taken.
pub async fn insert_numbered(
    connection: &mut AnyConnection,
    tickets: &[NumberedTicket<'_>],
) -> Result<HashMap<String, i64>, StoreError> {
    let mut ids = HashMap::new();
    for piece in pieces(tickets) {
        let mut sql = Sql::new(INSERT_TICKETS);
        let rows: Vec<_> =
            piece.iter().map(|new| ticket_row(new.number, new.ticket, new.now)).collect::<Result<_, _>>()?;
        sql.tuples(rows).push(" ON CONFLICT (number) DO NOTHING RETURNING number, id");
        for row in sql.all(connection).await? {
            ids.insert(row.try_get::<String, _>(0)?, row.try_get::<i64, _>(1)?);
        }
    }
    Ok(ids)
}

/// Inserts a ticket under the number that it has, with its dynamic fields; gives its row id, or none where the number
/// is taken.
pub async fn insert_ticket(
    connection: &mut AnyConnection,
    ticket: &Ticket,
    now: i64,
) -> Result<Option<i64>, StoreError> {
    let one = [NumberedTicket { number: &ticket.number, ticket, now }];
    let Some(id) = insert_numbered(connection, &one).await?.remove(&ticket.number) else { return Ok(None) };
    let fields: Vec<[Value; 3]> = field_rows(id, &ticket.dynamic_fields).collect();
    insert(connection, "INSERT INTO ticket_field (ticket_id, field, value) VALUES ", &fields).await?;
    Ok(Some(id))
}

fn ticket_row(number: &str, ticket: &Ticket, now: i64) -> Result<[Value; 17], StoreError> {
    Ok([
        number.into(),
        (&ticket.title).into(),
        (&ticket.queue).into(),
        (&ticket.state).into(),
        (&ticket.priority).into(),
        (&ticket.r#type).into(),
        (&ticket.service).into(),
        (&ticket.sla).into(),
        (&ticket.lock).into(),
        (&ticket.owner).into(),
        (&ticket.responsible).into(),
        (&ticket.customer_number).into(),
        (&ticket.customer_user).into(),
        ticket.pending_until.into(),
        json("message", &ticket.dynamic_fields)?.into(),
        now.into(),
        now.into(),
    ])
}

/// A follow-up's changes.
pub async fn change_ticket(connection: &mut AnyConnection, ticket: &Ticket, now: i64) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE ticket SET title = ");
    sql.bind(&ticket.title).push(", queue = ").bind(&ticket.queue).push(", state = ").bind(&ticket.state);
    sql.push(", priority = ").bind(&ticket.priority).push(", type = ").bind(&ticket.r#type);
    sql.push(", service = ").bind(&ticket.service).push(", sla = ").bind(&ticket.sla);
    sql.push(", lock_state = ")
        .bind(&ticket.lock)
        .push(", owner = ")
        .bind(&ticket.owner)
        .push(", responsible = ")
        .bind(&ticket.responsible);
    sql.push(", customer_number = ")
        .bind(&ticket.customer_number)
        .push(", customer_user = ")
        .bind(&ticket.customer_user);
    sql.push(", pending_until = ")
        .bind(ticket.pending_until)
        .push(", dynamic_fields = ")
        .bind(json("message", &ticket.dynamic_fields)?);
    sql.push(", changed_at = ");
    changed_at(&mut sql, now).push(" WHERE id = ").bind(ticket.id);
    if sql.execute(connection).await? == 0 {
        return Err(StoreError::NotFound(format!("Ticket {} is gone.", ticket.number)));
    }
    if !ticket.dynamic_fields.is_empty() {
        Sql::new("DELETE FROM ticket_field WHERE ticket_id = ").bind(ticket.id).execute(connection).await?;
    }
    Ok(())
}

/// An article of a message that is to be inserted.
pub struct ReceivedArticle<'a> {
    /// Row id of its ticket.
    pub ticket_id: i64,
    /// Row id of the message in the spool.
    pub spool_id: i64,
    /// What the mail says.
    pub article: &'a NewArticle,
    /// The very bytes of the mail as they came in, where they are at hand.
    pub mail: Option<&'a [u8]>,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// Inserts the articles of messages; gives their row ids, in their order.
pub async fn insert_received(
    connection: &mut AnyConnection,
    articles: &[ReceivedArticle<'_>],
) -> Result<Vec<i64>, StoreError> {
    let is_packed = readers::all_read_packed(connection).await?;
    let beside = beside(connection, articles).await?;
    let mut rows: Vec<[Value; 10]> = Vec::with_capacity(articles.len());
    for ReceivedArticle { ticket_id, spool_id, article, mail, now } in articles {
        let mail = mail.filter(|_| beside.contains(spool_id));
        let [detail, packed, over_mail] = content_values(article, is_packed, mail)?;
        rows.push([
            (*ticket_id).into(),
            (*spool_id).into(),
            (*now).into(),
            article.sender_type.name().into(),
            article.visible_for_customer.into(),
            indexed(&article.message_id).into(),
            (!article.vouches()).into(),
            detail,
            packed,
            over_mail,
        ]);
    }
    let mut ids = HashMap::new();
    for piece in pieces(&rows) {
        let mut sql = Sql::new(
            "INSERT INTO article (ticket_id, spool_id, created_at, sender_type, visible_for_customer, message_id, unvouched, detail, packed, over_mail) VALUES ",
        );
        for row in sql.tuples(piece.iter().cloned()).push(" RETURNING spool_id, id").all(connection).await? {
            ids.insert(row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?);
        }
    }
    articles.iter().map(|new| ids.get(&new.spool_id).copied().ok_or(StoreError::Fenced)).collect()
}

/// The messages whose bytes lie in a row of the database, and not in an object, or nowhere any more.
async fn beside(connection: &mut AnyConnection, articles: &[ReceivedArticle<'_>]) -> Result<HashSet<i64>, StoreError> {
    let mut beside = HashSet::new();
    for piece in pieces(articles) {
        let mut sql = Sql::new("SELECT spool_id FROM spool_raw WHERE spool_id IN ");
        sql.list(piece.iter().map(|new| new.spool_id));
        // They are there until the commit.
        sql.push(if Engine::of(connection) == Engine::Postgres { " FOR KEY SHARE" } else { "" });
        for row in sql.all(connection).await? {
            beside.insert(row.try_get(0)?);
        }
    }
    Ok(beside)
}

/// This time, or the one that is there where that is later: what reads tickets by their changes has passed it already.
fn changed_at(sql: &mut Sql, now: i64) -> &mut Sql {
    sql.push("CASE WHEN changed_at > ").bind(now).push(" THEN changed_at ELSE ").bind(now).push(" END")
}

/// Marks a ticket as changed by a new article; gives its number, or none where it was merged and has no articles of its
/// own any more.
pub async fn touch(connection: &mut AnyConnection, id: i64, now: i64) -> Result<Option<String>, StoreError> {
    let mut sql = Sql::new("UPDATE ticket SET changed_at = ");
    changed_at(&mut sql, now).push(" WHERE merged_into IS NULL AND id = ").bind(id).push(" RETURNING number");
    Ok(sql.optional(connection).await?.map(|row| row.try_get(0)).transpose()?)
}
