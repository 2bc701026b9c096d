//! What the tags of templates stand for: the ticket, the mail that is answered, the customer, the agent, the queue, and
//! a few settings.

use super::quoting::text_of;
use super::subject::cleaned;
use super::tags::Tag;
use postigo_mail::Address;
use postigo_model::configured::{Configuration, CustomerUser, Queue, Settings};
use postigo_model::ticket::{NewArticle, StateType, Ticket};
use time::OffsetDateTime;
use time::macros::format_description;

/// So many lines of a quoted mail are shown where the tag names no number.
const QUOTED_LINES: usize = 16;
/// So much of a subject is shown where the tag names no number.
const SUBJECT_LENGTH: usize = 200;

/// What is known where a template is rendered.
#[derive(Debug, Clone, Copy)]
pub struct TemplateFacts<'a> {
    /// Settings, of which a few may be shown.
    pub configuration: &'a Configuration,
    /// The ticket.
    pub ticket: Option<&'a Ticket>,
    /// The mail that is answered: `<OTOBO_CUSTOMER_…>`.
    pub mail: Option<&'a NewArticle>,
    /// The ticket's customer user: `<OTOBO_CUSTOMER_DATA_…>`.
    pub customer: Option<&'a CustomerUser>,
    /// The login of the agent who writes: `<OTOBO_CURRENT_…>`.
    pub agent: Option<&'a str>,
}

impl<'a> TemplateFacts<'a> {
    /// Nothing but settings.
    pub fn new(configuration: &'a Configuration) -> Self {
        Self { configuration, ticket: None, mail: None, customer: None, agent: None }
    }

    /// What a tag stands for; none where it stands for nothing.
    pub fn value(&self, tag: &Tag<'_>) -> Option<String> {
        let name = tag.name.to_ascii_lowercase();
        let (group, field) = name.split_once('_').unwrap_or((&name, ""));
        // The part after the group, as it was written: names of dynamic fields have their case.
        let written = tag.name.get(tag.name.len() - field.len()..).unwrap_or_default();
        match group {
            "ticket" => self.ticket_value(field, written),
            "customer" => match field.strip_prefix("data_") {
                Some(field) => self.customer_data(field),
                None => self.mail_value(field, tag.length),
            },
            "queue" => self.queue_value(field),
            "config" => setting(&self.configuration.settings, field),
            "current" | "agent" => person(self.agent?, field),
            "owner" => person(self.ticket?.owner.as_deref()?, field),
            "responsible" => person(self.ticket?.responsible.as_deref()?, field),
            _ => None,
        }
    }

    fn ticket_value(&self, field: &str, written: &str) -> Option<String> {
        let ticket = self.ticket?;
        let text = |text: &str| Some(text.to_owned());
        match field {
            "number" | "ticketnumber" => text(&ticket.number),
            "ticketid" | "id" => Some(ticket.id.to_string()),
            "title" => text(&ticket.title),
            "queue" => text(&ticket.queue),
            "state" => text(&ticket.state),
            "statetype" => text(StateType::of(&ticket.state)?.name()),
            "priority" => text(&ticket.priority),
            "type" => text(&ticket.r#type),
            "lock" => text(&ticket.lock),
            "service" => ticket.service.clone(),
            "sla" => ticket.sla.clone(),
            "owner" => ticket.owner.clone(),
            "responsible" => ticket.responsible.clone(),
            "customeruserid" | "customeruser" => ticket.customer_user.clone(),
            "customerid" => ticket.customer_number.clone(),
            "created" => time(ticket.created_at),
            "changed" => time(ticket.changed_at),
            "pendinguntil" | "untiltime" => time(ticket.pending_until?),
            _ => self.dynamic_field(field, written),
        }
    }

    fn dynamic_field(&self, field: &str, written: &str) -> Option<String> {
        let prefix = "dynamicfield_".len();
        field.starts_with("dynamicfield_").then_some(())?;
        let name = written.get(prefix..)?;
        let fields = &self.ticket?.dynamic_fields;
        let known = |name: &str| {
            fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, values)| values.join(", "))
        };
        // OTOBO writes `_Value` for the value as it is shown; here both are the same.
        known(name).or_else(|| known(name.get(..name.len().checked_sub("_Value".len())?)?))
    }

    fn mail_value(&self, field: &str, length: Option<usize>) -> Option<String> {
        let mail = self.mail?;
        match field {
            "realname" => self.real_name(mail),
            "from" => Some(mail.from.clone()),
            "to" => Some(mail.to.clone()),
            "cc" => Some(mail.cc.clone()),
            "replyto" | "reply-to" => Some(mail.reply_to.clone()),
            "messageid" | "message-id" => Some(mail.message_id.clone()),
            "date" => time(mail.date?),
            "subject" => {
                let subject = cleaned(
                    &mail.subject,
                    self.ticket.map(|ticket| ticket.number.as_str()),
                    &self.configuration.settings,
                );
                Some(cut(&subject, length.unwrap_or(SUBJECT_LENGTH)))
            }
            "body" => Some(match length {
                Some(lines) => first_lines(&mail.body, lines, ""),
                None => text_of(mail).into_owned(),
            }),
            "email" => Some(first_lines(&mail.body, length.unwrap_or(QUOTED_LINES), "> ")),
            _ => None,
        }
    }

    /// The customer's name as it is kept, else as the mail gives it, else the address.
    fn real_name(&self, mail: &NewArticle) -> Option<String> {
        if let Some(name) = self.customer.and_then(full_name) {
            return Some(name);
        }
        let from = Address::parse_all(&mail.from).pop()?;
        Some(if from.display_name.is_empty() { from.address } else { from.display_name })
    }

    fn customer_data(&self, field: &str) -> Option<String> {
        let customer = self.customer?;
        let text = |text: &str| Some(text.to_owned());
        match field {
            "userlogin" => text(&customer.login),
            "useremail" => text(&customer.email),
            "usercustomerid" | "customerid" => text(&customer.customer_number),
            "userfirstname" => text(&customer.first_name),
            "userlastname" => text(&customer.last_name),
            "userfullname" => full_name(customer),
            "userlanguage" => text(&customer.language),
            _ => None,
        }
    }

    fn queue_value(&self, field: &str) -> Option<String> {
        let queue: &Queue = self.configuration.queues.get(&self.ticket?.queue)?;
        match field {
            "" | "name" => Some(queue.name.clone()),
            "address" | "email" => self.configuration.sender_of(queue).map(|address| address.address.clone()),
            "realname" => self.configuration.sender_of(queue).map(|address| address.display_name.clone()),
            _ => None,
        }
    }
}

/// The settings that may be shown to customers, each named one by one: no secret ever is.
fn setting(settings: &Settings, field: &str) -> Option<String> {
    match field.replace("::", "").as_str() {
        "tickethook" => Some(settings.ticket_hook.clone()),
        "tickethookdivider" => Some(settings.ticket_hook_divider.clone()),
        _ => None,
    }
}

/// Of agents only the login is kept.
fn person(login: &str, field: &str) -> Option<String> {
    matches!(field, "userlogin" | "userfullname" | "login").then(|| login.to_owned())
}

fn full_name(customer: &CustomerUser) -> Option<String> {
    let name = format!("{} {}", customer.first_name, customer.last_name);
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// OTOBO's form of times, in UTC.
fn time(milliseconds: i64) -> Option<String> {
    let moment = OffsetDateTime::from_unix_timestamp(milliseconds.div_euclid(1_000)).ok()?;
    moment.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]")).ok()
}

fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{} [...]", text.get(..end).unwrap_or_default().trim_end()),
        None => text.to_owned(),
    }
}

fn first_lines(text: &str, lines: usize, prefix: &str) -> String {
    text.trim_end().lines().take(lines).map(|line| format!("{prefix}{line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::render::{RenderTarget, render};
    use super::*;
    use postigo_model::configured::SystemAddress;

    #[test]
    fn every_group_has_its_values() {
        let mut configuration = Configuration::default();
        configuration.queues.insert("Support".into(), Queue { name: "Support".into(), ..Queue::default() });
        let address = SystemAddress {
            address: "help@desk.test".into(),
            display_name: "Desk".into(),
            queue: "Support".into(),
            ..SystemAddress::default()
        };
        configuration.system_addresses.insert("help@desk.test".into(), address);
        let ticket = Ticket {
            queue: "Support".into(),
            state: "closed successful".into(),
            owner: Some("anna".into()),
            created_at: 1_795_521_600_000,
            dynamic_fields: [("Contract".to_owned(), vec!["A".to_owned(), "B".to_owned()])].into(),
            ..Ticket::default()
        };
        let mail = NewArticle {
            from: "\"Roe, Jane\" <jane@x.test>".into(),
            subject: "AW: Printer".into(),
            body: "one\ntwo\nthree\n".into(),
            ..NewArticle::default()
        };
        let customer = CustomerUser {
            login: "jane".into(),
            first_name: "Jane".into(),
            last_name: "Roe".into(),
            ..CustomerUser::default()
        };
        let facts = TemplateFacts {
            ticket: Some(&ticket),
            mail: Some(&mail),
            agent: Some("bob"),
            ..TemplateFacts::new(&configuration)
        };
        let known = TemplateFacts { customer: Some(&customer), ..facts };
        for (template, without, with) in [
            ("<OTOBO_TICKET_State> <OTOBO_TICKET_StateType>", "closed successful closed", "closed successful closed"),
            ("<OTOBO_TICKET_DynamicField_Contract>", "A, B", "A, B"),
            ("<OTOBO_TICKET_DynamicField_contract_Value>", "A, B", "A, B"),
            ("<OTOBO_TICKET_Created>", "2026-11-24 12:00:00", "2026-11-24 12:00:00"),
            ("<OTOBO_CUSTOMER_REALNAME>", "Roe, Jane", "Jane Roe"),
            ("<OTOBO_CUSTOMER_SUBJECT>", "Printer", "Printer"),
            ("<OTOBO_CUSTOMER_EMAIL[2]>", "> one\n> two", "> one\n> two"),
            ("<OTOBO_CUSTOMER_BODY>", "one\ntwo\nthree", "one\ntwo\nthree"),
            ("<OTOBO_CUSTOMER_DATA_UserLogin>", "-", "jane"),
            ("<OTOBO_CUSTOMER_DATA_UserFullname>", "-", "Jane Roe"),
            ("<OTOBO_QUEUE> <OTOBO_QUEUE_Address>", "Support help@desk.test", "Support help@desk.test"),
            ("<OTOBO_OWNER_UserLogin> <OTOBO_CURRENT_UserLogin>", "anna bob", "anna bob"),
            ("<OTOBO_RESPONSIBLE_UserLogin> <OTOBO_TICKET_SLA>", "- -", "- -"),
        ] {
            assert_eq!(render(template, &facts, RenderTarget::Text), without, "{template}");
            assert_eq!(render(template, &known, RenderTarget::Text), with, "{template}");
        }
    }
}
