//! What a try notes while it goes on, so that whoever takes a mail over knows how far it has gone out.

use super::patience::until_the_database_answers;
use super::reply::{RecipientReply, Replies};
use crate::store::outgoing::{self, ClaimedMail, DeliveryUpdate};
use crate::store::{Store, StoreError};
use postigo_model::claim::Claim;
use postigo_model::outgoing::DeliveryStatus;
use postigo_model::timestamp::now;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Notes durably how far a mail has gone out, so that a process that ends on the way leads to no copy too many.
#[derive(Debug)]
pub struct Marker {
    store: Store,
    claim: Claim,
    /// Whether the beginning of the content is noted; else the mail may be sent twice.
    marks_content: bool,
    begun: AtomicBool,
    accepted: Mutex<Replies>,
}

impl Marker {
    /// For what is claimed.
    pub fn new(store: Store, claimed: &ClaimedMail) -> Self {
        Self {
            store,
            claim: claimed.claim,
            marks_content: claimed.is_marked(),
            begun: AtomicBool::new(false),
            accepted: Mutex::default(),
        }
    }

    /// Whether content may have gone out to those who are not among [`Self::accepted`].
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Who has the mail for certain, as it is noted in the store already.
    pub fn accepted(&self) -> Replies {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that content is about to go out, where that matters. On an error nothing may go out.
    pub async fn begin(&self) -> Result<(), StoreError> {
        self.begun.store(true, Ordering::Relaxed);
        if !self.marks_content {
            return Ok(());
        }
        self.store.write(self.claim, |claim, connection| Box::pin(outgoing::begin_data(connection, claim))).await
    }

    /// Notes who has the mail by these replies, before it goes out to others in a further transaction, however long the
    /// database is away: whoever sends it after this process sends it to those others alone. On an error it may not
    /// go out to them now.
    pub async fn note_accepted(&self, replies: &Replies) -> Result<(), StoreError> {
        let accepted: Replies = replies.iter().filter(|(_, reply)| reply.is_accepted()).cloned().collect();
        let noted = |(recipient, reply): &(String, RecipientReply)| DeliveryUpdate {
            recipient: recipient.clone(),
            status: DeliveryStatus::Sent,
            failure: None,
            detail: reply.text().to_owned(),
        };
        let deliveries: Vec<DeliveryUpdate> = accepted.iter().map(noted).collect();
        let write = || {
            let input = (self.claim, deliveries.clone(), now());
            self.store.write(input, |(claim, deliveries, now), connection| {
                Box::pin(outgoing::note_accepted(connection, claim, deliveries, *now))
            })
        };
        until_the_database_answers(self.claim.id, write).await?;
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = accepted;
        self.begun.store(false, Ordering::Relaxed);
        Ok(())
    }
}
