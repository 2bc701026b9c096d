//! What a mail server understands of a command at the end of its pipe: exit statuses.

/// sysexits.h: the input has no bytes.
pub(super) const NO_BYTES: u8 = 65;
/// sysexits.h: the message could not be stored; a mail server tries again later.
pub(super) const TRY_LATER: u8 = 75;
