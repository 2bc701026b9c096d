//! Write a classifier: a component that answers questions about a mail by labels, and may learn them where it runs.
//!
//! A classifier is a type that implements [`Classifier`]; one line, `export!(classifier TYPE)`, makes a component of it.
//! Where it implements [`Trainable`] too, that line is `export!(trainable TYPE)`. What follows from an answer is not its
//! business: the admin says which label leads to which header and value, and from which confidence on.

use crate::assets::Assets;
use crate::{ConfiguredFilters, Description, FilterSettings, Grants, GroupProblem, Mail, Problem};
use serde::de::DeserializeOwned;

/// A question and its possible answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Question {
    /// Its name, which the admin's mapping refers to: `queue`. Each name once, of 1 to 200 bytes.
    pub name: String,
    /// The labels, each once, of 1 to 200 bytes.
    pub labels: Vec<String>,
}

/// A label with how sure the classifier is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Guess {
    /// Its place in [`Question::labels`].
    pub label: u32,
    /// The estimated share of mails of this kind where this label is right, from 0 to 1; what belongs to no label counts
    /// as wrong.
    pub confidence: f32,
}

/// A piece of the mail that spoke for the first guess, or against it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// As it stands in the mail; at most 1 KiB.
    pub text: String,
    /// How much it spoke for the first guess rather than the second; negative: against it.
    pub weight: f32,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The best guesses, the surest first; none is an abstention.
    pub guesses: Vec<Guess>,
    /// The pieces that mattered most; none unless they were asked for.
    pub evidence: Vec<Evidence>,
}

/// How much of an answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// At most so many guesses a question.
    pub guesses: u32,
    /// At most so many pieces of evidence a question; 0 where nobody reads them.
    pub evidence: u32,
}

/// A classifier: one set of an admin's settings for a component, with the model that it was given.
///
/// Values are made once, when an admin saves; every mail then starts from that state, so work done in
/// [`Classifier::new`] costs nothing later and nothing of one mail is there for the next.
pub trait Classifier: Sized + 'static {
    /// The settings of one filter, as the admin writes them. With `#[serde(deny_unknown_fields)]` a misspelt key is
    /// told to the admin.
    type Settings: DeserializeOwned;

    /// What the component says of itself. A classifier sets no headers.
    fn describe() -> Description;

    /// Makes the classifier from its settings and the assets that the admin gave it, such as the `model` of a training.
    ///
    /// # Errors
    /// Every mistake in the settings, each with its place.
    fn new(settings: Self::Settings, grants: &Grants, assets: &Assets<'_>) -> Result<Self, Vec<Problem>>;

    /// The questions that it answers; none while it has no model yet. Asked once, after [`Classifier::new`].
    fn questions(&self) -> Vec<Question>;

    /// Answers all [`Classifier::questions`] about a mail, in their order.
    ///
    /// # Errors
    /// A sentence for the log; the filter's failure policy follows.
    fn classify(&self, mail: &Mail<'_>, scope: Scope) -> Result<Vec<Answer>, String>;
}

/// A classifier that learns where it runs; export it by `export!(trainable TYPE)`.
pub trait Trainable: Classifier {
    /// What is known while it is being trained.
    type Training: Training;

    /// The formats of models that this version reads, the newest first: 1 to 20.
    fn formats() -> Vec<String>;

    /// Begins.
    ///
    /// # Errors
    /// A sentence for the admin.
    fn begin(&self, task: Task) -> Result<Self::Training, String>;
}

/// A training that is under way.
pub trait Training: 'static {
    /// How many times it wants to see all examples of purpose [`Purpose::Fit`]: 1 to 32, each time in another order.
    fn passes(&self) -> u32;

    /// Takes an example: first all passes of [`Purpose::Fit`], then [`Purpose::Outside`], then [`Purpose::Calibrate`].
    ///
    /// # Errors
    /// A sentence for the admin; the training ends.
    fn learn(&mut self, example: &Example<'_>) -> Result<(), String>;

    /// Ends.
    ///
    /// # Errors
    /// A sentence for the admin.
    fn finish(self) -> Result<Model, String>;
}

/// What is to be learnt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Task {
    /// The questions, with the labels as they are called today.
    pub topics: Vec<Topic>,
    /// How many examples of purpose [`Purpose::Fit`] there are.
    pub fit: u64,
    /// How many of purpose [`Purpose::Outside`].
    pub outside: u64,
    /// How many of purpose [`Purpose::Calibrate`].
    pub calibrate: u64,
    /// Draw all chance from this number: the same seed and the same examples give the same model.
    pub seed: u64,
}

/// A question to be learnt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topic {
    /// The question's name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<Label>,
}

/// A label to be learnt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// What the admin says of it, in a few words; may be empty.
    pub description: String,
    /// How many examples of purpose [`Purpose::Fit`] have it.
    pub examples: u64,
}

/// What an example is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To learn from.
    Fit,
    /// Belongs to no label.
    Outside,
    /// Never seen while fitting; for temperature and thresholds.
    Calibrate,
}

/// A mail with its right labels.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// The mail, as [`Classifier::classify`] would see it.
    pub mail: &'a Mail<'a>,
    /// What it is for.
    pub purpose: Purpose,
    /// For each topic of the task, in their order, the place of the right label; none where nobody knows.
    pub labels: &'a [Option<u32>],
    /// How much it counts: 1 for what was filed and left so, more for what somebody corrected.
    pub weight: f32,
}

/// What came out of a training.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Model {
    /// The bytes, which come back as the asset `model`; 8 MiB at most where the host says nothing else.
    pub bytes: Vec<u8>,
    /// Name and version of their layout and of how features are made: `acme-linear/1`. It must change with either.
    pub format: String,
    /// For the admin: what was learnt, in a few lines.
    pub summary: String,
}

/// All classifiers of a component that were configured together: a value of `C` for each.
#[doc(hidden)]
#[derive(Debug)]
pub struct Classifiers<C>(Vec<C>);

/// The same, whatever they are.
#[doc(hidden)]
pub trait ConfiguredClassifiers {
    type One: Classifier;
    fn one(&self, filter: u32) -> Option<&Self::One>;
}

impl<C: Classifier> ConfiguredClassifiers for Classifiers<C> {
    type One = C;

    fn one(&self, filter: u32) -> Option<&C> {
        self.0.get(filter as usize)
    }
}

impl<C: Classifier> ConfiguredFilters for Classifiers<C> {
    fn describe() -> Description {
        C::describe()
    }

    fn configure(filters: Vec<FilterSettings>) -> Result<Self, Vec<GroupProblem>> {
        let mut made = Vec::with_capacity(filters.len());
        let mut problems = Vec::new();
        for (filter, given) in filters.iter().enumerate() {
            let assets = Assets::of_filter(u32::try_from(filter).unwrap_or(u32::MAX));
            let settings = given.read().map_err(|problem| vec![problem]);
            match settings.and_then(|settings| C::new(settings, &given.grants, &assets)) {
                Ok(one) => made.push(one),
                Err(mistakes) => problems.extend(mistakes.into_iter().map(|problem| GroupProblem { filter, problem })),
            }
        }
        if problems.is_empty() { Ok(Self(made)) } else { Err(problems) }
    }
}
