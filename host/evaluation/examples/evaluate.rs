//! What the shipped classifier does on files of labelled mails, one JSON object a line: `{"subject": "…", "text": "…",
//! "labels": {"queue": "Support"}}`.
//!
//! ```text
//! cargo run --release -p postigo-evaluation --example evaluate -- --train FILE --test FILE
//!     [--validation FILE] [--outside FILE] [--per-label N] [--seed N] [--seeds N] [--json]
//! ```
//!
//! Settings and thresholds are chosen on `--validation`, or on a part of `--train`; `--test` is read once. `--outside`
//! has mails that belong to no label. `--per-label` learns from so many examples of each label, drawn by the seed.
//! `--seeds N` runs the seeds 1 to N and ends with the mean and deviation of each figure.

#![allow(clippy::print_stdout, reason = "a program")]

use classifier_filter::{Classifier, Excerpt, LabelToLearn, Purpose, QuestionToLearn, Trainer};
use postigo_evaluation::{Accuracy, CoveragePoint, JudgedMail, QuestionFigures, language, split, spread};
use postigo_model::classification::Guess;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read()?;
    let file = |name: &str| arguments.get(name).map_or(Ok(Vec::new()), read);
    let files = Files {
        train: file("--train")?,
        validation: file("--validation")?,
        test: file("--test")?,
        outside: file("--outside")?,
    };
    if files.train.is_empty() || files.test.is_empty() {
        return Err("--train and --test name files of labelled mails".into());
    }
    let per_label = arguments.number("--per-label")?;
    let seeds: Vec<u64> = match arguments.number("--seeds")? {
        Some(last) => (1..=last).collect(),
        None => vec![arguments.number("--seed")?.unwrap_or(1)],
    };
    let mut runs = Vec::new();
    for seed in seeds {
        let run = evaluate(&files, per_label, seed)?;
        println!("{run}");
        runs.push(run);
    }
    if runs.len() > 1 {
        println!("{}", over_seeds(&runs));
    }
    Ok(())
}

/// The options, each with what stands behind it.
struct Arguments(BTreeMap<String, String>);

impl Arguments {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut options = BTreeMap::new();
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value =
                if name == "--json" { String::new() } else { arguments.next().ok_or("an option has no value")? };
            options.insert(name, value);
        }
        Ok(Self(options))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Box<dyn Error>> {
        Ok(self.get(name).map(str::parse).transpose()?)
    }
}

struct Files {
    train: Vec<Mail>,
    validation: Vec<Mail>,
    test: Vec<Mail>,
    outside: Vec<Mail>,
}

/// A line of a file.
#[derive(Clone)]
struct Mail {
    subject: String,
    text: String,
    labels: BTreeMap<String, String>,
    language: String,
}

impl Mail {
    fn excerpt(&self) -> Excerpt<'_> {
        Excerpt { subject: &self.subject, text: &self.text }
    }
}

fn read(file: &str) -> Result<Vec<Mail>, Box<dyn Error>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let mail = |(number, line): (usize, &str)| {
        let line: Value = serde_json::from_str(line).map_err(|error| format!("{file}:{}: {error}", number + 1))?;
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let labels = line["labels"].as_object().into_iter().flatten();
        let labels = labels.filter_map(|(name, label)| Some((name.clone(), label.as_str()?.to_owned()))).collect();
        let guessed = language(&format!("{} {}", word("subject"), word("text")));
        let language = line["language"].as_str().unwrap_or(guessed).to_owned();
        Ok(Mail { subject: word("subject"), text: word("text"), labels, language })
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(mail).collect()
}

/// The questions of the mails to learn from, with their labels in byte order.
struct Questions(BTreeMap<String, Vec<String>>);

impl Questions {
    fn of(mails: &[Mail]) -> Self {
        let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (question, label) in mails.iter().flat_map(|mail| &mail.labels) {
            labels.entry(question.clone()).or_default().insert(label.clone());
        }
        Self(labels.into_iter().map(|(question, labels)| (question, labels.into_iter().collect())).collect())
    }

    fn to_learn(&self) -> Vec<QuestionToLearn> {
        let label = |name: &String| LabelToLearn { name: name.clone(), ..LabelToLearn::default() };
        let question = |(name, labels): (&String, &Vec<String>)| QuestionToLearn {
            name: name.clone(),
            labels: labels.iter().map(label).collect(),
        };
        self.0.iter().map(question).collect()
    }

    /// For each question the place of a mail's label.
    fn places(&self, mail: &Mail) -> Vec<Option<usize>> {
        let place = |(question, labels): (&String, &Vec<String>)| {
            labels.iter().position(|label| Some(label) == mail.labels.get(question))
        };
        self.0.iter().map(place).collect()
    }
}

fn evaluate(files: &Files, per_label: Option<u64>, seed: u64) -> Result<Value, Box<dyn Error>> {
    let questions = Questions::of(&files.train);
    let (train, validation) = parts(files, &questions, per_label, seed);
    let begun = Instant::now();
    let mut trainer = Trainer::begin(questions.to_learn(), seed)?;
    for mail in &train {
        trainer.learn(&mail.excerpt(), &questions.places(mail), Purpose::Fit, 1.0)?;
    }
    // With few examples a label, the few alone are what is known.
    for mail in validation.iter().filter(|_| per_label.is_none()) {
        trainer.learn(&mail.excerpt(), &questions.places(mail), Purpose::Calibrate, 1.0)?;
    }
    let model = trainer.finish()?;
    let train_seconds = begun.elapsed().as_secs_f64();
    let classifier = Classifier::read(&model.bytes)?;

    let begun = Instant::now();
    let test = answers(&classifier, &questions, &files.test, true);
    let micros = begun.elapsed().as_secs_f64() * 1e6 / files.test.len() as f64;
    let validation = answers(&classifier, &questions, &validation, true);
    let outside = answers(&classifier, &questions, &files.outside, false);
    let mut figures = Vec::new();
    for (number, (name, labels)) in questions.0.iter().enumerate() {
        let found = QuestionFigures::of(labels.len(), &test[number], &validation[number], &outside[number]);
        figures.push(shown(name, labels, &found));
    }
    Ok(json!({
        "seed": seed, "questions": figures, "micros_per_mail": rounded(micros), "model_bytes": model.bytes.len(),
        "train_seconds": rounded(train_seconds), "summary": model.summary,
    }))
}

/// The mails to learn from, and those to choose by. Without a file for these, and where a threshold is wanted, they are
/// a tenth of the others.
fn parts(files: &Files, questions: &Questions, per_label: Option<u64>, seed: u64) -> (Vec<Mail>, Vec<Mail>) {
    let chosen = |places: &[usize]| places.iter().map(|place| files.train[*place].clone()).collect::<Vec<_>>();
    if let Some(number) = per_label {
        let first = |mail: &Mail| questions.places(mail).first().copied().flatten().unwrap_or_default() as u32;
        let labels: Vec<u32> = files.train.iter().map(first).collect();
        return (chosen(&split::per_label(&labels, number as usize, seed)), files.validation.clone());
    }
    if !files.validation.is_empty() || files.outside.is_empty() {
        return (files.train.clone(), files.validation.clone());
    }
    let each: Vec<usize> = (0..files.train.len()).collect();
    let split = split::by_group(&each, 0.1, seed);
    (chosen(&split.train), chosen(&split.test))
}

/// For each question the mails with their answers.
fn answers(classifier: &Classifier, questions: &Questions, mails: &[Mail], inside: bool) -> Vec<Vec<JudgedMail>> {
    let mut judged = vec![Vec::new(); questions.0.len()];
    for mail in mails {
        let right = if inside { questions.places(mail) } else { vec![None; questions.0.len()] };
        let answers = classifier.classify(&mail.excerpt(), 3, 0);
        for ((judged, answer), right) in judged.iter_mut().zip(answers).zip(right) {
            let guess =
                |guess: classifier_filter::Guess| Guess { label: guess.label as u32, confidence: guess.confidence };
            judged.push(JudgedMail {
                right: right.map(|label| label as u32),
                guesses: answer.guesses.into_iter().map(guess).collect(),
                language: mail.language.clone(),
            });
        }
    }
    judged
}

/// A question's figures as JSON.
fn shown(name: &str, labels: &[String], figures: &QuestionFigures) -> Value {
    let QuestionFigures { accuracy, calibration, coverage, languages, outside } = figures;
    let point = |point: &CoveragePoint| json!({"precision": point.precision, "answered": rounded(point.answered), "threshold": rounded(point.threshold)});
    let confusion = |(right, guessed, mails): &(u32, u32, usize)| json!({"label": labels.get(*right as usize), "guessed": labels.get(*guessed as usize), "mails": mails});
    let language = |(language, of): (&String, &Accuracy)| {
        (language.clone(), json!({"mails": of.mails, "accuracy": rounded(of.accuracy)}))
    };
    let mut shown = json!({
        "name": name, "labels": labels.len(), "mails": accuracy.mails, "accuracy": rounded(accuracy.accuracy),
        "macro_f1": rounded(accuracy.macro_f1), "calibration_error": rounded(calibration.error),
        "coverage": coverage.iter().map(point).collect::<Vec<_>>(),
        "confused": accuracy.confusions.iter().take(6).map(confusion).collect::<Vec<_>>(),
        "languages": languages.iter().map(language).collect::<serde_json::Map<_, _>>(),
    });
    if let Some(outside) = outside {
        shown["outside"] = json!({
            "auroc": rounded(outside.separation.auroc), "fpr95": rounded(outside.separation.fpr95),
            "threshold": rounded(outside.threshold.threshold),
            "in_scope_accuracy": rounded(outside.in_scope_accuracy), "recall": rounded(outside.recall),
        });
    }
    shown
}

fn rounded(figure: f64) -> f64 {
    (figure * 1e5).round() / 1e5
}

/// Mean and deviation of every number that all runs have at the same place.
fn over_seeds(runs: &[Value]) -> Value {
    match runs.first() {
        Some(Value::Number(_)) => {
            let found = spread(&runs.iter().filter_map(Value::as_f64).collect::<Vec<_>>());
            json!({"mean": rounded(found.mean), "deviation": rounded(found.deviation)})
        }
        Some(Value::Array(first)) => {
            let length = runs.iter().filter_map(|run| run.as_array().map(Vec::len)).min().unwrap_or(first.len());
            let at = |place: usize| over_seeds(&runs.iter().map(|run| run[place].clone()).collect::<Vec<_>>());
            (0..length).map(at).collect()
        }
        Some(Value::Object(first)) => {
            let at = |name: &String| over_seeds(&runs.iter().map(|run| run[name].clone()).collect::<Vec<_>>());
            let names = first.keys().filter(|name| !matches!(name.as_str(), "seed" | "summary" | "confused"));
            names.map(|name| (name.clone(), at(name))).collect()
        }
        first => first.cloned().unwrap_or_default(),
    }
}
