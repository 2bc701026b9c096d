//! End-to-end tests, one binary.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a step that fails ends its test")]

mod alike;
mod answers;
mod authors;
mod classifiers;
mod clients;
mod collection;
mod command_line;
mod components;
mod crowd;
mod cuts;
mod documentation;
mod fetching;
mod flood;
mod imap;
mod in_force;
mod isolation;
mod jobs;
mod kept;
mod kills;
mod learning;
mod lmtp;
mod log;
mod matrix;
mod mistakes;
mod oauth2;
mod outages;
mod owners;
mod peers;
mod pipe;
mod pop3;
mod repeated;
mod rest;
mod round_trip;
mod sending;
mod silence;
mod store;
mod upgrade;
mod versions;
