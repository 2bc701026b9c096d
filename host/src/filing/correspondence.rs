//! What people write: an article, the mail that it is, and what changes with it, in one transaction, once for each
//! idempotency key.

use super::change::{TicketUpdate, carry_out as carry_out_change};
use crate::store::outgoing::{self, NewOutgoing, SendableMail};
use crate::store::{Store, StoreError, idempotency, tickets};
use postigo_model::hexadecimal::hexadecimal;
use postigo_model::outgoing::OutgoingKind;
use postigo_model::ticket::{NewArticle, Ticket};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::AnyConnection;
use utoipa::ToSchema;

/// The longest name of a request, in characters.
const LONGEST_NAME: usize = 200;

/// What a person has written.
#[derive(Debug, Clone)]
pub struct WrittenArticle {
    /// Where it goes.
    pub target: Target,
    /// The article.
    pub article: NewArticle,
    /// The mail that the article is; none for a note.
    pub mail: Option<(OutgoingKind, SendableMail)>,
    /// The row id of the article that it answers or passes on; 0: none.
    pub about: i64,
    /// What becomes of a ticket that is there.
    pub change: Option<TicketUpdate>,
    /// Names the request, so that sent again it has no further effect.
    pub once: Option<RequestIdentity>,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// The ticket of an article.
#[derive(Debug, Clone)]
pub enum Target {
    /// One that is there, by row id.
    Existing(i64),
    /// A new one, under a number that was [reserved](super::reserve_number).
    New(Box<Ticket>),
}

/// The name of a request, and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIdentity {
    /// Whose name it is: `token:` and the token's row id, or `command line`.
    pub scope: String,
    /// The name.
    pub name: String,
    /// SHA-256 of all that is asked for, hexadecimal.
    pub digest: String,
}

impl RequestIdentity {
    /// Names a request; `asked` gives the parts of what it asks for to a digest. The error says what the name must be:
    /// `It must …`.
    pub fn new(scope: String, name: &str, asked: impl FnOnce(&mut RequestDigest)) -> Result<Self, String> {
        if name.is_empty()
            || name.len() > LONGEST_NAME
            || !name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        {
            return Err(format!("It must have 1 to {LONGEST_NAME} visible ASCII characters."));
        }
        let mut parts = RequestDigest(Sha256::new());
        asked(&mut parts);
        Ok(Self { scope, name: name.to_owned(), digest: hexadecimal(&parts.0.finalize()) })
    }
}

/// What a request asks for, part by part; only its digest is kept.
#[derive(Debug)]
pub struct RequestDigest(Sha256);

impl RequestDigest {
    /// Bytes.
    pub fn bytes(&mut self, part: &[u8]) {
        // With its length beside it, no part can be taken for two.
        self.0.update(part);
        self.0.update((part.len() as u64).to_le_bytes());
    }

    /// A value. It is not written out as a whole: files in it may be large.
    pub fn value(&mut self, part: &impl Serialize) {
        // A digest takes whatever is written to it, and JSON ends by itself.
        let _ = serde_json::to_writer(&mut self.0, part);
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The ticket's number, without the hook.
    pub ticket_number: String,
    /// The ticket's row id.
    pub ticket_id: i64,
    /// The article's row id.
    pub article_id: i64,
    /// The row id of the mail in the outgoing queue; null for a note.
    #[schema(required)]
    pub outgoing_id: Option<i64>,
    /// The mail's Message-ID with its angle brackets; null for a note.
    #[schema(required)]
    pub message_id: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorrespondenceOutcome {
    /// It was written now, or by the first request of this name.
    Written(Receipt),
    /// A request of this name asked for something else.
    OtherRequest,
    /// The number of the new ticket is taken: reserve another. Nothing was written.
    NumberTaken,
}

/// What an earlier request of this name got; none where there was none.
pub async fn before(
    connection: &mut AnyConnection,
    once: &RequestIdentity,
) -> Result<Option<CorrespondenceOutcome>, StoreError> {
    let Some(before) = idempotency::find(connection, &once.scope, &once.name).await? else { return Ok(None) };
    if before.digest != once.digest {
        return Ok(Some(CorrespondenceOutcome::OtherRequest));
    }
    let receipt = serde_json::from_str(&before.answer).map_err(|error| corrupt(&error))?;
    Ok(Some(CorrespondenceOutcome::Written(receipt)))
}

/// Writes it, all or nothing.
pub async fn write(store: &Store, written: WrittenArticle) -> Result<CorrespondenceOutcome, StoreError> {
    store.write(written, |written, connection| Box::pin(carry_out(connection, written))).await
}

async fn carry_out(
    connection: &mut AnyConnection,
    written: &WrittenArticle,
) -> Result<CorrespondenceOutcome, StoreError> {
    if let Some(once) = &written.once
        && !idempotency::take(connection, &once.scope, &once.name, &once.digest, written.now).await?
    {
        return before(connection, once).await?.ok_or(StoreError::Stopped);
    }
    let (ticket_id, ticket_number) = match &written.target {
        Target::Existing(id) => {
            let merged =
                || StoreError::Conflict("The ticket was merged into another one meanwhile. Nothing was sent.".into());
            (*id, tickets::touch(connection, *id, written.now).await?.ok_or_else(merged)?)
        }
        Target::New(ticket) => {
            let Some(id) = tickets::insert_ticket(connection, ticket, written.now).await? else {
                if let Some(once) = &written.once {
                    idempotency::give_back(connection, &once.scope, &once.name).await?;
                }
                return Ok(CorrespondenceOutcome::NumberTaken);
            };
            (id, ticket.number.clone())
        }
    };
    let outgoing_id = match &written.mail {
        Some((kind, composed)) => {
            let new = NewOutgoing {
                kind: *kind,
                ticket_id,
                article_id: written.about,
                composed: composed.clone(),
                now: written.now,
            };
            Some(outgoing::queue(connection, &new).await?)
        }
        None => None,
    };
    let article_id =
        tickets::add_article(connection, ticket_id, outgoing_id.unwrap_or_default(), &written.article, written.now)
            .await?;
    if let Some(change) = &written.change {
        carry_out_change(connection, &ticket_number, change).await?;
    }
    let message_id = written.mail.as_ref().map(|(_, composed)| composed.message_id.clone());
    let receipt = Receipt { ticket_number, ticket_id, article_id, outgoing_id, message_id };
    if let Some(once) = &written.once {
        let answer = serde_json::to_string(&receipt).map_err(|error| corrupt(&error))?;
        idempotency::set_answer(connection, &once.scope, &once.name, &answer).await?;
    }
    Ok(CorrespondenceOutcome::Written(receipt))
}

fn corrupt(error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt { what: "answer of a request", reason: error.to_string() }
}
