//! Everything that is configured, at one version.

use super::{
    Account, AutoResponse, AutoResponseType, DynamicField, Filter, Queue, Settings, SystemAddress, Template, Transport,
    Validity,
};
use std::collections::BTreeMap;

/// A state of the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConfigurationVersion {
    /// Grows by one with every change.
    pub number: i64,
    /// Random with every change: a database that was put back from a backup comes to the same numbers with other
    /// contents.
    pub stamp: i64,
}

/// Everything that is configured, as it was at one `config_version`: read whole, never changed in place by those who
/// use it.
///
/// Things are keyed by name; system addresses by [`crate::mailbox::Mailbox`]. Customer users, which may be many, are
/// looked up in the store instead.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configuration {
    /// Another one after every change of anything here.
    pub version: ConfigurationVersion,
    /// The general settings.
    pub settings: Settings,
    /// By name.
    pub queues: BTreeMap<String, Queue>,
    /// By [`crate::mailbox::Mailbox`].
    pub system_addresses: BTreeMap<String, SystemAddress>,
    /// By name.
    pub accounts: BTreeMap<String, Account>,
    /// By name.
    pub dynamic_fields: BTreeMap<String, DynamicField>,
    /// By name.
    pub auto_responses: BTreeMap<String, AutoResponse>,
    /// By name.
    pub templates: BTreeMap<String, Template>,
    /// By name.
    pub transports: BTreeMap<String, Transport>,
    /// By name: in byte order, which is the order of the chain.
    pub filters: BTreeMap<String, Filter>,
    /// By filter: the models in force.
    pub models: BTreeMap<String, ModelReference>,
}

/// A model that a filter answers by, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelReference {
    /// Counted for each filter from 1 on.
    pub number: i64,
    /// SHA-256 of its bytes, hexadecimal.
    pub digest: String,
    /// Of its bytes, in the component's words.
    pub format: String,
}

impl Validity {
    /// Whether the thing is in use.
    pub fn is_valid(self) -> bool {
        self == Self::Valid
    }
}

impl Configuration {
    /// A system address, valid or not, in any spelling ([`crate::mailbox::Mailbox`]).
    pub fn system_address(&self, address: &str) -> Option<&SystemAddress> {
        self.system_addresses.get(crate::mailbox::Mailbox::of(address).as_str())
    }

    /// Whether an address leads back to us: a system address, with or without a detail. Loops begin there.
    pub fn is_own(&self, address: &str) -> bool {
        let mailbox = crate::mailbox::Mailbox::of(address);
        let is_ours = |mailbox: &crate::mailbox::Mailbox| self.system_addresses.contains_key(mailbox.as_str());
        is_ours(&mailbox) || mailbox.without_detail().is_some_and(|mailbox| is_ours(&mailbox))
    }

    /// The address that a queue sends from: the one it names, else the first valid one that names it.
    pub fn sender_of(&self, queue: &Queue) -> Option<&SystemAddress> {
        match &queue.address {
            Some(address) => self.system_address(address),
            None => {
                self.system_addresses.values().find(|address| address.valid.is_valid() && address.queue == queue.name)
            }
        }
    }

    /// The valid addresses that agents may send from in a queue: its own first, then those whose mail it gets.
    pub fn senders_of(&self, queue: &Queue) -> Vec<&SystemAddress> {
        let own = self.sender_of(queue).filter(|address| address.valid.is_valid());
        let others = self
            .system_addresses
            .values()
            .filter(|address| address.valid.is_valid() && address.queue == queue.name && Some(*address) != own);
        own.into_iter().chain(others).collect()
    }

    /// The automatic answer of a queue on an occasion; the first by name.
    pub fn auto_response(&self, queue: &str, occasion: AutoResponseType) -> Option<&AutoResponse> {
        self.auto_responses.values().find(|answer| answer.queue == queue && answer.occasion == occasion)
    }

    /// The filters of the chain, in its order.
    pub fn valid_filters(&self) -> impl Iterator<Item = &Filter> {
        self.filters.values().filter(|filter| filter.valid.is_valid())
    }
}
