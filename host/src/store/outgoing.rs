//! Mail that is to be sent, from the transaction that decides it to what became of every recipient.

mod claims;
mod delivery;
mod due;
mod query;
mod queue;
mod refusals;

pub use claims::{
    AttemptOutcome, ClaimedMail, ForTransport, MailClaimQuery, MailClaims, RecoverQuery, begin_data, claim,
    is_any_waiting, note_accepted, park, recover, renew, settle, unassign, unassigned,
};
pub use delivery::{Delivery, DeliveryUpdate, SentMail, add_note, delivered, deliveries, deliveries_of, find_sent};
pub use due::{
    AnswerOutcome, DueResponse, DueRow, answer_all, count_in_hour, count_one, drop_due, due, forget_counts, note_unsent,
};
pub use query::{OutgoingFilter, OutgoingMail, answers_to, cancel, depths, list, retry, show};
pub use queue::{FORGOTTEN_AT_ONCE, NewOutgoing, SendableMail, composed, forget_raw, queue, raw, raw_part};
pub use refusals::{IntakeRefusal, SenderNotice, refuse};

use super::StoreError;
use sqlx::Row;
use sqlx::any::AnyRow;
use std::str::FromStr;

fn read_word<T: FromStr<Err = String>>(row: &AnyRow, column: usize) -> Result<T, StoreError> {
    let word: &str = row.try_get(column)?;
    word.parse().map_err(|reason| StoreError::Corrupt { what: "outgoing mail", reason })
}

fn read_addresses(row: &AnyRow, column: usize) -> Result<Vec<String>, StoreError> {
    let addresses: &str = row.try_get(column)?;
    serde_json::from_str(addresses)
        .map_err(|error| StoreError::Corrupt { what: "list of recipients", reason: error.to_string() })
}
