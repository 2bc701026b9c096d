//! Why a path gives no mail.

use std::io;
use std::path::PathBuf;

/// A path that gives no mail.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("{} cannot be read: {reason}.", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A folder without `new` and `cur`.
    #[error("{} is a folder but no Maildir (it has neither a folder `new` nor `cur`). Name the mail files themselves, or a Maildir.", .0.display())]
    NoMaildir(PathBuf),
    /// Not one byte.
    #[error("{} is empty; there is no message in it.", .0.display())]
    Empty(PathBuf),
}
