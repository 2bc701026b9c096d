//! The mail as guests read it: `postigo:message` of `wit/`.

use super::bindings::postigo::message::message::{Address, Arrival, Attachment, Host, HostMail, Refusal, Ticket};
use super::mail_handle::MailHandle;
use super::sandbox::StoreData;
use postigo_model::guest::Grant;
use std::borrow::Cow;
use wasmtime::component::Resource;

type MailResource = Resource<MailHandle>;
type MailRead<T> = wasmtime::Result<Result<T, Refusal>>;

/// What an item of a list costs besides its text, in bytes: without it lists of empty ones could be asked for without
/// end.
const ITEM: usize = 32;

impl Host for StoreData {}

impl HostMail for StoreData {
    fn header_names(&mut self, mail: MailResource) -> wasmtime::Result<Vec<String>> {
        self.host_call(|sandbox| {
            sandbox.note("*");
            let names: Vec<_> = sandbox.lent(&mail)?.header_names().into_iter().map(str::to_owned).collect();
            sandbox.hand_over(names.iter().map(|name| name.len() + ITEM).sum())?;
            Ok(names)
        })
    }

    fn header(&mut self, mail: MailResource, name: String) -> wasmtime::Result<Option<String>> {
        self.host_call(|sandbox| {
            sandbox.note(&name);
            let value = sandbox.lent(&mail)?.header(&name).map(str::to_owned);
            sandbox.hand_over(value.as_ref().map_or(0, String::len))?;
            Ok(value)
        })
    }

    fn headers(&mut self, mail: MailResource, name: String) -> wasmtime::Result<Vec<String>> {
        self.host_call(|sandbox| {
            sandbox.note(&name);
            let values: Vec<_> = sandbox.lent(&mail)?.headers(&name).into_iter().map(Cow::into_owned).collect();
            sandbox.hand_over(values.iter().map(|value| value.len() + ITEM).sum())?;
            Ok(values)
        })
    }

    fn addresses(&mut self, mail: MailResource, name: String) -> wasmtime::Result<Vec<Address>> {
        self.host_call(|sandbox| {
            sandbox.note(&name);
            let addresses = sandbox.lent(&mail)?.addresses(&name);
            sandbox
                .hand_over(addresses.iter().map(|found| found.display_name.len() + found.address.len() + ITEM).sum())?;
            Ok(addresses
                .into_iter()
                .map(|found| Address { display_name: found.display_name, address: found.address })
                .collect())
        })
    }

    fn arrival(&mut self, mail: MailResource) -> wasmtime::Result<Arrival> {
        self.host_call(|sandbox| {
            let mail = sandbox.lent(&mail)?;
            Ok(Arrival {
                account: mail.envelope.account.clone(),
                trusted: mail.envelope.trusted,
                size: mail.message().raw().len() as u64,
                received_at: since_epoch(mail.envelope.received_at),
            })
        })
    }

    fn recipients(&mut self, mail: MailResource) -> wasmtime::Result<Vec<String>> {
        self.host_call(|sandbox| {
            let recipients = sandbox.lent(&mail)?.envelope.recipients.clone();
            sandbox.hand_over(recipients.iter().map(|recipient| recipient.len() + ITEM).sum())?;
            Ok(recipients)
        })
    }

    fn ticket(&mut self, mail: MailResource) -> wasmtime::Result<Option<Ticket>> {
        self.host_call(|sandbox| {
            Ok(sandbox.lent(&mail)?.ticket().map(|ticket| Ticket {
                number: ticket.number.clone(),
                title: ticket.title.clone(),
                queue: ticket.queue.clone(),
                state: ticket.state.clone(),
                state_type: ticket.state_type.clone(),
                priority: ticket.priority.clone(),
                type_: ticket.r#type.clone(),
                service: ticket.service.clone(),
                sla: ticket.sla.clone(),
                lock: ticket.lock.clone(),
                owner: ticket.owner.clone(),
                responsible: ticket.responsible.clone(),
                customer_number: ticket.customer_number.clone(),
                customer_user: ticket.customer_user.clone(),
                created_at: since_epoch(ticket.created_at),
            }))
        })
    }

    fn text(&mut self, mail: MailResource) -> MailRead<String> {
        self.host_call(|sandbox| {
            if !sandbox.grants().body {
                return Ok(Err(sandbox.denied_read(Grant::Body)));
            }
            let text = sandbox.lent(&mail)?.text().to_owned();
            sandbox.hand_over(text.len())?;
            Ok(Ok(text))
        })
    }

    fn html(&mut self, mail: MailResource) -> MailRead<Option<String>> {
        self.host_call(|sandbox| {
            if !sandbox.grants().body {
                return Ok(Err(sandbox.denied_read(Grant::Body)));
            }
            let html = sandbox.lent(&mail)?.html().map(str::to_owned);
            sandbox.hand_over(html.as_ref().map_or(0, String::len))?;
            Ok(Ok(html))
        })
    }

    fn attachments(&mut self, mail: MailResource) -> MailRead<Vec<Attachment>> {
        self.host_call(|sandbox| {
            if !sandbox.grants().attachments {
                return Ok(Err(sandbox.denied_read(Grant::Attachments)));
            }
            let attachments: Vec<_> = sandbox.lent(&mail)?.attachments().iter().map(described).collect();
            let bytes = |one: &Attachment| one.name.len() + one.media_type.len() + one.content_id.len() + ITEM;
            sandbox.hand_over(attachments.iter().map(bytes).sum())?;
            Ok(Ok(attachments))
        })
    }

    fn attachment_bytes(&mut self, mail: MailResource, index: u32, offset: u64, length: u32) -> MailRead<Vec<u8>> {
        self.host_call(|sandbox| {
            if !sandbox.grants().attachments {
                return Ok(Err(sandbox.denied_read(Grant::Attachments)));
            }
            let Some(bytes) = sandbox.lent(&mail)?.attachment_bytes(index as usize) else {
                return Ok(Err(Refusal::NotFound));
            };
            let range = range(bytes, offset, length).to_vec();
            sandbox.hand_over(range.len())?;
            Ok(Ok(range))
        })
    }

    fn raw(&mut self, mail: MailResource, offset: u64, length: u32) -> MailRead<Vec<u8>> {
        self.host_call(|sandbox| {
            if !sandbox.grants().raw {
                return Ok(Err(sandbox.denied_read(Grant::Raw)));
            }
            let range = range(sandbox.lent(&mail)?.message().raw(), offset, length).to_vec();
            sandbox.hand_over(range.len())?;
            Ok(Ok(range))
        })
    }

    fn generation(&mut self, mail: MailResource) -> wasmtime::Result<u64> {
        self.host_call(|sandbox| {
            sandbox.note("*");
            Ok(sandbox.lent(&mail)?.generation())
        })
    }

    fn drop(&mut self, _mail: MailResource) -> wasmtime::Result<()> {
        // Guests only ever borrow a mail, so there is nothing of theirs to drop.
        Ok(())
    }
}

impl StoreData {
    fn denied_read(&mut self, grant: Grant) -> Refusal {
        self.deny(grant.name());
        Refusal::Denied
    }
}

fn described(attachment: &postigo_mail::Attachment) -> Attachment {
    Attachment {
        name: attachment.name.clone(),
        media_type: attachment.media_type.clone(),
        size: attachment.size,
        inline: attachment.inline,
        content_id: attachment.content_id.clone(),
    }
}

/// Milliseconds since the epoch, as guests have them.
fn since_epoch(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds).unwrap_or(0)
}

/// At most `length` bytes from `offset`; fewer at the end, none behind it.
pub(super) fn range(bytes: &[u8], offset: u64, length: u32) -> &[u8] {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let to = from.saturating_add(length as usize).min(bytes.len());
    bytes.get(from..to).unwrap_or_default()
}
