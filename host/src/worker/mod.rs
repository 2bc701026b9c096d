//! Takes messages from the spool through parsing, chain and decision to filing.

mod result;

pub use result::*;
