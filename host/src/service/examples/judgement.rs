//! What a ticket teaches: for each question the label that holds today, and how much it counts. Pure rules.

use postigo_model::ticket::{REMOVED, Ticket, TicketField};
use std::collections::{BTreeMap, BTreeSet};

/// The queue of what nobody wants.
const JUNK: &str = "Junk";

/// How much an example counts whose label somebody gave, against 1 of one that was filed and left so.
pub const GIVEN_WEIGHT: f32 = 3.0;

/// A question, and where its answer stands in a ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct TicketQuestion {
    /// Its name.
    pub name: String,
    /// The field that an answer sets.
    pub field: TicketField,
    /// Labels that are another value than themselves: label → value.
    pub values: BTreeMap<String, String>,
    /// The values that exist today; none: any text is one.
    pub existing: Option<BTreeSet<String>>,
}

impl TicketQuestion {
    /// The label that stands for a value of the field today; none where the value leads nowhere any more.
    pub fn label_of_value(&self, value: &str) -> Option<String> {
        if self.existing.as_ref().is_some_and(|existing| !existing.contains(value)) {
            return None;
        }
        // Several labels of one value are one kind of mail: the first of them stands for all.
        let named = self.values.iter().find(|(_, led_to)| *led_to == value).map(|(label, _)| label);
        Some(named.map_or(value, String::as_str).to_owned())
    }

    /// The label that stands today for one that somebody gave: itself, or the one that leads to the same value.
    pub fn label_given(&self, label: &str) -> Option<String> {
        self.label_of_value(self.values.get(label).map_or(label, String::as_str))
    }
}

/// What a classifier decided of a ticket when its first mail was filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClassifierShare {
    /// The values of these fields.
    Of(BTreeSet<TicketField>),
    /// That is not kept any more: it may have been any of them.
    Unknown,
}

/// A field that a person changed, in the order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonChange {
    /// As a ticket is shown: `queue`.
    pub field: String,
    /// The value since.
    pub later: Option<String>,
}

/// What is known of a ticket.
#[derive(Debug)]
pub struct TicketFacts<'t> {
    /// As it is now.
    pub ticket: &'t Ticket,
    /// What people changed of it.
    pub changes: &'t [PersonChange],
    /// What a classifier decided.
    pub share: &'t ClassifierShare,
    /// What was said to be right for its first mail: question → label.
    pub feedback: &'t BTreeMap<String, String>,
    /// The queue of mails that nothing sorts.
    pub default_queue: &'t str,
}

/// What a ticket teaches.
#[derive(Debug, Clone, PartialEq)]
pub enum TicketLesson {
    /// The label of each question, in their order, and how much they count.
    Labels {
        /// None where nobody knows.
        labels: Vec<Option<String>>,
        /// How much it counts.
        weight: f32,
        /// Of which questions somebody gave the label.
        given: Vec<bool>,
    },
    /// Its mail belongs to no label.
    Outside,
    /// Nothing: of no question anybody knows the label. Why not, of the first one.
    Nothing(NoLesson),
}

/// Why nobody knows a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoLesson {
    /// The field is empty.
    Empty,
    /// The value does not exist any more.
    Gone,
    /// It lies in the default queue, where nobody has put it.
    Unsorted,
    /// A classifier decided it, and nobody confirmed that.
    Unconfirmed,
}

impl NoLesson {
    /// In words, of tickets.
    pub fn told(self) -> &'static str {
        match self {
            Self::Empty => "have no value there",
            Self::Gone => "have a value that does not exist any more",
            Self::Unsorted => "lie in the default queue, where nobody has put them",
            Self::Unconfirmed => "were decided by a classifier, and nobody confirmed that",
        }
    }
}

/// What a ticket teaches.
pub fn lesson(facts: &TicketFacts<'_>, questions: &[TicketQuestion]) -> TicketLesson {
    let answers: Vec<Result<(String, bool), NoLesson>> =
        questions.iter().map(|question| label(facts, question)).collect();
    let is_given = |answer: &Result<(String, bool), NoLesson>| matches!(answer, Ok((_, true)));
    if is_unwanted(facts) && !answers.iter().any(is_given) {
        let by_classifier = decided(facts, &TicketField::Queue) || decided(facts, &TicketField::State);
        let confirmed = by_person(facts, &TicketField::Queue) || by_person(facts, &TicketField::State);
        return if by_classifier && !confirmed {
            TicketLesson::Nothing(NoLesson::Unconfirmed)
        } else {
            TicketLesson::Outside
        };
    }
    if answers.iter().all(Result::is_err) {
        return TicketLesson::Nothing(
            answers.iter().find_map(|answer| answer.clone().err()).unwrap_or(NoLesson::Empty),
        );
    }
    let given: Vec<bool> = answers.iter().map(is_given).collect();
    let weight = if given.contains(&true) { GIVEN_WEIGHT } else { 1.0 };
    let labels = answers.into_iter().map(|answer| answer.ok().map(|(label, _)| label)).collect();
    TicketLesson::Labels { labels, weight, given }
}

/// The label of a question, and whether somebody gave it.
fn label(facts: &TicketFacts<'_>, question: &TicketQuestion) -> Result<(String, bool), NoLesson> {
    if let Some(label) = facts.feedback.get(&question.name) {
        return question.label_given(label).map(|label| (label, true)).ok_or(NoLesson::Gone);
    }
    let field = &question.field;
    let value = field.value(facts.ticket).ok_or(NoLesson::Empty)?;
    let is_given = by_person(facts, field);
    if !is_given {
        if decided(facts, field) {
            return Err(NoLesson::Unconfirmed);
        }
        if *field == TicketField::Queue && value == facts.default_queue {
            return Err(NoLesson::Unsorted);
        }
    }
    question.label_of_value(value).map(|label| (label, is_given)).ok_or(NoLesson::Gone)
}

/// Whether the ticket was thrown away.
fn is_unwanted(facts: &TicketFacts<'_>) -> bool {
    facts.ticket.queue == JUNK || facts.ticket.state == REMOVED
}

/// Whether a classifier decided the field's value, or may have.
fn decided(facts: &TicketFacts<'_>, field: &TicketField) -> bool {
    match facts.share {
        ClassifierShare::Of(fields) => fields.contains(field),
        ClassifierShare::Unknown => true,
    }
}

/// Whether a person put the field to the value that it has.
fn by_person(facts: &TicketFacts<'_>, field: &TicketField) -> bool {
    let value = field.value(facts.ticket);
    let last = facts.changes.iter().rev().find(|change| change.field == field.shown_as());
    last.is_some_and(|change| change.later.as_deref() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue_question() -> TicketQuestion {
        let existing = ["Billing", "Support", "Raw", JUNK].map(str::to_owned).into();
        TicketQuestion {
            name: "queue".into(),
            field: TicketField::Queue,
            values: BTreeMap::new(),
            existing: Some(existing),
        }
    }

    struct Case {
        ticket: Ticket,
        changes: Vec<PersonChange>,
        share: ClassifierShare,
        feedback: BTreeMap<String, String>,
    }

    impl Case {
        fn in_queue(queue: &str) -> Self {
            let ticket = Ticket { queue: queue.into(), state: "open".into(), ..Ticket::default() };
            let share = ClassifierShare::Of(BTreeSet::new());
            Self { ticket, changes: Vec::new(), share, feedback: BTreeMap::new() }
        }

        fn moved_to(mut self, queue: &str) -> Self {
            self.changes.push(PersonChange { field: "queue".into(), later: Some(queue.into()) });
            self
        }

        fn decided(mut self) -> Self {
            self.share = ClassifierShare::Of([TicketField::Queue].into());
            self
        }

        fn teaches(&self, question: &TicketQuestion) -> TicketLesson {
            let Self { ticket, changes, share, feedback } = self;
            let facts = TicketFacts { ticket, changes, share, feedback, default_queue: "Raw" };
            lesson(&facts, std::slice::from_ref(question))
        }
    }

    fn labelled(label: &str, weight: f32) -> TicketLesson {
        TicketLesson::Labels { labels: vec![Some(label.into())], weight, given: vec![weight > 1.0] }
    }

    #[test]
    fn what_was_filed_and_left_so_counts_once_and_what_somebody_moved_counts_more() {
        let question = queue_question();
        assert_eq!(Case::in_queue("Billing").teaches(&question), labelled("Billing", 1.0));
        assert_eq!(Case::in_queue("Billing").moved_to("Billing").teaches(&question), labelled("Billing", GIVEN_WEIGHT));
        let moved_on = Case::in_queue("Support").moved_to("Billing");
        assert_eq!(moved_on.teaches(&question), labelled("Support", 1.0), "a mail moved it on since");
    }

    #[test]
    fn what_a_classifier_decided_teaches_nothing_until_somebody_confirms_it() {
        let question = queue_question();
        let unconfirmed = TicketLesson::Nothing(NoLesson::Unconfirmed);
        assert_eq!(Case::in_queue("Billing").decided().teaches(&question), unconfirmed);
        let unknown = Case { share: ClassifierShare::Unknown, ..Case::in_queue("Billing") };
        assert_eq!(unknown.teaches(&question), unconfirmed, "who decided is not kept any more");
        let corrected = Case::in_queue("Support").decided().moved_to("Support");
        assert_eq!(corrected.teaches(&question), labelled("Support", GIVEN_WEIGHT));
        let mut confirmed = Case::in_queue("Billing").decided();
        confirmed.feedback.insert("queue".into(), "Billing".into());
        assert_eq!(confirmed.teaches(&question), labelled("Billing", GIVEN_WEIGHT));
        assert_eq!(Case::in_queue(JUNK).decided().teaches(&question), unconfirmed, "spam as well");
    }

    #[test]
    fn what_nobody_sorted_and_what_leads_nowhere_teaches_nothing() {
        let question = queue_question();
        assert_eq!(Case::in_queue("Raw").teaches(&question), TicketLesson::Nothing(NoLesson::Unsorted));
        assert_eq!(Case::in_queue("Raw").moved_to("Raw").teaches(&question), labelled("Raw", GIVEN_WEIGHT));
        assert_eq!(Case::in_queue("Old").teaches(&question), TicketLesson::Nothing(NoLesson::Gone));
        assert_eq!(Case::in_queue("Old").moved_to("Old").teaches(&question), TicketLesson::Nothing(NoLesson::Gone));
    }

    #[test]
    fn spam_and_what_was_removed_belongs_to_no_label() {
        let question = queue_question();
        assert_eq!(Case::in_queue(JUNK).teaches(&question), TicketLesson::Outside);
        let mut removed = Case::in_queue("Billing");
        removed.ticket.state = REMOVED.into();
        assert_eq!(removed.teaches(&question), TicketLesson::Outside);
        removed.feedback.insert("queue".into(), "Billing".into());
        assert_eq!(removed.teaches(&question), labelled("Billing", GIVEN_WEIGHT), "somebody said where it belonged");
    }

    #[test]
    fn labels_come_under_the_name_that_leads_to_their_value_today() {
        let question = TicketQuestion {
            values: [("Invoices", "Billing"), ("Payments", "Billing")].map(|(a, b)| (a.into(), b.into())).into(),
            ..queue_question()
        };
        assert_eq!(Case::in_queue("Billing").teaches(&question), labelled("Invoices", 1.0));
        assert_eq!(question.label_given("Payments").as_deref(), Some("Invoices"), "both are one by now");
        assert_eq!(question.label_given("Support").as_deref(), Some("Support"));
        assert_eq!(question.label_given("Old"), None);
    }
}
