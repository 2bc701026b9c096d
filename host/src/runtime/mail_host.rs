//! The mail as guests read it: `interface message` of `wit/`.

use super::bindings::postigo::filter::message::{Address, Attachment, Envelope, Host, HostMail, Refusal, Ticket};
use super::sandbox::{MailHandle, Sandbox};
use std::borrow::Cow;
use wasmtime::component::Resource;

type Mail = Resource<MailHandle>;
type Read<T> = wasmtime::Result<Result<T, Refusal>>;

/// What an item of a list costs besides its text, in bytes: without it lists of empty ones could be asked for without end.
const ITEM: usize = 32;

impl Host for Sandbox {}

impl HostMail for Sandbox {
    fn header_names(&mut self, mail: Mail) -> wasmtime::Result<Vec<String>> {
        self.count()?;
        self.note("*");
        let names: Vec<_> = self.lent(&mail)?.header_names().into_iter().map(str::to_owned).collect();
        self.hand_over(names.iter().map(|name| name.len() + ITEM).sum())?;
        Ok(names)
    }

    fn header(&mut self, mail: Mail, name: String) -> wasmtime::Result<Option<String>> {
        self.count()?;
        self.note(&name);
        let value = self.lent(&mail)?.header(&name).map(str::to_owned);
        self.hand_over(value.as_ref().map_or(0, String::len))?;
        Ok(value)
    }

    fn headers(&mut self, mail: Mail, name: String) -> wasmtime::Result<Vec<String>> {
        self.count()?;
        self.note(&name);
        let values: Vec<_> = self.lent(&mail)?.headers(&name).into_iter().map(Cow::into_owned).collect();
        self.hand_over(values.iter().map(|value| value.len() + ITEM).sum())?;
        Ok(values)
    }

    fn addresses(&mut self, mail: Mail, name: String) -> wasmtime::Result<Vec<Address>> {
        self.count()?;
        self.note(&name);
        let addresses = self.lent(&mail)?.addresses(&name);
        self.hand_over(addresses.iter().map(|found| found.display_name.len() + found.address.len() + ITEM).sum())?;
        Ok(addresses.into_iter().map(|found| Address { display_name: found.display_name, address: found.address }).collect())
    }

    fn envelope(&mut self, mail: Mail) -> wasmtime::Result<Envelope> {
        self.count()?;
        let mail = self.lent(&mail)?;
        let envelope = Envelope {
            account: mail.envelope.account.clone(),
            trusted: mail.envelope.trusted,
            size: mail.message.raw().len() as u64,
            received_at: u64::try_from(mail.envelope.received_at).unwrap_or(0),
            recipients: mail.envelope.recipients.clone(),
        };
        self.hand_over(envelope.recipients.iter().map(String::len).sum())?;
        Ok(envelope)
    }

    fn ticket(&mut self, mail: Mail) -> wasmtime::Result<Option<Ticket>> {
        self.count()?;
        Ok(self.lent(&mail)?.ticket().map(|ticket| Ticket {
            number: ticket.number.clone(),
            title: ticket.title.clone(),
            queue: ticket.queue.clone(),
            state: ticket.state.clone(),
            state_type: ticket.state_type.clone(),
            priority: ticket.priority.clone(),
            owner: ticket.owner.clone(),
            customer_user: ticket.customer_user.clone(),
        }))
    }

    fn text(&mut self, mail: Mail) -> Read<String> {
        self.count()?;
        if !self.grants().body {
            return Ok(Err(self.denied_read("body")));
        }
        let text = self.lent(&mail)?.text().to_owned();
        self.hand_over(text.len())?;
        Ok(Ok(text))
    }

    fn html(&mut self, mail: Mail) -> Read<Option<String>> {
        self.count()?;
        if !self.grants().body {
            return Ok(Err(self.denied_read("body")));
        }
        let html = self.lent(&mail)?.html().map(str::to_owned);
        self.hand_over(html.as_ref().map_or(0, String::len))?;
        Ok(Ok(html))
    }

    fn attachments(&mut self, mail: Mail) -> Read<Vec<Attachment>> {
        self.count()?;
        if !self.grants().attachments {
            return Ok(Err(self.denied_read("attachments")));
        }
        let attachments: Vec<_> = self.lent(&mail)?.attachments().iter().map(described).collect();
        self.hand_over(attachments.iter().map(|one| one.name.len() + one.media_type.len() + ITEM).sum())?;
        Ok(Ok(attachments))
    }

    fn attachment_bytes(&mut self, mail: Mail, index: u32, offset: u64, length: u32) -> Read<Vec<u8>> {
        self.count()?;
        if !self.grants().attachments {
            return Ok(Err(self.denied_read("attachments")));
        }
        let Some(bytes) = self.lent(&mail)?.attachment_bytes(index as usize) else {
            return Ok(Err(Refusal::NotFound));
        };
        let range = range(bytes, offset, length).to_vec();
        self.hand_over(range.len())?;
        Ok(Ok(range))
    }

    fn raw(&mut self, mail: Mail, offset: u64, length: u32) -> Read<Vec<u8>> {
        self.count()?;
        if !self.grants().raw {
            return Ok(Err(self.denied_read("raw")));
        }
        let range = range(self.lent(&mail)?.message.raw(), offset, length).to_vec();
        self.hand_over(range.len())?;
        Ok(Ok(range))
    }

    fn generation(&mut self, mail: Mail) -> wasmtime::Result<u64> {
        self.count()?;
        self.note("*");
        Ok(self.lent(&mail)?.generation())
    }

    fn drop(&mut self, _mail: Mail) -> wasmtime::Result<()> {
        // Guests only ever borrow a mail, so there is nothing of theirs to drop.
        Ok(())
    }
}

impl Sandbox {
    fn denied_read(&mut self, grant: &'static str) -> Refusal {
        self.deny(grant);
        Refusal::Denied
    }
}

fn described(attachment: &crate::mail::Attachment) -> Attachment {
    Attachment { name: attachment.name.clone(), media_type: attachment.media_type.clone(), size: attachment.size }
}

/// At most `length` bytes from `offset`; fewer at the end, none behind it.
fn range(bytes: &[u8], offset: u64, length: u32) -> &[u8] {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let to = from.saturating_add(length as usize).min(bytes.len());
    bytes.get(from..to).unwrap_or_default()
}
