//! Tickets: what a mail becomes, decided here from plain data, filed by [`crate::store`] in one transaction.

mod answer;
mod decide;
mod dispatch;
mod edit;
mod follow_up;
mod header;
pub mod number;
mod pending;
pub mod subject;

pub use answer::{
    addresses_asked_for, addresses_to_answer, is_of_customer, is_refused as gets_no_answers, is_refused_by as gets_no_answers_by,
    plan_removal,
};
pub use decide::{Circumstances, CustomerLookup, CustomerQuery, InternalMail, customer_query, decide, is_ignored};
pub use edit::TicketEdit;
pub use follow_up::{FollowUpSearch, Found, FoundTicket, Vouched};

#[cfg(test)]
mod tests;
