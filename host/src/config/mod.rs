//! What admins configure: the types, and the one form that the configuration file, the REST API and the database share.

mod codecs;
mod configuration;
mod draft;
mod file;
pub mod form;
mod kinds;
mod model;
mod reference;
pub mod rules;
pub mod units;

pub use configuration::*;
pub use draft::{Draft, keep_secrets};
pub use file::File;
pub use model::*;
