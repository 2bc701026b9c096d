//! What may follow from a classifier's answers: what must hold whatever the classifier is, and what is known once its
//! questions are.

use crate::chain::{AnswerRules, field_header};
use postigo_mail::{Vocabulary, is_final};
use postigo_model::classification::Question;
use postigo_model::configured::form::ConfiguredKind;
use postigo_model::configured::{AnswerMapping, Breach, ClassifierMode, Configuration, Filter};
use postigo_model::guest::Grant;
use std::collections::HashSet;

/// So many mappings a filter may have.
const MOST_MAPPINGS: usize = 100;
/// So many labels are named in a warning.
const NAMED: usize = 5;

/// Every rule that a filter's mappings break, whatever its component is.
pub fn check(configuration: &Configuration) -> Vec<Breach> {
    let mut breaches = Vec::new();
    if configuration.filters.values().all(|filter| filter.answer.is_empty()) {
        return breaches;
    }
    let vocabulary = Vocabulary::of(configuration);
    for filter in configuration.filters.values() {
        let may_end = AnswerRules::of(filter).may_end;
        if filter.answer.len() > MOST_MAPPINGS {
            let sentence = format!("there are {} of them; a filter may have {MOST_MAPPINGS}.", filter.answer.len());
            breaches.push(breach(filter, "/answer", sentence));
            continue;
        }
        let mut suggested = HashSet::new();
        for (index, mapping) in filter.answer.iter().enumerate() {
            let place = |key: &str| format!("/answer/{index}/{key}");
            let header = match vocabulary.may_set(&mapping.header) {
                Ok(settable) => settable.name,
                Err(why) => {
                    breaches.push(breach(filter, &place("header"), format!("{why}.")));
                    continue;
                }
            };
            let mut earlier = filter.answer.iter().take(index);
            if earlier.any(|earlier| earlier.header.eq_ignore_ascii_case(&header)) {
                let sentence = format!("an answer sets {header} already: one header follows from one answer.");
                breaches.push(breach(filter, &place("header"), sentence));
            }
            for (key, field) in [("guess_field", &mapping.guess_field), ("confidence_field", &mapping.confidence_field)]
            {
                let exists = configuration.dynamic_fields.keys().any(|known| known.eq_ignore_ascii_case(field));
                if !field.is_empty() && !exists {
                    let sentence = format!("there is no dynamic field \"{field}\"; make it first.");
                    breaches.push(breach(filter, &place(key), sentence));
                } else if !field.is_empty() && !suggested.insert(field_header(&header, field).to_ascii_lowercase()) {
                    let sentence =
                        format!("the dynamic field \"{field}\" has another suggestion already: give each its own.");
                    breaches.push(breach(filter, &place(key), sentence));
                } else if !field.is_empty() && vocabulary.may_set(&field_header(&header, field)).is_err() {
                    let sentence = format!("the name of the dynamic field \"{field}\" is no part of a header's name.");
                    breaches.push(breach(filter, &place(key), sentence));
                }
            }
            let acts = filter.mode.unwrap_or_default() == ClassifierMode::Act;
            if acts
                && !may_end
                && let Some(sentence) = final_values(mapping, &header)
            {
                breaches.push(breach(filter, &place("header"), sentence));
            }
        }
    }
    breaches
}

/// What an admin wrote that ends a mail's way.
fn final_values(mapping: &AnswerMapping, header: &str) -> Option<String> {
    // Some headers end it whatever their value is.
    let mut values = [""].into_iter().chain(mapping.values.values().map(String::as_str));
    values.find(|value| is_final(header, value)).map(|value| not_granted(header, value))
}

fn not_granted(header: &str, value: &str) -> String {
    let what = if value.is_empty() { header.to_owned() } else { format!("{header}: {value}") };
    format!(
        "{what} ends a mail's way or its ticket's: an admin must add \"final\" to the filter's grants for that, beside those that it has."
    )
}

/// What somebody says of answers in a filter whose component gives none.
pub fn without_classifier(filter: &Filter) -> Option<Breach> {
    let place = match filter {
        Filter { mode: Some(_), .. } => "/mode",
        Filter { follow_ups: true, .. } => "/follow_ups",
        Filter { evidence: 1.., .. } => "/evidence",
        Filter { answer, .. } if !answer.is_empty() => "/answer",
        Filter { grants: Some(grants), .. } if grants.contains(&Grant::Final) => "/grants",
        _ => return None,
    };
    let sentence = format!("must be left out: the component \"{}\" is no classifier.", filter.component);
    Some(breach(filter, place, sentence))
}

/// What is known of a filter's mappings once the classifier has its questions.
#[derive(Debug, Default)]
pub struct AnswerReview {
    /// What keeps the filter from being saved.
    pub mistakes: Vec<Breach>,
    /// What is worth a second look.
    pub warnings: Vec<Breach>,
}

/// Looks at what would follow from each label of a classifier's questions.
pub fn look(filter: &Filter, questions: &[Question], vocabulary: &Vocabulary) -> AnswerReview {
    let rules = AnswerRules::of(filter);
    let mut review = AnswerReview::default();
    if rules.mode == ClassifierMode::Suggest
        && !rules.mappings.is_empty()
        && rules.mappings.iter().all(|mapping| mapping.guess_field.is_empty() && mapping.confidence_field.is_empty())
    {
        let sentence = "its mode is \"suggest\", and no answer names a guess_field or confidence_field: suggestions stand in results and log alone.";
        review.warnings.push(breach(filter, "/answer", sentence.to_owned()));
    }
    if questions.is_empty() && !rules.mappings.is_empty() {
        let sentence = "the classifier answers no question yet, so that nothing follows until it has a model.";
        review.warnings.push(breach(filter, "/answer", sentence.to_owned()));
        return review;
    }
    for (index, mapped) in rules.outlook(questions, vocabulary).into_iter().enumerate() {
        let place = |key: &str| format!("/answer/{index}/{key}");
        if !mapped.is_asked {
            let names: Vec<&str> = questions.iter().map(|question| question.name.as_str()).collect();
            let sentence = format!(
                "the classifier has no question \"{}\", so that nothing follows; it has {}.",
                mapped.question,
                names.join(", ")
            );
            review.warnings.push(breach(filter, &place("question"), sentence));
            continue;
        }
        if !mapped.unknown_labels.is_empty() {
            let sentence = format!(
                "the question \"{}\" has no label {}.",
                mapped.question,
                some_of(mapped.unknown_labels.iter().map(|label| format!("\"{label}\"")))
            );
            review.warnings.push(breach(filter, &place("values"), sentence));
        }
        if rules.mappings.get(index).is_some_and(|mapping| is_of_follow_ups(mapping) && !rules.follow_ups) {
            let sentence = "it is a header of follow-ups, and follow_ups is false: nothing follows.".to_owned();
            review.warnings.push(breach(filter, &place("header"), sentence));
        }
        let nowhere = mapped.labels.iter().filter(|label| !label.value.is_empty());
        let nowhere: Vec<String> = nowhere
            .filter_map(|label| Some(format!("\"{}\": {}", label.label, label.nothing_since.as_ref()?)))
            .collect();
        if !nowhere.is_empty() {
            let sentence = format!("labels lead nowhere, and set nothing: {}.", some_of(nowhere.into_iter()));
            review.warnings.push(breach(filter, &place("values"), sentence));
        }
        let ends = mapped.labels.iter().find(|label| label.needs_final && !rules.may_end);
        if let Some(label) = ends.filter(|_| rules.mode != ClassifierMode::Suggest) {
            let found = breach(filter, &place("values"), not_granted(&mapped.header, &label.value));
            if rules.mode == ClassifierMode::Act {
                review.mistakes.push(found);
            } else {
                review.warnings.push(found);
            }
        }
    }
    review
}

fn is_of_follow_ups(mapping: &AnswerMapping) -> bool {
    mapping.header.to_ascii_lowercase().starts_with("x-otobo-followup-")
}

/// The first of some, and how many more there are.
fn some_of(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(NAMED);
    let named = items.take(NAMED).collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named}, and {more} more") }
}

fn breach(filter: &Filter, place: &str, sentence: String) -> Breach {
    Breach { kind: Filter::KIND, name: filter.name.clone(), place: place.to_owned(), sentence }
}
