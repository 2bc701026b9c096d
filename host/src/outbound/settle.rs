//! Writing what a try came to, however long that takes: a mail that went out and is not known to would go out again.

use super::attempt::{self, AttemptResult, Means};
use super::patience::until_the_database_answers;
use crate::metrics::Metrics;
use crate::store::outgoing::{self, AttemptOutcome, ClaimedMail};
use crate::store::{Store, StoreError};
use postigo_model::claim::Claim;
use postigo_model::configured::{Retries, Transport};
use postigo_model::outgoing::OutgoingStatus;
use postigo_model::timestamp::now;
use std::sync::Arc;

/// Tries, and writes what came of it.
pub async fn attempt_and_settle(
    means: Means,
    transport: Transport,
    retries: Retries,
    claimed: ClaimedMail,
    metrics: Arc<Metrics>,
) -> AttemptResult {
    let store = means.store.clone();
    let tried = attempt::attempt(means, transport, retries, claimed).await;
    settle(&store, &tried.outcome, &metrics).await;
    tried
}

/// Writes what a try came to. What the database refuses for good ends as uncertain.
pub async fn settle(store: &Store, outcome: &AttemptOutcome, metrics: &Metrics) {
    let id = outcome.claim.id;
    let write = || store.write(outcome.clone(), |outcome, connection| Box::pin(outgoing::settle(connection, outcome)));
    match until_the_database_answers(id, write).await {
        Ok(status) => {
            metrics.outgoing_done(status);
            tell(id, status, outcome);
        }
        Err(StoreError::Fenced) => {
            tracing::warn!(id, "another process has taken over this outgoing mail; what this one did is not recorded");
        }
        Err(error) => {
            tracing::error!(id, %error, "what became of an outgoing mail could not be written; it is not sent again by itself");
            park(store, outcome.claim, &error).await;
        }
    }
}

/// Ends a mail of which it cannot be written what became of it: were its claim to lapse, it would go out again.
async fn park(store: &Store, claim: Claim, why: &StoreError) {
    let why = format!("What became of this mail could not be written; it may have arrived or not: {why}");
    let write = || {
        let input = (claim, why.clone(), now());
        store.write(input, |(claim, why, now), connection| Box::pin(outgoing::park(connection, claim, why, *now)))
    };
    if let Err(error) = until_the_database_answers(claim.id, write).await {
        tracing::error!(id = claim.id, %error, "an outgoing mail could not be ended; it may go out again");
    }
}

fn tell(id: i64, status: OutgoingStatus, outcome: &AttemptOutcome) {
    let error = &outcome.error;
    match status {
        OutgoingStatus::Sent => tracing::info!(id, "sent"),
        OutgoingStatus::Waiting if !outcome.counts => tracing::debug!(id, error, "not sent yet"),
        OutgoingStatus::Waiting => tracing::info!(id, error, "not sent yet; it will be tried again"),
        _ => tracing::warn!(id, error, %status, "not sent"),
    }
}
