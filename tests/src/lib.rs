//! Harnesses of the end-to-end tests: real servers, each in a temporary folder of its own, gone when dropped.

pub mod postgres;
