//! The configuration as a whole: read from a file, checked by the rules, compared and applied, taken up by the chain.

mod access_rules;
mod answer_rules;
mod binding;
mod difference;
mod draft;
mod export;
mod file;
mod filter_rules;
mod granting;
mod key_rows;
mod place;
mod reference;
mod review;
pub mod rules;

#[cfg(test)]
mod guide;
#[cfg(test)]
mod tests;

pub use access_rules::settle_files;
pub use difference::{Difference, DifferenceKind, differences};
pub use draft::{Draft, keep_secrets};
pub use export::export;
pub use file::ConfigurationFile;
pub use granting::widened;
pub use key_rows::{KeyRow, as_markdown, key_rows};
pub use place::ConfigurationPlace;
pub use reference::{given_or_named, named};
pub use review::{MOST_VALUES, Review, judge, review};
