//! Ties the exports of filters to a group; only in a component, since elsewhere there is no host that lends mails.

use super::bindings::filtering::exports::postigo::filter::filtering;
use super::bindings::plugin::postigo::message::message::Mail as HostMail;
use super::bindings::screening::exports::postigo::filter::screening;
use crate::{Exported, Group, Mail, Screening};

impl<E: Exported<Filters: Group>> filtering::Guest for E {
    fn settable_headers() -> Vec<String> {
        <E::Filters as Group>::describe().headers
    }

    fn evaluate(filter: u32, mail: &HostMail) -> Result<filtering::Verdict, String> {
        let verdict = E::with(|group| match group.get() {
            Some(group) => group.evaluate(filter as usize, &Mail::lent(mail)),
            None => Err("The component was not configured.".to_owned()),
        })?;
        let changes = verdict.changes.into_iter().map(|one| filtering::Change { header: one.header, value: one.value });
        Ok(filtering::Verdict { matched: verdict.matched, changes: changes.collect(), reason: verdict.reason })
    }
}

impl<E: Exported<Filters: Screening>> screening::Guest for E {
    fn screen(mail: &HostMail) -> Vec<u32> {
        E::with(|group| group.get().map(|group| group.screen(&Mail::lent(mail))).unwrap_or_default())
    }
}
