//! What the service refuses, as problems: kinds become status codes, and places in what was given become JSON Pointers
//! into the body.

use super::problem::{Kind, Mistake, Problem};
use crate::service::{self, Refused};
use postigo_model::configured::Breach;

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let told = refused.to_string();
        match refused {
            Refused::Missing { .. } | Refused::NotFound(_) => Self::new(Kind::NotFound, told),
            Refused::Taken { what, name } => {
                Self::new(Kind::Conflict, format!("There is a {what} \"{name}\" already; change it with PUT or PATCH."))
            }
            Refused::Conflict(_) | Refused::NotValid { .. } => Self::new(Kind::Conflict, told),
            Refused::Changed(_) => Self::new(Kind::PreconditionFailed, told),
            Refused::Overtaken(_) => Self::new(
                Kind::Conflict,
                "The configuration is being changed by others all the time; nothing was saved. Try again.",
            ),
            Refused::Mistakes(mistakes) => Self::invalid(mistakes.into_iter().map(mistake).collect()),
            Refused::NotTaken(_) | Refused::CannotRun(_) | Refused::Unreadable { .. } => Self::new(Kind::Invalid, told),
            Refused::Argument { name, sentence } => Self::bad_parameter(name, sentence),
            Refused::NotUpgraded(upgrade) => {
                Self::invalid(upgrade.problems().into_iter().map(|line| Mistake::at("", line)).collect())
            }
            Refused::FileMistakes(lines) => {
                Self::invalid(lines.into_iter().map(|line| Mistake::at("", line)).collect())
            }
            Refused::OtherRequest(_) => Self {
                errors: vec![Mistake::in_parameter("Idempotency-Key", told.clone())],
                ..Self::new(Kind::Invalid, told)
            },
            Refused::NotGranted(breaches) => not_granted(breaches),
            Refused::NotAllowed(_) => Self::new(Kind::Forbidden, told),
            Refused::TooLarge(_) => Self::new(Kind::TooLarge, told),
            Refused::TryLater(_) => Self::new(Kind::Unavailable, told),
            Refused::Failed(_) => Self::internal(&told),
            Refused::Store(error) => error.into(),
        }
    }
}

/// What the caller's role may not give.
fn not_granted(breaches: Vec<Breach>) -> Problem {
    let errors: Vec<Mistake> =
        breaches.into_iter().map(|breach| Mistake::at(breach.place, sentence(&breach.sentence))).collect();
    let detail = errors.first().map(|mistake| mistake.detail.clone()).unwrap_or_default();
    Problem { errors, ..Problem::new(Kind::Forbidden, detail) }
}

/// A mistake in what the request gives has its place in the body; one of any other thing, its name in the sentence.
fn mistake(service::Mistake { breach, is_given }: service::Mistake) -> Mistake {
    if is_given { Mistake::at(breach.place, sentence(&breach.sentence)) } else { Mistake::at("", breach.to_string()) }
}

/// The configuration's sentences follow a key; here they stand alone.
fn sentence(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("must ") {
        return format!("It must {rest}");
    }
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
