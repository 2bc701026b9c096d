//! The sandbox as its callers see it: uploads, groups, calls, and what becomes of guests that misbehave.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests say what is wrong by panicking")]

mod runtime {
    pub mod bombs;
    pub mod by_hand;
    pub mod classifying;
    pub mod harness;
    pub mod hostile;
    pub mod kept;
    pub mod languages;
    pub mod normal;
    pub mod room;
    pub mod shipped;
    pub mod training;
    pub mod wasi;
}
