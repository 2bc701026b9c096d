//! What agents write: replies, other mails and notes, tickets that are opened by a mail, articles passed on and sent
//! on.

use super::{ServiceError, ThingMistake, configured};
use crate::answer::{AgentText, Desk, DeskError, ForwardAs, NewTicketFields, WritingKind};
use crate::filing::correspondence::Receipt;
use crate::secret_key::SecretKey;
use crate::spool::Spool;
use postigo_model::actor::Actor;

/// Writes a reply, another mail or a note. The mail lies in the outgoing queue, durable, when this returns; it goes out
/// from the address of the ticket's queue, never another.
pub async fn write(
    spool: &Spool,
    key: &SecretKey,
    number: &str,
    kind: WritingKind,
    writing: AgentText,
    actor: &Actor,
) -> Result<Receipt, ServiceError> {
    Ok(desk(spool, key, actor).await?.write(number, kind, writing).await?)
}

/// Opens a ticket by a mail to somebody.
pub async fn open(
    spool: &Spool,
    key: &SecretKey,
    opening: NewTicketFields,
    writing: AgentText,
    actor: &Actor,
) -> Result<Receipt, ServiceError> {
    Ok(desk(spool, key, actor).await?.open_ticket(opening, writing).await?)
}

/// Passes an article on to somebody else.
pub async fn forward(
    spool: &Spool,
    key: &SecretKey,
    article: i64,
    how: ForwardAs,
    writing: AgentText,
    actor: &Actor,
) -> Result<Receipt, ServiceError> {
    Ok(desk(spool, key, actor).await?.forward(article, writing, how).await?)
}

/// Sends an article's mail on to somebody else, unchanged but for `Resent-*` headers before it (RFC 5322 section
/// 3.6.6).
pub async fn bounce(
    spool: &Spool,
    key: &SecretKey,
    article: i64,
    writing: AgentText,
    actor: &Actor,
) -> Result<Receipt, ServiceError> {
    Ok(desk(spool, key, actor).await?.resend(article, writing).await?)
}

/// The desk, with the configuration as it is now, and who works at it.
async fn desk(spool: &Spool, key: &SecretKey, actor: &Actor) -> Result<Desk, ServiceError> {
    let configuration = configured::load(spool.store(), key).await?;
    Ok(Desk { spool: spool.clone(), configuration, actor: actor.clone() })
}

impl From<DeskError> for ServiceError {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Mistakes(mistakes) => {
                let given = |(key, sentence)| ThingMistake::given("mail", "", format!("/{key}"), sentence);
                Self::Mistakes(mistakes.into_iter().map(given).collect())
            }
            DeskError::NotFound(sentence) => Self::NotFound(sentence),
            DeskError::Conflict(sentence) => Self::Conflict(sentence),
            error @ DeskError::OtherRequest => Self::OtherRequest(error.to_string()),
            error @ DeskError::Compose(_) => Self::Failed(error.to_string()),
            DeskError::Store(error) => error.into(),
        }
    }
}
