//! The communication log: listed, summed up, shown.

mod document;

pub use document::{AnswerDocument, CommunicationDocument, CommunicationSummary, OverviewDocument};

use self::document::CommunicationObject;
use super::{ServiceError, names};
use crate::commlog;
use crate::secret_key::SecretKey;
use crate::store::communications::export::{self, LogPiece};
use crate::store::communications::{self, LogFilter, LogPage, LogPlace, ShownCommunication};
use crate::store::{Store, outgoing, plan_versions};
use postigo_model::communication::Priority;
use serde_json::Value;
use std::time::Duration;

/// Communications as a list has them.
pub struct ListedCommunications {
    /// The rows, without their entries, each with its place in the order.
    pub rows: Vec<(LogPlace, CommunicationSummary)>,
    /// Where the time was up: what lies past this place was not looked at.
    pub searched_to: Option<LogPlace>,
}

/// The communications that are asked for and are found within this time.
pub async fn list(
    store: &Store,
    key: &SecretKey,
    filter: LogFilter,
    budget: Duration,
) -> Result<ListedCommunications, ServiceError> {
    let LogPage { rows, searched_to } = communications::page(&mut *store.read().await?, &filter, budget).await?;
    if rows.is_empty() && filter.past.is_none() {
        names::of_communications(store, key, &filter).await?;
    }
    let rows = rows.into_iter().map(|(place, record)| (place, record.into())).collect();
    Ok(ListedCommunications { rows, searched_to })
}

/// The four figures of the communications started in this span of time (milliseconds since the epoch), and the tasks
/// that are broken now.
pub async fn overview(store: &Store, since: Option<i64>, until: Option<i64>) -> Result<OverviewDocument, ServiceError> {
    Ok(communications::overview(&mut *store.read().await?, since, until).await?.into())
}

/// So many entries of filters that did nothing are put together for one answer: a connection has up to 1,000 messages,
/// and a chain thousands of filters. The communication that was asked for comes first.
const MOST_LEFT_OUT: usize = 20_000;

/// What is said of the version of a plan that is not there.
const PLAN_GONE: &str = "which is not kept any more, so that filters that did nothing are not told.";

/// A communication with its entries of this priority and above, the connection or the messages that belong to it, and
/// the automatic answers to its mail.
pub async fn show(store: &Store, id: &str, priority: Priority) -> Result<CommunicationDocument, ServiceError> {
    let mut connection = store.read().await?;
    let found = communications::show(&mut connection, id, priority).await?;
    let missing = || ServiceError::Missing { what: "communication".to_owned(), name: id.to_owned() };
    let ShownCommunication { mut communication, mut related, related_count } = found.ok_or_else(missing)?;
    let mut all: Vec<_> = [&mut communication].into_iter().chain(related.iter_mut()).collect();
    let numbers = all.iter().filter_map(|record| record.chain.as_ref()).map(|chain| chain.plan);
    let plans = plan_versions::find(&mut connection, numbers).await?;
    let mut room = MOST_LEFT_OUT;
    for record in &mut all {
        let Some(chain) = &record.chain else { continue };
        match plans.get(&chain.plan) {
            Some(plan) if plan.filters.len() <= room => {
                room -= plan.filters.len();
                commlog::add_left_out(record, plan);
            }
            Some(plan) => {
                let why = format!(
                    "filters: {}; what those did that are not told here stands in this message's own communication.",
                    plan.filters.len()
                );
                commlog::say_missing(record, &why);
            }
            None => commlog::say_missing(record, PLAN_GONE),
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

/// A piece of the log for an export, in the order of ids: each communication's id and its JSON, with its entries where
/// these are wanted.
pub async fn export(store: &Store, piece: &LogPiece, entries: bool) -> Result<Vec<(String, Value)>, ServiceError> {
    let mut connection = store.read().await?;
    let mut found = export::piece(&mut connection, piece, entries).await?;
    let numbers = found.iter().filter_map(|record| record.chain.as_ref()).map(|chain| chain.plan);
    let plans = plan_versions::find(&mut connection, numbers).await?;
    let written = found.drain(..).map(|mut record| {
        let id = record.id.clone();
        if !entries {
            return (id, serde_json::to_value(CommunicationSummary::from(record)));
        }
        match record.chain.as_ref().map(|chain| plans.get(&chain.plan)) {
            Some(Some(plan)) => commlog::add_left_out(&mut record, plan),
            Some(None) => commlog::say_missing(&mut record, PLAN_GONE),
            None => {}
        }
        (id, serde_json::to_value(CommunicationObject::from(record)))
    });
    let readable = |(id, written): (String, serde_json::Result<Value>)| match written {
        Ok(value) => Ok((id, value)),
        Err(error) => Err(ServiceError::Failed(format!("The communication {id} could not be written: {error}."))),
    };
    written.map(readable).collect()
}

/// How many communications an export has from this piece on.
pub async fn count_for_export(store: &Store, piece: &LogPiece) -> Result<i64, ServiceError> {
    Ok(export::count(&mut *store.read().await?, piece).await?)
}
