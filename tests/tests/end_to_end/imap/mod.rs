//! What IMAP offers beyond fetching, against a real Dovecot: waiting for mail, where to begin, folders, held mail.

mod aside;
mod beginning;
mod folders;
mod waiting;
