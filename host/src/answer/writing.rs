//! What agents ask for, from whichever side, and what is wrong with it.

use super::addressee::Addressee;
use super::compose::{AttachedFile, ComposeError};
use crate::filing::correspondence::{Receipt, RequestIdentity};
use crate::store::StoreError;
use postigo_model::configured::Configuration;
use postigo_model::ticket::TicketEdit;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A mail goes to so many addresses at most.
pub const MOST_RECIPIENTS: usize = 100;
/// So many files go along at most.
pub const MOST_FILES: usize = 100;
/// So many bytes of text and files go out in one mail at most: in Base64 they are 100 MB, and composing them takes
/// about 200 MB of memory.
pub const MOST_BYTES: usize = 72 << 20;

/// What an agent writes to a ticket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ArticleKind)]
pub enum WritingKind {
    /// The answer to a mail of the ticket.
    #[default]
    Reply,
    /// A mail to whomever, in the ticket.
    Mail,
    /// For agents alone: nothing is sent.
    Note,
}

/// What an agent has written. Nothing of it but the template is read for tags. It is serialized without its files.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AgentText {
    /// The system address that it goes out from, one that the ticket's queue allows; left out: the queue's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Addresses; left out in a reply: who wrote the mail that is answered.
    pub to: Option<Vec<String>>,
    /// Addresses.
    pub cc: Vec<String>,
    /// Addresses.
    pub bcc: Vec<String>,
    /// Left out: the template's, else that of what is answered.
    pub subject: Option<String>,
    /// Text.
    pub body: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// Files.
    #[serde(skip)]
    pub files: Vec<AttachedFile>,
    /// The name of a configured template, whose text comes before the body.
    pub template: Option<String>,
    /// The row id of the article that is answered; left out: the customer's last mail.
    pub article_id: Option<i64>,
    /// Whether the text of what is answered is quoted below.
    pub quote: bool,
    /// The ticket's state from now on.
    pub state: Option<String>,
    /// The agent's login, for tags.
    pub agent: Option<String>,
    /// Whether the customer sees it; left out: a mail yes, a note no.
    pub visible_for_customer: Option<bool>,
    /// Names the request.
    #[serde(skip)]
    pub once: Option<RequestIdentity>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// Each mistake: the key (`to/0`), and a sentence. Nothing was sent.
    #[error("{}", .0.iter().map(|(_, sentence)| sentence.as_str()).collect::<Vec<_>>().join(" "))]
    Mistakes(Vec<(String, String)>),
    /// There is no such ticket or article.
    #[error("{0}")]
    NotFound(String),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// A request of the same name asked for something else.
    #[error("The idempotency key was used before for another request. Nothing was sent; choose another key.")]
    OtherRequest,
    /// The mail could not be put together.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of it.
pub type SendResult = Result<Receipt, DeskError>;

/// Gathers mistakes, so that all are told at once.
#[derive(Debug, Default)]
pub struct MistakeList(Vec<(String, String)>);

impl MistakeList {
    /// Adds one.
    pub fn add(&mut self, key: impl Into<String>, sentence: impl Into<String>) {
        self.0.push((key.into(), sentence.into()));
    }

    /// Reads addresses; those of the helpdesk itself are mistakes, for mail to them would come back as a new mail.
    pub fn addressees(&mut self, key: &str, texts: &[String], configuration: &Configuration) -> Vec<Addressee> {
        let mut read = Vec::with_capacity(texts.len());
        for (place, text) in texts.iter().enumerate().take(MOST_RECIPIENTS + 1) {
            match Addressee::parse(text) {
                Ok(addressee) if configuration.is_own(&addressee.shown.address) => {
                    self.add(
                        format!("{key}/{place}"),
                        format!("\"{}\" is the helpdesk's own address.", addressee.shown.address),
                    );
                }
                Ok(addressee) => read.push(addressee),
                Err(expected) if expected.starts_with("must") => {
                    self.add(format!("{key}/{place}"), format!("It {expected}"));
                }
                Err(sentence) => self.add(format!("{key}/{place}"), sentence),
            }
        }
        read
    }

    /// Holds a mail to its limits.
    pub fn limits(&mut self, recipients: usize, writing: &AgentText) {
        if recipients > MOST_RECIPIENTS {
            self.add("to", format!("A mail goes to at most {MOST_RECIPIENTS} addresses."));
        }
        self.size(writing);
    }

    /// Holds text and files to their limits.
    pub fn size(&mut self, writing: &AgentText) {
        if writing.files.len() > MOST_FILES {
            self.add("attachments", format!("At most {MOST_FILES} files go along with a mail."));
        }
        let files: usize = writing.files.iter().map(|file| file.content.len()).sum();
        if files + writing.body.len() + writing.html.as_ref().map_or(0, String::len) > MOST_BYTES {
            self.add("attachments", format!("Text and files have more than {} MiB together.", MOST_BYTES >> 20));
        }
    }

    /// Checks state and agent.
    pub fn circumstances(&mut self, writing: &AgentText, configuration: &Configuration) {
        let edit = TicketEdit { state: writing.state.clone(), ..TicketEdit::default() };
        for (key, sentence) in edit.check(configuration) {
            self.add(key, sentence);
        }
        if let Some(agent) = writing.agent.as_ref().filter(|agent| !configuration.settings.agents.contains(agent)) {
            self.add("agent", format!("There is no agent \"{agent}\"; the setting `agents` names them."));
        }
    }

    /// All of them, if there are any.
    pub fn tell(self) -> Result<(), DeskError> {
        if self.0.is_empty() { Ok(()) } else { Err(DeskError::Mistakes(self.0)) }
    }
}
