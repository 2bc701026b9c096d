//! Says in the log and in its result why a message is held after tries that failed on it.

use crate::commlog::Communication;
use crate::store::StoreError;
use crate::store::spool::{HeldAfterFailures, MOST_FAILURES, set_result};
use postigo_model::communication::{CommunicationKind, MailFate, Priority};
use postigo_model::result::MessageResult;
use sqlx::AnyConnection;

/// Tells of each, in the transaction that holds it.
pub async fn tell_held(connection: &mut AnyConnection, held: Vec<HeldAfterFailures>) -> Result<(), StoreError> {
    for held in held {
        let mut communication = Communication::start(CommunicationKind::Message, &held.account, "spool")
            .brought_by(held.brought_by)
            .about(held.id);
        communication.searchable(&held.source);
        communication.came_to(MailFate::Held);
        communication.entry(
            Priority::Error,
            "spool",
            format!("The message is held after {MOST_FAILURES} tries that failed on it: {}", held.reason),
        );
        let id = communication.id().to_owned();
        let result = MessageResult { communication: Some(id), ..MessageResult::held(&held.source, held.reason) };
        set_result(connection, held.id, &result, &communication.finish(true)).await?;
    }
    Ok(())
}
