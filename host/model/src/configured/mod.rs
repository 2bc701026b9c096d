//! What admins configure: the things, and the one form in which the configuration file, the REST API and the database
//! have them.

mod about;
mod access;
mod answer_mapping;
mod breach;
pub mod codecs;
mod configuration;
mod decisive_keys;
mod destination;
pub mod form;
mod forms;
pub mod key_difference;
pub mod keys;
mod kinds;
mod listener;
mod outlet;
mod secret;
pub mod secret_keys;
mod server;
mod source;
mod things;
pub mod units;

pub use about::{About, Column};
pub use access::*;
pub use answer_mapping::*;
pub use breach::Breach;
pub use configuration::*;
pub use destination::Destination;
pub use kinds::{KindVisitor, visit_kinds};
pub use listener::{Endpoint, Network};
pub use outlet::{Outlet, SmtpServer};
pub use secret::Secret;
pub use server::{Server, TlsMode};
pub use source::{Dialect, ImapFolder, ListenerRecipients, ListenerSource, Source};
pub use things::*;
