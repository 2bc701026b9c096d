//! A mail as filters and filing see it: the parsed message, what is known besides its bytes, and the `X-OTOBO-*`
//! headers in force.
//!
//! A mail is read in stages, each with a type of its own, so that none can be left out or come too early: a [`Message`]
//! is parsed and never changes (it is read lazily, and every answer is kept); an [`OpenedMessage`] has its protected
//! parts opened; of a [`VettedMessage`] trust has said which of its own headers count; a [`Mail`] has the host's own
//! headers, too, and goes through the chain, where filters change the rest. All of it is pure and total: no input is an
//! error, none panics; time and memory are in proportion to the bytes, and what is more than anybody means is not read.

mod address;
mod authentication;
mod automatic;
mod bounce;
mod bounds;
mod charset;
mod charset_label;
mod code_page;
mod computed;
mod content;
mod date;
mod delivery_report;
mod encoded_word;
mod fields;
mod header_name;
mod header_values;
mod html;
mod in_force;
mod mail;
mod message_id;
mod opened;
mod parameters;
mod part_text;
mod seven_bit;
mod structure;
mod transfer;
mod trust;
mod vocabulary;

mod message;

pub use address::{Address, render_address_header, render_addresses};
pub use authentication::{authenticated_sender, failed_authentication};
pub use automatic::{feeds_loop, why_loops, why_unanswered};
pub use content::Attachment;
pub use delivery_report::{DeliveryReport, RecipientReport, ReportAction as ReportedAction, read as delivery_report};
pub use encoded_word::on_one_line;
pub use header_name::dynamic_field_of;
pub use header_values::is_final;
pub use html::to_text as html_to_text;
pub use in_force::{InForce, SetBy};
pub use mail::Mail;
pub use message::Message;
pub use message_id::message_ids;
pub use opened::OpenedMessage;
pub use trust::{DroppedHeader, Envelope, VettedMessage};
pub use vocabulary::{NotSettable, Settable, Vocabulary, canonical_lower_case};

#[cfg(test)]
mod corpus_tests;
