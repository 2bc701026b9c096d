//! What parent and child say to one another, in frames over the child's standard input and output: nothing of a message
//! or of the configuration is in its arguments or its environment.
//!
//! The parent says first which program the child was to be, which is understood whatever it is. It gives the order,
//! with the components and the filters' assets behind it; the child prepares the chain and says that it is ready. Only then does it get the
//! mail, so that whatever happens before says nothing of the mail. It reads the mail and says what its ticket is to be
//! looked for by; the parent says what was found; the child runs the chain, and hands back the record of it.

use super::job::AloneJob;
use crate::chain::{Mode, PlanDocument};
use postigo_mail::Envelope;
use postigo_model::configured::{Configuration, DynamicField, Queue, Settings, SystemAddress};
use postigo_model::ticket::{FollowUpSearch, FollowedTicket};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The first argument that makes the binary such a child.
pub const ARGUMENT: &str = "message-child";

/// The child's order. Components and assets follow, one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// The sandbox's folder of the caches.
    pub cache: PathBuf,
    /// Bytes that all guests together may hold.
    pub guest_memory: u64,
    /// Digest and length of each component and asset that follows.
    pub following: Vec<(String, usize)>,
    /// The chain.
    pub plan: PlanDocument,
    /// How it is run.
    pub mode: Mode,
    settings: Settings,
    system_addresses: Vec<String>,
    dynamic_fields: Vec<DynamicField>,
    /// The names of those in use.
    queues: Vec<String>,
    account: String,
    trusted: bool,
    received_at: i64,
    recipients: Vec<String>,
}

/// What the parent says besides.
#[derive(Debug, Serialize, Deserialize)]
pub enum ParentWord {
    /// The mail follows.
    Mail {
        /// Bytes of memory that it may take.
        memory: u64,
        /// Seconds of processor time that it may take.
        processor: u64,
    },
    /// The ticket that the mail follows up.
    Seen(Box<Option<FollowedTicket>>),
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
pub enum ChildWord {
    /// The chain is prepared.
    Ready,
    /// It cannot be: why, a clause.
    Unable(String),
    /// The mail was read; its ticket is to be looked for by this.
    Search(Box<FollowUpSearch>),
    /// The record of the chain's run follows.
    Done,
    /// Working on the mail panicked.
    Panicked(String),
}

impl Order {
    /// The order for a message, and what follows it.
    pub fn of(job: &AloneJob, cache: PathBuf, guest_memory: u64) -> (Self, Vec<u8>) {
        let (configuration, envelope) = (&job.setup.configuration, job.envelope.clone());
        let plan = PlanDocument::of(&job.setup.plan);
        let assets = job.setup.plan.assets().map(|asset| (asset.digest.as_str(), &asset.bytes));
        let components = job.components.iter().map(|(digest, bytes)| (digest.as_str(), bytes));
        let at_hand: HashMap<&str, &Arc<[u8]>> = assets.chain(components).collect();
        let following: Vec<(&str, &[u8])> =
            plan.digests().into_iter().filter_map(|digest| Some((digest, at_hand.get(digest)?.as_ref()))).collect();
        let bytes = following.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let following = following.into_iter().map(|(digest, bytes)| (digest.to_owned(), bytes.len())).collect();
        let order = Self {
            cache,
            guest_memory,
            following,
            mode: job.mode,
            settings: configuration.settings.clone(),
            system_addresses: configuration.system_addresses.values().map(|known| known.address.clone()).collect(),
            dynamic_fields: configuration.dynamic_fields.values().cloned().collect(),
            queues: (configuration.queues.values().filter(|queue| queue.valid.is_valid()))
                .map(|queue| queue.name.clone())
                .collect(),
            account: envelope.account,
            trusted: envelope.trusted,
            received_at: envelope.received_at,
            recipients: envelope.recipients,
            plan,
        };
        (order, bytes)
    }

    /// What is known of the mail besides its bytes.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            account: self.account.clone(),
            trusted: self.trusted,
            received_at: self.received_at,
            recipients: self.recipients.clone(),
        }
    }

    /// As much of the configuration as reading a mail and its chain need. No secret is in it.
    pub fn configuration(&self) -> Configuration {
        let mut configuration = Configuration { settings: self.settings.clone(), ..Configuration::default() };
        for address in &self.system_addresses {
            let known = SystemAddress { address: address.clone(), ..SystemAddress::default() };
            let mailbox = postigo_model::mailbox::Mailbox::of(address);
            configuration.system_addresses.insert(mailbox.as_str().to_owned(), known);
        }
        let fields = self.dynamic_fields.iter().map(|field| (field.name.clone(), field.clone()));
        configuration.dynamic_fields.extend(fields);
        let queue = |name: &String| (name.clone(), Queue { name: name.clone(), ..Queue::default() });
        configuration.queues.extend(self.queues.iter().map(queue));
        configuration
    }

    /// The components and assets that followed, by digest.
    pub fn by_digest(&self, following: &[u8]) -> HashMap<String, Arc<[u8]>> {
        let (mut by_digest, mut rest) = (HashMap::new(), following);
        for (digest, length) in &self.following {
            let Some((bytes, behind)) = rest.split_at_checked(*length) else { break };
            by_digest.insert(digest.clone(), bytes.into());
            rest = behind;
        }
        by_digest
    }
}
