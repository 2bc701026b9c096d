//! What a mail becomes: new ticket, follow-up, or a follow-up that the queue refuses (OTOBO: `NewTicket`, `FollowUp`,
//! `Reject`).

use super::dispatch::dispatch;
use super::follow_up::references;
use super::header::OccasionReader;
use super::{answer, number, subject};
use postigo_mail::{Mail, render_address_header};
use postigo_model::configured::{AutoResponseType, Configuration, CustomerUser, FollowUpOption, UnvouchedNumbers};
use postigo_model::mailbox::Mailbox;
use postigo_model::ticket::{ArticleAttachment, Filing, FilingKind, NewArticle, Ticket, WhyFollowUp, beginning_of};
use postigo_model::ticket::{DEFAULT_PRIORITY, LOCKS, PRIORITIES, SenderType, StateType, cut_title};
use postigo_model::ticket::{FoundTicket, InternalMail, TicketMatch, VouchedBy};

/// What a decision is made from, besides the mail itself.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Everything that is configured.
    pub configuration: &'a Configuration,
    /// What the second follow-up check found.
    pub found: &'a TicketMatch,
    /// What is known of the customer; see [`customer_query`].
    pub customers: &'a CustomerLookup,
    /// The mails of that ticket that agents sent and customers don't see.
    pub internal_mails: &'a [InternalMail],
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// What the store is asked about a mail's customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerQuery {
    /// The sender's address: the last one of From.
    pub sender: Option<String>,
    /// The login that X-OTOBO-CustomerUser names.
    pub login: Option<String>,
}

/// What the store answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerLookup {
    /// The customer user with the sender's address.
    pub by_sender: Option<CustomerUser>,
    /// The customer user with that login.
    pub by_login: Option<CustomerUser>,
}

/// So much of an address is shown in a warning.
const LONGEST_SHOWN: usize = 100;

/// What the store is to be asked before [`decide`].
pub fn customer_query(mail: &Mail) -> CustomerQuery {
    let login = mail.header("X-OTOBO-CustomerUser").filter(|login| !login.is_empty());
    CustomerQuery { sender: sender(mail), login: login.map(str::to_owned) }
}

/// Whether the mail is to be dropped: `yes` or `true` anywhere in X-OTOBO-Ignore, in any case of letters.
pub fn is_ignored(mail: &Mail) -> bool {
    let value = mail.header("X-OTOBO-Ignore").unwrap_or_default().to_ascii_lowercase();
    value.contains("yes") || value.contains("true")
}

/// Decides what becomes of a mail after the chain.
pub fn decide(mail: &Mail, circumstances: &Circumstances<'_>) -> Filing {
    let TicketMatch { follow_up: Some(found), .. } = circumstances.found else {
        return match circumstances.found.passed_over.first() {
            // To say that the ticket is there, or is closed, would tell a stranger of it.
            Some(found) => passed_over(
                new_ticket(mail, circumstances, Some((&found.ticket, AutoResponseType::Reply))),
                mail,
                found,
            ),
            None => new_ticket(mail, circumstances, None),
        };
    };
    let FoundTicket { ticket, why, vouched } = found;
    let done = StateType::of(&ticket.state).is_some_and(StateType::is_done);
    let bounce = *why == WhyFollowUp::Bounce || mail.header("X-OTOBO-Bounce").is_some_and(|value| value == "1");
    let option = circumstances.configuration.queues.get(&ticket.queue).map(|queue| queue.follow_up).unwrap_or_default();
    let filing = match option {
        FollowUpOption::NewTicket if done && !bounce => {
            // Whoever gets the answer learns that the ticket is closed.
            let knows_of_it = match vouched {
                VouchedBy::ByNobody => false,
                VouchedBy::ByAddress => !answer::asks_for_others(mail, circumstances.configuration),
                VouchedBy::ByProof => true,
            };
            let occasion = if knows_of_it { AutoResponseType::ReplyNewTicket } else { AutoResponseType::Reply };
            return new_ticket(mail, circumstances, Some((ticket, occasion)));
        }
        FollowUpOption::Reject if done && !bounce => rejected(mail, circumstances, found),
        _ => follow_up(mail, circumstances, found),
    };
    match vouched {
        VouchedBy::ByNobody => unvouched(filing, mail, circumstances.configuration.settings.unvouched_numbers),
        VouchedBy::ByAddress => Filing { article: NewArticle { vouched_by_address: true, ..filing.article }, ..filing },
        VouchedBy::ByProof => filing,
    }
}

/// An article of a ticket that nobody vouches for. An answer would tell a stranger what the ticket is about.
fn unvouched(mut filing: Filing, mail: &Mail, setting: UnvouchedNumbers) -> Filing {
    filing.article.unvouched = true;
    let consequence = if setting == UnvouchedNumbers::Internal {
        filing.article.visible_for_customer = false;
        "the article is marked as unvouched, and customers do not see it"
    } else {
        "the article is marked as unvouched"
    };
    if let (FilingKind::FollowUp(why) | FilingKind::Rejected(why), number) = (&filing.kind, &filing.ticket.number) {
        filing.warnings.push(nobody_vouches(mail, number, *why, consequence));
    }
    if let Some(plan) = &mut filing.auto_response {
        plan.suppressed.get_or_insert_with(|| "nobody vouches for the ticket being its sender's".to_owned());
    }
    filing
}

/// A new ticket of a mail that names another, for which nobody vouches.
fn passed_over(mut filing: Filing, mail: &Mail, found: &FoundTicket) -> Filing {
    filing.warnings.push(nobody_vouches(mail, &found.ticket.number, found.why, "it became a new ticket"));
    filing
}

fn nobody_vouches(mail: &Mail, number: &str, why: WhyFollowUp, consequence: &str) -> String {
    let from: String = mail
        .addresses("From")
        .pop()
        .map_or_else(|| "nobody".to_owned(), |from| from.address)
        .chars()
        .take(LONGEST_SHOWN)
        .collect();
    let name = serde_json::to_value(why).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    format!(
        "ticket {number}, found by {name}: nobody vouches for this mail from {from}, which neither refers to a mail of the ticket nor is from its people; {consequence}"
    )
}

/// A new ticket; `instead_of` is the one that the mail would have followed up, and what is answered to that.
fn new_ticket(
    mail: &Mail,
    circumstances: &Circumstances<'_>,
    instead_of: Option<(&Ticket, AutoResponseType)>,
) -> Filing {
    let configuration = circumstances.configuration;
    let settings = &configuration.settings;
    let mut reader = OccasionReader::new(mail, false);
    let dispatched = dispatch(configuration, mail, &mut reader);
    let mut article = article(mail);
    if let Some((old, _)) = instead_of {
        article.subject = subject::clean(&number::without_number(&article.subject, &old.number, settings));
    }
    let default_type = settings.types.first().map_or("Unclassified", String::as_str).to_owned();
    let agent = |login: &str| settings.agents.iter().any(|known| known == login);
    let state = reader
        .known("State", "state", |name| StateType::of(name).is_some(), "\"new\" is used instead")
        .unwrap_or("new".into());
    let pending_until = reader.pending_until(circumstances.now).filter(|_| is_pending(&state));
    let (customer_user, customer_number) = customer(mail, circumstances.customers, &reader);
    let (dynamic_fields, article_fields) = reader.dynamic_fields(configuration);
    article.sender_type = reader.sender_type();
    article.visible_for_customer = reader.visible_for_customer();
    article.dynamic_fields = article_fields;
    let ticket = Ticket {
        title: cut_title(reader.value("Title").unwrap_or(&article.subject)),
        queue: dispatched.queue,
        state,
        priority: reader
            .known("Priority", "priority", |name| PRIORITIES.contains(&name), "\"3 normal\" is used instead")
            .unwrap_or(DEFAULT_PRIORITY.into()),
        r#type: reader
            .known(
                "Type",
                "type",
                |name| settings.types.iter().any(|known| known == name),
                &format!("{default_type:?} is used instead"),
            )
            .unwrap_or(default_type),
        service: reader.known(
            "Service",
            "service",
            |name| settings.services.iter().any(|known| known == name),
            "none is set",
        ),
        sla: reader.known("SLA", "SLA", |name| settings.slas.iter().any(|known| known == name), "none is set"),
        lock: reader
            .known("Lock", "lock", |name| LOCKS.contains(&name), "\"unlock\" is used instead")
            .unwrap_or("unlock".into()),
        owner: reader.known("Owner", "agent", agent, "nobody owns the ticket"),
        responsible: reader.known("Responsible", "agent", agent, "nobody is responsible"),
        customer_number,
        customer_user,
        pending_until,
        dynamic_fields,
        created_at: circumstances.now,
        changed_at: circumstances.now,
        ..Ticket::default()
    };
    let occasion = instead_of.map_or(AutoResponseType::Reply, |(_, occasion)| occasion);
    Filing {
        kind: FilingKind::NewTicket { linked_to: instead_of.map(|(old, _)| old.id) },
        occasion,
        auto_response: answer::plan(configuration, mail, &ticket, occasion, VouchedBy::ByProof),
        ticket,
        article,
        queue_by: dispatched.by,
        warnings: reader.into_warnings(),
    }
}

/// Customer user and number: by header, else by the sender's address, else the address itself.
fn customer(mail: &Mail, customers: &CustomerLookup, reader: &OccasionReader<'_>) -> (Option<String>, Option<String>) {
    let filled = |number: &str| (!number.is_empty()).then(|| number.to_owned());
    let named = reader.value("CustomerUser");
    let found = if named.is_some() { &customers.by_login } else { &customers.by_sender };
    let user =
        named.map(str::to_owned).or_else(|| found.as_ref().map(|user| user.login.clone())).or_else(|| sender(mail));
    let number = reader.value("CustomerNo").map(str::to_owned).or_else(|| filled(&found.as_ref()?.customer_number));
    (user, number)
}

/// An article of an existing ticket.
fn follow_up(mail: &Mail, circumstances: &Circumstances<'_>, found: &FoundTicket) -> Filing {
    let FoundTicket { ticket: old, why, vouched } = found;
    let configuration = circumstances.configuration;
    let settings = &configuration.settings;
    let mut reader = OccasionReader::new(mail, true);
    let mut article = article(mail);
    article.sender_type = reader.sender_type();
    article.visible_for_customer =
        reader.visible_for_customer() && !answers_internal_mail(mail, circumstances, old, article.sender_type);
    let (dynamic_fields, article_fields) = reader.dynamic_fields(configuration);
    article.dynamic_fields = article_fields;

    let stays = "the ticket's stays";
    let agent = |login: &str| settings.agents.iter().any(|known| known == login);
    let mut ticket = old.clone();
    ticket.changed_at = circumstances.now;
    ticket.dynamic_fields.extend(dynamic_fields);
    ticket.owner = reader.known("Owner", "agent", agent, stays).or(ticket.owner);
    ticket.responsible = reader.known("Responsible", "agent", agent, stays).or(ticket.responsible);
    ticket.lock = follow_up_lock(&ticket, configuration);
    let lock = reader.known("Lock", "lock", |name| LOCKS.contains(&name), stays);
    if ticket.owner.is_some() {
        ticket.lock = lock.unwrap_or(ticket.lock);
    }
    replace(&mut ticket.queue, reader.known("Queue", "queue", |name| configuration.queues.contains_key(name), stays));
    replace(&mut ticket.priority, reader.known("Priority", "priority", |name| PRIORITIES.contains(&name), stays));
    replace(
        &mut ticket.r#type,
        reader.known("Type", "type", |name| settings.types.iter().any(|known| known == name), stays),
    );
    let service = reader.known("Service", "service", |name| settings.services.iter().any(|known| known == name), stays);
    ticket.service = service.or(ticket.service);
    let sla = reader.known("SLA", "SLA", |name| settings.slas.iter().any(|known| known == name), stays);
    ticket.sla = sla.or(ticket.sla);
    replace(&mut ticket.title, reader.value("Title").map(cut_title));
    replace(&mut ticket.state, follow_up_state(&mut reader, old));
    ticket.pending_until =
        reader.pending_until(circumstances.now).or(ticket.pending_until).filter(|_| is_pending(&ticket.state));
    Filing {
        kind: FilingKind::FollowUp(*why),
        occasion: AutoResponseType::FollowUp,
        auto_response: answer::plan(configuration, mail, &ticket, AutoResponseType::FollowUp, *vouched),
        ticket,
        article,
        queue_by: "follow-up".to_owned(),
        warnings: reader.into_warnings(),
    }
}

/// An article of a ticket that stays closed. Sender type and visibility come from the plain headers.
fn rejected(mail: &Mail, circumstances: &Circumstances<'_>, found: &FoundTicket) -> Filing {
    let FoundTicket { ticket, why, vouched } = found;
    let mut reader = OccasionReader::new(mail, false);
    let mut article = article(mail);
    article.sender_type = reader.sender_type();
    article.visible_for_customer = reader.visible_for_customer();
    Filing {
        kind: FilingKind::Rejected(*why),
        occasion: AutoResponseType::Reject,
        auto_response: answer::plan(circumstances.configuration, mail, ticket, AutoResponseType::Reject, *vouched),
        ticket: ticket.clone(),
        article,
        queue_by: "follow-up".to_owned(),
        warnings: reader.into_warnings(),
    }
}

/// The lock after a follow-up: without an owner who is an agent unlocked; locked by the queue's follow-up lock if it
/// was closed.
fn follow_up_lock(ticket: &Ticket, configuration: &Configuration) -> String {
    let owned = ticket.owner.as_ref().is_some_and(|owner| configuration.settings.agents.contains(owner));
    let locks = configuration.queues.get(&ticket.queue).is_some_and(|queue| queue.follow_up_lock);
    if !owned {
        "unlock".to_owned()
    } else if locks && StateType::of(&ticket.state) == Some(StateType::Closed) {
        "lock".to_owned()
    } else {
        ticket.lock.clone()
    }
}

/// The state that a follow-up sets, if it sets one.
fn follow_up_state(reader: &mut OccasionReader<'_>, old: &Ticket) -> Option<String> {
    if reader.value("State-Keep").is_some_and(|value| value != "0") {
        return None;
    }
    if reader.value("State").is_some() {
        return reader.known("State", "state", |name| StateType::of(name).is_some(), "the ticket's stays");
    }
    (StateType::of(&old.state) != Some(StateType::New)).then(|| "open".to_owned())
}

/// Whether a customer's mail answers one that customers don't see: its sender or Reply-To got it, or it refers to it
/// (OTOBO: `FollowUpArticleVisibilityCheck`). The ticket's own customer is not meant.
fn answers_internal_mail(
    mail: &Mail,
    circumstances: &Circumstances<'_>,
    ticket: &Ticket,
    sender_type: SenderType,
) -> bool {
    if sender_type != SenderType::Customer || circumstances.internal_mails.is_empty() {
        return false;
    }
    let sender = sender(mail).unwrap_or_default();
    let customer = ticket.customer_user.as_deref().unwrap_or_default();
    let same_user = circumstances.customers.by_sender.as_ref().is_some_and(|user| user.login == customer);
    if !sender.is_empty() && Mailbox::of(&sender) == Mailbox::of(customer) || same_user {
        return false;
    }
    let mut writers: Vec<Mailbox> =
        mail.addresses("Reply-To").iter().map(|address| Mailbox::of(&address.address)).collect();
    writers.push(Mailbox::of(&sender));
    let referred = references(mail);
    circumstances.internal_mails.iter().any(|internal| {
        internal.recipients.iter().any(|recipient| writers.contains(recipient))
            || referred.contains(&internal.message_id)
    })
}

/// The article that a mail becomes, but for what headers say of it.
fn article(mail: &Mail) -> NewArticle {
    let text = |name: &str| mail.header(name).unwrap_or_default().to_owned();
    let addresses = |name: &str| render_address_header(&mail.addresses(name), mail.header(name).unwrap_or_default());
    let attachment = |attachment: &postigo_mail::Attachment| ArticleAttachment {
        name: attachment.name.clone(),
        media_type: attachment.media_type.clone(),
        size: attachment.size,
    };
    let (body, body_truncated) = beginning_of(mail.text());
    NewArticle {
        from: addresses("From"),
        to: addresses("To"),
        cc: addresses("Cc"),
        reply_to: addresses("Reply-To"),
        subject: text("Subject"),
        message_id: mail.message().message_id().unwrap_or_default().into_owned(),
        in_reply_to: text("In-Reply-To"),
        references: text("References"),
        date: mail.message().date(),
        body,
        body_truncated,
        attachments: mail.message().files().iter().map(attachment).collect(),
        ..NewArticle::default()
    }
}

/// The sender: the last address of From.
fn sender(mail: &Mail) -> Option<String> {
    mail.addresses("From").pop().map(|from| from.address)
}

fn is_pending(state: &str) -> bool {
    StateType::of(state).is_some_and(StateType::is_pending)
}

fn replace(field: &mut String, value: Option<String>) {
    if let Some(value) = value {
        *field = value;
    }
}
