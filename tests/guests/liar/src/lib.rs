//! A classifier that breaks every promise on demand: its settings say which. The tests of the sandbox upload it.

#![allow(clippy::panic, reason = "a guest that panics is one of the things to be tested")]

use postigo_filter::classifier::{
    Answer, Classifier, Evidence, Example, Guess, Model, Question, Scope, Task, Trainable, Training,
};
use postigo_filter::{Assets, Description, Grants, Mail, Problem};
use serde::Deserialize;
use std::cell::Cell;
use std::hint::black_box;

/// What a filter does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    /// Nothing bad: it is sure of the first label.
    Behave,
    // When it is asked for its questions.
    ManyQuestions,
    SameQuestions,
    SameLabels,
    ManyLabels,
    LongLabel,
    PanicInQuestions,
    LoopInQuestions,
    // When it classifies.
    NoAnswers,
    ManyAnswers,
    UnknownLabel,
    LabelTwice,
    NotANumber,
    Infinite,
    Negative,
    MoreThanSure,
    Unordered,
    ManyGuesses,
    Unasked,
    LongEvidence,
    EndlessEvidence,
    WeightlessEvidence,
    /// It answers by other questions than it said.
    OtherQuestions,
    Panic,
    Fail,
    Loop,
    Memory,
    /// It reads its assets while a mail is looked at.
    ReadAssets,
    // When it is trained.
    NoPasses,
    ManyPasses,
    RefuseTask,
    RefuseExample,
    LoopInLearn,
    PanicInLearn,
    MemoryInLearn,
    ReadBodyInLearn,
    LoopInFinish,
    HugeModel,
    NoFormat,
    LongSummary,
}

/// Its settings.
#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(rename = "do")]
    deed: Deed,
}

/// A filter.
#[derive(Debug)]
struct Liar {
    deed: Deed,
    asked: Cell<bool>,
}

impl Classifier for Liar {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new("liar", "0.1.0", "Breaks every promise on demand.").wants("body")
    }

    fn new(settings: Settings, _: &Grants, _: &Assets<'_>) -> Result<Self, Vec<Problem>> {
        Ok(Self { deed: settings.deed, asked: Cell::new(false) })
    }

    fn questions(&self) -> Vec<Question> {
        self.asked.set(true);
        let question = |name: &str, labels: &[&str]| Question {
            name: name.to_owned(),
            labels: labels.iter().map(ToString::to_string).collect(),
        };
        let usual = question("queue", &["Support", "Billing"]);
        match self.deed {
            Deed::ManyQuestions => (0..40).map(|index| question(&index.to_string(), &[])).collect(),
            Deed::SameQuestions => vec![usual.clone(), usual],
            Deed::SameLabels => vec![question("queue", &["Support", "Support"])],
            Deed::ManyLabels => {
                let labels = (0..5_000).map(|index| index.to_string()).collect();
                vec![Question { name: "queue".into(), labels }]
            }
            Deed::LongLabel => vec![question("queue", &[&"long ".repeat(1_000)])],
            Deed::PanicInQuestions => panic!("a panic on demand"),
            Deed::LoopInQuestions => forever(),
            _ => vec![usual],
        }
    }

    fn classify(&self, mail: &Mail<'_>, scope: Scope) -> Result<Vec<Answer>, String> {
        let guessed = |guesses: &[(u32, f32)]| Answer {
            guesses: guesses.iter().map(|&(label, confidence)| Guess { label, confidence }).collect(),
            evidence: Vec::new(),
        };
        let spoken = |pieces: Vec<(String, f32)>| Answer {
            evidence: pieces.into_iter().map(|(text, weight)| Evidence { text, weight }).collect(),
            ..guessed(&[(0, 1.0)])
        };
        let answer = match self.deed {
            Deed::NoAnswers => return Ok(Vec::new()),
            Deed::ManyAnswers => return Ok(vec![guessed(&[(0, 1.0)]); 100_000]),
            Deed::UnknownLabel => guessed(&[(2, 0.5)]),
            Deed::LabelTwice => guessed(&[(1, 0.5), (1, 0.25)]),
            Deed::NotANumber => guessed(&[(0, f32::NAN)]),
            Deed::Infinite => guessed(&[(0, f32::INFINITY)]),
            Deed::Negative => guessed(&[(0, -0.5)]),
            Deed::MoreThanSure => guessed(&[(0, 1.5)]),
            Deed::Unordered => guessed(&[(0, 0.25), (1, 0.75)]),
            Deed::ManyGuesses => guessed(&vec![(0, 0.5); scope.guesses as usize + 1]),
            Deed::Unasked => spoken(vec![("hello".into(), 1.0); scope.evidence as usize + 1]),
            Deed::LongEvidence => spoken(vec![("long ".repeat(1_000), 1.0)]),
            Deed::EndlessEvidence => spoken(vec![("long ".repeat(200), 1.0); 1_000]),
            Deed::WeightlessEvidence => spoken(vec![("hello".into(), f32::NAN)]),
            // What it was asked is forgotten in no snapshot, and counts for nothing.
            Deed::OtherQuestions if self.asked.get() => return Ok(vec![guessed(&[(6, 1.0)]), guessed(&[])]),
            Deed::Panic => panic!("a panic on demand"),
            Deed::Fail => return Err("An error\non demand.".into()),
            Deed::Loop => forever(),
            Deed::Memory => eat(),
            Deed::ReadAssets => return Err(late()),
            _ => guessed(&[(u32::from(mail.header("Subject").is_none()), 1.0)]),
        };
        Ok(vec![answer])
    }
}

/// What becomes of reading an asset when a mail is looked at.
fn late() -> String {
    #[cfg(target_arch = "wasm32")]
    {
        use postigo_filter::bindings::plugin::postigo::plugin::assets;
        format!("{:?} and {:?}", assets::assets_of(0).err(), assets::read(0, "model", 0, 1).err())
    }
    #[cfg(not(target_arch = "wasm32"))]
    String::new()
}

impl Trainable for Liar {
    type Training = Lying;

    fn formats() -> Vec<String> {
        vec!["liar/1".to_owned()]
    }

    fn begin(&self, _: Task) -> Result<Lying, String> {
        match self.deed {
            Deed::RefuseTask => Err("There is nothing\nto be learnt.".into()),
            deed => Ok(Lying { deed }),
        }
    }
}

/// A training that is under way.
#[derive(Debug)]
struct Lying {
    deed: Deed,
}

impl Training for Lying {
    fn passes(&self) -> u32 {
        match self.deed {
            Deed::NoPasses => 0,
            Deed::ManyPasses => 33,
            _ => 1,
        }
    }

    fn learn(&mut self, example: &Example<'_>) -> Result<(), String> {
        match self.deed {
            Deed::RefuseExample => Err("That is no example.".into()),
            Deed::LoopInLearn => forever(),
            Deed::PanicInLearn => panic!("a panic on demand"),
            Deed::MemoryInLearn => eat(),
            Deed::ReadBodyInLearn => {
                let text = example.mail.text().map_err(|refusal| format!("I wanted the body: {refusal}"))?;
                if text.contains("Hello") { Ok(()) } else { Err("The body is another one.".into()) }
            }
            _ => Ok(()),
        }
    }

    fn finish(self) -> Result<Model, String> {
        let model = |bytes: usize, format: &str, summary: &str| Model {
            bytes: vec![7; bytes],
            format: format.to_owned(),
            summary: summary.to_owned(),
        };
        match self.deed {
            Deed::LoopInFinish => forever(),
            Deed::HugeModel => Ok(model(64 << 20, "liar/1", "")),
            Deed::NoFormat => Ok(model(1, "", "")),
            Deed::LongSummary => Ok(model(1, "liar/1", &"word ".repeat(100_000))),
            _ => Ok(model(1, "liar/1", "Nothing was learnt.")),
        }
    }
}

fn forever() -> ! {
    let mut count = 0_u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

fn eat() -> ! {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(vec![1; 1 << 20]);
        black_box(&eaten);
    }
}

postigo_filter::export!(trainable Liar);
