//! Takes messages from the spool through parsing, chain and decision to filing.

mod live;
mod result;

pub use live::{Live, Setup};
pub use result::*;
