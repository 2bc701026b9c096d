//! What the mails of agents have in common, whatever they are about: whom they go to, and subject and text from what
//! was written and the template.

use super::addressee::Addressee;
use super::body::BodyFrame;
use super::compose::{AttachedFile, ComposeError, ComposedMail, MailDraft, compose};
use super::facts::TemplateFacts;
use super::render::{RenderTarget, render};
use super::subject::{Relation, numbered};
use super::writing::{AgentText, MistakeList};
use postigo_model::configured::{Configuration, Queue, Template};
use postigo_model::ticket::NewArticle;
use postigo_model::ticket::SenderType;

/// Whom a mail goes to.
#[derive(Debug, Clone)]
pub struct Recipients {
    /// To.
    pub to: Vec<Addressee>,
    /// Cc.
    pub cc: Vec<Addressee>,
    /// Recipients that no header names.
    pub bcc: Vec<Addressee>,
}

impl Recipients {
    /// Those that were written down.
    pub fn read(mistakes: &mut MistakeList, writing: &AgentText, configuration: &Configuration) -> Self {
        let mut read = |key, texts| mistakes.addressees(key, texts, configuration);
        Self {
            to: read("to", writing.to.as_deref().unwrap_or_default()),
            cc: read("cc", &writing.cc),
            bcc: read("bcc", &writing.bcc),
        }
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.to.len() + self.cc.len() + self.bcc.len()
    }
}

/// An agent's mail before it is put together.
#[derive(Debug)]
pub struct Letter<'l> {
    /// The queue that it is sent from.
    pub queue: &'l Queue,
    /// The queue's address.
    pub from: Addressee,
    /// Whom it goes to.
    pub recipients: Recipients,
    /// The template whose text comes before what was written.
    pub template: Option<&'l Template>,
    /// For tags.
    pub facts: TemplateFacts<'l>,
    /// What it is to the mail before it.
    pub relation: Relation,
    /// The subject where neither the agent nor the template has one.
    pub subject: &'l str,
    /// What stands below what was written.
    pub below: Option<String>,
    /// The Message-ID that is answered; empty: none.
    pub in_reply_to: &'l str,
    /// References, as they were.
    pub references: String,
}

impl Letter<'_> {
    /// The agent's subject, else the template's, else that of what the mail is about; without the ticket's number.
    pub fn subject(&self, writing: &AgentText) -> String {
        let given = writing.subject.as_ref().filter(|subject| !subject.trim().is_empty()).cloned();
        let rendered = || {
            let template = self.template.filter(|template| !template.subject.is_empty())?;
            Some(render(&template.subject, &self.facts, RenderTarget::Line))
        };
        given.or_else(rendered).unwrap_or_else(|| self.subject.to_owned())
    }

    /// Puts it together. The files are given apart from the rest of what was written, since they may be large.
    pub fn compose(
        self,
        writing: &AgentText,
        files: Vec<AttachedFile>,
        now: i64,
    ) -> Result<ComposedMail, ComposeError> {
        let number = self.facts.ticket.map(|ticket| ticket.number.as_str()).unwrap_or_default();
        let subject = numbered(&self.subject(writing), number, self.relation, &self.facts.configuration.settings);
        let around = BodyFrame { queue: self.queue, facts: &self.facts, template: self.template };
        let text = around.text(writing, self.below.as_deref());
        let mut mail = compose(MailDraft {
            from: self.from,
            to: self.recipients.to,
            cc: self.recipients.cc,
            bcc: self.recipients.bcc,
            subject,
            in_reply_to: self.in_reply_to.to_owned(),
            references: self.references,
            automatic: false,
            text: text.plain,
            html: text.html,
            files,
            queue: self.queue.name.clone(),
            now,
        })?;
        by_agent(&mut mail.article, writing.visible_for_customer.unwrap_or(true));
        Ok(mail)
    }
}

/// Marks an article as an agent's.
pub fn by_agent(article: &mut NewArticle, visible: bool) {
    article.sender_type = SenderType::Agent;
    article.visible_for_customer = visible;
}
