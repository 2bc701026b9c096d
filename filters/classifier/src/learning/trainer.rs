//! The trainer: takes questions, then examples, and makes the bytes of a model.

use super::choice::{Chosen, Known, choose};
use super::documents::documents;
use super::examples::{Example, Purpose, row_bits, weighing};
use super::fit::Target;
use crate::model::{Ground, KnownLabel, KnownQuestion, Packed, ROW_BITS, Table, encoded_size, write};
use crate::reading::{Excerpt, Features};

/// A model has at most so many bytes.
const MODEL_BYTES: usize = 8 << 20;
/// Of which names are reckoned with so many.
const NAME_BYTES: usize = 128 << 10;
/// Each block of a model has at least two to the power of so many rows, unless there are so many labels that they would not fit.
const FEWEST_ROW_BITS: u32 = 14;
/// With fewer rows (again as a power of two) nothing is told apart any more.
const LEAST_ROW_BITS: u32 = 10;
/// The examples have at most so many features together, of four bytes each.
const MOST_FEATURES: usize = 80_000_000;
/// The largest weight of an example.
const HEAVIEST: f32 = 100.0;

/// A label that is to be learnt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelToLearn {
    /// Its name. With few examples it helps where it says what belongs there.
    pub name: String,
    /// What an admin says of it; may be empty.
    pub description: String,
    /// Words that mails of it have; may be empty.
    pub keywords: Vec<String>,
}

/// A question that is to be learnt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuestionToLearn {
    /// Its name.
    pub name: String,
    /// Its labels; an example names one by its place here.
    pub labels: Vec<LabelToLearn>,
}

/// A model with what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainedModel {
    /// Its bytes, of the format [`crate::FORMAT`].
    pub bytes: Vec<u8>,
    /// What was learnt, in a few lines for an admin.
    pub summary: Vec<String>,
}

/// Why there is no model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainingError {
    /// No question was given, or one of them has no labels.
    #[error("There is nothing to learn: name at least one question, and at least one label of each.")]
    NoQuestion,
    /// A model of so many labels would not be useful within its size.
    #[error(
        "The questions have {labels} labels together, which is more than fit into a model: name the {most} that are used most."
    )]
    TooManyLabels {
        /// How many there are.
        labels: usize,
        /// How many there may be.
        most: usize,
    },
    /// An example does not say as many labels as there are questions.
    #[error("An example has {found} labels for {questions} questions: give one for each, or none where nobody knows.")]
    Labels {
        /// How many it has.
        found: usize,
        /// How many questions there are.
        questions: usize,
    },
    /// An example has a label that is not there.
    #[error(
        "An example has label {label} of the question \"{question}\", which has {labels}: labels are counted from 0."
    )]
    UnknownLabel {
        /// The question's name.
        question: String,
        /// The label's number.
        label: usize,
        /// How many labels there are.
        labels: usize,
    },
    /// An example counts for nothing, or for more than all others.
    #[error("An example has the weight {0}: a weight is above 0 and at most 100.")]
    Weight(f32),
    /// The labels' names are so long that the model does not fit.
    #[error("The model came out with {0} bytes, which is more than 8 MiB: give labels shorter names, or name fewer.")]
    TooLarge(usize),
    /// There are more examples than fit into memory.
    #[error("{0} examples are as many as fit into memory: train on the newest ones.")]
    TooManyExamples(usize),
}

/// Takes examples and makes a model of them.
///
/// What is kept of an example is its features, about 11 bytes a character; ten thousand mails of a thousand characters
/// are about 110 MiB, and while settings are tried two models are held besides, of at most 65 MiB each.
#[derive(Debug)]
pub struct Trainer {
    questions: Vec<QuestionToLearn>,
    seed: u64,
    most_row_bits: u32,
    examples: Vec<Example>,
    features: usize,
}

impl Trainer {
    /// Begins. The same questions, examples and seed give the same model, wherever that is done.
    pub fn begin(questions: Vec<QuestionToLearn>, seed: u64) -> Result<Self, TrainingError> {
        let sizes: Vec<usize> = questions.iter().map(|question| question.labels.len()).collect();
        if sizes.is_empty() || sizes.contains(&0) {
            return Err(TrainingError::NoQuestion);
        }
        let fits = |bits: &u32| encoded_size(*bits, &sizes) <= MODEL_BYTES - NAME_BYTES;
        let labels = sizes.iter().sum();
        let most_row_bits = (LEAST_ROW_BITS..=ROW_BITS).rev().find(fits);
        let most_row_bits = most_row_bits.ok_or(TrainingError::TooManyLabels {
            labels,
            most: ((MODEL_BYTES - NAME_BYTES) >> (LEAST_ROW_BITS + 1)) - 64,
        })?;
        Ok(Self { questions, seed, most_row_bits, examples: Vec::new(), features: 0 })
    }

    /// Takes an example: for each question the place of the right label, or none where nobody knows. Those of
    /// [`Purpose::Outside`] may have labels, which do not count. `weight` is 1 for what was filed and left so, more for
    /// what an agent corrected.
    pub fn learn(
        &mut self,
        excerpt: &Excerpt,
        labels: &[Option<usize>],
        purpose: Purpose,
        weight: f32,
    ) -> Result<(), TrainingError> {
        if labels.len() != self.questions.len() {
            return Err(TrainingError::Labels { found: labels.len(), questions: self.questions.len() });
        }
        for (label, question) in labels.iter().zip(&self.questions) {
            if let Some(label) = label.filter(|label| *label >= question.labels.len()) {
                let labels = question.labels.len();
                return Err(TrainingError::UnknownLabel { question: question.name.clone(), label, labels });
            }
        }
        if !(weight > 0.0 && weight <= HEAVIEST) {
            return Err(TrainingError::Weight(weight));
        }
        let packed: Box<[Packed]> = Packed::all_of(&Features::of(&excerpt.words())).into();
        if self.features + packed.len() > MOST_FEATURES {
            return Err(TrainingError::TooManyExamples(self.examples.len()));
        }
        self.features += packed.len();
        let labels = labels.iter().map(|label| label.map(|label| label as u16)).collect();
        self.examples.push(Example { packed, labels, weight, purpose });
        Ok(())
    }

    /// Makes the model. Without any example it knows labels by their names, descriptions and keywords alone.
    pub fn finish(self) -> Result<TrainedModel, TrainingError> {
        let documents: Vec<Vec<Vec<Box<[Packed]>>>> =
            self.questions.iter().map(|question| question.labels.iter().map(documents).collect()).collect();
        let fit = self.examples.iter().filter(|example| example.purpose == Purpose::Fit);
        let mut mails: Vec<&[Packed]> = fit.map(|example| &example.packed[..]).collect();
        mails.extend(documents.iter().flatten().flatten().map(|packed| &packed[..]));
        let bits = row_bits(mails.iter().copied(), FEWEST_ROW_BITS, self.most_row_bits);
        let weighing = weighing(mails.iter().copied(), bits);

        let mut summary = Vec::new();
        let mut known = Vec::new();
        for (number, (question, documents)) in self.questions.iter().zip(&documents).enumerate() {
            let learnt = self.of_question(number, documents);
            let chosen = choose(&learnt, &weighing, self.seed);
            let question = known_question(question, documents, &learnt, &chosen);
            summarise(&mut summary, &question, &learnt, &chosen);
            known.push(question);
        }
        let bytes = write(&weighing, &known);
        summary.push(format!("The model has {} bytes.", bytes.len()));
        if bytes.len() > MODEL_BYTES {
            return Err(TrainingError::TooLarge(bytes.len()));
        }
        Ok(TrainedModel { bytes, summary })
    }

    /// What is known of one question.
    fn of_question<'e>(&'e self, number: usize, documents: &'e [Vec<Box<[Packed]>>]) -> Known<'e> {
        let of_purpose = |purpose| {
            let examples = self.examples.iter().filter(move |example| example.purpose == purpose);
            let target = |example: &'e Example| {
                let label = (*example.labels.get(number)?)?;
                Some(Target { packed: &example.packed, label: usize::from(label), weight: example.weight })
            };
            examples.filter_map(target).collect::<Vec<_>>()
        };
        let mut fit = of_purpose(Purpose::Fit);
        let mails = fit.len();
        for (label, documents) in documents.iter().enumerate() {
            fit.extend(documents.iter().map(|packed| Target { packed, label, weight: 1.0 }));
        }
        let outside = self.examples.iter().filter(|example| example.purpose == Purpose::Outside);
        let outside = outside.map(|example| &example.packed[..]).collect();
        Known { labels: documents.len(), fit, mails, calibrate: of_purpose(Purpose::Calibrate), outside }
    }
}

fn known_question(
    question: &QuestionToLearn,
    documents: &[Vec<Box<[Packed]>>],
    learnt: &Known,
    chosen: &Chosen,
) -> KnownQuestion {
    let mut examples = vec![0_u32; question.labels.len()];
    for target in learnt.fit.iter().take(learnt.mails) {
        examples[target.label] += 1;
    }
    let label = |((label, examples), documents): ((&LabelToLearn, u32), &Vec<_>)| KnownLabel {
        name: label.name.clone(),
        examples,
        ground: match (examples, documents.is_empty()) {
            (0, true) => Ground::Nothing,
            (0, false) => Ground::Words,
            _ => Ground::Examples,
        },
    };
    let added = chosen.adjustment.iter().copied().chain(std::iter::repeat(0.0));
    KnownQuestion {
        name: question.name.clone(),
        labels: question.labels.iter().zip(examples).zip(documents).map(label).collect(),
        confidence: chosen.confidence,
        bias: chosen.fitted.bias().into_iter().zip(added).map(|(bias, added)| bias + added).collect(),
        table: Table::rounded(chosen.fitted.width(), chosen.fitted.rows()),
    }
}

/// Says in a few lines what was learnt of a question.
fn summarise(summary: &mut Vec<String>, question: &KnownQuestion, learnt: &Known, chosen: &Chosen) {
    let labels = question.labels.len();
    summary.push(format!("{}: {} examples of {labels} labels were learnt from.", question.name, learnt.mails));
    let left_out = u32::from(chosen.settings.left_out) * 100 / 256;
    let passes = chosen.settings.passes;
    summary.push(match &chosen.trial {
        Some(trial) => format!(
            "{}: of {} examples that were kept aside, {:.1} % had the right label first; chosen by them: {left_out} % of features left out, {} of the frequency evened, {passes} passes.",
            question.name, trial.mails, trial.accuracy * 100.0, trial.evened
        ),
        None => format!(
            "{}: too few examples to keep some aside, so that confidences are only a guess; {left_out} % of features left out, {passes} passes.",
            question.name
        ),
    });
    let counts = |ground| question.labels.iter().filter(move |label| label.ground == ground);
    let names =
        |ground| counts(ground).map(|label| format!("\"{}\"", label.name)).take(20).collect::<Vec<_>>().join(", ");
    if counts(Ground::Words).next().is_some() {
        summary.push(format!(
            "{}: known by their words alone, and never guessed with more confidence than one half: {}.",
            question.name,
            names(Ground::Words)
        ));
    }
    if counts(Ground::Nothing).next().is_some() {
        summary.push(format!(
            "{}: without examples and without a name or description that says something, never guessed: {}.",
            question.name,
            names(Ground::Nothing)
        ));
    }
}
