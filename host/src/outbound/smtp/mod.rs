//! The SMTP client (RFC 5321): lettre's commands over this program's own stream, so that time-outs and TLS are those of
//! every other client here, a mail goes out part by part, and it is known how far it had come when a connection breaks.

mod connection;
mod deliver;
mod error;
mod opening;
mod response;
mod session;
mod sign_in;

pub use deliver::{DeliverError, Envelope};
pub use error::SmtpError;
pub use session::SmtpSession;
