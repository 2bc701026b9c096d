//! What one may do with the gate, one function a use case, and what is shown of it: command line and REST only
//! translate.

pub mod answers;
pub mod behind;
pub mod communications;
pub mod components;
pub mod configuration_file;
pub mod configured;
pub mod correspondence;
pub mod customer_users;
pub mod dry_runs;
mod error;
pub mod examples;
pub mod feedback;
pub mod fetching;
pub mod filters;
pub mod in_force;
pub mod jobs;
pub mod messages;
pub mod models;
mod names;
pub mod outgoing;
pub mod probing;
mod saving;
pub mod settings;
pub mod sign_in;
pub mod tickets;
pub mod tokens;
pub mod upgrades;
pub mod versions;

pub use error::{ServiceError, ThingMistake};
