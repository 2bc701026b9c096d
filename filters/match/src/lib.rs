//! The classic postmaster filter: headers matched by regular expressions, `X-OTOBO-*` headers set.
//!
//! All filters of a group are one value, [`Rules`]. A screen of literals tells which of them can match a mail at all;
//! only those are called. What a mail writes to memory lies together: every pattern is compiled before the first search
//! cache is made.

mod condition;
mod fold;
mod literals;
mod rule;
mod rules;
mod screen;
mod settings;
mod template;
#[cfg(test)]
mod tests;
mod witness;

pub use rules::Rules;

postigo_filter::export!(screened group Rules);
