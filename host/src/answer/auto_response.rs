//! An automatic answer, made from the configured text and from what is answered. RFC 3834, and OTOBO's
//! `SendAutoResponse`.

use super::addressee::Addressee;
use super::compose::{ComposeError, ComposedMail, MailDraft, compose};
use super::facts::TemplateFacts;
use super::render::{RenderTarget, render};
use super::subject::{Relation, numbered};
use super::{language, sender};
use crate::store::StoreError;
use crate::store::outgoing::DueRow;
use postigo_mail::Message;
use postigo_model::configured::{AutoResponse, AutoResponseType, Configuration, CustomerUser, Queue};
use postigo_model::outgoing::OutgoingKind;
use postigo_model::ticket::{NewArticle, SenderType, Ticket};
use postigo_supervision::Panic;

/// What an automatic answer is made from.
#[derive(Debug, Clone)]
pub struct AnswerMaterial {
    /// What filing decided.
    pub row: DueRow,
    /// The ticket as it is now; none for a refusal.
    pub ticket: Option<Ticket>,
    /// The article that is answered.
    pub answered: Option<NewArticle>,
    /// The languages that the answered mail asks for, the most wanted first.
    pub languages: Vec<String>,
    /// The ticket's customer user, where it is a known one.
    pub customer: Option<CustomerUser>,
    /// An address that gets a copy.
    pub copy: Option<String>,
    /// Why the mail gets no answer after all.
    pub unanswered: Option<String>,
}

/// Why an answer that was due is not sent.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// What it would be made from is gone, or is not allowed any more.
    #[error("{0}")]
    Obsolete(String),
    /// Whatever its text is, too many went out already.
    #[error("All {0} automatic answers of this hour have gone out (the setting auto_responses_per_hour).")]
    TooMany(u32),
    /// It cannot be put together.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The database has what it would be made from in a form that fails every time.
    #[error(transparent)]
    Unreadable(StoreError),
    /// The code that composes it broke.
    #[error("Composing it panicked: {0}. This is a fault of Postigo: please report it.")]
    Panicked(Panic),
}

impl AnswerMaterial {
    /// Composes it.
    pub fn compose(&self, configuration: &Configuration, now: i64) -> Result<ComposedMail, NotSent> {
        match self.row.kind {
            OutgoingKind::Refusal => self.refusal(configuration, now),
            _ => self.answer(configuration, now),
        }
    }

    fn answer(&self, configuration: &Configuration, now: i64) -> Result<ComposedMail, NotSent> {
        let obsolete = |text: &str| NotSent::Obsolete(text.to_owned());
        let ticket = self.ticket.as_ref().ok_or_else(|| obsolete("The ticket of the answer is gone."))?;
        let answered = self.answered.as_ref().ok_or_else(|| obsolete("The article that it would answer is gone."))?;
        let response = self.response(configuration).ok_or_else(|| {
            NotSent::Obsolete(format!(
                "The automatic answer \"{}\" is no longer configured for its queue.",
                self.row.response
            ))
        })?;
        let queue =
            configuration.queues.get(&response.queue).ok_or_else(|| obsolete("The queue of the answer is gone."))?;
        let facts = TemplateFacts {
            ticket: Some(ticket),
            mail: Some(answered),
            customer: self.customer.as_ref(),
            ..TemplateFacts::new(configuration)
        };
        let subject = render(&response.subject, &facts, RenderTarget::Line);
        let draft = MailDraft {
            subject: numbered(&subject, &ticket.number, Relation::New, &configuration.settings),
            text: with_line_end(render(&response.body, &facts, RenderTarget::Text)),
            in_reply_to: answered.message_id.clone(),
            references: answered.references.clone(),
            ..self.draft(configuration, queue, now)?
        };
        let mut mail = compose(draft)?;
        mail.outgoing.response = Some(response.name.clone());
        mail.article.sender_type = SenderType::System;
        mail.article.visible_for_customer = true;
        Ok(mail)
    }

    /// Tells senders that their mail was not taken in.
    fn refusal(&self, configuration: &Configuration, now: i64) -> Result<ComposedMail, NotSent> {
        let name = if self.row.queue.is_empty() { &configuration.settings.default_queue } else { &self.row.queue };
        let sends = |name: &String| configuration.queues.get(name).filter(|queue| sender(configuration, queue).is_ok());
        let queue = sends(name).or_else(|| sends(&configuration.settings.default_queue)).ok_or_else(|| {
            NotSent::Obsolete(format!("The queue \"{name}\" has no valid system address to send from."))
        })?;
        let subject = "Your mail was not accepted".to_owned();
        let draft = MailDraft {
            subject,
            text: with_line_end(self.row.response.clone()),
            ..self.draft(configuration, queue, now)?
        };
        Ok(compose(draft)?)
    }

    fn draft(&self, configuration: &Configuration, queue: &Queue, now: i64) -> Result<MailDraft, NotSent> {
        let from = sender(configuration, queue).map_err(NotSent::Obsolete)?;
        // An address that cannot be written to is left out; the answer goes to the others.
        let to: Vec<Addressee> =
            self.row.recipients.iter().filter_map(|address| Addressee::parse(address).ok()).collect();
        if to.is_empty() {
            return Err(NotSent::Obsolete(format!(
                "There is no address that it could go to: {}.",
                self.row.recipients.join(", ")
            )));
        }
        Ok(MailDraft {
            from,
            to,
            cc: self.copy.iter().filter_map(|address| Addressee::parse(address).ok()).collect(),
            bcc: Vec::new(),
            subject: String::new(),
            in_reply_to: String::new(),
            references: String::new(),
            automatic: true,
            text: String::new(),
            html: None,
            files: Vec::new(),
            queue: queue.name.clone(),
            now,
        })
    }

    /// The answer of the occasion in the customer's language. It is the one of the queue that the ticket was in when
    /// the mail was filed.
    fn response<'c>(&self, configuration: &'c Configuration) -> Option<&'c AutoResponse> {
        let named = configuration.auto_responses.get(&self.row.response)?;
        let occasion: AutoResponseType = named.occasion;
        let all = configuration
            .auto_responses
            .values()
            .filter(|other| other.queue == named.queue && other.occasion == occasion);
        let wanted =
            self.customer.iter().map(|customer| customer.language.as_str()).filter(|language| !language.is_empty());
        let wanted: Vec<&str> = wanted.chain(self.languages.iter().map(String::as_str)).collect();
        language::choose(all, |answer| &answer.language, &wanted).or(Some(named))
    }
}

/// The languages that a mail says it is in, or asks for.
pub fn languages(message: &Message) -> Vec<String> {
    let headers = ["Content-Language", "Accept-Language", "X-Accept-Language"];
    headers.iter().filter_map(|name| message.header(name)).flat_map(language::read).collect()
}

fn with_line_end(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::SystemAddress;

    fn configuration() -> Configuration {
        let mut configuration = Configuration::default();
        configuration.queues.insert("Raw".into(), Queue { name: "Raw".into(), ..Queue::default() });
        let address = SystemAddress {
            address: "help@desk.test".into(),
            display_name: "Desk".into(),
            queue: "Raw".into(),
            ..SystemAddress::default()
        };
        configuration.system_addresses.insert("help@desk.test".into(), address);
        for (name, language, subject) in
            [("Receipt", "", "We have it"), ("Eingang", "de", "Wir haben <OTOBO_CUSTOMER_SUBJECT[10]>")]
        {
            let answer = AutoResponse {
                name: name.into(),
                queue: "Raw".into(),
                language: language.into(),
                subject: subject.into(),
                body: "<OTOBO_CUSTOMER_REALNAME>\n\n<OTOBO_CUSTOMER_EMAIL[1]>".into(),
                ..AutoResponse::default()
            };
            configuration.auto_responses.insert(name.into(), answer);
        }
        configuration
    }

    fn due(languages: &[&str]) -> AnswerMaterial {
        let row = DueRow {
            id: 1,
            kind: OutgoingKind::AutoResponse,
            ticket_id: 1,
            article_id: 1,
            occasion: "reply".into(),
            response: "Receipt".into(),
            recipients: vec!["jane@x.test".into()],
            created_at: 0,
            queue: String::new(),
        };
        let answered = NewArticle {
            from: "Jane Roe <jane@x.test>".into(),
            subject: "Printer\r\nBcc: evil@x.test".into(),
            body: "<OTOBO_TICKET_TicketNumber>\nmore\n".into(),
            message_id: "<m@x.test>".into(),
            references: "<a@x.test>".into(),
            ..NewArticle::default()
        };
        let ticket = Ticket { number: "20261125000017".into(), queue: "Raw".into(), ..Ticket::default() };
        let languages = languages.iter().map(|language| (*language).to_owned()).collect();
        AnswerMaterial {
            row,
            ticket: Some(ticket),
            answered: Some(answered),
            languages,
            customer: None,
            copy: Some("copy@x.test".into()),
            unanswered: None,
        }
    }

    #[test]
    fn an_answer_has_the_queues_address_the_number_and_the_thread() {
        let mail = due(&[]).compose(&configuration(), 0).unwrap();
        assert_eq!(mail.article.subject, "[Ticket#20261125000017] We have it");
        assert_eq!(mail.article.body, "Jane Roe\n\n> <OTOBO_TICKET_TicketNumber>\n");
        assert_eq!(
            (mail.article.from.as_str(), mail.article.sender_type),
            ("Desk <help@desk.test>", SenderType::System)
        );
        assert_eq!(
            (mail.article.in_reply_to.as_str(), mail.article.references.as_str()),
            ("<m@x.test>", "<a@x.test> <m@x.test>")
        );
        assert_eq!((mail.outgoing.sender.as_str(), mail.outgoing.recipients.len()), ("", 2));
        assert!(
            String::from_utf8(mail.outgoing.raw.concat()).unwrap().contains("\r\nAuto-Submitted: auto-replied\r\n")
        );
    }

    #[test]
    fn the_customer_is_answered_in_their_language() {
        let configuration = configuration();
        let subject = |due: AnswerMaterial| due.compose(&configuration, 0).unwrap().article.subject;
        let german = "[Ticket#20261125000017] Wir haben Printer Bc [...]";
        assert_eq!(subject(due(&["de-AT", "en"])), german);
        assert_eq!(subject(due(&["fr"])), "[Ticket#20261125000017] We have it");
        let composed = due(&["de-AT", "en"]).compose(&configuration, 0).unwrap();
        assert_eq!(composed.outgoing.response.as_deref(), Some("Eingang"), "the name is that of the language");
        let customer = CustomerUser { language: "de".into(), ..CustomerUser::default() };
        assert_eq!(subject(AnswerMaterial { customer: Some(customer), ..due(&["en"]) }), german);
    }

    #[test]
    fn what_cannot_be_answered_any_more_says_why() {
        let mut configuration = configuration();
        let told = |configuration: &Configuration| due(&[]).compose(configuration, 0).unwrap_err().to_string();
        configuration.system_addresses.clear();
        assert!(told(&configuration).contains("system address"), "{}", told(&configuration));
        configuration.auto_responses.clear();
        assert!(told(&configuration).contains("no longer configured"));
    }

    #[test]
    fn a_refusal_comes_from_its_queue_or_the_default_one() {
        let refused = |queue: &str| {
            let row = DueRow {
                kind: OutgoingKind::Refusal,
                response: "Too large.".into(),
                queue: queue.into(),
                ..due(&[]).row
            };
            AnswerMaterial { row, ticket: None, answered: None, copy: None, ..due(&[]) }
                .compose(&configuration(), 0)
                .unwrap()
        };
        for queue in ["", "Raw", "Gone"] {
            assert_eq!(refused(queue).article.body, "Too large.\n");
        }
    }
}
