//! What a guest holds of the mail that is lent to it.

/// The host's type behind `resource mail`. Its number is the number of the call that it was lent to.
pub struct MailHandle;
