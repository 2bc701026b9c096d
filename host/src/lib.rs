//! Postigo, the mail gate of a helpdesk.
//!
//! Data flows one way: [`transport`] hands bytes to [`spool`] and waits for its commit; [`worker`] takes them from there through
//! [`mail`] (the parsed message), [`chain`] (ordered filters over [`runtime`], made of the components of [`catalogue`]) to [`ticket`], which decides, and files everything in
//! one transaction of [`store`]; [`result`] says what became of it. Across them stand [`config`], [`commlog`], [`api`] and [`cli`].

pub mod answer;
pub mod api;
pub mod catalogue;
pub mod chain;
pub mod cli;
pub mod commlog;
pub mod component_reference;
pub mod config;
pub mod daemon;
pub mod data_folder;
pub mod given_folder;
pub mod listen;
pub mod mail;
pub mod metrics;
pub mod oauth2;
pub mod outbound;
mod pause;
pub mod printable;
pub mod redaction;
pub mod regular_file;
pub mod result;
pub mod runtime;
pub mod secret;
pub mod spool;
pub mod store;
pub mod supervision;
pub mod ticket;
pub mod timestamp;
pub mod transport;
pub mod worker;
