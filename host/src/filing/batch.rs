//! Messages of one account on their way into one commit, in their order.

use super::commit::file_all;
use super::message::{FiledMessage, FilingInput};
use crate::store::{StoreError, tickets};
use postigo_model::ticket::{FilingKind, FollowUpCandidate, FollowUpSearch, TicketMatch};
use sqlx::AnyConnection;

/// Gathers messages to be filed by few statements, and writes those gathered so far as soon as a later one's decision
/// may depend on them: so that the result is the same as if each had been filed before the next was decided.
#[derive(Debug, Default)]
pub struct Batch {
    gathered: Vec<FilingInput>,
    filed: Vec<FiledMessage>,
}

impl Batch {
    /// [`tickets::find_to_follow_up`], with what was gathered counted as filed.
    pub async fn find_follow_up(
        &mut self,
        connection: &mut AnyConnection,
        search: &FollowUpSearch,
    ) -> Result<TicketMatch, StoreError> {
        if search.candidates.iter().any(|candidate| self.may_answer(candidate)) {
            self.write(connection).await?;
        }
        let found = tickets::find_to_follow_up(connection, search).await?;
        if found.tickets().any(|ticket| self.gathered.iter().any(|input| input.filing.ticket.id == ticket.id)) {
            self.write(connection).await?;
            return tickets::find_to_follow_up(connection, search).await;
        }
        Ok(found)
    }

    /// Whether a message that was gathered may be what the candidate looks for.
    fn may_answer(&self, candidate: &FollowUpCandidate) -> bool {
        self.gathered.iter().any(|input| match candidate {
            FollowUpCandidate::MessageId(_, id) => input.filing.article.message_id == *id,
            // Nobody knows the number of a ticket that is not filed yet.
            FollowUpCandidate::Number(..) => false,
            FollowUpCandidate::ExternalNumber { field, value } => {
                // A follow-up may have closed a ticket or opened it again.
                !matches!(input.filing.kind, FilingKind::NewTicket { .. })
                    || input.filing.ticket.dynamic_fields.get(field).is_some_and(|values| values.contains(value))
            }
        })
    }

    /// Adds the next message.
    pub fn push(&mut self, input: FilingInput) {
        self.gathered.push(input);
    }

    /// Files what is left; gives what was filed, in the order of [`Self::push`].
    pub async fn finish(mut self, connection: &mut AnyConnection) -> Result<Vec<FiledMessage>, StoreError> {
        self.write(connection).await?;
        Ok(self.filed)
    }

    async fn write(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let gathered = std::mem::take(&mut self.gathered);
        self.filed.extend(file_all(connection, &gathered).await?);
        Ok(())
    }
}
