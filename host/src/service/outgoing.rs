//! The outgoing queue: mails in it listed, shown, tried at once, cancelled.

mod document;

pub use document::{OutgoingDocument, OutgoingWithDeliveries};

use super::ServiceError;
use crate::store::outgoing::{self, OutgoingFilter};
use crate::store::{Store, WriteWork};
use postigo_model::actor::Actor;
use postigo_model::timestamp::now;

/// Outgoing mails in the order in which they were decided.
pub async fn list(store: &Store, filter: OutgoingFilter) -> Result<Vec<OutgoingDocument>, ServiceError> {
    let found = outgoing::list(&mut *store.read().await?, &filter).await?;
    Ok(found.into_iter().map(OutgoingDocument::from).collect())
}

/// An outgoing mail, with what became of it for each recipient.
pub async fn show(store: &Store, id: i64) -> Result<OutgoingWithDeliveries, ServiceError> {
    let found = outgoing::show(&mut *store.read().await?, id).await?;
    found.map(OutgoingWithDeliveries::from).ok_or_else(|| missing("outgoing mail", id))
}

/// The bytes that are sent.
pub async fn raw(store: &Store, id: i64) -> Result<Vec<u8>, ServiceError> {
    outgoing::raw(&mut *store.read().await?, id).await?.ok_or_else(|| missing("composed outgoing mail", id))
}

/// Has mails tried at once that wait, were given up, are uncertain or were cancelled; for the recipients that they did
/// not reach. Noted as done by `by`.
pub async fn retry(store: &Store, ids: Vec<i64>, by: &Actor) -> Result<(), ServiceError> {
    let retry: WriteWork<(Vec<i64>, Actor, i64), ()> =
        |(ids, by, now), connection| Box::pin(outgoing::retry(connection, ids, by, *now));
    Ok(store.write((ids, by.clone(), now()), retry).await?)
}

/// Ends mails that are due or wait: they are not sent. Noted as done by `by`.
pub async fn cancel(store: &Store, ids: Vec<i64>, by: &Actor) -> Result<(), ServiceError> {
    let cancel: WriteWork<(Vec<i64>, Actor, i64), ()> =
        |(ids, by, now), connection| Box::pin(outgoing::cancel(connection, ids, by, *now));
    Ok(store.write((ids, by.clone(), now()), cancel).await?)
}

fn missing(what: &str, id: i64) -> ServiceError {
    ServiceError::Missing { what: what.to_owned(), name: id.to_string() }
}
