//! The communication log: listed, summed up, shown.

mod document;

pub use document::{AnswerDocument, CommunicationDocument, CommunicationSummary, OverviewDocument};

use super::{ServiceError, names};
use crate::commlog;
use crate::secret_key::SecretKey;
use crate::store::communications::{self, LogFilter, ShownCommunication};
use crate::store::{Store, outgoing, plan_versions};
use postigo_model::communication::Priority;

/// Communications, without their entries.
pub async fn list(
    store: &Store,
    key: &SecretKey,
    filter: LogFilter,
) -> Result<Vec<CommunicationSummary>, ServiceError> {
    let found = communications::list(&mut *store.read().await?, &filter).await?;
    if found.is_empty() {
        names::of_communications(store, key, &filter).await?;
    }
    Ok(found.into_iter().map(CommunicationSummary::from).collect())
}

/// The four figures of the communications started in this span of time (milliseconds since the epoch), and the tasks
/// that are broken now.
pub async fn overview(store: &Store, since: Option<i64>, until: Option<i64>) -> Result<OverviewDocument, ServiceError> {
    Ok(communications::overview(&mut *store.read().await?, since, until).await?.into())
}

/// A communication with its entries of this priority and above, the connection or the messages that belong to it, and
/// the automatic answers to its mail.
pub async fn show(store: &Store, id: &str, priority: Priority) -> Result<CommunicationDocument, ServiceError> {
    let mut connection = store.read().await?;
    let found = communications::show(&mut connection, id, priority).await?;
    let missing = || ServiceError::Missing { what: "communication".to_owned(), name: id.to_owned() };
    let ShownCommunication { mut communication, mut related, related_count } = found.ok_or_else(missing)?;
    let mut all: Vec<_> = related.iter_mut().chain([&mut communication]).collect();
    let numbers = all.iter().filter_map(|record| record.chain.as_ref()).map(|chain| chain.plan);
    let plans = plan_versions::find(&mut connection, numbers).await?;
    for record in &mut all {
        if let Some(plan) = record.chain.as_ref().and_then(|chain| plans.get(&chain.plan)) {
            commlog::add_left_out(record, plan);
        }
    }
    let answers = match communication.article_id {
        Some(article) => outgoing::answers_to(&mut connection, article).await?,
        None => Vec::new(),
    };
    let answers = answers.into_iter().map(AnswerDocument::from).collect();
    let shown = ShownCommunication { communication, related, related_count };
    Ok(CommunicationDocument { answers, ..shown.into() })
}
