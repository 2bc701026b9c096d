//! A classifier that is told its answers by the mail: `X-Guess: Billing 0.95`, for each of its questions. It has the
//! questions that its settings name, and fails on mails with the header `X-Break`.

use postigo_filter::classifier::{Answer, Classifier, Evidence, Guess, Question, Scope};
use postigo_filter::{Assets, Description, Grants, Mail, Problem};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a filter may be told.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Labels by question.
    questions: BTreeMap<String, Vec<String>>,
}

/// A filter.
#[derive(Debug)]
pub struct Labels(Vec<Question>);

impl Classifier for Labels {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new("labels", "1.0.0", "Is told its answers by the mail.")
    }

    fn new(settings: Settings, _: &Grants, _: &Assets<'_>) -> Result<Self, Vec<Problem>> {
        let questions = settings.questions.into_iter();
        Ok(Self(questions.map(|(name, labels)| Question { name, labels }).collect()))
    }

    fn questions(&self) -> Vec<Question> {
        self.0.clone()
    }

    fn classify(&self, mail: &Mail<'_>, scope: Scope) -> Result<Vec<Answer>, String> {
        if mail.header("X-Break").is_some() {
            return Err("the mail says so".to_owned());
        }
        let told = mail.header("X-Guess").unwrap_or_default();
        Ok(self.0.iter().map(|question| answer(question, &told, scope)).collect())
    }
}

fn answer(question: &Question, told: &str, scope: Scope) -> Answer {
    let Some((label, confidence)) = told.rsplit_once(' ') else { return Answer::default() };
    let place = (0_u32..).zip(&question.labels).find(|(_, known)| *known == label).map(|(place, _)| place);
    let (Some(label), Ok(confidence)) = (place, confidence.parse()) else { return Answer::default() };
    let evidence = vec![Evidence { text: told.to_owned(), weight: 1.5 }; scope.evidence.min(1) as usize];
    Answer { guesses: vec![Guess { label, confidence }], evidence }
}

postigo_filter::export!(classifier Labels);
