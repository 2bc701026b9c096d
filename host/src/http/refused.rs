//! What the service refuses, as problems: kinds become status codes, and places in what was given become JSON Pointers
//! into the body.

use super::problem::{PlacedMistake, Problem, ProblemKind};
use crate::service::{self, ServiceError};
use postigo_model::configured::Breach;

impl From<ServiceError> for Problem {
    fn from(refused: ServiceError) -> Self {
        let told = refused.to_string();
        match refused {
            ServiceError::Missing { .. } | ServiceError::NotFound(_) => Self::new(ProblemKind::NotFound, told),
            ServiceError::Taken { what, name } => Self::new(
                ProblemKind::Conflict,
                format!("There is a {what} \"{name}\" already; change it with PUT or PATCH."),
            ),
            ServiceError::Conflict(_) | ServiceError::NotValid { .. } => Self::new(ProblemKind::Conflict, told),
            ServiceError::Changed(_) => Self::new(ProblemKind::PreconditionFailed, told),
            ServiceError::Overtaken(_) => Self::new(
                ProblemKind::Conflict,
                "The configuration is being changed by others all the time; nothing was saved. Try again.",
            ),
            ServiceError::Mistakes(mistakes) => Self::invalid(mistakes.into_iter().map(mistake).collect()),
            ServiceError::NotTaken(_) | ServiceError::CannotRun(_) | ServiceError::Unreadable { .. } => {
                Self::new(ProblemKind::Invalid, told)
            }
            ServiceError::Argument { name, sentence } => Self::bad_parameter(name, sentence),
            ServiceError::NotUpgraded(upgrade) => {
                Self::invalid(upgrade.problems().into_iter().map(|line| PlacedMistake::at("", line)).collect())
            }
            ServiceError::FileMistakes(lines) => {
                Self::invalid(lines.into_iter().map(|line| PlacedMistake::at("", line)).collect())
            }
            ServiceError::OtherRequest(_) => Self {
                errors: vec![PlacedMistake::in_parameter("Idempotency-Key", told.clone())],
                ..Self::new(ProblemKind::Invalid, told)
            },
            ServiceError::NotGranted(breaches) => not_granted(breaches),
            ServiceError::NotAllowed(_) => Self::new(ProblemKind::Forbidden, told),
            ServiceError::TooLarge(_) => Self::new(ProblemKind::TooLarge, told),
            ServiceError::TryLater(_) => Self::new(ProblemKind::Unavailable, told),
            ServiceError::Failed(_) => Self::internal(&told),
            ServiceError::Store(error) => error.into(),
        }
    }
}

/// What the caller's role may not give.
fn not_granted(breaches: Vec<Breach>) -> Problem {
    let errors: Vec<PlacedMistake> =
        breaches.into_iter().map(|breach| PlacedMistake::at(breach.place, sentence(&breach.sentence))).collect();
    let detail = errors.first().map(|mistake| mistake.detail.clone()).unwrap_or_default();
    Problem { errors, ..Problem::new(ProblemKind::Forbidden, detail) }
}

/// A mistake in what the request gives has its place in the body; one of any other thing, its name in the sentence.
fn mistake(service::ThingMistake { breach, is_given }: service::ThingMistake) -> PlacedMistake {
    if is_given {
        PlacedMistake::at(breach.place, sentence(&breach.sentence))
    } else {
        PlacedMistake::at("", breach.to_string())
    }
}

/// What was saved and is worth a second look, in the form of a problem's mistakes.
pub fn warning(Breach { place, sentence: told, .. }: &Breach) -> PlacedMistake {
    PlacedMistake::at(place.clone(), sentence(told))
}

/// The configuration's sentences follow a key; here they stand alone.
fn sentence(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("must ") {
        return format!("It must {rest}");
    }
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
