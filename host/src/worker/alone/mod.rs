//! Messages that were under way when a process ended uncleanly, each in a process of its own: what harms there harms
//! nobody else, and is proof against the message.
//!
//! The child reads the mail, runs the chain over it and hands back what came of that; it knows no database. Its parent
//! looks up what must be looked up, and files. Only a child that dies of its message while the parent lives counts
//! against the message. What ends both, what somebody sends to end them, and what keeps a child from beginning do not.

mod child;
mod death;
mod job;
mod observation;
mod parent;
mod place;
mod protocol;

pub use child::main;
pub use death::ProcessEnd;
pub use job::{AloneJob, LookUp, MessageProcess};
pub use parent::ChildProcess;
pub use place::{ProcessPlace, ProcessPlaces};
pub use protocol::ARGUMENT;
