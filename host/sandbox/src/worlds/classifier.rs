//! The world of classifiers: they answer questions about a mail by labels, and may be trained (`trainable`). What
//! follows from an answer is not known here.

use super::trainable::{TRAINING, TrainingExports, check_formats};
use crate::contract::{CallFailure, CallReport, ComponentDescription, WorldDescription};
use crate::group::Group;
use crate::guest_log::one_line;
use crate::inspect::shown;
use crate::limits::{LOG_LINE, RESULT_BYTES};
use crate::mail_handle::MailHandle;
use crate::plugin::{PluginExports, SETUP};
use crate::refusal::UploadRefusal;
use crate::sandbox::StoreData;
use crate::session::GuestSession;
use crate::world::{Exports, SelfDescription, TrainingCalls, World, WorldCalls, function, typed};
use bindings::exports::postigo::classifier::classifying as guest;
use postigo_mail::Mail;
use postigo_model::classification::{Answer, Evidence, Guess, Question, Scope};
use postigo_model::guest::FailureKind;
use std::any::Any;
use std::collections::HashSet;
use std::time::Duration;
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, Resource, TypedFunc};

const CLASSIFYING: &str = "postigo:classifier/classifying@1.0.0";

/// What classifiers export, generated from `wit/`; the mail is the one that all worlds share.
#[allow(clippy::all, clippy::pedantic)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "package postigo:host; world classifying { export postigo:classifier/classifying@1.0.0; }",
        world: "postigo:host/classifying",
        with: { "postigo:message/message": crate::bindings::postigo::message::message },
    });
}

/// Questions of one filter.
const QUESTIONS: usize = 32;
/// Labels of one question.
const LABELS: usize = 2_000;
/// Bytes of a question's name, or of a label.
const NAME: usize = 200;
/// Bytes of a piece of evidence.
const EVIDENCE: usize = 1 << 10;

/// What classifiers alone say of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ClassifierDescription {
    /// That it is one.
    classifies: bool,
    /// Whether it can be trained here.
    pub trains: bool,
    /// The formats of models that it reads, the newest first; none where it cannot be trained.
    pub formats: Vec<String>,
}

impl ComponentDescription {
    /// What it says as a classifier; none where it is none.
    pub fn classifier(&self) -> Option<ClassifierDescription> {
        Some(self.of_world.read::<ClassifierDescription>()).filter(|said| said.classifies)
    }
}

/// The world.
pub(crate) struct ClassifierWorld;

impl World for ClassifierWorld {
    fn name(&self) -> &'static str {
        "postigo:classifier/classifier@1.0.0"
    }

    fn exports(&self) -> &'static [&'static str] {
        &[CLASSIFYING, SETUP]
    }

    fn optional_exports(&self) -> &'static [&'static str] {
        &[TRAINING]
    }

    fn find(&self, component: &Component) -> Result<Exports, UploadRefusal> {
        let calls = ClassifierExports {
            questions: function(component, CLASSIFYING, "questions")?,
            classify: function(component, CLASSIFYING, "classify")?,
            training: TrainingExports::find(component)?,
        };
        Ok(Exports { plugin: Box::new(PluginExports::find(component)?), calls: Box::new(calls) })
    }
}

/// Where a component's calls are.
struct ClassifierExports {
    questions: ComponentExportIndex,
    classify: ComponentExportIndex,
    training: Option<TrainingExports>,
}

type Questions = TypedFunc<(u32,), (Vec<guest::Question>,)>;
type Classify = TypedFunc<(u32, Resource<MailHandle>, guest::Scope), (Result<Vec<guest::Answer>, String>,)>;

impl WorldCalls for ClassifierExports {
    fn of_instance(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<Box<dyn Any + Send>> {
        let classify: Classify = typed(store, instance, self.classify, "classify")?;
        Ok(Box::new(classify))
    }

    fn check(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<()> {
        let _: Questions = typed(store, instance, self.questions, "questions")?;
        if let Some(training) = &self.training {
            training.check(store, instance)?;
        }
        self.of_instance(store, instance).map(drop)
    }

    fn describe(
        &self,
        store: &mut Store<StoreData>,
        instance: &Instance,
        described: &mut SelfDescription,
    ) -> wasmtime::Result<()> {
        let formats = self.training.as_ref().map(|training| training.formats(store, instance)).transpose()?;
        let said =
            ClassifierDescription { classifies: true, trains: formats.is_some(), formats: formats.unwrap_or_default() };
        described.of_world = WorldDescription::of(&said);
        Ok(())
    }

    fn check_description(&self, described: &WorldDescription) -> Result<(), String> {
        let said: ClassifierDescription = described.read();
        if said.trains { check_formats(&said.formats) } else { Ok(()) }
    }

    fn ask_configured(
        &self,
        store: &mut Store<StoreData>,
        instance: &Instance,
        filters: u32,
    ) -> wasmtime::Result<Result<WorldDescription, CallFailure>> {
        let questions: Questions = instance.get_typed_func(&mut *store, self.questions)?;
        let mut said = GroupQuestions::default();
        for filter in 0..filters {
            match checked_questions(questions.call(&mut *store, (filter,))?.0) {
                Ok(asked) => said.questions.push(asked),
                Err(why) => return Ok(Err(output(format!("filter {filter} of the group {why}")))),
            }
        }
        Ok(Ok(WorldDescription::of(&said)))
    }

    fn configured(&self, said: &WorldDescription) -> Box<dyn Any + Send + Sync> {
        Box::new(said.read::<GroupQuestions>())
    }

    fn training(&self) -> Option<&dyn TrainingCalls> {
        self.training.as_ref().map(|training| training as &dyn TrainingCalls)
    }
}

/// The questions of each filter of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct GroupQuestions {
    questions: Vec<Vec<Question>>,
}

impl Group {
    /// Whether its component is a classifier.
    pub fn classifies(&self) -> bool {
        let calls: &dyn Any = self.calls();
        calls.is::<ClassifierExports>()
    }

    /// The questions that a filter answers, named by its index in the group, as it said when it was configured; none
    /// while it has no model yet, or where it is no classifier.
    pub fn questions(&self, filter: u32) -> &[Question] {
        let said = self.configured().downcast_ref::<GroupQuestions>();
        said.and_then(|said| said.questions.get(filter as usize)).map(Vec::as_slice).unwrap_or_default()
    }
}

impl GuestSession {
    /// Asks a filter, named by its index in the group, for the answers to its [`Group::questions`] about a mail, one
    /// for each in their order. The guest runs for its limit, or for `at_most` where that is less.
    pub fn classify(
        &mut self,
        filter: u32,
        mail: Box<Mail>,
        scope: Scope,
        at_most: Option<Duration>,
    ) -> CallReport<Vec<Answer>> {
        let group = self.shared_group();
        let questions = group.questions(filter);
        self.call(mail, at_most, |instance, mail| {
            let Some(classify) = instance.calls.downcast_ref::<Classify>().copied() else {
                return Ok(Err(output("the component is no classifier")));
            };
            let asked = guest::Scope { guesses: scope.guesses, evidence: scope.evidence };
            Ok(match classify.call(&mut instance.store, (filter, mail, asked))?.0 {
                Ok(answers) => checked_answers(answers, questions, scope).map_err(output),
                Err(message) => Err(instance.store.data().returned_error(&one_line(&message, LOG_LINE))),
            })
        })
    }
}

fn output(message: impl Into<String>) -> CallFailure {
    CallFailure { kind: FailureKind::Output, message: message.into() }
}

/// The questions, where they keep to the contract; else what is wrong with the filter's.
fn checked_questions(raw: Vec<guest::Question>) -> Result<Vec<Question>, String> {
    if raw.len() > QUESTIONS {
        return Err(format!("has {} questions; at most {QUESTIONS} are taken", raw.len()));
    }
    let mut names = HashSet::new();
    for question in &raw {
        let name = shown(&question.name);
        if !is_name(&question.name) {
            return Err(format!("has a question named {name:?}; {A_NAME}"));
        }
        if !names.insert(&question.name) {
            return Err(format!("has two questions named {name:?}"));
        }
        if question.labels.len() > LABELS {
            return Err(format!(
                "has {} labels of the question {name:?}; at most {LABELS} are taken",
                question.labels.len()
            ));
        }
        let mut labels = HashSet::new();
        for label in &question.labels {
            let label_shown = shown(label);
            if !is_name(label) {
                return Err(format!("has the label {label_shown:?} of the question {name:?}; {A_NAME}"));
            }
            if !labels.insert(label) {
                return Err(format!("has the label {label_shown:?} of the question {name:?} twice"));
            }
        }
    }
    Ok(raw.into_iter().map(|question| Question { name: question.name, labels: question.labels }).collect())
}

/// What a name, or a label, must be.
const A_NAME: &str = "a name or label has 1 to 200 bytes, and no control characters";

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME && !name.chars().any(char::is_control)
}

/// The answers, where they fit the questions and the contract; else what is wrong.
fn checked_answers(raw: Vec<guest::Answer>, questions: &[Question], scope: Scope) -> Result<Vec<Answer>, String> {
    if raw.len() != questions.len() {
        return Err(format!("the classifier gave {} answers to {} questions", raw.len(), questions.len()));
    }
    let size: usize = raw.iter().map(bytes_of).sum();
    if size > RESULT_BYTES {
        return Err(format!("the classifier's answers have {size} bytes; at most {RESULT_BYTES} are taken"));
    }
    raw.into_iter()
        .zip(questions)
        .map(|(answer, question)| {
            check_answer(&answer, question, scope)
                .map_err(|why| format!("the answer to the question {:?} {why}", question.name))?;
            let guesses = answer.guesses.iter();
            let evidence = answer.evidence.into_iter();
            Ok(Answer {
                guesses: guesses.map(|guess| Guess { label: guess.label, confidence: guess.confidence }).collect(),
                evidence: evidence.map(|piece| Evidence { text: piece.text, weight: piece.weight }).collect(),
            })
        })
        .collect()
}

fn bytes_of(answer: &guest::Answer) -> usize {
    let evidence: usize = answer.evidence.iter().map(|piece| piece.text.len() + size_of::<Evidence>()).sum();
    answer.guesses.len() * size_of::<Guess>() + evidence
}

fn check_answer(answer: &guest::Answer, question: &Question, scope: Scope) -> Result<(), String> {
    let (guesses, evidence) = (answer.guesses.len(), answer.evidence.len());
    if guesses > scope.guesses as usize {
        return Err(format!("has {guesses} guesses; {} were asked for", scope.guesses));
    }
    if evidence > scope.evidence as usize {
        return Err(format!("has {evidence} pieces of evidence; {} were asked for", scope.evidence));
    }
    let mut labels = HashSet::new();
    let mut surest = 1.0_f32;
    for &guest::Guess { label, confidence } in &answer.guesses {
        if label as usize >= question.labels.len() {
            return Err(format!("names label {label} of {}", question.labels.len()));
        }
        if !labels.insert(label) {
            return Err(format!("names label {label} twice"));
        }
        // What is no number is in no range.
        if !(0.0..=1.0).contains(&confidence) {
            return Err(format!("is sure by {confidence}; a confidence lies between 0 and 1"));
        }
        if confidence > surest {
            return Err("has a surer guess behind one that is less so; the surest stands first".into());
        }
        surest = confidence;
    }
    for piece in &answer.evidence {
        if piece.text.len() > EVIDENCE {
            return Err(format!("has a piece of evidence of {} bytes; at most {EVIDENCE} are taken", piece.text.len()));
        }
        if !piece.weight.is_finite() {
            return Err(format!("has evidence of the weight {}, which is no number", piece.weight));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, labels: &[&str]) -> guest::Question {
        guest::Question { name: name.into(), labels: labels.iter().map(ToString::to_string).collect() }
    }

    fn answer(guesses: &[(u32, f32)], evidence: &[(&str, f32)]) -> guest::Answer {
        let guess = |&(label, confidence): &(u32, f32)| guest::Guess { label, confidence };
        let piece = |&(text, weight): &(&str, f32)| guest::Evidence { text: text.into(), weight };
        guest::Answer { guesses: guesses.iter().map(guess).collect(), evidence: evidence.iter().map(piece).collect() }
    }

    fn asked() -> Vec<Question> {
        checked_questions(vec![question("queue", &["Support", "Billing", "Sales"]), question("mood", &["good"])])
            .unwrap()
    }

    fn wrong_answer(first: guest::Answer) -> String {
        let scope = Scope { guesses: 2, evidence: 2 };
        let why = checked_answers(vec![first, answer(&[], &[])], &asked(), scope).unwrap_err();
        assert!(why.contains("queue"), "{why}");
        why
    }

    #[test]
    fn the_contract_says_these_limits() {
        let contract = crate::limits::tests::contract();
        for said in [
            format!("At most {QUESTIONS} questions a filter and {} labels", crate::limits::tests::written(LABELS)),
            format!("has 1 to {NAME} bytes and no control characters"),
            format!("As it stands in the mail; at most {} KiB", EVIDENCE >> 10),
            format!("all of them have more than {} KiB", RESULT_BYTES >> 10),
        ] {
            assert!(contract.contains(&said), "{said}");
        }
        assert!(A_NAME.contains(&NAME.to_string()));
    }

    #[test]
    fn every_rule_of_questions_bites() {
        let wrong = |questions| checked_questions(questions).unwrap_err();
        assert!(wrong(vec![question("queue", &[]); 33]).contains("33 questions"));
        assert!(wrong(vec![question("queue", &[]), question("queue", &["a"])]).contains("two questions"));
        assert!(wrong(vec![question("", &[])]).contains("1 to 200 bytes"));
        assert!(wrong(vec![question("queue", &["a", "b", "a"])]).contains("twice"));
        assert!(wrong(vec![question("queue", &["a\r\nBcc: b"])]).contains("control"));
        assert!(wrong(vec![question("queue", &[&"x".repeat(201)])]).contains("200"));
        let many: Vec<String> = (0..2_001).map(|label| label.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(wrong(vec![question("queue", &many)]).contains("2001 labels"));
        let long = wrong(vec![question(&"\u{1b}[2Jx".repeat(100_000), &[])]);
        assert!(long.len() < 500 && !long.contains('\u{1b}'), "{} bytes", long.len());
        assert_eq!(checked_questions(Vec::new()), Ok(Vec::new()));
    }

    #[test]
    fn sound_answers_are_taken_as_they_are() {
        let scope = Scope { guesses: 3, evidence: 2 };
        let answers =
            vec![answer(&[(1, 0.75), (0, 0.25), (2, 0.0)], &[("invoice", 1.5), ("hello", -0.5)]), answer(&[], &[])];
        let taken = checked_answers(answers, &asked(), scope).unwrap();
        assert_eq!(taken[0].guesses[0], Guess { label: 1, confidence: 0.75 });
        assert_eq!(taken[0].evidence[1], Evidence { text: "hello".into(), weight: -0.5 });
        assert_eq!(taken[1], Answer::default());
    }

    #[test]
    fn every_rule_of_answers_bites() {
        assert!(wrong_answer(answer(&[(3, 0.5)], &[])).contains("label 3 of 3"));
        assert!(wrong_answer(answer(&[(1, 0.5), (1, 0.25)], &[])).contains("twice"));
        for confidence in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.25, 1.5] {
            assert!(wrong_answer(answer(&[(0, confidence)], &[])).contains("between 0 and 1"), "{confidence}");
        }
        assert!(wrong_answer(answer(&[(0, 0.25), (1, 0.5)], &[])).contains("surest stands first"));
        assert!(wrong_answer(answer(&[(0, 0.5), (1, 0.25), (2, 0.125)], &[])).contains("3 guesses; 2 were asked"));
        let piece = ("hello", 1.0);
        assert!(wrong_answer(answer(&[(0, 0.5)], &[piece; 3])).contains("3 pieces of evidence; 2 were asked"));
        assert!(wrong_answer(answer(&[(0, 0.5)], &[("hello", f32::NAN)])).contains("no number"));
        assert!(wrong_answer(answer(&[(0, 0.5)], &[(&"x".repeat(1_025), 1.0)])).contains("1025 bytes"));
    }

    #[test]
    fn there_are_as_many_answers_as_questions_and_they_are_bounded_together() {
        let scope = Scope { guesses: 2, evidence: 1_000 };
        let count = |answers: usize| checked_answers(vec![answer(&[], &[]); answers], &asked(), scope);
        assert!(count(1).unwrap_err().contains("1 answers to 2 questions"));
        assert!(count(3).unwrap_err().contains("3 answers to 2 questions"));
        assert!(count(2).is_ok());
        let text = "x".repeat(1_000);
        let much = answer(&[], &vec![(text.as_str(), 1.0); 300]);
        assert!(checked_answers(vec![much, answer(&[], &[])], &asked(), scope).unwrap_err().contains("bytes"));
    }

    #[test]
    fn what_a_filter_says_of_itself_is_no_classifiers() {
        let filter = WorldDescription::of(&serde_json::json!({ "headers": ["X-OTOBO-Queue"], "screens": true }));
        assert!(!filter.read::<ClassifierDescription>().classifies);
    }
}
