//! A classifier that counts words: the smallest one that learns. Its model has for each question how often each word
//! stood in mails of each label; a label is as sure as its share of what the mail's words count.

use postigo_filter::classifier::{
    Answer, Classifier, Evidence, Example, Guess, Model, Purpose, Question, Scope, Task, Trainable, Training,
};
use postigo_filter::{Assets, Description, Grants, Mail, Problem};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The layout of the model.
const FORMAT: &str = "keywords/1";

/// What a filter may be told.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many times it wants to see the examples.
    passes: Option<u32>,
    /// Whether it reads the body, too.
    body: bool,
}

/// A question with its labels, and for each label how much each word counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Counted {
    name: String,
    labels: Vec<String>,
    words: Vec<BTreeMap<String, f32>>,
}

/// A filter.
#[derive(Debug)]
pub struct Keywords {
    settings: Settings,
    model: Vec<Counted>,
}

impl Classifier for Keywords {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new("keywords", "1.0.0", "Sorts mails by the words that stand in them.").wants("body")
    }

    fn new(settings: Settings, _: &Grants, assets: &Assets<'_>) -> Result<Self, Vec<Problem>> {
        let Some(given) = assets.find("model") else { return Ok(Self { settings, model: Vec::new() }) };
        let wrong = |reason: &str| vec![Problem::new("", format!("The model {reason}; train it anew."))];
        if given.format != FORMAT {
            return Err(wrong(&format!("has the format {:?}", given.format)));
        }
        let bytes = assets.read("model").ok_or_else(|| wrong("is gone"))?;
        let model = serde_json::from_slice(&bytes).map_err(|error| wrong(&format!("cannot be read ({error})")))?;
        Ok(Self { settings, model })
    }

    fn questions(&self) -> Vec<Question> {
        let asked = |one: &Counted| Question { name: one.name.clone(), labels: one.labels.clone() };
        self.model.iter().map(asked).collect()
    }

    fn classify(&self, mail: &Mail<'_>, scope: Scope) -> Result<Vec<Answer>, String> {
        let words = words(mail, self.settings.body)?;
        Ok(self.model.iter().map(|question| answer(question, &words, scope)).collect())
    }
}

impl Trainable for Keywords {
    type Training = Counting;

    fn formats() -> Vec<String> {
        vec![FORMAT.to_owned(), "keywords/0".to_owned()]
    }

    fn begin(&self, task: Task) -> Result<Counting, String> {
        let counted = task.topics.iter().map(|topic| Counted {
            name: topic.name.clone(),
            labels: topic.labels.iter().map(|label| label.name.clone()).collect(),
            words: vec![BTreeMap::new(); topic.labels.len()],
        });
        let passes = self.settings.passes.unwrap_or(1);
        Ok(Counting { counted: counted.collect(), task, passes, body: self.settings.body, seen: [0; 3] })
    }
}

/// A training that is under way.
#[derive(Debug)]
pub struct Counting {
    counted: Vec<Counted>,
    task: Task,
    passes: u32,
    body: bool,
    seen: [u64; 3],
}

impl Training for Counting {
    fn passes(&self) -> u32 {
        self.passes
    }

    fn learn(&mut self, example: &Example<'_>) -> Result<(), String> {
        let words = words(example.mail, self.body)?;
        let place = match example.purpose {
            Purpose::Fit => 0,
            Purpose::Outside => 1,
            Purpose::Calibrate => 2,
        };
        if let Some(seen) = self.seen.get_mut(place) {
            *seen += 1;
        }
        if example.purpose != Purpose::Fit {
            return Ok(());
        }
        for (question, label) in self.counted.iter_mut().zip(example.labels) {
            let Some(counts) = label.and_then(|label| question.words.get_mut(label as usize)) else { continue };
            for word in &words {
                // The later an example comes, the more it counts, so that the order of the examples shows in the model.
                let count = counts.entry(word.clone()).or_default();
                *count = count.mul_add(0.875, example.weight);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Model, String> {
        let Self { counted, task, seen: [fit, outside, calibrate], .. } = self;
        let bytes = serde_json::to_vec(&counted).map_err(|error| error.to_string())?;
        let summary = format!(
            "{fit} of {} to fit, {outside} of {} outside, {calibrate} of {} to calibrate, seed {}",
            task.fit, task.outside, task.calibrate, task.seed
        );
        Ok(Model { bytes, format: FORMAT.to_owned(), summary })
    }
}

/// The words of the subject, and of the body where it may be read, in lower case.
fn words(mail: &Mail<'_>, body: bool) -> Result<BTreeSet<String>, String> {
    let mut text = mail.header("Subject").unwrap_or_default();
    if body {
        text.push(' ');
        text.push_str(&mail.text().map_err(|refusal| format!("The body could not be read: {refusal}."))?);
    }
    let split = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    Ok(split.map(str::to_lowercase).collect())
}

fn answer(question: &Counted, words: &BTreeSet<String>, scope: Scope) -> Answer {
    let sums = question.words.iter().map(|counts| words.iter().filter_map(|word| counts.get(word)).sum::<f32>());
    let sums: Vec<f32> = sums.collect();
    let all: f32 = sums.iter().sum();
    if all <= 0.0 {
        return Answer::default();
    }
    let mut guesses: Vec<Guess> =
        (0_u32..).zip(&sums).map(|(label, sum)| Guess { label, confidence: (sum / all).clamp(0.0, 1.0) }).collect();
    guesses.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
    guesses.truncate(scope.guesses as usize);
    let first = guesses.first().and_then(|guess| question.words.get(guess.label as usize));
    let spoke = words.iter().filter_map(|word| Some((word, *first?.get(word)?)));
    let mut evidence: Vec<Evidence> = spoke.map(|(word, weight)| Evidence { text: word.clone(), weight }).collect();
    evidence.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    evidence.truncate(scope.evidence as usize);
    Answer { guesses, evidence }
}

postigo_filter::export!(trainable Keywords);
