//! Walks through the tickets, from the newest on, and collects what they teach: in steps, within bounds, without the
//! bytes of any mail.

use super::judgement::{
    ClassifierShare, GIVEN_WEIGHT, NoLesson, PersonChange, TicketFacts, TicketLesson, TicketQuestion, lesson,
};
use super::labelled::LabelledMail;
use super::selection::balanced;
use crate::store::tickets::{self, OpeningPage, TicketOpening};
use crate::store::{Store, StoreError, feedback, spool};
use postigo_model::result::{FilterOutcome, MessageResult};
use postigo_model::ticket::TicketField;
use sqlx::AnyConnection;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// So many tickets are looked at in a step.
const AT_ONCE: i64 = 200;
/// So many are looked at in all, the newest: the candidates among them are in memory together.
const MOST_LOOKED_AT: i64 = 500_000;
/// So many labels a question has at most; tickets with others teach nothing.
const MOST_LABELS: usize = 2_000;
/// Of so many examples one may be of mails that belong to no label: more of them would make a classifier unsure of all.
const OUTSIDE_SHARE: usize = 10;
/// With few examples there may be so many all the same.
const FEW_OUTSIDE: usize = 10;
/// What drops a mail.
const IGNORE: &str = "X-OTOBO-Ignore";

/// What is to be collected.
#[derive(Debug, Clone)]
pub struct ExampleOrder {
    /// What is asked of a mail.
    pub questions: Vec<TicketQuestion>,
    /// Only of tickets made at or after this time, milliseconds since the epoch.
    pub since: i64,
    /// So many examples at most.
    pub most: usize,
    /// The filters whose decisions nobody need have confirmed, with the times since when they are there (milliseconds since the
    /// epoch; 0: not known).
    pub deciders: BTreeMap<String, i64>,
    /// The queue of mails that nothing sorts.
    pub default_queue: String,
}

/// Where the mail of an example is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExampleSource {
    /// Its bytes are kept: row id of the spool.
    Stored(i64),
    /// It is a labelled mail that was given: its place among them.
    Labelled(usize),
}

/// A mail from which a classifier learns.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Where it is.
    pub source: ExampleSource,
    /// The place of its label in each question's labels; none where nobody knows.
    pub labels: Vec<Option<u32>>,
    /// How much it counts: 1 for what was filed and left so, more where somebody gave the label.
    pub weight: f32,
    /// Whether somebody gave a label of it.
    pub given: bool,
}

/// A label, and how many examples there are of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelCount {
    /// The label.
    pub label: String,
    /// How many examples have it.
    pub examples: usize,
    /// Of how many of these somebody gave it: moved the ticket, or said so.
    pub given: usize,
}

/// The labels of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionLabels {
    /// The question's name.
    pub name: String,
    /// Its labels, in byte order.
    pub labels: Vec<LabelCount>,
}

/// What was collected.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleSet {
    /// The questions, in their order.
    pub questions: Vec<QuestionLabels>,
    /// The examples, the newest ticket's first.
    pub examples: Vec<Example>,
    /// Mails that belong to no label.
    pub outside: Vec<ExampleSource>,
    /// How many tickets were looked at.
    pub looked_at: i64,
    /// How many of them teach nothing, and why.
    pub without_lesson: BTreeMap<NoLesson, i64>,
    /// How many of the labelled mails that were given teach nothing: their labels lead nowhere, or are of other questions.
    pub labelled_without_lesson: usize,
    /// How many tickets' first mails are not kept any more.
    pub without_bytes: usize,
    /// How many were left out, since there are enough of their labels.
    pub passed_over: usize,
    /// Whether there are older tickets that were not looked at, since the bound was reached.
    pub bound_reached: bool,
}

/// A ticket that may become an example.
#[derive(Clone)]
struct Candidate {
    source: ExampleSource,
    labels: Vec<Option<u32>>,
    weight: f32,
    given: Vec<bool>,
}

/// A collection under way.
#[derive(Clone)]
pub struct ExampleCollection {
    order: ExampleOrder,
    /// The next tickets are before this row id.
    before: i64,
    candidates: Vec<Candidate>,
    /// Of each question the labels, in the order in which they were met.
    labels: Vec<HashMap<String, u32>>,
    outside: Vec<ExampleSource>,
    looked_at: i64,
    without_lesson: BTreeMap<NoLesson, i64>,
    labelled_without_lesson: usize,
    without_bytes: usize,
    bound_reached: bool,
}

impl ExampleCollection {
    /// Begins.
    pub fn new(order: ExampleOrder) -> Self {
        let labels = order.questions.iter().map(|_| HashMap::new()).collect();
        Self {
            order,
            before: i64::MAX,
            candidates: Vec::new(),
            labels,
            outside: Vec::new(),
            looked_at: 0,
            without_lesson: BTreeMap::new(),
            labelled_without_lesson: 0,
            without_bytes: 0,
            bound_reached: false,
        }
    }

    /// How many tickets were looked at.
    pub fn looked_at(&self) -> i64 {
        self.looked_at
    }

    /// Looks at the next tickets; whether there are more.
    pub async fn step(&mut self, store: &Store) -> Result<bool, StoreError> {
        let mut connection = store.read().await?;
        if self.before == i64::MAX {
            self.ignored(&mut connection).await?;
        }
        let OpeningPage { openings, last } = tickets::openings(&mut connection, self.before, AT_ONCE).await?;
        let Some((last, made_at)) = last else { return Ok(false) };
        let since = self.order.since;
        let openings: Vec<TicketOpening> =
            openings.into_iter().filter(|opening| opening.ticket.created_at >= since).collect();
        self.looked_at += openings.len() as i64;
        self.learn(&mut connection, &openings).await?;
        self.before = last;
        self.bound_reached = self.looked_at >= MOST_LOOKED_AT;
        Ok(made_at >= since && !self.bound_reached)
    }

    /// Mails that were dropped belong to no label, but for those that a classifier had dropped.
    async fn ignored(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let ids = spool::ignored(connection, self.order.since, self.most_outside() as i64).await?;
        let kept = spool::with_bytes(connection, &ids).await?;
        let ids: Vec<i64> = ids.into_iter().filter(|id| kept.contains(id)).collect();
        let shares = self.shares(connection, &ids, |field| field.eq_ignore_ascii_case(IGNORE)).await?;
        let may_be_ours = |id: &i64| !matches!(shares.get(id), Some(DecidedHeaders { any: false, is_known: true, .. }));
        let ignored = ids.into_iter().filter(|id| !may_be_ours(id)).map(ExampleSource::Stored);
        self.outside.extend(ignored.take(self.most_outside()));
        Ok(())
    }

    fn most_outside(&self) -> usize {
        (self.order.most / OUTSIDE_SHARE).max(1)
    }

    async fn learn(&mut self, connection: &mut AnyConnection, openings: &[TicketOpening]) -> Result<(), StoreError> {
        let ids: Vec<i64> = openings.iter().map(|opening| opening.ticket.id).collect();
        let spooled: Vec<i64> = openings.iter().map(|opening| opening.spool_id).collect();
        let kept = spool::with_bytes(connection, &spooled).await?;
        let mut changes = tickets::changes_of(connection, &ids).await?;
        let mails = openings.iter().map(|opening| opening.message_id.as_str());
        let given = feedback::of_mails(connection, mails).await?;
        let shares = self.shares(connection, &spooled, |_| true).await?;
        let nothing = BTreeMap::new();
        for opening in openings {
            let TicketOpening { ticket, spool_id, message_id } = opening;
            if !kept.contains(spool_id) {
                self.without_bytes += 1;
                continue;
            }
            let changes: Vec<PersonChange> = changes
                .remove(&ticket.id)
                .unwrap_or_default()
                .into_iter()
                .map(|(field, later)| PersonChange { field, later })
                .collect();
            let share = match shares.get(spool_id) {
                Some(DecidedHeaders { is_known: true, fields, .. }) => ClassifierShare::Of(fields.clone()),
                // Before the first of them was there, none decided anything.
                _ if self.order.deciders.values().all(|since| *since > ticket.created_at) => {
                    ClassifierShare::Of(BTreeSet::new())
                }
                _ => ClassifierShare::Unknown,
            };
            let facts = TicketFacts {
                ticket,
                changes: &changes,
                share: &share,
                feedback: given.get(message_id).unwrap_or(&nothing),
                default_queue: &self.order.default_queue,
            };
            match lesson(&facts, &self.order.questions) {
                TicketLesson::Labels { labels, weight, given } => {
                    self.add(ExampleSource::Stored(*spool_id), labels, weight, given);
                }
                TicketLesson::Outside => self.add_outside(ExampleSource::Stored(*spool_id)),
                TicketLesson::Nothing(why) => *self.without_lesson.entry(why).or_default() += 1,
            }
        }
        Ok(())
    }

    /// Takes labelled mails that were given besides, in their order. Labels that lead nowhere today teach nothing.
    pub fn add_labelled(&mut self, mails: &[LabelledMail]) {
        for (place, mail) in mails.iter().enumerate() {
            let source = ExampleSource::Labelled(place);
            if mail.labels.is_empty() {
                self.add_outside(source);
                continue;
            }
            let questions = self.order.questions.iter();
            let labels: Vec<Option<String>> = questions
                .map(|question| mail.labels.get(&question.name).and_then(|label| question.label_given(label)))
                .collect();
            if labels.iter().all(Option::is_none) {
                self.labelled_without_lesson += 1;
                continue;
            }
            let given = labels.iter().map(|label| mail.given && label.is_some()).collect();
            self.add(source, labels, if mail.given { GIVEN_WEIGHT } else { 1.0 }, given);
        }
    }

    fn add_outside(&mut self, source: ExampleSource) {
        if self.outside.len() < self.most_outside() {
            self.outside.push(source);
        }
    }

    fn add(&mut self, source: ExampleSource, labels: Vec<Option<String>>, weight: f32, given: Vec<bool>) {
        let numbered = |(known, label): (&mut HashMap<String, u32>, Option<String>)| {
            let label = label?;
            let next = known.len();
            match known.get(&label) {
                Some(number) => Some(*number),
                None if next < MOST_LABELS => {
                    let number = u32::try_from(next).ok()?;
                    known.insert(label, number);
                    Some(number)
                }
                None => None,
            }
        };
        let labels: Vec<Option<u32>> = self.labels.iter_mut().zip(labels).map(numbered).collect();
        if labels.iter().any(Option::is_some) {
            self.candidates.push(Candidate { source, labels, weight, given });
        }
    }

    /// What the deciders set when these messages were filed, of the headers that are asked for.
    async fn shares(
        &self,
        connection: &mut AnyConnection,
        ids: &[i64],
        is_asked_for: impl Fn(&str) -> bool,
    ) -> Result<HashMap<i64, DecidedHeaders>, StoreError> {
        let nobody = || DecidedHeaders { is_known: true, any: false, fields: BTreeSet::new() };
        if self.order.deciders.is_empty() {
            return Ok(ids.iter().map(|id| (*id, nobody())).collect());
        }
        let shortened: HashSet<i64> = spool::shortened(connection, ids).await?;
        let results = spool::results(connection, ids).await?;
        let share = |id: &i64| {
            let result = results.get(id).and_then(|message| message.result.as_ref());
            match result.filter(|_| !shortened.contains(id)) {
                Some(result) => decided_by(result, &self.order.deciders, &is_asked_for),
                None => DecidedHeaders { is_known: false, ..nobody() },
            }
        };
        Ok(ids.iter().map(|id| (*id, share(id))).collect())
    }

    /// What was collected, as many of one label as of another where there are enough.
    pub fn finish(self) -> ExampleSet {
        let Self {
            order,
            candidates,
            labels,
            mut outside,
            looked_at,
            without_lesson,
            labelled_without_lesson,
            without_bytes,
            bound_reached,
            ..
        } = self;
        let all: Vec<Vec<Option<u32>>> = candidates.iter().map(|candidate| candidate.labels.clone()).collect();
        let chosen = balanced(&all, order.most);
        let passed_over = candidates.len() - chosen.len();
        // In byte order, so that the same tickets give the same places.
        let mut questions = Vec::with_capacity(labels.len());
        let mut places: Vec<HashMap<u32, u32>> = Vec::with_capacity(labels.len());
        for (question, numbers) in order.questions.iter().zip(labels) {
            let numbers: BTreeMap<String, u32> = numbers.into_iter().collect();
            places.push(numbers.values().zip(0..).map(|(number, place)| (*number, place)).collect());
            let count = |label| LabelCount { label, examples: 0, given: 0 };
            questions
                .push(QuestionLabels { name: question.name.clone(), labels: numbers.into_keys().map(count).collect() });
        }
        let mut examples = Vec::with_capacity(chosen.len());
        for candidate in chosen.into_iter().filter_map(|place| candidates.get(place)) {
            let labels: Vec<Option<u32>> = candidate
                .labels
                .iter()
                .zip(&places)
                .map(|(number, places)| number.and_then(|number| places.get(&number).copied()))
                .collect();
            for ((question, label), given) in questions.iter_mut().zip(&labels).zip(&candidate.given) {
                if let Some(count) = label.and_then(|label| question.labels.get_mut(label as usize)) {
                    count.examples += 1;
                    count.given += usize::from(*given);
                }
            }
            examples.push(Example {
                source: candidate.source,
                labels,
                weight: candidate.weight,
                given: candidate.given.contains(&true),
            });
        }
        outside.truncate((examples.len() / (OUTSIDE_SHARE - 1)).max(FEW_OUTSIDE));
        ExampleSet {
            questions,
            examples,
            outside,
            looked_at,
            without_lesson,
            labelled_without_lesson,
            without_bytes,
            passed_over,
            bound_reached,
        }
    }
}

/// What deciders set of a message's headers.
struct DecidedHeaders {
    /// Whether that is still kept.
    is_known: bool,
    /// Whether they set any of those that were asked for.
    any: bool,
    /// The fields of the ticket that they set.
    fields: BTreeSet<TicketField>,
}

/// The headers whose value in force one of the deciders set.
fn decided_by(
    result: &MessageResult,
    deciders: &BTreeMap<String, i64>,
    is_asked_for: &impl Fn(&str) -> bool,
) -> DecidedHeaders {
    let mut last: HashMap<String, &str> = HashMap::new();
    for filter in result.filters.iter().filter(|filter| filter.outcome == FilterOutcome::Matched) {
        for change in &filter.changes {
            last.insert(change.header.to_ascii_lowercase(), &filter.name);
        }
    }
    let decided = last.iter().filter(|(header, filter)| deciders.contains_key(**filter) && is_asked_for(header));
    let headers: Vec<&String> = decided.map(|(header, _)| header).collect();
    let fields = result
        .filters
        .iter()
        .flat_map(|filter| &filter.changes)
        .filter(|change| headers.iter().any(|header| change.header.eq_ignore_ascii_case(header)))
        .filter_map(|change| TicketField::of_header(&change.header));
    DecidedHeaders { is_known: true, any: !headers.is_empty(), fields: fields.collect() }
}
