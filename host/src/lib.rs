//! Postigo, the mail gate of a helpdesk.
//!
//! Data flows one way: [`transport`] hands bytes to [`spool`] and waits for its commit; [`worker`] takes them from there through
//! [`mail`] (the parsed message), [`chain`] (ordered filters over [`runtime`], made of the components of [`catalogue`]) to [`ticket`], which decides, and files everything in
//! one transaction of [`store`]; [`result`] says what became of it. Across them stand [`config`], [`commlog`], [`api`] and [`cli`].

pub mod answer;
pub mod catalogue;
pub mod chain;
pub mod cli;
pub mod commlog;
pub mod config;
pub mod daemon;
pub mod http;
pub mod inbound;
pub mod machine;
pub mod metrics;
pub mod oauth2;
pub mod outbound;
pub mod secret_key;
pub mod service;
pub mod spool;
pub mod store;
pub mod ticket;
#[cfg(test)]
mod trapped_log;
pub mod worker;
