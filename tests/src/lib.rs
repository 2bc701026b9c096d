//! Harnesses of the end-to-end tests: real servers, each in a temporary folder of its own, gone when dropped.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a harness that cannot work ends its test")]

pub mod clients;
pub mod component;
pub mod crowd;
pub mod dovecot;
pub mod draw;
pub mod flood;
pub mod gate;
pub mod mails;
pub mod mariadb;
pub mod parrot;
pub mod ports;
pub mod postfix;
pub mod postgres;
pub mod provider;
pub mod proxy;
pub mod sink;
pub mod small_disk;
pub mod speaker;
pub mod worst_mails;
