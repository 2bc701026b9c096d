//! The right to work on a row that several hosts could work on: a message of the spool, an outgoing mail.

/// The right to work on a row. It is in force while the row still has its token: whoever lost it changes nothing any
/// more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The row's id.
    pub id: i64,
    /// Never 0; no two claims have the same.
    pub token: i64,
}
