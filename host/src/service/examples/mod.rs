//! What classifiers learn from: tickets' first mails with what the tickets are today, and mails that somebody labelled.

mod collection;
mod document;
mod judgement;
mod labelled;
mod selection;

pub use collection::{Example, ExampleCollection, ExampleOrder, ExampleSet, ExampleSource, LabelCount, QuestionLabels};
pub use document::{ExampleReport, LabelDocument, QuestionDocument, ReasonDocument};
pub use judgement::{GIVEN_WEIGHT, NoLesson, TicketQuestion};
pub use labelled::{LabelledMail, read as read_labelled};

use super::{ServiceError, ThingMistake};
use crate::spool::Spool;
use crate::store::{Store, StoreError, configuration};
use bytes::Bytes;
use postigo_mail::Message;
use postigo_model::configured::form::ConfiguredKind as _;
use postigo_model::configured::{Configuration, Filter};
use postigo_model::text::beginning;
use postigo_model::ticket::TicketField;
use std::collections::BTreeMap;

/// Examples where nothing else is said.
pub const USUAL_EXAMPLES: usize = 20_000;
/// The most examples.
pub const MOST_EXAMPLES: usize = 200_000;
/// Questions of a collection.
const MOST_QUESTIONS: usize = 16;
/// Bytes of a mail's text that are given out.
const LONGEST_TEXT: usize = 64 << 10;

/// Which examples are wanted.
#[derive(Debug, Clone, Default)]
pub struct ExampleWish {
    /// The questions: name, and the header that an answer sets.
    pub questions: Vec<(String, String)>,
    /// Only of tickets made at or after this time, milliseconds since the epoch.
    pub since: Option<i64>,
    /// So many at most.
    pub most: usize,
    /// Filters whose decisions teach nothing until somebody confirms them.
    pub deciders: Vec<String>,
}

/// What is to be collected, by the configuration as it is: which labels there are today.
pub async fn order(
    store: &Store,
    configuration: &Configuration,
    wish: ExampleWish,
) -> Result<ExampleOrder, ServiceError> {
    let mut mistakes = Vec::new();
    let mut questions: Vec<TicketQuestion> = Vec::new();
    for (name, header) in wish.questions {
        let Some(field) = TicketField::of_header(&header) else {
            mistakes.push(mistake("question", format!("\"{header}\" is no header that sets a field of a ticket.")));
            continue;
        };
        if questions.iter().any(|question| question.name == name) {
            mistakes.push(mistake("question", format!("the question \"{name}\" is there twice.")));
        }
        if let TicketField::Dynamic(field) = &field
            && !configuration.dynamic_fields.contains_key(field)
        {
            mistakes.push(mistake("question", format!("there is no dynamic field \"{field}\".")));
        }
        let existing = field.values(configuration).map(|values| values.into_iter().collect());
        questions.push(TicketQuestion { name, field, values: BTreeMap::new(), existing });
    }
    if questions.len() > MOST_QUESTIONS {
        mistakes.push(mistake("question", format!("there are more than {MOST_QUESTIONS}.")));
    }
    let mut deciders = BTreeMap::new();
    for name in wish.deciders {
        if !configuration.filters.contains_key(&name) {
            let clause = format!("there is no filter \"{name}\"; `postigo filter list` shows those that exist.");
            mistakes.push(mistake("not_by", clause));
        }
        let made_at = configuration::made_at(store, Filter::KIND, &name).await?;
        deciders.insert(name, made_at.unwrap_or_default());
    }
    if !mistakes.is_empty() {
        return Err(ServiceError::Mistakes(mistakes));
    }
    Ok(ExampleOrder {
        questions,
        since: wish.since.unwrap_or_default(),
        most: wish.most.clamp(1, MOST_EXAMPLES),
        deciders,
        default_queue: configuration.settings.default_queue.clone(),
    })
}

/// A mail as a labelled one, of its first 256 KiB; none where its bytes are not kept any more. What was encrypted stays so: the
/// bytes are read as they came.
pub async fn labelled_mail(
    spool: &Spool,
    spool_id: i64,
    labels: BTreeMap<String, String>,
    given: bool,
) -> Result<Option<LabelledMail>, ServiceError> {
    let raw = match spool.beginning(spool_id).await {
        Ok(raw) => raw,
        Err(StoreError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let read = tokio::task::spawn_blocking(move || {
        let message = Message::parse(Bytes::from(raw));
        let subject = message.header("Subject").unwrap_or_default().to_owned();
        LabelledMail { subject, text: beginning(message.text(), LONGEST_TEXT).to_owned(), labels, given }
    });
    let read =
        read.await.map_err(|error| ServiceError::Failed(format!("The mail {spool_id} was not read: {error}.")))?;
    Ok(Some(read))
}

fn mistake(key: &str, clause: String) -> ThingMistake {
    ThingMistake::given("examples", "", format!("/{key}"), clause)
}
