//! Tickets and articles: listed, shown, changed.

mod document;

pub use document::{ArticleDocument, TicketChangeDocument, TicketDocument, TicketWithArticles};

use super::{ServiceError, ThingMistake, configured, names};
use crate::answer;
use crate::filing::{self, TicketUpdate};
use crate::secret_key::SecretKey;
use crate::spool::Spool;
use crate::store::tickets::{self, Article, SearchedTickets, TicketFilter, TicketPage};
use crate::store::{Store, communications, outgoing};
use postigo_model::actor::Actor;
use postigo_model::ticket::TicketEdit;
use std::time::Duration;

/// Tickets, the newest first.
pub async fn list(store: &Store, key: &SecretKey, filter: TicketFilter) -> Result<Vec<TicketDocument>, ServiceError> {
    Ok(page(store, key, filter, Duration::MAX).await?.0)
}

/// The tickets that are asked for and are found within this time, the newest first, and how far that came where it did
/// not come to the end.
pub async fn page(
    store: &Store,
    key: &SecretKey,
    filter: TicketFilter,
    budget: Duration,
) -> Result<(Vec<TicketDocument>, Option<SearchedTickets>), ServiceError> {
    let TicketPage { rows, searched_to } = tickets::page(&mut *store.read().await?, &filter, budget).await?;
    if rows.is_empty() && filter.before.is_none() {
        names::of_tickets(store, key, &filter).await?;
    }
    Ok((rows.into_iter().map(TicketDocument::from).collect(), searched_to))
}

/// A ticket with its articles, and what people changed of it.
pub async fn show(store: &Store, number: &str) -> Result<TicketWithArticles, ServiceError> {
    let mut connection = store.read().await?;
    let missing = || ServiceError::Missing { what: "ticket".to_owned(), name: number.to_owned() };
    let ticket = tickets::by_number(&mut connection, number).await?.ok_or_else(missing)?;
    let articles = tickets::article_heads(&mut connection, ticket.id).await?;
    let deliveries = outgoing::deliveries_of(&mut connection, ticket.id).await?;
    let communications = communications::of_ticket(&mut connection, ticket.id).await?;
    let changes = tickets::changes(&mut connection, ticket.id).await?;
    Ok(TicketWithArticles::new(ticket, articles, deliveries, communications, changes))
}

/// Changes state, queue, owner or lock of a ticket, or merges it into another; all of it or nothing. Who did it is noted.
pub async fn edit(
    store: &Store,
    key: &SecretKey,
    number: String,
    edit: TicketEdit,
    actor: &Actor,
) -> Result<TicketDocument, ServiceError> {
    let configuration = configured::load(store, key).await?;
    let mistakes = edit.check(&configuration);
    if !mistakes.is_empty() {
        let given =
            |(field, sentence): (&str, String)| ThingMistake::given("ticket", &number, format!("/{field}"), sentence);
        return Err(ServiceError::Mistakes(mistakes.into_iter().map(given).collect()));
    }
    Ok(filing::edit(store, number, TicketUpdate { edit, actor: actor.clone(), configuration }).await?.into())
}

/// An article.
pub async fn article(store: &Store, id: i64) -> Result<ArticleDocument, ServiceError> {
    let article = find_article(store, id).await?;
    let mut connection = store.read().await?;
    let deliveries = outgoing::deliveries(&mut connection, article.outgoing_id).await?;
    let communications = communications::of_article(&mut connection, article.id).await?;
    Ok(ArticleDocument::new(article, deliveries, communications))
}

/// The bytes of an article's mail as they were received or sent, unchanged. A note has none.
pub async fn article_raw(spool: &Spool, id: i64) -> Result<Vec<u8>, ServiceError> {
    let article = find_article(spool.store(), id).await?;
    let raw = answer::raw(spool, &article).await?;
    raw.ok_or_else(|| ServiceError::NotFound(format!("Article {id} is a note: it was never a mail.")))
}

async fn find_article(store: &Store, id: i64) -> Result<Article, ServiceError> {
    let found = tickets::article(&mut *store.read().await?, id).await?;
    found.ok_or_else(|| ServiceError::Missing { what: "article".to_owned(), name: id.to_string() })
}
