//! What admins configure: the types that the configuration file, the REST API and the database share.

mod model;

pub use model::*;
