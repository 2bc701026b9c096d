//! The last stage of reading a mail: the host sets its own headers, which neither a mail nor a filter sets, and the
//! defaults that OTOBO sets before its filters.

use super::bounce;
use super::in_force::{HeadersInForce, SetBy};
use super::mail::Mail;
use super::message::Message;
use super::opened::OpenedMessage;
use super::trust::{Envelope, VettedMessage};
use super::vocabulary::{self, Vocabulary};

impl VettedMessage {
    /// Sets the host's headers: the mail is as the chain takes it.
    pub fn compute(self) -> Mail {
        let Self { opened, envelope, mut in_force } = self;
        compute(opened.message(), &mut in_force);
        Mail::of(opened, envelope, in_force)
    }
}

fn compute(message: &Message, in_force: &mut HeadersInForce) {
    let mut host = |name: &str, value: String| in_force.set(name, vec![value], &SetBy::Host);
    let count = message.attachment_count();
    host(vocabulary::ATTACHMENT_EXISTS, if count > 0 { "yes" } else { "no" }.to_owned());
    host(vocabulary::ATTACHMENT_COUNT, count.to_string());
    let bounce = bounce::detect(message);
    let is_bounce = bounce.is_some();
    if let Some(bounce) = bounce {
        host(vocabulary::BOUNCE, "1".to_owned());
        host(vocabulary::BOUNCE_ORIGINAL, bounce.original);
        host(vocabulary::BOUNCE_ERROR, bounce.error);
    }
    let own_loop = in_force.value(vocabulary::LOOP).is_some();
    let mut host = |name: &str, value: String| in_force.set(name, vec![value], &SetBy::Host);
    if is_bounce || own_loop || automatic_header(message).is_some() {
        host(vocabulary::LOOP, "yes".to_owned());
    }
    if message.header("X-Sender").is_none_or(str::is_empty)
        && let Some(from) = message.addresses("From").last()
    {
        host("X-Sender", from.address.clone());
    }
    for prefix in ["X-OTOBO-", "X-OTOBO-FollowUp-"] {
        for (suffix, default) in [("SenderType", "customer"), ("IsVisibleForCustomer", "1")] {
            let name = format!("{prefix}{suffix}");
            if in_force.value(&name).is_none() {
                in_force.set(&name, vec![default.to_owned()], &SetBy::Host);
            }
        }
    }
}

/// The header that says of a message that an automatic answer would feed a loop: `auto-` in Auto-Submitted (RFC 3834),
/// any value of the others.
pub(super) fn automatic_header(message: &Message) -> Option<(&'static str, &str)> {
    let submitted = message.header("Auto-Submitted").unwrap_or_default().trim_start();
    if submitted.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("auto-")) {
        return Some(("Auto-Submitted", submitted));
    }
    let any_value = ["Mailing-List", "Precedence", "X-Loop", "X-No-Loop"];
    any_value.into_iter().find_map(|name| {
        let value = message.header(name).filter(|value| !value.is_empty())?;
        Some((name, value))
    })
}

impl Default for Mail {
    /// A message without a byte, through all stages.
    fn default() -> Self {
        OpenedMessage::as_it_came(Message::default()).vet(Envelope::default(), &Vocabulary::default()).0.compute()
    }
}
