//! A mail as filters and filing see it: the parsed message, what is known besides its bytes, and the `X-OTOBO-*` headers in force.
//!
//! [`Message`] is what was received and never changes; it is read lazily, and every answer is kept. [`Mail`] is that message on its way
//! through the chain: trust has been applied, the host's own headers are set, filters change the rest. All of it is pure and total: no
//! input is an error, none panics; time and memory are in proportion to the bytes, and what is more than anybody means is not read.

mod address;
mod authentication;
mod automatic;
mod bounce;
mod bounds;
mod charset;
mod content;
mod delivery_report;
mod encoded_word;
mod fields;
mod html;
mod message_id;
mod parameters;
mod received;
mod structure;
mod transfer;
mod vocabulary;

mod message;

pub use address::{Address, render_addresses};
pub use authentication::{authenticated_sender, failed_authentication};
pub use automatic::{FEEDS_LOOP, feeds_loop, why_unanswered};
pub use content::Attachment;
pub use delivery_report::{Action as ReportedAction, DeliveryReport, Reported, read as delivery_report};
pub use encoded_word::on_one_line;
pub use html::to_text as html_to_text;
pub use message::Message;
pub use message_id::message_ids;
pub use received::{Dropped, Envelope, InForce, Mail, SetBy};
pub use vocabulary::{NotSettable, Settable, Vocabulary, canonical_lower_case, dynamic_field_of};

#[cfg(test)]
mod corpus_tests;
