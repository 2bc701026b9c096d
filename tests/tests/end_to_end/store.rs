//! The store's promises, the same on SQLite and PostgreSQL.

mod answers;
mod database;
mod filing;
mod intake;
mod log;
mod models;
mod outage;
mod pages;
mod sums;
mod versions;
