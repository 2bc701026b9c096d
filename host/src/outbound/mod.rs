//! Sending: takes composed mails from the outgoing queue, chooses a transport for each, tries, and records what became
//! of every recipient.
//!
//! Data flows one way: [`run()`] claims rows of the queue and hands each to an attempt; the attempt speaks through a
//! transport (`smtp` over a pool of connections, `sendmail`, `file`), which answers with a [`RecipientReply`] for every
//! recipient; what they come to is settled in the store. A process that is killed anywhere on the way loses nothing:
//! the claim lapses, and the mail is sent by the next.

mod address;
mod attempt;
mod choose;
mod content;
mod file;
mod health;
mod marker;
mod patience;
mod pool;
mod probe;
mod reply;
mod run;
mod schedule;
mod sendmail;
mod settle;
mod smtp;
#[cfg(test)]
mod tests;

pub use probe::{ProbeError, probe};
pub use reply::RecipientReply;
pub use run::{SendTools, run};
