//! What admins configure: the types that the configuration file, the REST API and the database share.

mod configuration;
mod model;

pub use configuration::*;
pub use model::*;
