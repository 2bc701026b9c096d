//! The configuration as a whole: read from a file, checked by the rules, compared and applied, taken up by the chain.

mod apply;
mod binding;
mod difference;
mod draft;
mod export;
mod file;
mod granting;
mod key_rows;
mod reference;
mod review;
pub mod rules;
mod upgrade;

#[cfg(test)]
mod guide;
#[cfg(test)]
mod tests;

pub use apply::{Applied, ApplyError, Place, apply};
pub use difference::{Difference, How, differences};
pub use draft::{Draft, keep_secrets};
pub use export::export;
pub use file::File;
pub use granting::widened;
pub use key_rows::{KeyRow, as_markdown, key_rows};
pub use reference::{given_or_named, named};
pub use review::{MOST_VALUES, review};
pub use upgrade::{Declared, Differs, Mistaken, SchemaDiffers, Upgrade, UpgradeError, Upgraded, Way, Wish, upgrade};
