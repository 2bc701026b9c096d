//! What agents do with tickets and articles: reply, write, note, pass on, send on, open. Each is composed here and
//! written as a whole.

use super::addressee::Addressee;
use super::body::is_empty;
use super::compose::ComposedMail;
use super::facts::TemplateFacts;
use super::letter::{Letter, Recipients, by_agent};
use super::quoting::quoted;
use super::subject::Relation;
use super::writing::{AgentText, DeskError, MistakeList, SendResult, WritingKind};
use super::{display_name, from_address, sender};
use crate::filing::TicketUpdate;
use crate::filing::correspondence::{self, CorrespondenceOutcome, Receipt, RequestIdentity, Target, WrittenArticle};
use crate::filing::{addresses_asked_for, addresses_to_answer, is_of_customer};
use crate::spool::Spool;
use crate::store::tickets::{self, Article};
use crate::store::{StoreError, customers, outgoing};
use postigo_mail::Address;
use postigo_model::actor::Actor;
use postigo_model::configured::{Configuration, CustomerUser, Queue, SystemAddress, Template, TemplateType};
use postigo_model::mailbox::Mailbox;
use postigo_model::outgoing::OutgoingKind;
use postigo_model::text::on_one_line;
use postigo_model::ticket::TicketEdit;
use postigo_model::ticket::{NewArticle, SenderType, Ticket};
use postigo_model::timestamp::now;
use std::collections::HashSet;

/// What is said where a mail has nobody that it could go to.
const NO_ADDRESS: &str = "There is no address to write to: name one.";

/// Where agents' mail is written.
#[derive(Debug)]
pub struct Desk {
    /// Where received mail lies, and the database.
    pub spool: Spool,
    /// Queues, addresses, templates.
    pub configuration: Configuration,
    /// Who writes.
    pub actor: Actor,
}

/// A ticket, and what is to be known of it.
pub(super) struct OpenTicket {
    pub ticket: Ticket,
    pub articles: Vec<Article>,
    pub customer: Option<CustomerUser>,
}

impl OpenTicket {
    /// What tags stand for in what is written about this mail.
    pub fn facts<'f>(
        &'f self,
        mail: Option<&'f NewArticle>,
        writing: &'f AgentText,
        configuration: &'f Configuration,
    ) -> TemplateFacts<'f> {
        TemplateFacts {
            configuration,
            ticket: Some(&self.ticket),
            mail,
            customer: self.customer.as_ref(),
            agent: writing.agent.as_deref(),
        }
    }

    /// Everybody whom the ticket's mails name, but for those that bring nobody, and its customer.
    fn people(&self) -> HashSet<Mailbox> {
        let bringing = self.articles.iter().filter(|article| article.brings_people()).map(|article| &article.content);
        let named = bringing.flat_map(|content| [&content.from, &content.to, &content.cc, &content.reply_to]);
        let customer = self.ticket.customer_user.iter().chain(self.customer.as_ref().map(|customer| &customer.email));
        let named = named.flat_map(|header| Address::parse_all(header)).map(|address| Mailbox::of(&address.address));
        named.chain(customer.map(|address| Mailbox::of(address))).collect()
    }

    /// The last mail of the customer.
    fn last_of_customer(&self, configuration: &Configuration) -> Option<&Article> {
        self.articles.iter().rev().find(|article| is_of_customer(&article.content, configuration))
    }
}

impl Desk {
    /// Writes an article: an answer, another mail, or a note.
    pub async fn write(&self, number: &str, kind: WritingKind, writing: AgentText) -> SendResult {
        if let Some(receipt) = self.before(writing.once.as_ref()).await? {
            return Ok(receipt);
        }
        let open = self.open(number).await?;
        let now = now();
        let written = match kind {
            WritingKind::Note => self.note(&open, writing, now)?,
            WritingKind::Reply | WritingKind::Mail => self.mail(&open, kind, writing, now)?,
        };
        self.put_down(written).await
    }

    fn mail(
        &self,
        open: &OpenTicket,
        kind: WritingKind,
        mut writing: AgentText,
        now: i64,
    ) -> Result<WrittenArticle, DeskError> {
        let OpenTicket { ticket, .. } = open;
        let mut mistakes = MistakeList::default();
        let answered = match (kind, writing.article_id) {
            (_, Some(id)) => {
                let found = open.articles.iter().find(|article| article.id == id);
                if found.is_none() {
                    mistakes.add("article_id", format!("The ticket has no article {id}."));
                }
                found
            }
            (WritingKind::Reply, None) => open.last_of_customer(&self.configuration),
            _ => None,
        };
        let template = self.template(&mut mistakes, &writing, TemplateType::Answer, &ticket.queue);
        let (queue, from) = self.agents_sender(&mut mistakes, &ticket.queue, &writing)?;
        let mut recipients = Recipients::read(&mut mistakes, &writing, &self.configuration);
        if writing.to.is_none() && kind == WritingKind::Reply {
            recipients.to = self.answered_by(open, answered);
        }
        if recipients.to.is_empty() && writing.to.as_ref().is_none_or(Vec::is_empty) {
            let stranger = answered.is_some_and(|article| article.content.unvouched);
            let why = if stranger {
                "There is no address to write to but those of a mail that nobody vouches for: name one."
            } else {
                NO_ADDRESS
            };
            mistakes.add("to", why);
        }
        if is_empty(&writing) {
            mistakes.add("body", "The mail has no text: give `body`, `html` or `template`.");
        }
        mistakes.limits(recipients.count(), &writing);
        mistakes.circumstances(&writing, &self.configuration);
        mistakes.tell()?;

        let files = std::mem::take(&mut writing.files);
        let content = answered.map(|article| &article.content);
        let facts = open.facts(
            content.or(open.last_of_customer(&self.configuration).map(|article| &article.content)),
            &writing,
            &self.configuration,
        );
        let letter = Letter {
            queue,
            from,
            recipients,
            template,
            facts,
            relation: if kind == WritingKind::Reply { Relation::Reply } else { Relation::New },
            subject: content.map_or(&ticket.title, |content| &content.subject),
            below: content.filter(|_| writing.quote).map(quoted),
            in_reply_to: content.map(|content| content.message_id.as_str()).unwrap_or_default(),
            references: content.map(|content| content.references.clone()).unwrap_or_default(),
        };
        // Who answers a new ticket has opened it.
        let state = writing
            .state
            .clone()
            .or_else(|| (ticket.state == "new" && kind == WritingKind::Reply).then(|| "open".to_owned()));
        let mail = letter.compose(&writing, files, now)?;
        Ok(WrittenArticle {
            target: Target::Existing(ticket.id),
            article: mail.article,
            mail: Some((OutgoingKind::Reply, mail.outgoing)),
            about: answered.map_or(0, |article| article.id),
            change: self.change_of_state(state),
            once: writing.once,
            now,
        })
    }

    /// A note is an article without a mail.
    fn note(&self, open: &OpenTicket, writing: AgentText, now: i64) -> Result<WrittenArticle, DeskError> {
        let mut mistakes = MistakeList::default();
        for (key, given) in [
            ("from", writing.from.is_some()),
            ("to", writing.to.is_some()),
            ("cc", !writing.cc.is_empty()),
            ("bcc", !writing.bcc.is_empty()),
            ("html", writing.html.is_some()),
            ("attachments", !writing.files.is_empty()),
            ("template", writing.template.is_some()),
        ] {
            if given {
                mistakes.add(key, format!("A note is not sent: it has no `{key}`."));
            }
        }
        for (key, given) in [("article_id", writing.article_id.is_some()), ("quote", writing.quote)] {
            if given {
                mistakes.add(key, format!("A note answers no article: it has no `{key}`."));
            }
        }
        if writing.body.trim().is_empty() {
            mistakes.add("body", "The note has no text.");
        }
        mistakes.size(&writing);
        mistakes.circumstances(&writing, &self.configuration);
        mistakes.tell()?;
        let mut article = NewArticle {
            from: writing.agent.clone().unwrap_or_default(),
            subject: on_one_line(writing.subject.as_deref().unwrap_or(&open.ticket.title)),
            body: writing.body,
            date: Some(now.div_euclid(1_000) * 1_000),
            ..NewArticle::default()
        };
        by_agent(&mut article, writing.visible_for_customer.unwrap_or(false));
        let target = Target::Existing(open.ticket.id);
        Ok(WrittenArticle {
            target,
            article,
            mail: None,
            about: 0,
            change: self.change_of_state(writing.state),
            once: writing.once,
            now,
        })
    }

    /// The change of a ticket into a state; none: it stays in its own.
    pub(super) fn change_of_state(&self, state: Option<String>) -> Option<TicketUpdate> {
        let edit = TicketEdit { state: Some(state?), ..TicketEdit::default() };
        Some(TicketUpdate { edit, actor: self.actor.clone(), configuration: self.configuration.clone() })
    }

    /// Who is answered by default: Reply-To, if it can be used, else From, of a customer's mail; of one that went out its recipients.
    /// Never ourselves, and nobody whom only a mail brought that does not vouch for them: then it is its sender who
    /// is answered, if their address vouched for it.
    fn answered_by(&self, open: &OpenTicket, answered: Option<&Article>) -> Vec<Addressee> {
        let Some(article) = answered else { return Vec::new() };
        let content = &article.content;
        let addresses = match content.sender_type {
            SenderType::Agent | SenderType::System => Address::parse_all(&content.to),
            SenderType::Customer => addresses_asked_for(content, &self.configuration),
        };
        let known = (!article.brings_people()).then(|| open.people());
        let is_known =
            |address: &Address| known.as_ref().is_none_or(|known| known.contains(&Mailbox::of(&address.address)));
        let others = |addresses: Vec<Address>| -> Vec<Addressee> {
            let others = addresses.into_iter().filter(|address| !self.configuration.is_own(&address.address));
            others.filter_map(|address| Addressee::new(address).ok()).collect()
        };
        let answered = others(addresses.into_iter().filter(is_known).collect());
        if answered.is_empty() && content.vouched_by_address {
            others(addresses_to_answer(content, &self.configuration))
        } else {
            answered
        }
    }

    /// Writes it into the database, once.
    pub(super) async fn put_down(&self, written: WrittenArticle) -> SendResult {
        receipt(correspondence::write(self.spool.store(), written).await?)
    }

    /// What an earlier request of this name got.
    pub(super) async fn before(&self, once: Option<&RequestIdentity>) -> Result<Option<Receipt>, DeskError> {
        let Some(once) = once else { return Ok(None) };
        let outcome = correspondence::before(&mut *self.spool.store().read().await?, once).await?;
        outcome.map(receipt).transpose()
    }

    /// A ticket by its number, with all its articles.
    pub(super) async fn open(&self, number: &str) -> Result<OpenTicket, DeskError> {
        let mut connection = self.spool.store().read().await?;
        let ticket = tickets::by_number(&mut connection, number).await?;
        let ticket = ticket.ok_or_else(|| DeskError::NotFound(format!("There is no ticket \"{number}\".")))?;
        if let Some(target) = &ticket.merged_into {
            return Err(DeskError::Conflict(format!(
                "Ticket {number} was merged into {target}; write to that one. Nothing was sent."
            )));
        }
        let articles = tickets::articles(&mut connection, ticket.id).await?;
        let customer = match &ticket.customer_user {
            Some(login) => customers::by_login(&mut connection, login).await?,
            None => None,
        };
        Ok(OpenTicket { ticket, articles, customer })
    }

    /// An article with its ticket.
    pub(super) async fn open_article(&self, id: i64) -> Result<(Article, OpenTicket), DeskError> {
        let mut connection = self.spool.store().read().await?;
        let article = tickets::article(&mut connection, id).await?;
        let article = article.ok_or_else(|| DeskError::NotFound(format!("There is no article \"{id}\".")))?;
        let ticket = tickets::by_id(&mut connection, article.ticket_id).await?;
        drop(connection);
        let ticket = ticket.ok_or_else(|| DeskError::NotFound(format!("The ticket of article {id} is gone.")))?;
        Ok((article, self.open(&ticket.number).await?))
    }

    /// A queue and what it sends from.
    pub(super) fn sender(&self, queue: &str) -> Result<(&Queue, Addressee), DeskError> {
        let queue = self.configuration.queues.get(queue);
        let queue = queue.ok_or_else(|| {
            DeskError::Conflict("The ticket's queue is not there any more. Nothing was sent.".to_owned())
        })?;
        let from = sender(&self.configuration, queue)
            .map_err(|reason| DeskError::Conflict(format!("{reason} Nothing was sent.")))?;
        Ok((queue, from))
    }

    /// A queue, and what an agent's mail goes out from in it: the address that was asked for, if the queue allows it,
    /// else the queue's own; never another.
    pub(super) fn agents_sender(
        &self,
        mistakes: &mut MistakeList,
        queue: &str,
        writing: &AgentText,
    ) -> Result<(&Queue, Addressee), DeskError> {
        let refused = |reason: String| DeskError::Conflict(format!("{reason} Nothing was sent."));
        let Some(asked) = &writing.from else {
            let (queue, own) = self.sender(queue)?;
            let address = self.configuration.sender_of(queue);
            let named = address.map(|address| self.named(address, queue, writing)).transpose().map_err(refused)?;
            return Ok((queue, named.unwrap_or(own)));
        };
        let found = self.configuration.queues.get(queue);
        let queue = found.ok_or_else(|| refused("The ticket's queue is not there any more.".to_owned()))?;
        let allowed = self.configuration.senders_of(queue);
        let wanted = Addressee::parse(asked).map(|asked| Mailbox::of(&asked.shown.address));
        let is_wanted =
            |address: &&&SystemAddress| wanted.as_ref().is_ok_and(|wanted| *wanted == Mailbox::of(&address.address));
        if let Some(address) = allowed.iter().find(is_wanted) {
            return Ok((queue, self.named(address, queue, writing).map_err(refused)?));
        }
        let names: Vec<&str> = allowed.iter().map(|address| address.address.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let asked = on_one_line(asked);
        mistakes.add(
            "from",
            format!(
                "The queue \"{}\" sends from its valid system addresses alone, {names}; not from \"{asked}\".",
                queue.name
            ),
        );
        let (queue, own) = self.sender(&queue.name)?;
        Ok((queue, own))
    }

    fn named(&self, address: &SystemAddress, queue: &Queue, writing: &AgentText) -> Result<Addressee, String> {
        let name = display_name(&self.configuration, address, writing.agent.as_deref());
        from_address(address, name, queue)
    }

    /// The template that a request names, if it is one for this purpose and queue.
    pub(super) fn template(
        &self,
        mistakes: &mut MistakeList,
        writing: &AgentText,
        purpose: TemplateType,
        queue: &str,
    ) -> Option<&Template> {
        let name = writing.template.as_ref()?;
        let fits = |template: &&Template| {
            template.valid.is_valid()
                && template.purpose == purpose
                && (template.queues.is_empty() || template.queues.iter().any(|named| named == queue))
        };
        let found = self.configuration.templates.get(name).filter(fits);
        if found.is_none() {
            mistakes.add(
                "template",
                format!("There is no valid template \"{name}\" of this type for the queue \"{queue}\"."),
            );
        }
        found
    }
}

/// The bytes of an article as they were received or sent; none of a note.
pub async fn raw(spool: &Spool, article: &Article) -> Result<Option<Vec<u8>>, StoreError> {
    match (article.outgoing_id, article.spool_id) {
        (0, 0) => Ok(None),
        (0, received) => spool.raw(received).await.map(Some),
        (sent, _) => outgoing::raw(&mut *spool.store().read().await?, sent).await,
    }
}

/// What the store answered, as agents get it.
fn receipt(outcome: CorrespondenceOutcome) -> SendResult {
    match outcome {
        CorrespondenceOutcome::Written(receipt) => Ok(receipt),
        CorrespondenceOutcome::OtherRequest => Err(DeskError::OtherRequest),
        CorrespondenceOutcome::NumberTaken => Err(no_number()),
    }
}

/// That no number is free.
pub(super) fn no_number() -> DeskError {
    DeskError::Conflict(
        "No free ticket number was found: choose another number generator. Nothing was sent.".to_owned(),
    )
}

/// An agent's mail about an article, which changes nothing else of its ticket.
pub(super) fn about(
    article: &Article,
    kind: OutgoingKind,
    mail: ComposedMail,
    once: Option<RequestIdentity>,
    now: i64,
) -> WrittenArticle {
    WrittenArticle {
        target: Target::Existing(article.ticket_id),
        article: mail.article,
        mail: Some((kind, mail.outgoing)),
        about: article.id,
        change: None,
        once,
        now,
    }
}
