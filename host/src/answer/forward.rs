//! Passing an article on to somebody else, with its text and its files, or as the mail that it was.

use super::compose::AttachedFile;
use super::desk::{Desk, about, raw};
use super::letter::{Letter, Recipients};
use super::quoting::forwarded;
use super::subject::Relation;
use super::writing::{AgentText, MOST_BYTES, MistakeList, SendResult};
use crate::filing::correspondence::WrittenArticle;
use postigo_mail::Message;
use postigo_model::configured::TemplateType;
use postigo_model::outgoing::OutgoingKind;
use postigo_model::timestamp::now;
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

impl Desk {
    /// Passes an article on; what it becomes is an article of the same ticket.
    pub async fn forward(&self, id: i64, mut writing: AgentText, how: ForwardAs) -> SendResult {
        if let Some(receipt) = self.before(writing.once.as_ref()).await? {
            return Ok(receipt);
        }
        let (article, open) = self.open_article(id).await?;
        let now = now();
        let mut mistakes = MistakeList::default();
        let template = self.template(&mut mistakes, &writing, TemplateType::Forward, &open.ticket.queue);
        let (queue, from) = self.agents_sender(&mut mistakes, &open.ticket.queue, &writing)?;
        let recipients = Recipients::read(&mut mistakes, &writing, &self.configuration);
        if writing.to.as_ref().is_none_or(Vec::is_empty) {
            mistakes.add("to", "There is no address to forward to: name one.");
        }
        let content = &article.content;
        let raw = raw(&self.spool, &article).await?;
        let mut below = None;
        match (how, raw) {
            (ForwardAs::Text, Some(raw)) => {
                let message = Message::parse(raw.into());
                writing.files.extend(files_of(&message));
                // An article may have the beginning alone.
                let text = if content.body_truncated { message.text() } else { &content.body };
                below = Some(forwarded(content, text));
            }
            (ForwardAs::Text, None) => below = Some(forwarded(content, &content.body)),
            (ForwardAs::Message, Some(content)) => {
                writing.files.push(AttachedFile {
                    name: "forwarded.eml".to_owned(),
                    media_type: "message/rfc822".to_owned(),
                    content,
                });
            }
            (ForwardAs::Message, None) => mistakes.add("as", "A note was never a mail; forward its text."),
        }
        mistakes.limits(recipients.count(), &writing);
        if below.as_ref().is_some_and(|text| text.len() > MOST_BYTES) {
            mistakes.add(
                "as",
                format!("The article's text has more than {} MiB; forward it as a message.", MOST_BYTES >> 20),
            );
        }
        mistakes.circumstances(&writing, &self.configuration);
        mistakes.tell()?;

        let files = std::mem::take(&mut writing.files);
        let facts = open.facts(Some(content), &writing, &self.configuration);
        let letter = Letter {
            queue,
            from,
            recipients,
            template,
            facts,
            relation: Relation::Forward,
            subject: &content.subject,
            below,
            in_reply_to: "",
            references: format!("{} {}", content.references, content.message_id),
        };
        let mail = letter.compose(&writing, files, now)?;
        let written = WrittenArticle {
            change: self.change_of_state(writing.state),
            ..about(&article, OutgoingKind::Forward, mail, writing.once, now)
        };
        self.put_down(written).await
    }
}

/// The files of a mail, as they came.
fn files_of(message: &Message) -> Vec<AttachedFile> {
    let described = message.files();
    let contents = (0..described.len()).map(|index| message.file_bytes(index).unwrap_or_default());
    let file = |(described, content): (postigo_mail::Attachment, Vec<u8>)| {
        let name = match (described.name.is_empty(), described.media_type.as_str()) {
            (false, _) => described.name,
            (true, "message/rfc822") => "message.eml".to_owned(),
            (true, _) => "file".to_owned(),
        };
        AttachedFile { name, media_type: described.media_type, content }
    };
    described.into_iter().zip(contents).map(file).collect()
}
