//! Articles, and what the next mail asks of them.

use super::content::{ARTICLES, CONTENT, content_values, read_content};
use super::rows::touch;
use crate::store::indexed::indexed;
use crate::store::sql::{Sql, Value};
use crate::store::{StoreError, readers};
use postigo_mail::Address;
use postigo_model::mailbox::Mailbox;
use postigo_model::ticket::InternalMail;
use postigo_model::ticket::NewArticle;
use postigo_model::ticket::SenderType;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// A filed article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// Row id.
    pub id: i64,
    /// Row id of its ticket.
    pub ticket_id: i64,
    /// Row id of the message in the spool, which has the received bytes; 0: it was not received.
    pub spool_id: i64,
    /// Row id of the outgoing mail, which has the sent bytes; 0: it was not sent by us. An article with neither is a
    /// note.
    pub outgoing_id: i64,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// What the mail said.
    #[serde(flatten)]
    pub content: NewArticle,
}

impl Article {
    /// Whether those whom it names are people of its ticket for that: an agent's article, and a received one that
    /// vouches. Automatic answers and notes of ours go to whoever wrote, and say nothing of them.
    pub fn brings_people(&self) -> bool {
        self.content.vouches() && (self.spool_id != 0 || self.content.sender_type != SenderType::System)
    }
}

const COLUMNS: &str = "article.id, article.ticket_id, article.spool_id, article.outgoing_id, article.created_at";

/// A statement up to a condition.
fn select() -> Sql {
    Sql::new(format!("SELECT {COLUMNS}, {CONTENT} FROM {ARTICLES} WHERE "))
}

fn read(row: &AnyRow) -> Result<Article, StoreError> {
    let content = read_content(row, 5)?;
    Ok(Article {
        id: row.try_get(0)?,
        ticket_id: row.try_get(1)?,
        spool_id: row.try_get(2)?,
        outgoing_id: row.try_get(3)?,
        created_at: row.try_get(4)?,
        content,
    })
}

/// One article.
pub async fn article(connection: &mut AnyConnection, id: i64) -> Result<Option<Article>, StoreError> {
    select().push("article.id = ").bind(id).optional(connection).await?.as_ref().map(read).transpose()
}

/// Articles that are read at once: each comes with the mail that it is packed over, and with a text of up to 2 MiB.
const AT_ONCE: i64 = 8;

/// Reads the articles of a ticket for which a condition holds, oldest first.
async fn each(
    connection: &mut AnyConnection,
    ticket_id: i64,
    condition: &str,
    mut take: impl FnMut(Article),
) -> Result<(), StoreError> {
    let mut last = 0;
    loop {
        let mut sql = select();
        sql.push("ticket_id = ").bind(ticket_id).push(condition).push(" AND article.id > ").bind(last);
        let rows = sql.push(" ORDER BY article.id LIMIT ").bind(AT_ONCE).all(connection).await?;
        for row in &rows {
            let article = read(row)?;
            last = article.id;
            take(article);
        }
        if (rows.len() as i64) < AT_ONCE {
            return Ok(());
        }
    }
}

/// The articles of a ticket, oldest first.
pub async fn articles(connection: &mut AnyConnection, ticket_id: i64) -> Result<Vec<Article>, StoreError> {
    let mut articles = Vec::new();
    each(connection, ticket_id, "", |article| articles.push(article)).await?;
    Ok(articles)
}

/// The articles of a ticket, oldest first, without their texts: a ticket may have any number of articles of 2 MiB each.
pub async fn article_heads(connection: &mut AnyConnection, ticket_id: i64) -> Result<Vec<Article>, StoreError> {
    let mut heads = Vec::new();
    let mut take = |article: Article| {
        heads.push(Article { content: NewArticle { body: String::new(), ..article.content }, ..article });
    };
    each(connection, ticket_id, "", &mut take).await?;
    Ok(heads)
}

/// Adds an article that was not received: a mail that we send (`outgoing_id`), or a note (0). Gives its row id.
pub async fn add_article(
    connection: &mut AnyConnection,
    ticket_id: i64,
    outgoing_id: i64,
    article: &NewArticle,
    now: i64,
) -> Result<i64, StoreError> {
    let [detail, packed, _] = content_values(article, readers::all_read_packed(connection).await?, None)?;
    let mut sql = Sql::new(
        "INSERT INTO article (ticket_id, spool_id, outgoing_id, created_at, sender_type, visible_for_customer, message_id, detail, packed) VALUES ",
    );
    let row: [Value; 9] = [
        ticket_id.into(),
        0_i64.into(),
        outgoing_id.into(),
        now.into(),
        article.sender_type.name().into(),
        article.visible_for_customer.into(),
        indexed(&article.message_id).into(),
        detail,
        packed,
    ];
    let id = sql.tuple(row).push(" RETURNING id").one(connection).await?.try_get(0)?;
    touch(connection, ticket_id, now).await?;
    Ok(id)
}

/// An internal mail, from an article's To and Cc as they were filed.
pub fn internal_mail(to: &str, cc: &str, message_id: String) -> InternalMail {
    let recipients = [to, cc]
        .iter()
        .flat_map(|header| Address::parse_all(header))
        .map(|found| Mailbox::of(&found.address))
        .collect();
    InternalMail { recipients, message_id }
}

/// The mails of agents in a ticket that the customer does not see: who answers one of them writes internally too.
pub async fn internal_mails(connection: &mut AnyConnection, ticket_id: i64) -> Result<Vec<InternalMail>, StoreError> {
    let mut internal = Vec::new();
    let mut take = |article: Article| {
        let NewArticle { to, cc, message_id, .. } = article.content;
        internal.push(internal_mail(&to, &cc, message_id));
    };
    each(connection, ticket_id, " AND sender_type = 'agent' AND visible_for_customer = 0", &mut take).await?;
    Ok(internal)
}

#[cfg(test)]
mod tests {
    use super::super::{by_id, insert_ticket};
    use super::*;
    use crate::store::{Location, Store};
    use postigo_model::ticket::Ticket;

    #[tokio::test]
    async fn an_article_that_is_added_changes_its_ticket_and_an_earlier_one_puts_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let ticket = Ticket { number: "2026".into(), ..Ticket::default() };
        let made = store.write(ticket, |ticket, connection| Box::pin(insert_ticket(connection, ticket, 100)));
        let id = made.await.unwrap().unwrap();
        for (at, changed_at) in [(200, 200), (150, 200)] {
            let add = store.write((id, at), |(id, at), connection| {
                Box::pin(async move { add_article(connection, *id, 0, &NewArticle::default(), *at).await })
            });
            add.await.unwrap();
            let ticket = by_id(&mut store.read().await.unwrap(), id).await.unwrap().unwrap();
            assert_eq!(ticket.changed_at, changed_at);
        }
    }

    #[tokio::test]
    async fn a_tickets_articles_can_be_read_without_their_texts() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let of = |number: i64| NewArticle {
            subject: number.to_string(),
            body: "text".repeat(1000),
            ..NewArticle::default()
        };
        for number in 0..=AT_ONCE * 2 {
            let add = store.write(of(number), |article, connection| {
                Box::pin(async move { add_article(connection, 7, 0, article, 0).await })
            });
            add.await.unwrap();
        }
        let mut connection = store.read().await.unwrap();
        let heads = article_heads(&mut connection, 7).await.unwrap();
        let subjects: Vec<i64> = heads.iter().map(|head| head.content.subject.parse().unwrap()).collect();
        assert_eq!(subjects, (0..=AT_ONCE * 2).collect::<Vec<_>>());
        assert!(heads.iter().all(|head| head.content.body.is_empty()));
        assert_eq!(articles(&mut connection, 7).await.unwrap()[3].content, of(3));
    }
}
