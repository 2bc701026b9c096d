//! Classifiers in native tests: made with the assets that an admin would give them, asked about mails, and trained, all
//! within the rules of the contract.

use super::Mail;
use crate::classifier::{
    Answer, Classifier, Example, Label, Model, Purpose, Question, Scope, Task, Topic, Trainable, Training,
};
use crate::{Asset, Assets, FilterSettings, Grants, Problem};
use std::collections::HashSet;

/// An example for a training: a mail, what it is for, the place of the right label for each topic, and its weight.
#[derive(Debug, Clone)]
pub struct LabelledMail {
    /// The mail.
    pub mail: Mail,
    /// What it is for.
    pub purpose: Purpose,
    /// For each topic the place of the right label; none where nobody knows.
    pub labels: Vec<Option<u32>>,
    /// How much it counts.
    pub weight: f32,
}

/// Makes a classifier of its settings, with every grant that it wants, and of assets: name, format and bytes of each.
///
/// # Errors
/// Every mistake in the settings.
pub fn classifier<C: Classifier>(settings: &str, assets: &[(&str, &str, &[u8])]) -> Result<C, Vec<Problem>> {
    let mut given: Vec<(Asset, Vec<u8>)> = assets
        .iter()
        .map(|&(name, format, bytes)| {
            let (name, format) = (name.to_owned(), format.to_owned());
            // A digest would need a library that no author needs besides; it is the length here, in as many digits.
            let digest = format!("{:064x}", bytes.len());
            (Asset { name, digest, size: bytes.len() as u64, format }, bytes.to_owned())
        })
        .collect();
    given.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    let grants = Grants::new(C::describe().grants);
    let settings = FilterSettings { name: "one".to_owned(), settings: settings.to_owned(), grants: grants.clone() };
    C::new(settings.read().map_err(|problem| vec![problem])?, &grants, &Assets::of_test(&given))
}

/// Asks a classifier about a mail, and holds the answers to the contract, as Postigo does.
///
/// # Errors
/// What the classifier says, or what of its answers breaks the contract.
pub fn classify<C: Classifier>(classifier: &C, mail: &Mail, scope: Scope) -> Result<Vec<Answer>, String> {
    let granted = mail.granting(&Grants::new(C::describe().grants));
    let answers = classifier.classify(&crate::Mail::lent(&granted), scope)?;
    let questions = classifier.questions();
    if answers.len() != questions.len() {
        return Err(format!("There are {} answers to {} questions.", answers.len(), questions.len()));
    }
    for (answer, question) in answers.iter().zip(&questions) {
        check(answer, question, scope).map_err(|why| format!("The answer to {:?} {why}.", question.name))?;
    }
    Ok(answers)
}

fn check(answer: &Answer, question: &Question, scope: Scope) -> Result<(), String> {
    if answer.guesses.len() > scope.guesses as usize || answer.evidence.len() > scope.evidence as usize {
        return Err("has more than was asked for".to_owned());
    }
    let mut labels = HashSet::new();
    let mut surest = 1.0_f32;
    for guess in &answer.guesses {
        if guess.label as usize >= question.labels.len() || !labels.insert(guess.label) {
            return Err(format!("names label {}, which is not there or there twice", guess.label));
        }
        if !(0.0..=surest).contains(&guess.confidence) {
            return Err(format!("is sure by {}, behind {surest}", guess.confidence));
        }
        surest = guess.confidence;
    }
    match answer.evidence.iter().find(|piece| piece.text.len() > 1024 || !piece.weight.is_finite()) {
        Some(piece) => Err(format!("has evidence of {} bytes and the weight {}", piece.text.len(), piece.weight)),
        None => Ok(()),
    }
}

/// Trains a classifier that was made of these settings, in the order in which Postigo gives the examples: what comes out
/// in a sandbox has the same bytes. Of each topic its name and its labels with their descriptions are given.
///
/// # Errors
/// What the training says, or that it wants more passes than 32.
pub fn train<C: Trainable>(
    classifier: &C,
    topics: &[(&str, &[(&str, &str)])],
    examples: &[LabelledMail],
    seed: u64,
) -> Result<Model, String> {
    let of = |purpose| -> Vec<&LabelledMail> { examples.iter().filter(|one| one.purpose == purpose).collect() };
    let (fit, outside, calibrate) = (of(Purpose::Fit), of(Purpose::Outside), of(Purpose::Calibrate));
    let topics = topics.iter().enumerate().map(|(topic, &(name, labels))| {
        let labels = (0_u32..).zip(labels).map(|(label, &(name, description))| {
            let have = |one: &&&LabelledMail| one.labels.get(topic).copied().flatten() == Some(label);
            let examples = fit.iter().filter(have).count() as u64;
            Label { name: name.to_owned(), description: description.to_owned(), examples }
        });
        Topic { name: name.to_owned(), labels: labels.collect() }
    });
    let count = |some: &[&LabelledMail]| some.len() as u64;
    let (to_fit, not_to_fit, to_calibrate) = (count(&fit), count(&outside), count(&calibrate));
    let task = Task { topics: topics.collect(), fit: to_fit, outside: not_to_fit, calibrate: to_calibrate, seed };
    let mut training = classifier.begin(task)?;
    let passes = training.passes();
    if !(1..=32).contains(&passes) {
        return Err(format!("It wants {passes} passes; there are 1 to 32."));
    }
    let grants = Grants::new(C::describe().grants);
    let mut learn = |some: &[&LabelledMail], order: Vec<usize>| -> Result<(), String> {
        for one in order.into_iter().filter_map(|index| some.get(index)) {
            let granted = one.mail.granting(&grants);
            let mail = &crate::Mail::lent(&granted);
            training.learn(&Example { mail, purpose: one.purpose, labels: &one.labels, weight: one.weight })?;
        }
        Ok(())
    };
    for pass in 0..passes {
        learn(&fit, shuffled(fit.len(), seed, pass))?;
    }
    learn(&outside, (0..outside.len()).collect())?;
    learn(&calibrate, (0..calibrate.len()).collect())?;
    training.finish()
}

/// The order of a pass, as Postigo shuffles: Fisher and Yates, by SplitMix64 from the seed and the pass.
fn shuffled(count: usize, seed: u64, pass: u32) -> Vec<usize> {
    let mut state = seed ^ u64::from(pass).wrapping_mul(0xD1B5_4A32_D192_ED03);
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        let other = usize::try_from(next() % (last as u64 + 1)).unwrap_or_default();
        order.swap(last, other);
    }
    order
}
