//! Where mail comes from: IMAP servers, Maildirs and files. A transport hands bytes to [`crate::spool`], waits until they are durable
//! there, and only then tells the source that it need not keep them.

pub mod files;
pub mod imap;
pub mod mbox;
pub mod stream;
pub mod tls;
