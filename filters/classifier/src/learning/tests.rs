//! What a user of the trainer sees.

use super::*;
use crate::{Classifier, Excerpt};

const TOPICS: [&[&str]; 3] = [
    &["invoice", "payment", "refund", "charged", "amount", "Rechnung", "bank"],
    &["printer", "screen", "keyboard", "laptop", "Drucker", "toner", "mouse"],
    &["password", "login", "account", "locked", "Kennwort", "token", "access"],
];

/// Mails that are made of the words of a topic and of words that say nothing.
fn mails(number: usize) -> Vec<(String, usize)> {
    let mail = |number: usize| {
        let (label, mut state) = (number % TOPICS.len(), number as u64);
        let mut word = |words: &[&'static str]| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            words[(state >> 33) as usize % words.len()]
        };
        let filling = ["please", "help", "with", "the", "my", "since", "today", "again"];
        let text = [word(&filling), word(TOPICS[label]), word(&filling), word(TOPICS[label]), word(&filling)].join(" ");
        (text, label)
    };
    (0..number).map(mail).collect()
}

fn question() -> QuestionToLearn {
    let label = |name: &str| LabelToLearn { name: name.to_owned(), ..LabelToLearn::default() };
    QuestionToLearn { name: "queue".to_owned(), labels: vec![label("Billing"), label("Hardware"), label("Access")] }
}

fn trained(questions: usize, mails: &[(String, usize)], seed: u64) -> TrainedModel {
    let mut trainer = Trainer::begin(vec![question(); questions], seed).unwrap();
    for (text, label) in mails {
        let excerpt = Excerpt { subject: "Question", text };
        trainer.learn(&excerpt, &vec![Some(*label); questions], Purpose::Fit, 1.0).unwrap();
    }
    trainer.finish().unwrap()
}

#[test]
fn the_same_examples_order_and_seed_give_the_same_bytes() {
    assert_eq!(trained(1, &mails(90), 3), trained(1, &mails(90), 3));
    assert_ne!(trained(1, &mails(90), 3).bytes, trained(1, &mails(90), 4).bytes);
}

/// What the sandbox's arithmetic has to give as well: a change of this number is a change of features or of learning.
#[test]
fn the_bytes_are_the_same_on_every_machine() {
    let bytes = trained(2, &mails(60), 1).bytes;
    let sum = bytes.iter().fold(0_u32, |sum, byte| sum.rotate_left(5).wrapping_mul(31).wrapping_add(u32::from(*byte)));
    assert_eq!((bytes.len(), sum), EXPECTED);
}
const EXPECTED: (usize, u32) = (360_641, 1_085_264_744);

#[test]
fn mails_that_were_not_learnt_from_are_known_with_the_confidence_that_they_deserve() {
    let mails = mails(600);
    let (learnt, new) = mails.split_at(450);
    let classifier = Classifier::read(&trained(1, learnt, 1).bytes).unwrap();
    let (mut right, mut said) = (0.0_f32, 0.0_f32);
    for (text, label) in new {
        let guess = classifier.classify(&Excerpt { subject: "Question", text }, 1, 0)[0].guesses[0];
        right += f32::from(u8::from(guess.label == *label));
        said += guess.confidence;
    }
    assert!(right > 0.97 * new.len() as f32, "{right} right of {}", new.len());
    assert!((said - right).abs() < 0.04 * new.len() as f32, "said {said}, right {right}, of {}", new.len());
}

#[test]
fn each_question_is_learnt_from_the_examples_that_answer_it() {
    let mut trainer = Trainer::begin(vec![question(), question()], 1).unwrap();
    for (number, (text, label)) in mails(120).iter().enumerate() {
        let second = (number % 2 == 0).then_some(2 - label);
        trainer.learn(&Excerpt { subject: "", text }, &[Some(*label), second], Purpose::Fit, 1.0).unwrap();
    }
    let classifier = Classifier::read(&trainer.finish().unwrap().bytes).unwrap();
    let answers = classifier.classify(&Excerpt { subject: "", text: "the invoice, a refund of the payment" }, 1, 0);
    assert_eq!((answers[0].guesses[0].label, answers[1].guesses[0].label), (0, 2));
    let examples =
        |question: usize| classifier.questions()[question].labels.iter().map(|label| label.examples).sum::<u32>();
    assert_eq!((examples(0), examples(1)), (120, 60));
}

#[test]
fn mails_from_outside_make_the_confidence_of_what_is_unknown_smaller() {
    let strange = ["weather", "football", "recipe", "holiday", "music", "poem"];
    let confidence = |with_outside: bool| {
        let mut trainer = Trainer::begin(vec![question()], 1).unwrap();
        for (number, (text, label)) in mails(300).iter().enumerate() {
            let purpose = if number % 5 == 0 { Purpose::Calibrate } else { Purpose::Fit };
            trainer.learn(&Excerpt { subject: "", text }, &[Some(*label)], purpose, 1.0).unwrap();
            if with_outside && number % 5 == 0 {
                let text = format!("please help with the {}", strange[number / 5 % 5]);
                trainer.learn(&Excerpt { subject: "", text: &text }, &[None], Purpose::Outside, 1.0).unwrap();
            }
        }
        let classifier = Classifier::read(&trainer.finish().unwrap().bytes).unwrap();
        let excerpt = Excerpt { subject: "", text: "please help with my poem" };
        classifier.classify(&excerpt, 1, 0)[0].guesses[0].confidence
    };
    let (without, with) = (confidence(false), confidence(true));
    assert!(with < 0.5 && with < without, "{with} with, {without} without");
}

#[test]
fn the_summary_names_labels_that_are_known_badly() {
    let mut question = question();
    for name in ["Team 4", "Travel"] {
        question.labels.push(LabelToLearn { name: name.to_owned(), ..LabelToLearn::default() });
    }
    let mut trainer = Trainer::begin(vec![question], 1).unwrap();
    for (text, label) in mails(150) {
        trainer.learn(&Excerpt { subject: "", text: &text }, &[Some(label)], Purpose::Fit, 1.0).unwrap();
    }
    let summary = trainer.finish().unwrap().summary.join("\n");
    for said in [
        "150 examples of 5 labels",
        "30 examples that were kept aside",
        "words alone",
        "\"Travel\"",
        "never guessed: \"Team 4\"",
    ] {
        assert!(summary.contains(said), "{said} in {summary}");
    }
}

#[test]
fn what_cannot_be_learnt_is_a_sentence() {
    let one = || Trainer::begin(vec![question()], 1).unwrap();
    let excerpt = Excerpt::default();
    assert_eq!(Trainer::begin(Vec::new(), 1).err(), Some(TrainingError::NoQuestion));
    assert_eq!(Trainer::begin(vec![QuestionToLearn::default()], 1).err(), Some(TrainingError::NoQuestion));
    let too_many = QuestionToLearn { name: "queue".to_owned(), labels: vec![LabelToLearn::default(); 9_000] };
    assert!(matches!(Trainer::begin(vec![too_many], 1), Err(TrainingError::TooManyLabels { labels: 9_000, .. })));
    assert!(matches!(one().learn(&excerpt, &[], Purpose::Fit, 1.0), Err(TrainingError::Labels { found: 0, .. })));
    assert!(matches!(
        one().learn(&excerpt, &[Some(3)], Purpose::Fit, 1.0),
        Err(TrainingError::UnknownLabel { label: 3, labels: 3, .. })
    ));
    for weight in [0.0, -1.0, f32::NAN, f32::INFINITY, 101.0] {
        assert!(matches!(one().learn(&excerpt, &[Some(0)], Purpose::Fit, weight), Err(TrainingError::Weight(_))));
    }
}

#[test]
fn a_model_of_many_labels_fits_and_one_of_too_long_names_is_a_sentence() {
    let finished = |name: &str| {
        let label = |number: usize| LabelToLearn { name: format!("{number} {name}"), ..LabelToLearn::default() };
        let question = QuestionToLearn { name: "queue".to_owned(), labels: (0..3_900).map(label).collect() };
        Trainer::begin(vec![question], 1).unwrap().finish()
    };
    assert!(finished("").unwrap().bytes.len() <= 8 << 20);
    assert!(matches!(finished(&"_".repeat(900)), Err(TrainingError::TooLarge(bytes)) if bytes > 8 << 20));
}

#[test]
fn empty_mails_and_a_single_label_make_a_model_as_well() {
    let single = QuestionToLearn { name: "queue".to_owned(), labels: vec![LabelToLearn::default()] };
    let mut trainer = Trainer::begin(vec![single], 1).unwrap();
    for _ in 0..200 {
        trainer.learn(&Excerpt::default(), &[Some(0)], Purpose::Fit, 1.0).unwrap();
    }
    let classifier = Classifier::read(&trainer.finish().unwrap().bytes).unwrap();
    assert!(classifier.classify(&Excerpt { subject: "", text: "word" }, 1, 1)[0].guesses.is_empty());
}
