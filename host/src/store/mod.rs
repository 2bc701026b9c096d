//! The state: one schema on SQLite or PostgreSQL, chosen at run time. All SQL of Postigo stands in this module.
//!
//! Reads take a pooled connection. Writes go through [`Store::write`]: on PostgreSQL each is a transaction of its own,
//! repeated when the server reports a serialization failure; on SQLite one writer groups the writes that wait into one
//! transaction, a savepoint each, so that a `synchronous=FULL` commit is shared, in the order in which they were handed
//! over. When `write` returns, its work is durable.

pub mod access;
pub mod broken_tasks;
pub mod claims;
pub mod communications;
pub mod compacting;
pub mod components;
pub mod configuration;
pub mod configured_versions;
mod connect;
pub mod counters;
pub mod customers;
mod engine;
mod error;
pub mod feedback;
pub mod fetch_requests;
pub mod filter_components;
#[cfg(test)]
pub(crate) mod fresh_store;
mod handle;
pub mod hosts;
pub mod idempotency;
mod indexed;
pub mod jobs;
pub mod leases;
pub mod mailboxes;
pub mod models;
mod models_in_force;
pub mod oauth2;
pub mod objects;
mod opening;
pub mod outgoing;
pub mod packing;
mod pinning;
pub mod plan_versions;
pub mod readers;
pub mod repacking;
mod respelling;
mod snapshot;
pub mod spool;
pub mod sql;
pub mod tickets;
mod writer;

pub use connect::Location;
pub use engine::Engine;
pub use error::{StoreError, json};
pub use handle::Store;
pub use writer::WriteWork;
