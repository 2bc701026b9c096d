//! Dry runs: a message's whole way up to the decision, with every filter called, and nothing kept of it.

use super::evaluate::{self, EvaluateError, EvaluatedMessage};
use super::{Live, LiveConfiguration, filing, report};
use crate::catalogue::{Catalogue, settle};
use crate::chain::{AskersSandbox, ChainPlan, Mode, NeededComponents};
use crate::filing::{follow_up_search, is_ignored};
use crate::store::{Store, StoreError, tickets};
use bytes::Bytes;
use postigo_mail::Envelope;
use postigo_model::configured::{Filter, Validity};
use postigo_model::result::{FilterResult, MessageResult, MessageStatus};
use postigo_model::ticket::FilingKind;
use postigo_supervision::{WorkKind, blocking};
use serde::Serialize;
use std::sync::Arc;

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct DryRun {
    /// Where the mail came from, for people.
    pub source: String,
    /// The mail.
    pub raw: Bytes,
    /// As if this account had brought it.
    pub account: String,
    /// Whether that account counts as trusted; none: as it is.
    pub trusted: Option<bool>,
    /// Recipients of the envelope, where they are known.
    pub recipients: Vec<String>,
    /// When it came, milliseconds since the epoch; none: now.
    pub received_at: Option<i64>,
}

/// What would have become of a mail.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = DryRun)]
pub struct DryRunResult {
    /// As a message's result, without what only filing gives: numbers and ids.
    #[serde(flatten)]
    pub result: MessageResult,
    /// What is wrong with screenings, and headers of the mail that have no effect: sentences.
    pub notes: Vec<String>,
    /// What the filters logged.
    pub log: Vec<LoggedLine>,
    /// The filter that ended the chain.
    #[serde(skip)]
    pub ended_by: Option<String>,
}

/// A line that a filter logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Logged)]
pub struct LoggedLine {
    /// The filter's name.
    pub filter: String,
    /// `debug`, `info`, `notice`, `warning`, `error`.
    pub priority: &'static str,
    /// The line.
    pub text: String,
}

impl DryRunResult {
    /// What one filter did; none where the chain has none of this name.
    pub fn filter(&self, name: &str) -> Option<&FilterResult> {
        self.result.filters.iter().find(|filter| filter.name == name)
    }
}

/// Tries a mail on the chain as it is, without any effect.
pub async fn dry_run(
    dry_run: DryRun,
    setup: Arc<LiveConfiguration>,
    live: &Live,
) -> Result<DryRunResult, EvaluateError> {
    let account = setup.configuration.accounts.get(&dry_run.account);
    let trusted = dry_run.trusted.unwrap_or_else(|| account.is_some_and(|account| account.trusted));
    let envelope = Envelope {
        account: dry_run.account,
        trusted,
        received_at: dry_run.received_at.unwrap_or_else(postigo_model::timestamp::now),
        recipients: dry_run.recipients,
    };
    let evaluated =
        evaluate::evaluate(dry_run.raw, envelope, Mode::Dry, setup, live.store(), live.sandbox().as_ref()).await?;
    let result = report::result(&dry_run.source, None, &evaluated);
    let mut result = decided(result, &evaluated, live.store()).await?;
    let planned = evaluated.setup.plan.filters().iter().zip(&evaluated.run.steps);
    for (filter, (planned, step)) in result.filters.iter_mut().zip(planned) {
        filter.component = Some(planned.component.to_string());
        filter.reason = Some(step.reason.clone()).filter(|reason| !reason.is_empty());
    }
    let ended_by = result.filters.iter().find(|filter| filter.stopped).map(|filter| filter.name.clone());
    Ok(DryRunResult { result, notes: notes(&evaluated), log: log(&evaluated), ended_by })
}

/// Why one filter cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum NoFilter {
    /// There is none of this name.
    #[error("There is no filter \"{0}\"; `postigo filter list` shows those that exist.")]
    Missing(String),
    /// The component that it is to be tried with is not there: a sentence.
    #[error("{0}")]
    Component(String),
    /// It cannot be prepared with that component: a sentence.
    #[error("{0}")]
    Broken(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The setup in which a filter runs even though it is off, in its place in the chain; with another component where one
/// is named, activated or not. It is prepared in the asker's places.
pub async fn with_filter(
    live: &Live,
    name: &str,
    component: Option<&str>,
    sandbox: &AskersSandbox,
) -> Result<Arc<LiveConfiguration>, NoFilter> {
    let setup = live.newest().await?;
    let filter = setup.configuration.filters.get(name).ok_or_else(|| NoFilter::Missing(name.to_owned()))?;
    if filter.valid == Validity::Valid && component.is_none() {
        return Ok(setup);
    }
    let mut on = Filter { valid: Validity::Valid, ..filter.clone() };
    if let Some(component) = component {
        component.clone_into(&mut on.component);
        let catalogue = Catalogue::load(live.store()).await?;
        settle(None, &mut on, &catalogue)
            .map_err(|sentence| NoFilter::Component(format!("The filter is not tried: {sentence}")))?;
    }
    let others = setup.configuration.valid_filters().filter(|other| other.name != name).cloned();
    let filters: Vec<Filter> = others.chain([on]).collect();
    let built = prepared(live, setup, filters, sandbox).await?;
    if let Some((_, broken)) = built.plan.broken().find(|(planned, _)| component.is_some() && &*planned.name == name) {
        return Err(NoFilter::Broken(format!(
            "The filter \"{name}\" cannot run this component: {}",
            broken.failure.message
        )));
    }
    Ok(Arc::new(built))
}

/// The setup in which filters run as they are given, in the place of those of the same name or beside them, of all of
/// which only those of the names in `only` run; where that is empty, all that are valid. They are prepared in the asker's
/// places.
pub async fn with_filters(
    live: &Live,
    given: Vec<Filter>,
    only: &[String],
    sandbox: &AskersSandbox,
) -> Result<Arc<LiveConfiguration>, NoFilter> {
    let setup = live.newest().await?;
    if given.is_empty() && only.is_empty() {
        return Ok(setup);
    }
    let catalogue = Catalogue::load(live.store()).await?;
    let mut filters = setup.configuration.filters.clone();
    for mut filter in given {
        settle(filters.get(&filter.name), &mut filter, &catalogue).map_err(NoFilter::Component)?;
        filters.insert(filter.name.clone(), filter);
    }
    if let Some(missing) = only.iter().find(|name| !filters.contains_key(*name)) {
        return Err(NoFilter::Missing(missing.clone()));
    }
    let runs = |filter: &Filter| {
        if only.is_empty() { filter.valid == Validity::Valid } else { only.contains(&filter.name) }
    };
    let filters = filters.into_values().filter(runs).map(|filter| Filter { valid: Validity::Valid, ..filter });
    Ok(Arc::new(prepared(live, setup, filters.collect(), sandbox).await?))
}

/// What is configured, with a chain of these filters.
async fn prepared(
    live: &Live,
    setup: Arc<LiveConfiguration>,
    filters: Vec<Filter>,
    sandbox: &AskersSandbox,
) -> Result<LiveConfiguration, NoFilter> {
    let components = NeededComponents::of(&filters, live.store(), live.sandbox()).await?;
    let components = components.with_models(&filters, &setup.configuration, live.store(), live.key()).await?;
    let sandbox = sandbox.clone();
    let built = blocking(WorkKind::Preparation, "", move || {
        let plan = ChainPlan::build(&filters, &components, &sandbox, Some(&setup.plan));
        LiveConfiguration::new(setup.configuration.clone(), plan, setup.vocabulary.clone())
    });
    built.await.map_err(|panic| {
        NoFilter::Broken(format!("The chain could not be prepared, its preparation panicked: {panic}."))
    })
}

async fn decided(
    result: MessageResult,
    evaluated: &EvaluatedMessage,
    store: &Store,
) -> Result<MessageResult, StoreError> {
    let EvaluatedMessage { setup, run, .. } = evaluated;
    if let Some(filter) = run.held_by.and_then(|position| setup.plan.filters().get(position)) {
        return Ok(MessageResult { status: MessageStatus::Held, error: Some(report::held_by(filter)), ..result });
    }
    if is_ignored(&run.mail) {
        return Ok(MessageResult { status: MessageStatus::Ignored, ..result });
    }
    let mut connection = store.read().await?;
    let search = follow_up_search(&run.mail, &setup.configuration);
    let found = tickets::find_follow_up(&mut connection, &search).await?;
    let customers = filing::Customers::of(&mut connection, std::iter::once(evaluated)).await?;
    let decision = filing::decide(&mut connection, &customers, evaluated, found).await?;
    let number = (decision.ticket.id != 0).then(|| decision.ticket.number.clone());
    let status = match decision.kind {
        FilingKind::Rejected(_) => MessageStatus::Rejected,
        _ => MessageStatus::Filed,
    };
    Ok(MessageResult { status, ticket_number: number, ..report::with_filing(result, &decision) })
}

fn notes(evaluated: &EvaluatedMessage) -> Vec<String> {
    let dropped = evaluated.dropped.iter().map(report::dropped);
    dropped.chain(evaluated.run.notes.iter().cloned()).collect()
}

fn log(evaluated: &EvaluatedMessage) -> Vec<LoggedLine> {
    let filters = evaluated.setup.plan.filters().iter().zip(&evaluated.run.steps);
    filters
        .flat_map(|(filter, step)| {
            step.log.iter().map(|line| LoggedLine {
                filter: filter.name.to_string(),
                priority: line.priority,
                text: line.text.clone(),
            })
        })
        .collect()
}
