//! What a decision brings about: ticket, article, and the automatic answer that is due. This is the seam of filing:
//! what is decided before knows nothing of it, and the commit around it knows of it what [`FiledMessage`] says. A hand-over to
//! another ticket system would be another such function, which writes rows to be handed over.

use super::message::{FiledMessage, FilingInput};
use super::numbers::{self, NumberlessTicket};
use crate::store::StoreError;
use crate::store::outgoing::{self, DueResponse};
use crate::store::tickets::{ReceivedArticle, change_ticket, index_fields, insert_received, link, touch};
use postigo_model::ticket::FilingKind;
use sqlx::AnyConnection;

/// Writes what the decisions bring about, in their order; the results have numbers, ids and answers, and not yet their
/// status.
pub async fn write(connection: &mut AnyConnection, inputs: &[FilingInput]) -> Result<Vec<FiledMessage>, StoreError> {
    let tickets = tickets(connection, inputs).await?;
    let articles: Vec<ReceivedArticle<'_>> = inputs
        .iter()
        .zip(&tickets)
        .map(|(input, (ticket_id, _))| ReceivedArticle {
            ticket_id: *ticket_id,
            spool_id: input.claim.id,
            article: &input.filing.article,
            mail: input.mail.as_deref(),
            now: input.now,
        })
        .collect();
    let articles = insert_received(connection, &articles).await?;
    let mut filed: Vec<FiledMessage> = Vec::with_capacity(inputs.len());
    for ((input, (ticket_id, number)), article_id) in inputs.iter().zip(tickets).zip(articles) {
        filed.push(FiledMessage { ticket_id, number, article_id, answer: None, result: input.result.clone() });
    }
    answer(connection, inputs, &mut filed).await?;
    for filed in &mut filed {
        let result = &mut filed.result;
        result.ticket_number = Some(filed.number.clone());
        result.ticket_id = Some(filed.ticket_id);
        result.article_id = Some(filed.article_id);
        result.auto_response = filed.answer.as_ref().map(|answer| answer.status);
    }
    Ok(filed)
}

/// Makes or changes the ticket of each message; gives row id and number of each.
async fn tickets(connection: &mut AnyConnection, inputs: &[FilingInput]) -> Result<Vec<(i64, String)>, StoreError> {
    let new = inputs.iter().filter(|input| matches!(input.filing.kind, FilingKind::NewTicket { .. }));
    let new: Vec<NumberlessTicket<'_>> = new
        .map(|input| NumberlessTicket {
            generator: input.number_generator,
            ticket: &input.filing.ticket,
            now: input.now,
        })
        .collect();
    let mut made = numbers::insert(connection, &new).await?.into_iter();
    let mut tickets = Vec::with_capacity(inputs.len());
    let mut links = Vec::new();
    let mut fields = Vec::new();
    for input in inputs {
        let ticket = &input.filing.ticket;
        match &input.filing.kind {
            FilingKind::NewTicket { linked_to } => {
                let (id, number) = made.next().ok_or(StoreError::Stopped)?;
                links.extend(linked_to.map(|other| (id, other)));
                fields.push((id, ticket));
                tickets.push((id, number));
            }
            kind => {
                if matches!(kind, FilingKind::FollowUp(_)) {
                    change_ticket(connection, ticket, input.now).await?;
                    fields.push((ticket.id, ticket));
                } else {
                    touch(connection, ticket.id, input.now).await?;
                }
                tickets.push((ticket.id, ticket.number.clone()));
            }
        }
    }
    link(connection, &links).await?;
    index_fields(connection, &fields).await?;
    Ok(tickets)
}

async fn answer(
    connection: &mut AnyConnection,
    inputs: &[FilingInput],
    filed: &mut [FiledMessage],
) -> Result<(), StoreError> {
    let mut places = Vec::new();
    let mut due = Vec::new();
    for (place, (input, filed)) in inputs.iter().zip(filed.iter()).enumerate() {
        if let Some(plan) = &input.filing.auto_response {
            places.push(place);
            let (ticket_id, article_id) = (filed.ticket_id, filed.article_id);
            due.push(DueResponse {
                plan,
                ticket_id,
                article_id,
                now: input.now,
                per_day: input.auto_responses_per_day,
            });
        }
    }
    let answers = outgoing::answer_all(connection, &due).await?;
    for (place, answer) in places.into_iter().zip(answers) {
        if let Some(filed) = filed.get_mut(place) {
            filed.answer = Some(answer);
        }
    }
    Ok(())
}
