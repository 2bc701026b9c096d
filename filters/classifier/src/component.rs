//! The component: what the contract asks of a classifier, answered by a model, and what it asks of a training.

use crate::{Classifier, Excerpt, FORMAT, LabelToLearn, QuestionToLearn, Trainer};
use postigo_filter::classifier::{
    Answer, Classifier as Contract, Evidence, Example, Guess, Model, Purpose, Question, Scope, Task, Trainable,
    Training,
};
use postigo_filter::{Assets, Description, Grants, Mail, Problem};
use serde::Deserialize;

/// The asset that a training makes.
const MODEL: &str = "model";
/// Bytes of a piece of evidence that the contract takes.
const EVIDENCE: usize = 1_024;
/// Headers that may be read.
const HEADERS: usize = 10;

const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "headers": {
      "type": "array", "minItems": 1, "maxItems": 10, "default": ["Subject"],
      "items": { "type": "string", "minLength": 1, "maxLength": 200 },
      "description": "The headers that are read beside the body, in this order. Train it anew after a change."
    }
  }
}"#;

/// What an admin tells a filter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The headers that are read beside the body.
    pub headers: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { headers: vec!["Subject".to_owned()] }
    }
}

/// What is read of a mail, for answers and for learning alike.
#[derive(Debug, Clone)]
struct Reader {
    headers: Vec<String>,
    /// Whether the body may be read.
    body: bool,
}

impl Reader {
    /// The headers' values, and the body's text.
    fn read(&self, mail: &Mail<'_>) -> Result<(String, String), String> {
        let values: Vec<String> = self.headers.iter().filter_map(|name| mail.header(name)).collect();
        let text = if self.body { mail.text().map_err(|refusal| refusal.to_string())? } else { String::new() };
        Ok((values.join(" "), text))
    }
}

/// A filter: the model that it was given, or none yet.
#[derive(Debug)]
pub struct ClassifierFilter {
    reader: Reader,
    model: Option<Classifier>,
}

impl Contract for ClassifierFilter {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new(
            "classifier",
            env!("CARGO_PKG_VERSION"),
            "Learns from filed tickets which label a mail has, its queue say, and says so with a confidence.",
        )
        .settings_schema(SCHEMA)
        .wants("body")
    }

    fn new(Settings { headers }: Settings, grants: &Grants, assets: &Assets<'_>) -> Result<Self, Vec<Problem>> {
        if headers.is_empty() || headers.len() > HEADERS {
            return Err(vec![Problem::new("/headers", format!("Name 1 to {HEADERS} headers."))]);
        }
        let model = assets.read(MODEL).map(|bytes| Classifier::read(&bytes)).transpose();
        let model = model.map_err(|error| vec![Problem::new("", error.to_string())])?;
        Ok(Self { reader: Reader { headers, body: grants.has("body") }, model })
    }

    fn questions(&self) -> Vec<Question> {
        let known = self.model.as_ref().map(Classifier::questions).unwrap_or_default().iter();
        known
            .map(|question| Question {
                name: question.name.clone(),
                labels: question.labels.iter().map(|label| label.name.clone()).collect(),
            })
            .collect()
    }

    fn classify(&self, mail: &Mail<'_>, scope: Scope) -> Result<Vec<Answer>, String> {
        let Some(model) = &self.model else { return Ok(Vec::new()) };
        let (subject, text) = self.reader.read(mail)?;
        let excerpt = Excerpt { subject: &subject, text: &text };
        let answers = model.classify(&excerpt, scope.guesses as usize, scope.evidence as usize).into_iter();
        Ok(answers.map(answer).collect())
    }
}

fn answer(answer: crate::Answer) -> Answer {
    let guess = |guess: crate::Guess| Guess {
        label: u32::try_from(guess.label).unwrap_or(u32::MAX),
        confidence: guess.confidence.clamp(0.0, 1.0),
    };
    let piece = |mut piece: crate::Evidence| {
        piece.text.truncate(piece.text.floor_char_boundary(EVIDENCE));
        Evidence { text: piece.text, weight: piece.weight }
    };
    Answer {
        guesses: answer.guesses.into_iter().map(guess).collect(),
        evidence: answer.evidence.into_iter().map(piece).collect(),
    }
}

impl Trainable for ClassifierFilter {
    type Training = ClassifierTraining;

    fn formats() -> Vec<String> {
        vec![FORMAT.to_owned()]
    }

    fn begin(&self, task: Task) -> Result<ClassifierTraining, String> {
        let questions = task.topics.into_iter().map(|topic| QuestionToLearn {
            name: topic.name,
            labels: topic
                .labels
                .into_iter()
                .map(|label| LabelToLearn { name: label.name, description: label.description, keywords: Vec::new() })
                .collect(),
        });
        let trainer = Trainer::begin(questions.collect(), task.seed).map_err(|error| error.to_string())?;
        Ok(ClassifierTraining { reader: self.reader.clone(), trainer })
    }
}

/// A training that is under way.
#[derive(Debug)]
pub struct ClassifierTraining {
    reader: Reader,
    trainer: Trainer,
}

impl Training for ClassifierTraining {
    /// Once: what is kept of an example is enough to go over it again.
    fn passes(&self) -> u32 {
        1
    }

    fn learn(&mut self, example: &Example<'_>) -> Result<(), String> {
        let purpose = match example.purpose {
            Purpose::Fit => crate::Purpose::Fit,
            Purpose::Outside => crate::Purpose::Outside,
            Purpose::Calibrate => crate::Purpose::Calibrate,
        };
        let (subject, text) = self.reader.read(example.mail)?;
        let excerpt = Excerpt { subject: &subject, text: &text };
        let labels: Vec<Option<usize>> = example.labels.iter().map(|label| label.map(|label| label as usize)).collect();
        self.trainer.learn(&excerpt, &labels, purpose, example.weight).map_err(|error| error.to_string())
    }

    fn finish(self) -> Result<Model, String> {
        let trained = self.trainer.finish().map_err(|error| error.to_string())?;
        Ok(Model { bytes: trained.bytes, format: FORMAT.to_owned(), summary: trained.summary.join("\n") })
    }
}

postigo_filter::export!(trainable ClassifierFilter);

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_filter::testing::{LabelledMail, Mail as TestMail, classifier, classify, train};

    fn mail(subject: &str) -> TestMail {
        TestMail::new().with("Subject", subject).with_text("Dear all,\nsee above.\n")
    }

    #[test]
    fn what_it_learnt_it_answers_and_without_a_model_it_asks_nothing() {
        let untrained: ClassifierFilter = classifier("{}", &[]).unwrap();
        assert!(untrained.questions().is_empty());
        let scope = Scope { guesses: 2, evidence: 2 };
        assert_eq!(classify(&untrained, &mail("Invoice"), scope), Ok(Vec::new()));

        let examples: Vec<LabelledMail> = (0..20)
            .flat_map(|number| {
                [("The printer is broken again", 0), ("Invoice for the order", 1)].map(|(subject, label)| {
                    LabelledMail {
                        mail: mail(&format!("{subject} {number}")),
                        purpose: Purpose::Fit,
                        labels: vec![Some(label)],
                        weight: 1.0,
                    }
                })
            })
            .collect();
        let topics: &[(&str, &[(&str, &str)])] = &[("queue", &[("Support", "broken things"), ("Billing", "money")])];
        let model = train(&untrained, topics, &examples, 7).unwrap();
        let trained: ClassifierFilter = classifier("{}", &[(MODEL, &model.format, &model.bytes)]).unwrap();
        assert_eq!(trained.questions()[0].labels, ["Support", "Billing"]);
        let answers = classify(&trained, &mail("Another invoice"), scope).unwrap();
        assert_eq!(answers[0].guesses[0].label, 1);
        assert!(answers[0].evidence.iter().any(|piece| piece.text == "invoice"), "{:?}", answers[0].evidence);
    }

    #[test]
    fn a_model_that_is_none_and_headers_that_are_too_many_are_mistakes() {
        let wrong = classifier::<ClassifierFilter>("{}", &[(MODEL, FORMAT, b"no model")]).unwrap_err();
        assert!(wrong[0].reason.contains("train it anew"), "{}", wrong[0].reason);
        let none = classifier::<ClassifierFilter>(r#"{"headers":[]}"#, &[]).unwrap_err();
        assert_eq!(none[0].place, "/headers");
    }
}
