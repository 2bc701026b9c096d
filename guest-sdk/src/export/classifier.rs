//! Ties the exports of classifiers to a type; only in a component, since elsewhere there is no host that lends mails.

use super::ExportedTrainable;
use super::bindings::classifying::exports::postigo::classifier::classifying;
use super::bindings::plugin::postigo::message::message::Mail as HostMail;
use super::bindings::training::exports::postigo::classifier::training;
use crate::classifier::{
    Classifier, ConfiguredClassifiers, Example, Label, Purpose, Scope, Task, Topic, Trainable, Training,
};
use crate::{Exported, Mail};

/// Does something with one of the classifiers.
fn with_one<E, R>(filter: u32, work: impl FnOnce(&<E::Filters as ConfiguredClassifiers>::One) -> R) -> Result<R, String>
where
    E: Exported<Filters: ConfiguredClassifiers>,
{
    E::with(|place| match place.get().and_then(|all| all.one(filter)) {
        Some(one) => Ok(work(one)),
        None => Err(format!("There is no filter {filter} that was configured.")),
    })
}

impl<E: Exported<Filters: ConfiguredClassifiers>> classifying::Guest for E {
    fn questions(filter: u32) -> Vec<classifying::Question> {
        let asked = with_one::<E, _>(filter, Classifier::questions).unwrap_or_default().into_iter();
        asked.map(|one| classifying::Question { name: one.name, labels: one.labels }).collect()
    }

    fn classify(filter: u32, mail: &HostMail, scope: classifying::Scope) -> Result<Vec<classifying::Answer>, String> {
        let scope = Scope { guesses: scope.guesses, evidence: scope.evidence };
        let answers = with_one::<E, _>(filter, |one| one.classify(&Mail::lent(mail), scope))??;
        let guess = |one: crate::classifier::Guess| classifying::Guess { label: one.label, confidence: one.confidence };
        let piece = |one: crate::classifier::Evidence| classifying::Evidence { text: one.text, weight: one.weight };
        let answer = |one: crate::classifier::Answer| classifying::Answer {
            guesses: one.guesses.into_iter().map(guess).collect(),
            evidence: one.evidence.into_iter().map(piece).collect(),
        };
        Ok(answers.into_iter().map(answer).collect())
    }
}

impl<E: ExportedTrainable> training::Guest for E {
    fn begin(filter: u32, task: training::Task) -> Result<u32, String> {
        let label =
            |one: training::Label| Label { name: one.name, description: one.description, examples: one.examples };
        let topic =
            |one: training::Topic| Topic { name: one.name, labels: one.labels.into_iter().map(label).collect() };
        let training::Task { topics, fit, outside, calibrate, seed } = task;
        let task = Task { topics: topics.into_iter().map(topic).collect(), fit, outside, calibrate, seed };
        let begun = with_one::<E, _>(filter, |one| one.begin(task))??;
        let passes = begun.passes();
        E::with_training(|place| place.replace(Some(begun)));
        Ok(passes)
    }

    fn learn(mail: &HostMail, purpose: training::Purpose, labels: Vec<Option<u32>>, weight: f32) -> Result<(), String> {
        let purpose = match purpose {
            training::Purpose::Fit => Purpose::Fit,
            training::Purpose::Outside => Purpose::Outside,
            training::Purpose::Calibrate => Purpose::Calibrate,
        };
        let example = Example { mail: &Mail::lent(mail), purpose, labels: &labels, weight };
        E::with_training(|place| match place.borrow_mut().as_mut() {
            Some(training) => training.learn(&example),
            None => Err("No training has begun.".to_owned()),
        })
    }

    fn finish() -> Result<training::Model, String> {
        let begun = E::with_training(std::cell::RefCell::take).ok_or("No training has begun.")?;
        let model = begun.finish()?;
        Ok(training::Model { bytes: model.bytes, format: model.format, summary: model.summary })
    }

    fn formats() -> Vec<String> {
        E::Classifier::formats()
    }
}
