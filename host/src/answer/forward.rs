//! Passing an article on to somebody else, with its text and its files, or as the mail that it was.

use super::body::{Around, forwarded};
use super::compose::{Draft, File, compose};
use super::desk::{Desk, by_agent, raw, write_mail};
use super::facts::Facts;
use super::subject::{Relation, numbered};
use super::tags::{Form, render};
use super::writing::{Mistakes, Sent, Writing};
use crate::commlog::now;
use crate::config::TemplateType;
use crate::mail::Message;
use crate::outbound::OutgoingKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the article goes along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ForwardAs {
    /// Its text below what is written, its files beside it.
    #[default]
    Text,
    /// The whole mail as a file, `message/rfc822`.
    Message,
}

impl Desk<'_> {
    /// Passes an article on; what it becomes is an article of the same ticket.
    pub async fn forward(&self, id: i64, mut writing: Writing, how: ForwardAs) -> Sent {
        if let Some(receipt) = self.before(writing.once.as_ref()).await? {
            return Ok(receipt);
        }
        let (article, open) = self.open_article(id).await?;
        let now = now();
        let mut mistakes = Mistakes::default();
        let template = self.template(&mut mistakes, &writing, TemplateType::Forward, &open.ticket.queue);
        let (queue, from) = self.sender(&open.ticket.queue)?;
        let to = mistakes.addressees("to", writing.to.as_deref().unwrap_or_default(), self.configuration);
        let cc = mistakes.addressees("cc", &writing.cc, self.configuration);
        let bcc = mistakes.addressees("bcc", &writing.bcc, self.configuration);
        if writing.to.as_ref().is_none_or(Vec::is_empty) {
            mistakes.add("to", "There is no address to forward to: name one.");
        }
        let raw = raw(self.spool, &article).await?;
        match (how, raw) {
            (ForwardAs::Text, Some(raw)) => writing.files.extend(files(raw)),
            (ForwardAs::Text, None) => {}
            (ForwardAs::Message, Some(content)) => {
                writing.files.push(File { name: "forwarded.eml".to_owned(), media_type: "message/rfc822".to_owned(), content });
            }
            (ForwardAs::Message, None) => mistakes.add("as", "A note was never a mail; forward its text."),
        }
        mistakes.limits(to.len() + cc.len() + bcc.len(), &writing);
        mistakes.circumstances(&writing, self.configuration);
        mistakes.tell()?;

        let content = &article.content;
        let facts = Facts {
            configuration: self.configuration,
            ticket: Some(&open.ticket),
            mail: Some(content),
            customer: open.customer.as_ref(),
            agent: writing.agent.as_deref(),
        };
        let below = (how == ForwardAs::Text).then(|| forwarded(content));
        let text = Around { queue, facts: &facts, template }.text(&writing, below.as_deref());
        let rendered =
            template.filter(|template| !template.subject.is_empty()).map(|template| render(&template.subject, &facts, Form::Line));
        let subject = writing.subject.clone().or(rendered).unwrap_or_else(|| content.subject.clone());
        let mut mail = compose(Draft {
            from,
            to,
            cc,
            bcc,
            subject: numbered(&subject, &open.ticket.number, Relation::Forward, &self.configuration.settings),
            in_reply_to: String::new(),
            references: format!("{} {}", content.references, content.message_id),
            automatic: false,
            text: text.plain,
            html: text.html,
            files: writing.files,
            queue: queue.name.clone(),
            now,
        })?;
        by_agent(&mut mail.article, writing.visible_for_customer.unwrap_or(true));
        write_mail(self, OutgoingKind::Forward, mail, &article, writing.once, now).await
    }
}

/// The files of a mail, as they came.
fn files(raw: Vec<u8>) -> Vec<File> {
    let message = Message::parse(raw.into());
    let described = message.files();
    let contents = (0..described.len()).map(|index| message.file_bytes(index).unwrap_or_default());
    let file = |(described, content): (crate::mail::Attachment, Vec<u8>)| {
        let name = match (described.name.is_empty(), described.media_type.as_str()) {
            (false, _) => described.name,
            (true, "message/rfc822") => "message.eml".to_owned(),
            (true, _) => "file".to_owned(),
        };
        File { name, media_type: described.media_type, content }
    };
    described.into_iter().zip(contents).map(file).collect()
}
