//! Postigo, the mail gate of a helpdesk.
//!
//! Data flows one way: [`inbound`] hands bytes to [`spool`] and waits for its commit; [`worker`] takes them from there
//! through the parsed mail (`postigo_mail`) and [`chain`] (ordered filters over `postigo_sandbox`, made of the
//! components of [`catalogue`]) to [`filing`], which decides, and carries out in one transaction of [`store`] what the
//! mail becomes. Who may use whom is drawn in `docs/architecture.md`, chapter "Floors", and held by a test.

pub mod answer;
pub mod catalogue;
pub mod chain;
pub mod cli;
pub mod commlog;
pub mod config;
pub mod daemon;
pub mod filing;
pub mod http;
pub mod inbound;
pub mod jobs;
pub mod machine;
pub mod metrics;
pub mod oauth2;
pub mod outbound;
#[cfg(test)]
mod own_process;
pub mod secret_key;
pub mod service;
pub mod spool;
pub mod store;
#[cfg(test)]
mod trapped_log;
pub mod worker;
