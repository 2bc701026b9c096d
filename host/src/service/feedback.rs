//! Feedback: what people, or another desk for them, say to be the right label of a mail. Classifiers learn from it.

use super::{ServiceError, ThingMistake};
use crate::store::Store;
use crate::store::feedback::{self, FeedbackFilter, FeedbackRow, NewFeedback};
use postigo_model::actor::Actor;
use postigo_model::timestamp::{now, rfc3339};
use serde::Serialize;
use utoipa::ToSchema;

/// Bytes of a Message-ID (RFC 5322: those of a line).
const LONGEST_ID: usize = 998;
/// Characters of a question's name.
const LONGEST_QUESTION: usize = 100;
/// Characters of a label.
const LONGEST_LABEL: usize = 200;

/// The right label of a mail, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Feedback)]
pub struct FeedbackDocument {
    /// Row id.
    pub id: i64,
    /// The mail's Message-ID with its angle brackets; of one longer than 800 bytes its beginning and digest.
    pub message_id: String,
    /// The question of a classifier: `queue`.
    pub question: String,
    /// The right label.
    pub label: String,
    /// When it was given, RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who gave it.
    pub actor: String,
}

impl From<FeedbackRow> for FeedbackDocument {
    fn from(row: FeedbackRow) -> Self {
        let FeedbackRow { id, message_id, question, label, at, actor } = row;
        Self { id, message_id, question, label, at: rfc3339(at), actor }
    }
}

/// What was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeptFeedback {
    /// As it is kept.
    #[serde(flatten)]
    pub feedback: FeedbackDocument,
    /// Whether an article of this desk is that mail. What is not known yet counts as soon as it is.
    pub known: bool,
}

/// Keeps what somebody says to be the right label of a mail, in the place of what was said before. Said again, it
/// changes nothing.
pub async fn give(
    store: &Store,
    message_id: &str,
    question: &str,
    label: &str,
    actor: &Actor,
) -> Result<KeptFeedback, ServiceError> {
    let mut mistakes = Vec::new();
    let message_id = bracketed(message_id);
    let inner = message_id.trim_matches(['<', '>']);
    if inner.is_empty() || message_id.len() > LONGEST_ID || inner.contains(|letter: char| letter.is_control()) {
        mistakes.push(mistake("message_id", format!("must be a Message-ID of at most {LONGEST_ID} bytes.")));
    }
    for (key, text, longest) in [("question", question, LONGEST_QUESTION), ("label", label, LONGEST_LABEL)] {
        if text.trim().is_empty() || text.chars().count() > longest || text.contains(char::is_control) {
            mistakes.push(mistake(key, format!("must have 1 to {longest} characters, without line breaks.")));
        }
    }
    if !mistakes.is_empty() {
        return Err(ServiceError::Mistakes(mistakes));
    }
    let new = NewFeedback {
        message_id: message_id.clone(),
        question: question.to_owned(),
        label: label.to_owned(),
        at: now(),
        actor: actor.to_string(),
    };
    let kept = store.write(new, |new, connection| Box::pin(feedback::give(connection, new))).await?;
    let known = feedback::is_known_mail(&mut *store.read().await?, &message_id).await?;
    Ok(KeptFeedback { feedback: kept.into(), known })
}

/// What was given, the first given last.
pub async fn list(store: &Store, filter: FeedbackFilter) -> Result<Vec<FeedbackDocument>, ServiceError> {
    let message_id = filter.message_id.as_deref().map(bracketed);
    let filter = FeedbackFilter { message_id, ..filter };
    let rows = feedback::list(&mut *store.read().await?, &filter).await?;
    Ok(rows.into_iter().map(FeedbackDocument::from).collect())
}

/// Takes back what was given.
pub async fn take_back(store: &Store, id: i64) -> Result<(), ServiceError> {
    if store.write(id, |id, connection| Box::pin(feedback::take_back(connection, *id))).await? {
        return Ok(());
    }
    Err(ServiceError::Missing { what: "feedback".to_owned(), name: id.to_string() })
}

/// A Message-ID with its angle brackets, however it was written.
fn bracketed(message_id: &str) -> String {
    format!("<{}>", message_id.trim().trim_start_matches('<').trim_end_matches('>'))
}

fn mistake(key: &str, clause: String) -> ThingMistake {
    ThingMistake::given("feedback", "", format!("/{key}"), clause)
}
