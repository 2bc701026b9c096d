//! End-to-end tests, one binary.

mod fetching;
mod store;
