//! End-to-end tests, one binary.

mod command_line;
mod fetching;
mod store;
