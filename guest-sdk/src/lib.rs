//! Write a Postigo filter in Rust.
//!
//! A filter is a type that implements [`Filter`]: what it is called, how it is made from the admin's settings, and what
//! it finds in a [`Mail`]. One line, [`export!`], makes a component of it; `cargo build --target
//! wasm32-unknown-unknown` builds the file to upload. The same type runs natively in tests, see [`testing`]. The
//! feature `pattern` adds the regular expressions of Postigo's own filters. Components that answer questions by labels
//! instead of setting headers are written with the module [`classifier`].
//!
//! ```
//! use postigo_filter::{Description, Filter, Grants, Mail, Problem, Verdict};
//!
//! struct Urgent;
//!
//! impl Filter for Urgent {
//!     type Settings = serde::de::IgnoredAny;
//!
//!     fn describe() -> Description {
//!         Description::new("urgent", "1.0.0", "Raises the priority of mails that say they are urgent.").sets("X-OTOBO-Priority")
//!     }
//!     fn new(_: Self::Settings, _: &Grants) -> Result<Self, Vec<Problem>> {
//!         Ok(Self)
//!     }
//!     fn evaluate(&self, mail: &Mail<'_>) -> Result<Verdict, String> {
//!         let subject = mail.header("Subject").unwrap_or_default();
//!         if !subject.to_lowercase().contains("urgent") {
//!             return Ok(Verdict::not_matched());
//!         }
//!         Ok(Verdict::matched().set("X-OTOBO-Priority", "5 very high"))
//!     }
//! }
//!
//! postigo_filter::export!(Urgent);
//! ```

mod assets;
pub mod classifier;
mod describe;
mod export;
mod filter;
mod group;
pub mod log;
mod mail;
#[cfg(feature = "pattern")]
pub mod pattern;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod verdict;

pub use assets::{Asset, Assets};
pub use describe::Description;
pub use filter::{Filter, Grants, Problem, Screen};
pub use group::{Each, FilterSettings, Group, GroupProblem, Screening};
pub use mail::{Address, Arrival, Attachment, Mail, Refusal, Ticket};
pub use verdict::{Change, Verdict};

#[doc(hidden)]
pub use export::{ConfiguredFilters, Exported, ExportedTrainable, bindings};
