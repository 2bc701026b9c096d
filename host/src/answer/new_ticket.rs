//! A ticket that an agent opens by writing to somebody.

use super::body::is_empty;
use super::desk::{Desk, no_number};
use super::facts::TemplateFacts;
use super::letter::{Letter, Recipients};
use super::subject::Relation;
use super::writing::{AgentText, DeskError, MistakeList, SendResult};
use crate::filing::correspondence::{Target, WrittenArticle};
use crate::filing::reserve_number;
use crate::store::{customers, tickets};
use postigo_model::configured::{CustomerUser, TemplateType};
use postigo_model::mailbox::Mailbox;
use postigo_model::outgoing::OutgoingKind;
use postigo_model::text::on_one_line;
use postigo_model::ticket::{PRIORITIES, Ticket, cut_title};
use postigo_model::timestamp::now;
use serde::Serialize;

/// So often a number is tried that turns out to be taken.
const TRIES: u32 = 100;

/// What the new ticket is to be.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NewTicketFields {
    /// The queue, which the mail is sent from.
    pub queue: String,
    /// Login or address; left out: the customer user with the first recipient's address, else that address.
    pub customer_user: Option<String>,
    /// The customer's number; left out: the customer user's.
    pub customer_number: Option<String>,
    /// Priority; left out: `3 normal`.
    pub priority: Option<String>,
    /// Type; left out: the first.
    pub r#type: Option<String>,
    /// The owner's login.
    pub owner: Option<String>,
}

impl Desk {
    /// Opens a ticket with a mail to somebody.
    pub async fn open_ticket(&self, opening: NewTicketFields, mut writing: AgentText) -> SendResult {
        if let Some(receipt) = self.before(writing.once.as_ref()).await? {
            return Ok(receipt);
        }
        let mut mistakes = MistakeList::default();
        self.check(&mut mistakes, &opening);
        let template = self.template(&mut mistakes, &writing, TemplateType::Create, &opening.queue);
        let recipients = Recipients::read(&mut mistakes, &writing, &self.configuration);
        if writing.to.as_ref().is_none_or(Vec::is_empty) {
            mistakes.add("to", "There is no address to write to: name one.");
        }
        if is_empty(&writing) {
            mistakes.add("body", "The mail has no text: give `body`, `html` or `template`.");
        }
        if writing.subject.as_ref().is_none_or(|subject| subject.trim().is_empty())
            && template.is_none_or(|template| template.subject.is_empty())
        {
            mistakes.add("subject", "The mail has no subject: give one, or a template that has one.");
        }
        mistakes.limits(recipients.count(), &writing);
        mistakes.circumstances(&writing, &self.configuration);
        // Who names a queue that is not there is told with the rest.
        let is_there = self.configuration.queues.contains_key(&opening.queue);
        let sender = is_there.then(|| self.agents_sender(&mut mistakes, &opening.queue, &writing));
        mistakes.tell()?;
        let (queue, from) = sender.unwrap_or_else(|| self.sender(&opening.queue))?;

        let first = recipients.to.first().map(|addressee| addressee.shown.address.clone()).unwrap_or_default();
        let customer = self.customer(&opening, &first).await?;
        let now = now();
        let mut ticket = self.new_ticket(&opening, &writing, customer.as_ref(), &first, now);
        ticket.number = self.free_number(now).await?;
        let files = std::mem::take(&mut writing.files);
        let letter = Letter {
            queue,
            from,
            recipients,
            template,
            facts: TemplateFacts {
                configuration: &self.configuration,
                ticket: Some(&ticket),
                mail: None,
                customer: customer.as_ref(),
                agent: writing.agent.as_deref(),
            },
            relation: Relation::New,
            subject: "",
            below: None,
            in_reply_to: "",
            references: String::new(),
        };
        let title = cut_title(&on_one_line(&letter.subject(&writing)));
        let mail = letter.compose(&writing, files, now)?;
        ticket.title = title;
        self.put_down(WrittenArticle {
            target: Target::New(Box::new(ticket)),
            article: mail.article,
            mail: Some((OutgoingKind::New, mail.outgoing)),
            about: 0,
            change: None,
            once: writing.once,
            now,
        })
        .await
    }

    /// A number that no ticket has, and that nobody else gets.
    async fn free_number(&self, now: i64) -> Result<String, DeskError> {
        let store = self.spool.store();
        for _ in 0..TRIES {
            let number = reserve_number(store, self.configuration.settings.number_generator, now).await?;
            if tickets::by_number(&mut *store.read().await?, &number).await?.is_none() {
                return Ok(number);
            }
        }
        Err(no_number())
    }

    fn check(&self, mistakes: &mut MistakeList, opening: &NewTicketFields) {
        let settings = &self.configuration.settings;
        if self.configuration.queues.get(&opening.queue).is_none_or(|queue| !queue.valid.is_valid()) {
            mistakes.add("queue", format!("There is no valid queue \"{}\".", opening.queue));
        }
        if let Some(priority) = opening.priority.as_ref().filter(|priority| !PRIORITIES.contains(&priority.as_str())) {
            mistakes.add(
                "priority",
                format!("There is no priority \"{priority}\"; the priorities are {}.", PRIORITIES.join(", ")),
            );
        }
        if let Some(name) = opening.r#type.as_ref().filter(|name| !settings.types.contains(name)) {
            mistakes.add("type", format!("There is no type \"{name}\"; the types are {}.", settings.types.join(", ")));
        }
        if let Some(owner) = opening.owner.as_ref().filter(|owner| !settings.agents.contains(owner)) {
            mistakes.add("owner", format!("There is no agent \"{owner}\"; the setting `agents` names them."));
        }
    }

    async fn customer(&self, opening: &NewTicketFields, first: &str) -> Result<Option<CustomerUser>, DeskError> {
        let mut connection = self.spool.store().read().await?;
        Ok(match &opening.customer_user {
            Some(login) => customers::by_login(&mut connection, login).await?,
            None => customers::with_emails(&mut connection, vec![Mailbox::of(first)]).await?.into_values().next(),
        })
    }

    fn new_ticket(
        &self,
        opening: &NewTicketFields,
        writing: &AgentText,
        customer: Option<&CustomerUser>,
        first: &str,
        now: i64,
    ) -> Ticket {
        let settings = &self.configuration.settings;
        let default_user = || customer.map_or_else(|| first.to_owned(), |customer| customer.login.clone());
        let known_number =
            || customer.map(|customer| customer.customer_number.clone()).filter(|number| !number.is_empty());
        Ticket {
            queue: opening.queue.clone(),
            state: writing.state.clone().unwrap_or_else(|| "open".to_owned()),
            priority: opening.priority.clone().unwrap_or_else(|| "3 normal".to_owned()),
            r#type: opening.r#type.clone().or_else(|| settings.types.first().cloned()).unwrap_or_default(),
            lock: "unlock".to_owned(),
            owner: opening.owner.clone(),
            customer_user: Some(opening.customer_user.clone().unwrap_or_else(default_user))
                .filter(|user| !user.is_empty()),
            customer_number: opening.customer_number.clone().or_else(known_number),
            created_at: now,
            changed_at: now,
            ..Ticket::default()
        }
    }
}
