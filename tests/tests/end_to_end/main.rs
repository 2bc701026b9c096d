//! End-to-end tests, one binary.

mod command_line;
mod fetching;
mod kills;
mod rest;
mod store;
