//! Filing: what a mail becomes, and what people write and change, each in one transaction or not at all.
//!
//! What a mail becomes is decided from plain data ([`decide`]), before the transaction and again within it; [`Batch`]
//! and [`file_all`] carry it out.

mod answer;
mod batch;
mod change;
mod commit;
pub mod correspondence;
mod decide;
mod dispatch;
mod effect;
mod follow_up;
mod header;
mod message;
pub mod number;
mod numbers;
mod pending;
mod reports;
pub mod subject;

pub use answer::{
    addresses_asked_for, addresses_to_answer, asked_for, is_of_customer, is_refused as gets_no_answers,
    is_refused_by as gets_no_answers_by, why_refused,
};
pub use batch::Batch;
pub use change::{TicketUpdate, edit};
pub use commit::{file, file_all};
pub use decide::{Circumstances, CustomerLookup, CustomerQuery, customer_query, decide, is_ignored};
pub use follow_up::follow_up_search;
pub use message::{FiledMessage, FilingInput};
pub use numbers::reserve_number;

#[cfg(test)]
mod tests;
