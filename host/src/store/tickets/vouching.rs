//! Who vouches for a mail being of a ticket: it refers to a mail of that ticket, or it is from people of that ticket.
//!
//! What nobody vouched for vouches for nothing: else a stranger's first mail would vouch for the second. Nor does what
//! the address of its sender alone vouched for: a From is easily forged, and the mail would bring the addresses of
//! whoever forged it. And nobody is of a ticket for having got an automatic answer, which goes to whoever wrote.

use super::content::{ARTICLES, CONTENT, read_content};
use crate::store::indexed::indexed;
use crate::store::sql::{Sql, Value, pieces};
use crate::store::{StoreError, customers};
use postigo_mail::Address;
use postigo_model::configured::UnvouchedNumbers;
use postigo_model::mailbox::Mailbox;
use postigo_model::ticket::{FollowUpCandidate, Ticket};
use postigo_model::ticket::{FollowUpSearch, NewArticle, VouchedBy};
use sqlx::{AnyConnection, Row};
use std::collections::BTreeSet;

/// Of From, Reply-To, To and Cc of an article so many addresses each are people of its ticket.
const MOST_ADDRESSES: usize = 100;
/// So many articles are read at once.
const PAGE: i64 = 100;

/// Who vouches for the candidate that led to a ticket. `keep`: what was read of the ticket's articles is noted, which
/// is for the transaction that files and holds the ticket.
pub(super) async fn vouched(
    connection: &mut AnyConnection,
    ticket: &Ticket,
    search: &FollowUpSearch,
    candidate: &FollowUpCandidate,
    keep: bool,
) -> Result<VouchedBy, StoreError> {
    if search.unvouched == UnvouchedNumbers::Accept {
        return Ok(VouchedBy::ByProof);
    }
    let named = match candidate {
        FollowUpCandidate::MessageId(_, id) => Some(id.as_str()),
        _ => None,
    };
    let ids: Vec<&str> = named.into_iter().chain(search.references.iter().map(String::as_str)).collect();
    if refers_to(connection, ticket.id, &ids).await? {
        return Ok(VouchedBy::ByProof);
    }
    if search.senders.is_empty() {
        return Ok(VouchedBy::ByNobody);
    }
    let mut strangers: BTreeSet<Mailbox> = search.senders.iter().cloned().collect();
    if let Some(customer) = &ticket.customer_user {
        strangers.remove(&Mailbox::of(customer));
        let users = customers::with_emails(connection, strangers.iter().cloned().collect()).await?;
        strangers.retain(|stranger| users.get(stranger).is_none_or(|user| user.login != *customer));
    }
    Ok(if !strangers.is_empty() && !are_correspondents(connection, ticket.id, strangers, keep).await? {
        VouchedBy::ByNobody
    } else if search.authenticated {
        VouchedBy::ByProof
    } else {
        VouchedBy::ByAddress
    })
}

/// Whether one of these Message-IDs is that of an article of the ticket, and of one that vouches.
async fn refers_to(connection: &mut AnyConnection, ticket_id: i64, ids: &[&str]) -> Result<bool, StoreError> {
    for piece in pieces(ids) {
        // A ticket may have very many articles, an id has few: it is the index of ids that is to be used.
        let mut sql = Sql::new("SELECT id FROM article WHERE message_id <> '' AND message_id IN ");
        sql.list(piece.iter().map(|id| indexed(id)))
            .push(" AND unvouched = 0 AND ticket_id + 0 = ")
            .bind(ticket_id)
            .push(" LIMIT 1");
        if sql.optional(connection).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether all of these are in From, Reply-To, To or Cc of those of the ticket's articles that vouch.
async fn are_correspondents(
    connection: &mut AnyConnection,
    ticket_id: i64,
    mut strangers: BTreeSet<Mailbox>,
    keep: bool,
) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT mailbox FROM correspondent WHERE ticket_id = ");
    let names = strangers.iter().map(|stranger| indexed(stranger.as_str()));
    let known = sql.bind(ticket_id).push(" AND mailbox IN ").list(names).all(connection).await?;
    for row in &known {
        let mailbox: &str = row.try_get(0)?;
        strangers.retain(|stranger| indexed(stranger.as_str()) != mailbox);
    }
    if strangers.is_empty() {
        return Ok(true);
    }
    let row = Sql::new("SELECT correspondents_to FROM ticket WHERE id = ").bind(ticket_id).optional(connection).await?;
    let before: i64 = row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
    let mut last = before;
    loop {
        // As `Article::brings_people` says it of one.
        let mut sql = Sql::new(format!("SELECT article.id, {CONTENT} FROM {ARTICLES} WHERE unvouched = 0"));
        sql.push(" AND (article.spool_id <> 0 OR sender_type <> 'system') AND ticket_id = ");
        let rows = sql
            .bind(ticket_id)
            .push(" AND article.id > ")
            .bind(last)
            .push(" ORDER BY article.id LIMIT ")
            .bind(PAGE)
            .all(connection)
            .await?;
        let mut met: BTreeSet<Mailbox> = BTreeSet::new();
        for row in &rows {
            last = row.try_get(0)?;
            met.extend(mailboxes(&read_content(row, 1)?));
        }
        strangers.retain(|stranger| !met.contains(stranger));
        if keep {
            note(connection, ticket_id, &met).await?;
        }
        if rows.is_empty() {
            break;
        }
    }
    if keep && last > before {
        let mut sql = Sql::new("UPDATE ticket SET correspondents_to = ");
        sql.bind(last).push(" WHERE id = ").bind(ticket_id).execute(connection).await?;
    }
    Ok(strangers.is_empty())
}

async fn note(connection: &mut AnyConnection, ticket_id: i64, met: &BTreeSet<Mailbox>) -> Result<(), StoreError> {
    let rows: Vec<[Value; 2]> =
        met.iter().map(|mailbox| [ticket_id.into(), indexed(mailbox.as_str()).into()]).collect();
    for piece in pieces(&rows) {
        let mut sql = Sql::new("INSERT INTO correspondent (ticket_id, mailbox) VALUES ");
        sql.tuples(piece.iter().cloned())
            .push(" ON CONFLICT (ticket_id, mailbox) DO NOTHING")
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Whom an article names.
fn mailboxes(article: &NewArticle) -> impl Iterator<Item = Mailbox> {
    let headers = [&article.from, &article.reply_to, &article.to, &article.cc].into_iter();
    let all = headers.flat_map(|header| Address::parse_all(header).into_iter().take(MOST_ADDRESSES));
    all.map(|found| Mailbox::of(&found.address))
}
