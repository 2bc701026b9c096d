//! What one may do with the gate, one function a use case, and what is shown of it: command line and REST only translate.

pub mod components;
pub mod configured;
pub mod customer_users;
pub mod fetching;
pub mod filters;
pub mod messages;
pub mod outgoing;
mod refused;
pub mod settings;
pub mod tickets;

pub use refused::{Mistake, Refused};
