//! Evaluation: plain figures about any classifier, from its answers on mails that it has not seen.
//!
//! Whoever asks brings [`JudgedMail`]s: the right label, and the classifier's guesses with their confidences. What comes
//! back are numbers, all of a question as [`QuestionFigures`]: how often the first guess is right ([`Accuracy`]), how much
//! is answered at which precision ([`coverage()`]), whether confidences mean what they say ([`Calibration`]), how well what
//! belongs to no label is known ([`Outside`]), each language by itself ([`by_language`]). [`split`] and [`near_duplicates`]
//! part mails into those to learn from and those to ask about, so that none is asked about whose twin was learnt from.
//!
//! Nothing here reads a file or a clock, and nothing knows how a classifier works.

mod accuracy;
mod calibration;
mod coverage;
mod figures;
mod judged;
mod language;
mod outside;
mod seeds;
mod similarity;
pub mod split;

pub use accuracy::{Accuracy, LabelFigures};
pub use calibration::{Calibration, CalibrationBin};
pub use coverage::{CoveragePoint, coverage, threshold_for_precision};
pub use figures::{OutsideFigures, QuestionFigures};
pub use judged::{JudgedMail, by_language};
pub use language::language;
pub use outside::{Outside, OutsideThreshold, auroc};
pub use seeds::{Spread, spread};
pub use similarity::near_duplicates;
