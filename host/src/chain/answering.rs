//! What follows from a classifier's answers, decided from plain data: the guest says labels by their places and how sure
//! it is, the admin which header a label sets and from which confidence on, the host what may be set.

use super::verdict::AllowedHeader;
use postigo_mail::{Vocabulary, is_final, on_one_line};
use postigo_model::answer_result::{AnswerConsequence, AnswerResult, ConsequenceOutcome, EvidencePiece};
use postigo_model::classification::{Answer, Guess, Question, Scope};
use postigo_model::configured::codecs::MOST_EVIDENCE;
use postigo_model::configured::{AnswerMapping, ClassifierMode, Filter};
use postigo_model::guest::Grant;
use postigo_model::text::beginning;
use serde::{Deserialize, Serialize};

/// So many bytes of a piece of evidence are kept.
const LONGEST_EVIDENCE: usize = 120;
/// So many pieces of evidence are asked for in a dry run.
const EVIDENCE_OF_TRIALS: u32 = 10;

/// What an admin says of a classifier's answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AnswerRules {
    /// How far they go.
    pub mode: ClassifierMode,
    /// Whether it is asked about follow-ups.
    pub follow_ups: bool,
    /// So many pieces of evidence are kept with an answer.
    pub evidence: u32,
    /// Whether its answers may end a mail's way: the grant `final`.
    pub may_end: bool,
    /// What follows from which answer.
    pub mappings: Vec<AnswerMapping>,
}

/// What was decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AnswerDecision {
    /// Whether the filter matches: it acts, and sets something.
    pub matched: bool,
    /// What is set.
    pub changes: Vec<AllowedHeader>,
    /// What came of each question, and of each that is mapped and that the classifier does not have.
    pub answers: Vec<AnswerResult>,
}

impl AnswerRules {
    /// Those of a filter.
    pub fn of(filter: &Filter) -> Self {
        Self {
            mode: filter.mode.unwrap_or_default(),
            follow_ups: filter.follow_ups,
            evidence: filter.evidence,
            may_end: filter.grants.as_ref().is_some_and(|grants| grants.contains(&Grant::Final)),
            mappings: filter.answer.clone(),
        }
    }

    /// How much of its answers is asked for. Only the surest guess decides.
    pub fn scope(&self, is_trial: bool) -> Scope {
        let evidence = if is_trial { self.evidence.max(EVIDENCE_OF_TRIALS) } else { self.evidence };
        Scope { guesses: 1, evidence: evidence.min(MOST_EVIDENCE) }
    }

    /// Decides what follows from the answers to these questions.
    pub fn decide(&self, questions: &[Question], answers: Vec<Answer>, vocabulary: &Vocabulary) -> AnswerDecision {
        let mut decision = AnswerDecision::default();
        for (question, answer) in questions.iter().zip(answers) {
            let guess = answer.guesses.first().and_then(|guess| LabelGuess::of(*guess, question));
            let mut result = AnswerResult {
                question: question.name.clone(),
                label: guess.map(|guess| guess.label.to_owned()),
                confidence: guess.map(|guess| guess.confidence),
                ..AnswerResult::default()
            };
            for mapping in self.mappings.iter().filter(|mapping| mapping.question == question.name) {
                let (consequence, changes) = self.consequence(mapping, guess, vocabulary);
                result.acted |= consequence.outcome == ConsequenceOutcome::Set;
                result.consequences.push(consequence);
                for change in changes {
                    decision.set(change);
                }
            }
            let kept = answer.evidence.into_iter().take(MOST_EVIDENCE as usize);
            result.evidence = kept
                .map(|piece| EvidencePiece {
                    text: beginning(&on_one_line(piece.text), LONGEST_EVIDENCE).to_owned(),
                    weight: as_written(piece.weight),
                })
                .collect();
            decision.matched |= result.acted;
            decision.answers.push(result);
        }
        let is_asked = |mapping: &&AnswerMapping| questions.iter().any(|question| question.name == mapping.question);
        for mapping in self.mappings.iter().filter(|mapping| !is_asked(mapping)) {
            let consequence = AnswerConsequence {
                header: mapping.header.clone(),
                value: None,
                threshold: mapping.threshold.default,
                outcome: ConsequenceOutcome::NoQuestion,
                because: None,
            };
            decision.answers.push(AnswerResult {
                question: mapping.question.clone(),
                consequences: vec![consequence],
                ..AnswerResult::default()
            });
        }
        decision
    }

    /// What follows from a guess by one mapping, and what is set.
    fn consequence(
        &self,
        mapping: &AnswerMapping,
        guess: Option<LabelGuess<'_>>,
        vocabulary: &Vocabulary,
    ) -> (AnswerConsequence, Vec<AllowedHeader>) {
        let threshold = guess.map_or(mapping.threshold.default, |guess| mapping.threshold.of(guess.label));
        let value = guess.map(|guess| on_one_line(mapping.value(guess.label).to_owned()));
        let header = vocabulary.may_set(&mapping.header).map(|settable| settable.name);
        let consequence = |outcome, because| AnswerConsequence {
            header: header.clone().unwrap_or_else(|_| mapping.header.clone()),
            value: value.clone(),
            threshold,
            outcome,
            because,
        };
        let nothing = |outcome| (consequence(outcome, None), Vec::new());
        let nowhere = |because| (consequence(ConsequenceOutcome::LeadsNowhere, Some(because)), Vec::new());
        let (Some(guess), Some(value)) = (guess, &value) else { return nothing(ConsequenceOutcome::NoGuess) };
        // A confidence that is no number is not enough.
        if guess.confidence.is_nan() || guess.confidence < threshold {
            return nothing(ConsequenceOutcome::BelowThreshold);
        }
        let header = match &header {
            Ok(header) => header,
            Err(why) => return nowhere(why.to_string()),
        };
        if value.is_empty() {
            return nowhere(format!("the label {:?} is mapped to nothing", guess.label));
        }
        if let Some(because) = vocabulary.why_nowhere(header, value) {
            return nowhere(because);
        }
        match self.mode {
            ClassifierMode::Suggest => suggestion(mapping, header, value, guess, vocabulary).map_or_else(
                || nothing(ConsequenceOutcome::WouldSet),
                |changes| (consequence(ConsequenceOutcome::Suggested, None), changes),
            ),
            ClassifierMode::Shadow | ClassifierMode::Act if is_final(header, value) && !self.may_end => {
                nothing(ConsequenceOutcome::NotGranted)
            }
            ClassifierMode::Shadow => nothing(ConsequenceOutcome::WouldSet),
            ClassifierMode::Act => {
                let change = AllowedHeader { header: header.clone(), values: vec![value.clone()] };
                (consequence(ConsequenceOutcome::Set, None), vec![change])
            }
        }
    }
}

/// The dynamic fields that name a guess; none where the mapping names no field that exists. They are those of a
/// follow-up where the header is one of follow-ups.
fn suggestion(
    mapping: &AnswerMapping,
    header: &str,
    value: &str,
    guess: LabelGuess<'_>,
    vocabulary: &Vocabulary,
) -> Option<Vec<AllowedHeader>> {
    let confidence = guess.confidence.to_string();
    let fields = [(&mapping.guess_field, value), (&mapping.confidence_field, confidence.as_str())];
    let change = |(field, text): (&String, &str)| {
        let header = vocabulary.may_set(&field_header(header, field)).ok()?.name;
        vocabulary.why_nowhere(&header, text).is_none().then(|| AllowedHeader { header, values: vec![text.to_owned()] })
    };
    let named = fields.into_iter().filter(|(field, _)| !field.is_empty());
    Some(named.filter_map(change).collect::<Vec<_>>()).filter(|changes| !changes.is_empty())
}

/// The header of a dynamic field that names a guess about another header.
pub fn field_header(header: &str, field: &str) -> String {
    const FOLLOW_UP: &str = "X-OTOBO-FollowUp-";
    let is_of_follow_ups =
        header.get(..FOLLOW_UP.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(FOLLOW_UP));
    format!("{}DynamicField-{field}", if is_of_follow_ups { FOLLOW_UP } else { "X-OTOBO-" })
}

/// A guess by the label's name.
#[derive(Debug, Clone, Copy)]
struct LabelGuess<'q> {
    label: &'q str,
    confidence: f64,
}

impl<'q> LabelGuess<'q> {
    /// None where the question has no such label.
    fn of(guess: Guess, question: &'q Question) -> Option<Self> {
        let label = question.labels.get(usize::try_from(guess.label).ok()?)?;
        Some(Self { label, confidence: as_written(guess.confidence) })
    }
}

/// The number that people would write for this one: 0.9, where a guest's 0.9 is a little less in more digits, and a
/// threshold of 0.9 is meant to be reached by it.
fn as_written(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::NAN)
}

impl AnswerDecision {
    /// Of several changes of a header the last wins.
    fn set(&mut self, change: AllowedHeader) {
        self.changes.retain(|earlier| earlier.header != change.header);
        self.changes.push(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::classification::Evidence;
    use postigo_model::configured::{Configuration, DynamicField, Queue, Thresholds, Validity};
    use proptest::prelude::*;

    fn vocabulary() -> Vocabulary {
        let queue = |name: &str, valid| (name.to_owned(), Queue { name: name.into(), valid, ..Queue::default() });
        let field = |name: &str| (name.to_owned(), DynamicField { name: name.into(), multiple: false });
        Vocabulary::of(&Configuration {
            queues: [
                queue("Billing", Validity::Valid),
                queue("Help", Validity::Valid),
                queue("Old", Validity::Invalid),
            ]
            .into(),
            dynamic_fields: [field("Guess"), field("Sure")].into(),
            ..Configuration::default()
        })
    }

    fn queue_question() -> Vec<Question> {
        vec![Question {
            name: "queue".into(),
            labels: ["Billing", "Support", "Old", "Gone"].map(str::to_owned).to_vec(),
        }]
    }

    fn mapping() -> AnswerMapping {
        AnswerMapping {
            question: "queue".into(),
            header: "x-otobo-queue".into(),
            threshold: Thresholds { default: 0.9, labels: [("Support".to_owned(), 0.97)].into() },
            values: [("Support".to_owned(), "Help".to_owned())].into(),
            guess_field: "Guess".into(),
            confidence_field: "Sure".into(),
        }
    }

    fn rules(mode: ClassifierMode) -> AnswerRules {
        AnswerRules { mode, mappings: vec![mapping()], ..AnswerRules::default() }
    }

    fn guess(label: u32, confidence: f32) -> Vec<Answer> {
        vec![Answer { guesses: vec![Guess { label, confidence }], evidence: Vec::new() }]
    }

    fn set(decision: &AnswerDecision) -> Vec<(&str, &str)> {
        decision.changes.iter().map(|change| (change.header.as_str(), change.values[0].as_str())).collect()
    }

    fn outcome(decision: &AnswerDecision) -> ConsequenceOutcome {
        decision.answers[0].consequences[0].outcome
    }

    fn decided(rules: &AnswerRules, answers: Vec<Answer>) -> AnswerDecision {
        rules.decide(&queue_question(), answers, &vocabulary())
    }

    #[test]
    fn who_acts_sets_what_the_label_is_mapped_to_and_matches() {
        let decision = decided(&rules(ClassifierMode::Act), guess(0, 0.9));
        assert!(decision.matched && decision.answers[0].acted);
        assert_eq!(set(&decision), [("X-OTOBO-Queue", "Billing")]);
        assert_eq!(decision.answers[0].confidence, Some(0.9));
        let decision = decided(&rules(ClassifierMode::Act), guess(1, 0.97));
        assert_eq!(set(&decision), [("X-OTOBO-Queue", "Help")], "by its value, and its own threshold");
    }

    #[test]
    fn who_suggests_names_guess_and_confidence_in_fields_and_does_not_match() {
        let decision = decided(&rules(ClassifierMode::Suggest), guess(1, 0.98));
        assert!(!decision.matched && !decision.answers[0].acted);
        assert_eq!(set(&decision), [("X-OTOBO-DynamicField-Guess", "Help"), ("X-OTOBO-DynamicField-Sure", "0.98")]);
        assert_eq!(outcome(&decision), ConsequenceOutcome::Suggested);
        let mut rules = rules(ClassifierMode::Suggest);
        rules.mappings[0].header = "X-OTOBO-FollowUp-Queue".into();
        rules.mappings[0].confidence_field.clear();
        assert_eq!(set(&decided(&rules, guess(0, 1.0))), [("X-OTOBO-FollowUp-DynamicField-Guess", "Billing")]);
        rules.mappings[0].guess_field = "Missing".into();
        let decision = decided(&rules, guess(0, 1.0));
        assert_eq!((set(&decision).len(), outcome(&decision)), (0, ConsequenceOutcome::WouldSet));
    }

    #[test]
    fn who_runs_in_the_shadow_says_what_it_would_set() {
        let decision = decided(&rules(ClassifierMode::Shadow), guess(0, 0.95));
        assert_eq!((decision.matched, set(&decision)), (false, Vec::new()));
        assert_eq!(outcome(&decision), ConsequenceOutcome::WouldSet);
        assert_eq!(decision.answers[0].consequences[0].value.as_deref(), Some("Billing"));
    }

    #[test]
    fn the_host_abstains_and_says_why() {
        use ConsequenceOutcome as Outcome;
        let act = rules(ClassifierMode::Act);
        for (answers, expected) in [
            (vec![Answer::default()], Outcome::NoGuess),
            (guess(9, 1.0), Outcome::NoGuess),
            (guess(0, 0.899), Outcome::BelowThreshold),
            (guess(1, 0.969), Outcome::BelowThreshold),
            (guess(0, f32::NAN), Outcome::BelowThreshold),
            (guess(2, 1.0), Outcome::LeadsNowhere),
            (guess(3, 1.0), Outcome::LeadsNowhere),
        ] {
            let decision = decided(&act, answers);
            assert_eq!((outcome(&decision), decision.matched, set(&decision)), (expected, false, Vec::new()));
        }
        let mut to_nothing = act.clone();
        to_nothing.mappings[0].values.insert("Billing".into(), String::new());
        assert_eq!(outcome(&decided(&to_nothing, guess(0, 1.0))), Outcome::LeadsNowhere);
        let mut computed = act.clone();
        computed.mappings[0].header = "X-OTOBO-AttachmentCount".into();
        let decision = decided(&computed, guess(0, 1.0));
        assert_eq!(outcome(&decision), Outcome::LeadsNowhere);
        assert!(decision.answers[0].sentences().contains("Postigo computes it"), "{}", decision.answers[0].sentences());
        let decision = act.decide(&[], Vec::new(), &vocabulary());
        assert_eq!((outcome(&decision), decision.answers[0].question.as_str()), (Outcome::NoQuestion, "queue"));
    }

    #[test]
    fn what_ends_a_mails_way_needs_the_grant() {
        let mut rules = rules(ClassifierMode::Act);
        for (header, value) in [
            ("X-OTOBO-Ignore", "yes"),
            ("X-OTOBO-Loop", "yes"),
            ("X-OTOBO-State", "closed successful"),
            ("X-OTOBO-State", "pending auto close-"),
            ("X-OTOBO-FollowUp-State", "removed"),
        ] {
            rules.mappings[0].header = header.into();
            rules.mappings[0].values.insert("Billing".into(), value.into());
            rules.may_end = false;
            let decision = decided(&rules, guess(0, 1.0));
            assert_eq!((outcome(&decision), decision.matched), (ConsequenceOutcome::NotGranted, false), "{header}");
            assert_eq!(set(&decision), []);
            rules.may_end = true;
            assert_eq!(set(&decided(&rules, guess(0, 1.0))), [(header, value)]);
        }
    }

    #[test]
    fn evidence_is_kept_in_short_and_on_one_line() {
        let evidence = vec![Evidence { text: format!("invoice\r\n{}", "x".repeat(500)), weight: 1.5 }; 30];
        let answers = vec![Answer { evidence, ..guess(0, 1.0).remove(0) }];
        let kept = decided(&rules(ClassifierMode::Shadow), answers).answers.remove(0).evidence;
        assert_eq!((kept.len(), kept[0].text.len(), kept[0].weight), (20, LONGEST_EVIDENCE, 1.5));
        assert!(kept[0].text.starts_with("invoice "), "{}", kept[0].text);
    }

    fn any_mode() -> impl Strategy<Value = ClassifierMode> {
        proptest::sample::select(vec![ClassifierMode::Shadow, ClassifierMode::Suggest, ClassifierMode::Act])
    }

    fn any_mapping() -> impl Strategy<Value = AnswerMapping> {
        let header = proptest::sample::select(vec![
            "X-OTOBO-Queue",
            "X-OTOBO-State",
            "X-OTOBO-Ignore",
            "X-OTOBO-Loop",
            "X-OTOBO-Title",
            "X-OTOBO-FollowUp-State",
            "X-OTOBO-Bounce",
            "Subject",
            "X-OTOBO-Queue\r\nBcc",
        ]);
        let value = "(Billing|Old|closed successful|open|yes|\r\nBcc: a|)";
        let values = proptest::collection::btree_map("[ab]", value, 0..3);
        (header, values, "(queue|state)", 0.0..=1.0, "(Guess|Missing|)").prop_map(
            |(header, values, question, default, guess_field)| AnswerMapping {
                question,
                header: header.into(),
                threshold: Thresholds { default, ..Thresholds::default() },
                values,
                guess_field,
                confidence_field: String::new(),
            },
        )
    }

    fn any_answer() -> impl Strategy<Value = Answer> {
        let guess = (0..4_u32, proptest::num::f32::ANY).prop_map(|(label, confidence)| Guess { label, confidence });
        proptest::collection::vec(guess, 0..3).prop_map(|guesses| Answer { guesses, evidence: Vec::new() })
    }

    proptest! {
        #[test]
        fn nothing_is_set_but_by_the_mapping_the_mode_and_the_grants(
            mode in any_mode(),
            may_end in any::<bool>(),
            mappings in proptest::collection::vec(any_mapping(), 0..4),
            answers in proptest::collection::vec(any_answer(), 0..3),
        ) {
            let questions = ["queue", "state"]
                .map(|name| Question { name: name.into(), labels: ["a", "b", "Billing"].map(str::to_owned).to_vec() });
            let rules = AnswerRules { mode, may_end, mappings: mappings.clone(), ..AnswerRules::default() };
            let decision = rules.decide(&questions, answers, &vocabulary());
            let acted = decision.answers.iter().any(|answer| answer.acted);
            prop_assert_eq!(decision.matched, acted);
            prop_assert!(mode == ClassifierMode::Act || !decision.matched, "only who acts matches");
            prop_assert!(mode != ClassifierMode::Act || decision.matched != decision.changes.is_empty());
            for AllowedHeader { header, values } in &decision.changes {
                let is_mapped = mappings.iter().any(|mapping| mapping.header == *header);
                let is_field = mappings.iter().any(|mapping| field_header(&mapping.header, &mapping.guess_field) == *header);
                match mode {
                    ClassifierMode::Shadow => prop_assert!(false, "the shadow sets {}", header),
                    ClassifierMode::Suggest => prop_assert!(is_field, "{}", header),
                    ClassifierMode::Act => prop_assert!(is_mapped, "{}", header),
                }
                for value in values {
                    prop_assert!(!value.is_empty() && !value.contains(['\r', '\n', '\0']));
                    prop_assert!(may_end || !is_final(header, value));
                    prop_assert_eq!(vocabulary().why_nowhere(header, value), None);
                }
            }
        }
    }
}
