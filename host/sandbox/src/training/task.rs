//! The plain types of a training: what is to be learnt of what, and what came out.

use super::error::TrainError;
use crate::contract::GroupMember;
use crate::lesson::{LabelledExample, LearningTopic, Purpose};
use postigo_model::guest::Grant;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Questions of one training, labels of a question, bytes of a name and of what the admin says of a label.
const TOPICS: usize = 32;
const LABELS: usize = 2_000;
const NAME: usize = 200;
const DESCRIPTION: usize = 4 << 10;

/// A training as it is to be done.
#[derive(Debug, Clone)]
pub struct TrainingSpec {
    /// The component, as [`Inspection::component`](crate::Inspection::component) gave it; one that
    /// [trains](crate::ClassifierDescription::trains).
    pub component: Arc<[u8]>,
    /// [`ComponentDescription::digest`](crate::ComponentDescription::digest) of it.
    pub digest: String,
    /// The filter that is trained: its name, settings and assets.
    pub member: GroupMember,
    /// What it was granted: a mail that it learns from is held to the same.
    pub grants: Vec<Grant>,
    /// What is to be learnt: at most 32 questions of at most 2,000 labels.
    pub topics: Vec<LearningTopic>,
    /// The examples, in an order that is the same every time.
    pub examples: Vec<LabelledExample>,
    /// Where all chance comes from, the order of the examples too.
    pub seed: u64,
    /// What it may use.
    pub limits: TrainingLimits,
}

/// An example's mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExampleMail {
    /// The message's bytes. Headers in it that would act on a desk count for nothing: they would tell the answer.
    pub raw: Vec<u8>,
    /// The name of the account that brought it.
    pub account: String,
    /// When it came, in milliseconds since the epoch.
    pub received_at: i64,
    /// The envelope's recipients where they are known.
    pub recipients: Vec<String>,
}

/// What a training may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingLimits {
    /// The guest's own time for all of it together, without reading the mails.
    pub time: Duration,
    /// Bytes over all memories of the guest.
    pub memory: u64,
    /// Bytes of the model.
    pub model: usize,
    /// How long it may take in all, on a machine that is busy with other things.
    pub wall: Duration,
}

impl Default for TrainingLimits {
    fn default() -> Self {
        Self { time: Duration::from_mins(2), memory: 512 << 20, model: 8 << 20, wall: Duration::from_hours(1) }
    }
}

/// How far a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingProgress {
    /// How many examples the guest has taken, each as often as it was given.
    pub learnt: u64,
    /// Of how many; 0 while the guest has not said yet how often it wants to see them.
    pub of: u64,
}

/// What came out of a training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainedModel {
    /// Its bytes, for the asset `model`.
    pub bytes: Vec<u8>,
    /// Name and version of their layout, as the component says.
    pub format: String,
    /// What was learnt, in a few lines for the admin; at most 16 KiB.
    pub summary: String,
    /// How often it wanted to see the examples.
    pub passes: u32,
    /// The guest's own time.
    pub own: Duration,
    /// Bytes over all memories of the guest at most.
    pub memory: u64,
}

impl TrainingSpec {
    /// How many examples there are for a purpose.
    pub(super) fn count(&self, purpose: Purpose) -> u64 {
        self.examples.iter().filter(|example| example.purpose == purpose).count() as u64
    }

    /// Whether topics and examples fit one another and the contract.
    pub(super) fn check(&self) -> Result<(), TrainError> {
        let wrong = |why: String| Err(TrainError::Task(why));
        if self.topics.is_empty() || self.topics.len() > TOPICS {
            return wrong(format!("there are {} questions; give it 1 to {TOPICS}", self.topics.len()));
        }
        let mut names = HashSet::new();
        for topic in &self.topics {
            check_name(&topic.name, &mut names)?;
            if topic.labels.len() > LABELS {
                return wrong(format!("{:?} has {} labels; {LABELS} are taken", topic.name, topic.labels.len()));
            }
            let mut labels = HashSet::new();
            for label in &topic.labels {
                check_name(&label.name, &mut labels)?;
                if label.description.len() > DESCRIPTION {
                    let bytes = label.description.len();
                    return wrong(format!("{bytes} bytes are said of {:?}; {DESCRIPTION} are taken", label.name));
                }
            }
        }
        match self.examples.iter().position(|example| !self.fits(example)) {
            None => Ok(()),
            Some(index) => {
                wrong(format!("example {index} has other labels than there are, or a weight that is no number above 0"))
            }
        }
    }

    fn fits(&self, example: &LabelledExample) -> bool {
        let known = |(label, topic): (&Option<u32>, &LearningTopic)| {
            label.is_none_or(|label| (label as usize) < topic.labels.len())
        };
        example.labels.len() == self.topics.len()
            && example.labels.iter().zip(&self.topics).all(known)
            && example.weight.is_finite()
            && example.weight > 0.0
    }
}

fn check_name<'a>(name: &'a str, before: &mut HashSet<&'a str>) -> Result<(), TrainError> {
    if name.is_empty() || name.len() > NAME || name.chars().any(char::is_control) {
        return Err(TrainError::Task(format!(
            "{name:?} is no name of a question or label; one has 1 to {NAME} bytes and no control characters"
        )));
    }
    if before.insert(name) { Ok(()) } else { Err(TrainError::Task(format!("there are two of the name {name:?}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::TopicLabel;

    fn spec() -> TrainingSpec {
        let label = |name: &str| TopicLabel { name: name.into(), description: String::new() };
        let example = |purpose, label| LabelledExample { purpose, labels: vec![label], weight: 1.0 };
        TrainingSpec {
            component: Arc::from([]),
            digest: String::new(),
            member: GroupMember::new("one", serde_json::json!({})),
            grants: Vec::new(),
            topics: vec![LearningTopic { name: "queue".into(), labels: vec![label("Support"), label("Billing")] }],
            examples: vec![example(Purpose::Fit, Some(1)), example(Purpose::Outside, None)],
            seed: 1,
            limits: TrainingLimits::default(),
        }
    }

    #[test]
    fn a_task_whose_parts_do_not_fit_is_refused_before_anything_runs() {
        assert_eq!(spec().check(), Ok(()));
        let wrong = |change: fn(&mut TrainingSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.check().unwrap_err().to_string()
        };
        assert!(wrong(|it| it.topics.clear()).contains("0 questions"));
        assert!(wrong(|it| it.topics.push(it.topics[0].clone())).contains("two of the name \"queue\""));
        assert!(wrong(|it| it.topics[0].labels[1].name = "Support".into()).contains("two of the name \"Support\""));
        assert!(wrong(|it| it.topics[0].labels[1].name = "a\nb".into()).contains("no name"));
        assert!(wrong(|it| it.topics[0].labels[1].description = "x".repeat(5_000)).contains("5000 bytes"));
        assert!(wrong(|it| it.examples[0].labels = vec![Some(2)]).contains("example 0"));
        assert!(wrong(|it| it.examples[1].labels = Vec::new()).contains("example 1"));
        for weight in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let mut spec = spec();
            spec.examples[0].weight = weight;
            assert!(spec.check().unwrap_err().to_string().contains("weight"), "{weight}");
        }
    }
}
