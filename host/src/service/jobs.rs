//! Jobs: asked for, listed, shown, cancelled. What each kind does is in [`crate::jobs`].

mod document;

pub use document::JobDocument;

use super::configured::Editor;
use super::examples::{self, ExampleWish, MOST_EXAMPLES};
use super::{ServiceError, ThingMistake, names};
use crate::config::{review, widened};
use crate::secret_key::SecretKey;
use crate::store::communications::LogFilter;
use crate::store::jobs::{self, JobFilter, NewJob};
use crate::store::{Store, configuration, spool};
use postigo_model::actor::Actor;
use postigo_model::configured::form::{self, ConfiguredKind as _};
use postigo_model::configured::{Configuration, Filter};
use postigo_model::job::{JobStatus, LogExportOrder, ReplayOrder, TrainingOrder};
use postigo_model::timestamp::{now, parse, rfc3339};
use serde_json::Value;
use std::collections::HashMap;

/// So many jobs may wait and run.
const MOST_OPEN: i64 = 100;
/// Bytes of what is asked for, as JSON: lists of jobs show it.
const LARGEST_ORDER: usize = 64 << 10;
/// The most mails of a replay.
pub const MOST_REPLAYED: i64 = 1_000_000;
/// The mails of a replay that says nothing of it.
pub const USUAL_REPLAY: i64 = 1_000;
/// Filters that a replay may be given.
const MOST_FILTERS: usize = 100;

/// Jobs, the last asked for first, without their results.
pub async fn list(store: &Store, filter: JobFilter) -> Result<Vec<JobDocument>, ServiceError> {
    let found = jobs::list(&mut *store.read().await?, &filter).await?;
    Ok(found.into_iter().map(JobDocument::from).collect())
}

/// A job, with its result.
pub async fn show(store: &Store, id: i64) -> Result<JobDocument, ServiceError> {
    let found = jobs::show(&mut *store.read().await?, id).await?;
    let missing = || ServiceError::Missing { what: "job".to_owned(), name: id.to_string() };
    found.map(JobDocument::from).ok_or_else(missing)
}

/// Has jobs end that wait or run; `only_of` lets whoever asks end their own alone.
pub async fn cancel(store: &Store, ids: Vec<i64>, only_of: Option<&Actor>) -> Result<(), ServiceError> {
    for id in ids.iter().filter(|_| only_of.is_some()) {
        let job = show(store, *id).await?;
        if only_of.is_some_and(|actor| job.asked_by != actor.to_string()) {
            return Err(ServiceError::NotAllowed(format!(
                "The job {id} was asked for by {}; only they and an admin may cancel it.",
                job.asked_by
            )));
        }
    }
    Ok(store.write((ids, now()), |(ids, now), connection| Box::pin(jobs::cancel(connection, ids, *now))).await?)
}

/// Asks for a replay; gives the job's id. Its filters are tried as if they were saved, and are not.
pub async fn replay(editor: Editor<'_>, mut order: ReplayOrder) -> Result<i64, ServiceError> {
    let place = editor.place;
    let before = configuration::load(place.store, place.key).await?;
    let mut mistakes = span_mistakes(&mut order.since, &mut order.until);
    if !(1..=MOST_REPLAYED).contains(&order.limit) {
        mistakes.push(mistake("/limit", format!("must be 1 to {MOST_REPLAYED}, not {}.", order.limit)));
    }
    if let Some(name) = order.account.as_ref().filter(|name| !before.accounts.contains_key(*name)) {
        let any = spool::HistoryFilter { account: Some(name.clone()), limit: 1, ..spool::HistoryFilter::default() };
        if spool::count_past(&mut *place.store.read().await?, &any).await? == 0 {
            mistakes.push(mistake(
                "/account",
                format!("there is no account \"{name}\"; `postigo account list` shows those that exist."),
            ));
        }
    }
    if let Some(name) = order.queue.as_ref().filter(|name| !before.queues.contains_key(*name)) {
        mistakes.push(mistake(
            "/queue",
            format!("there is no queue \"{name}\"; `postigo queue list` shows those that exist."),
        ));
    }
    if order.filters.len() > MOST_FILTERS {
        mistakes.push(mistake("/filters", format!("there are more than {MOST_FILTERS}.")));
        return Err(ServiceError::Mistakes(mistakes));
    }
    let after = given_filters(editor, &before, &mut order, &mut mistakes).await?;
    for (index, name) in order.only.iter().enumerate() {
        if !after.filters.contains_key(name) {
            mistakes.push(mistake(
                format!("/only/{index}"),
                format!("there is no filter \"{name}\"; `postigo filter list` shows those that exist."),
            ));
        }
    }
    if !mistakes.is_empty() {
        return Err(ServiceError::Mistakes(mistakes));
    }
    ask(place.store, ReplayOrder::KIND, &order, place.actor).await
}

/// Asks for an export of the communication log; gives the job's id.
pub async fn export_log(
    store: &Store,
    key: &SecretKey,
    mut order: LogExportOrder,
    actor: &Actor,
) -> Result<i64, ServiceError> {
    let mut mistakes = span_mistakes(&mut order.since, &mut order.until);
    if order.account.is_some() {
        let named = LogFilter { account: order.account.clone(), ..LogFilter::default() };
        match names::of_communications(store, key, &named).await {
            Err(ServiceError::Argument { sentence, .. }) => mistakes.push(mistake("/account", sentence)),
            known => known?,
        }
    }
    if !mistakes.is_empty() {
        return Err(ServiceError::Mistakes(mistakes));
    }
    // It has an end: what comes in meanwhile is for the next one.
    order.until.get_or_insert_with(|| rfc3339(now()));
    ask(store, LogExportOrder::KIND, &order, actor).await
}

/// Asks for a training; gives the job's id.
pub async fn train(
    store: &Store,
    key: &SecretKey,
    mut order: TrainingOrder,
    actor: &Actor,
) -> Result<i64, ServiceError> {
    let mut mistakes = span_mistakes(&mut order.since, &mut None);
    if !(1..=MOST_EXAMPLES).contains(&order.limit) {
        mistakes.push(mistake("/limit", format!("must be 1 to {MOST_EXAMPLES}, not {}.", order.limit)));
    }
    let configuration = configuration::load(store, key).await?;
    if !configuration.filters.contains_key(&order.filter) {
        return Err(ServiceError::Missing { what: "filter".to_owned(), name: order.filter });
    }
    if order.questions.is_empty() {
        mistakes.push(mistake("/questions", "there is no question."));
    }
    let wish = ExampleWish { questions: order.questions.clone(), ..ExampleWish::default() };
    match examples::order(store, &configuration, wish).await {
        Err(ServiceError::Mistakes(found)) => mistakes.extend(found),
        order => drop(order?),
    }
    if !mistakes.is_empty() {
        return Err(ServiceError::Mistakes(mistakes));
    }
    ask(store, TrainingOrder::KIND, &order, actor).await
}

/// Whether a job has made a file on the host of this id. The refusal says where it is, or why there is none.
pub async fn has_file_on(store: &Store, id: i64, host: Option<&str>) -> Result<(), ServiceError> {
    let job = show(store, id).await?;
    let made_on =
        job.result.as_ref().filter(|result| result.get("file").is_some()).and_then(|result| result.get("host"));
    let Some(made_on) = made_on.and_then(Value::as_str) else {
        return Err(ServiceError::Conflict(match job.status {
            JobStatus::Done => format!("The job {id} makes no file: its result is in the job itself."),
            status => format!("The job {id} is {status}: it has a file when it is done, if its kind makes one."),
        }));
    };
    if host == Some(made_on) {
        return Ok(());
    }
    let name = job.host_name.as_deref().unwrap_or("not known");
    Err(ServiceError::NotFound(format!(
        "The file of the job {id} is on another host: {name}, the data folder with the id {made_on}. Ask that host for it."
    )))
}

/// The configuration with the filters of an order; these are settled, and written as they would be saved.
async fn given_filters(
    editor: Editor<'_>,
    before: &Configuration,
    order: &mut ReplayOrder,
    mistakes: &mut Vec<ThingMistake>,
) -> Result<Configuration, ServiceError> {
    let (mut after, mut places) = (before.clone(), HashMap::new());
    for (index, written) in order.filters.iter().enumerate() {
        let place = format!("/filters/{index}");
        let (filter, problems) = form::read(Filter::default(), written, &place, &form::in_clear);
        let is_read = problems.is_empty();
        mistakes.extend(problems.into_iter().map(|problem| mistake(problem.pointer, problem.sentence)));
        if places.insert(filter.name.clone(), place.clone()).is_some() {
            mistakes.push(mistake(format!("{place}/name"), format!("the filter \"{}\" is there twice.", filter.name)));
        }
        if is_read {
            after.filters.insert(filter.name.clone(), filter);
        }
    }
    if places.is_empty() || !mistakes.is_empty() {
        return Ok(after);
    }
    let reviewed = review(before, &mut after, editor.place).await?;
    for breach in reviewed.mistakes {
        let place = places.get(&breach.name).filter(|_| breach.kind == Filter::KIND);
        let given = |place: &String| mistake(format!("{place}{}", breach.place), breach.sentence.clone());
        mistakes.push(place.map_or_else(|| mistake("", breach.to_string()), given));
    }
    if mistakes.is_empty() && !editor.gives_grants {
        let mut widened = widened(before, &after, editor.place.store, editor.place.sandbox).await?;
        for breach in &mut widened {
            breach.place.insert_str(0, places.get(&breach.name).map_or("", String::as_str));
        }
        if !widened.is_empty() {
            return Err(ServiceError::NotGranted(widened));
        }
    }
    for written in &mut order.filters {
        let name = written.get("name").and_then(Value::as_str).unwrap_or_default();
        if let Some(filter) = after.filters.get(name) {
            *written = Value::Object(form::write(filter));
        }
    }
    Ok(after)
}

/// What is wrong with a span of time, whose ends are written in one form from here on.
fn span_mistakes(since: &mut Option<String>, until: &mut Option<String>) -> Vec<ThingMistake> {
    let mut mistakes = Vec::new();
    let mut read = |key: &str, text: &mut Option<String>| {
        let at = text.as_deref().and_then(parse);
        match (&text, at) {
            (Some(given), None) => {
                mistakes.push(mistake(key, format!("\"{given}\" is not a time such as 2026-11-24T12:00:00Z.")));
            }
            _ => *text = at.map(rfc3339),
        }
        at
    };
    let (begins, ends) = (read("/since", since), read("/until", until));
    if let (Some(begins), Some(ends)) = (begins, ends)
        && begins >= ends
    {
        mistakes.push(mistake("/until", "must be after `since`."));
    }
    mistakes
}

fn mistake(place: impl Into<String>, clause: impl Into<String>) -> ThingMistake {
    ThingMistake::given("job", "", place, clause)
}

async fn ask(
    store: &Store,
    kind: &str,
    order: &(impl serde::Serialize + Sync),
    actor: &Actor,
) -> Result<i64, ServiceError> {
    let asked = serde_json::to_value(order).map_err(|error| ServiceError::Failed(error.to_string()))?;
    if asked.to_string().len() > LARGEST_ORDER {
        return Err(ServiceError::TooLarge(format!(
            "What is asked for has more than {} KiB as JSON. Give fewer filters, or only those that differ.",
            LARGEST_ORDER >> 10
        )));
    }
    let new = NewJob { kind: kind.to_owned(), asked, asked_by: actor.to_string(), asked_at: now() };
    let id = store.write(new, |new, connection| Box::pin(jobs::add(connection, new, MOST_OPEN))).await?;
    id.ok_or_else(|| {
        ServiceError::Conflict(format!(
            "{MOST_OPEN} jobs wait or run already. Ask again when some have ended, or cancel what nobody needs: \
             `postigo job list` shows them."
        ))
    })
}
