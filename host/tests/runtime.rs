//! The sandbox as its callers see it: uploads, groups, calls, and what becomes of guests that misbehave.

mod runtime {
    pub mod by_hand;
    pub mod harness;
    pub mod hostile;
    pub mod normal;
}
