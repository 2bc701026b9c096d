//! A renewal: asks the provider, and keeps what it gave, whatever becomes of whoever wanted it.
//!
//! A provider that rotates refresh tokens has made the one before void with its answer. So a renewal is a task of its
//! own, which neither a client that hangs up nor a time-out ends, and which writes for as long as the database is away.

use super::grant::{self, ProviderError, ProviderGrant};
use super::provider::Flow;
use super::tokens::{TokenNeed, locked, random};
use super::{OAuth2Error, Owner, Subject, Tokens, http};
use crate::store::StoreError;
use crate::store::oauth2::{self as rows, ErrorRow, NewTokens, OAuth2TokenRow, ProviderRefusal, RenewedTokens};
use postigo_model::communication::Priority;
use postigo_model::configured::Secret;
use postigo_supervision::back_off;
use postigo_supervision::{WorkKind, caught};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The pauses while the database is away, from the first to the longest: shorter than those of others who would ask
/// with the void token.
const WRITTEN_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

impl Tokens {
    /// A renewal that has begun ends in this time, unless the database is away.
    pub const RENEWED_WITHIN: Duration = http::WITHIN.saturating_add(Duration::from_secs(5));

    /// Waits until no renewal is under way: before that the program must not end.
    pub async fn settled(&self) {
        self.renewals.close();
        self.renewals.wait().await;
    }

    /// Renews under a claim; nothing where it was lost meanwhile, to a sign-in or another host.
    pub(super) async fn renew(
        self: &Arc<Self>,
        subject: &Subject,
        claim: String,
        now: bool,
    ) -> Result<Option<Secret>, OAuth2Error> {
        let (tokens, owned) = (Arc::clone(self), subject.clone());
        let task = self.renewals.spawn(async move {
            let (owner, renewing) = (owned.owner.clone(), tokens.renew_claimed(&owned, &claim, now));
            match caught(WorkKind::Renewal, owner.name(), renewing).await {
                Ok(renewed) => renewed,
                Err(panic) => {
                    // Another may try at once; where even this fails, the claim ends by itself.
                    let _ = rows::release(&tokens.store, &owner.key(), &claim).await;
                    Err(OAuth2Error::Panicked { owner, panic })
                }
            }
        });
        task.await.unwrap_or_else(|_| Err(OAuth2Error::Busy(subject.owner.clone())))
    }

    async fn renew_claimed(&self, subject: &Subject, claim: &str, now: bool) -> Result<Option<Secret>, OAuth2Error> {
        let key = subject.owner.key();
        let row = rows::find(&self.store, &key).await?;
        let next = self.next(subject, row.as_ref(), now);
        let (refresh_token, still) = match next {
            Ok(TokenNeed::Renew { refresh_token, still }) => (refresh_token, still),
            // Another was quicker.
            other => {
                rows::release(&self.store, &key, claim).await?;
                return match other? {
                    TokenNeed::Use(token) => Ok(Some(token)),
                    TokenNeed::Fail(error) => Err(error),
                    TokenNeed::Renew { .. } => Ok(None),
                };
            }
        };
        let asked = match &refresh_token {
            Some(token) => grant::refresh(subject, token, still.as_ref()).await,
            None => grant::client_credentials(subject).await,
        };
        match asked {
            Ok(granted) => {
                let before = row.as_ref().and_then(|row| row.refresh_token.clone());
                let sealed = self.seal(subject, &granted)?;
                // Durable before it is used.
                if !self.keep_renewed(RenewedTokens { key, claim: claim.to_owned(), before }, sealed).await? {
                    return Ok(None);
                }
                locked(&self.refused_secrets).remove(&subject.owner);
                self.tell_renewed(subject, row.and_then(|row| row.error), &granted).await;
                Ok(Some(granted.access_token))
            }
            Err(error) => self.note_refusal(subject, claim, row, error).await.and_then(|refused| match still {
                Some(token) => Ok(Some(token)),
                None => Err(refused),
            }),
        }
    }

    /// Writes until it is written; false where others have renewed or signed in meanwhile.
    async fn keep_renewed(&self, renewed: RenewedTokens, new: NewTokens) -> Result<bool, StoreError> {
        let given = Instant::now();
        let mut failures = 0;
        loop {
            let age = given.elapsed();
            let (lasts, renew_after) = (new.lasts.saturating_sub(age), new.renew_after.saturating_sub(age));
            match rows::renewed(&self.store, renewed.clone(), NewTokens { lasts, renew_after, ..new.clone() }).await {
                Err(error) if error.is_temporary() && !matches!(error, StoreError::Stopped) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(owner = %Owner::of(&renewed.key), %error, "renewed tokens could not be written; they are kept and written again");
                    }
                    tokio::time::sleep(back_off::after_failures(failures, WRITTEN_AGAIN.0, WRITTEN_AGAIN.1)).await;
                }
                written => return written,
            }
        }
    }

    /// Stores a refusal and gives it as the error that it is.
    async fn note_refusal(
        &self,
        subject: &Subject,
        claim: &str,
        before: Option<OAuth2TokenRow>,
        error: ProviderError,
    ) -> Result<OAuth2Error, OAuth2Error> {
        let owner = &subject.owner;
        let before = before.and_then(|row| row.error);
        let tries = before.as_ref().map_or(0, |before| before.tries);
        let is_final = subject.flow() != Flow::ClientCredentials && error.needs_person();
        let refusal = ProviderRefusal {
            pause: until_asked_again(tries, error.is_temporary),
            is_final,
            code: error.code,
            text: error.text,
        };
        locked(&self.refused_secrets).insert(owner.clone(), subject.client_secret.clone());
        rows::failed(&self.store, &owner.key(), claim, refusal.clone()).await?;
        let stored = rows::find(&self.store, &owner.key()).await?.and_then(|row| row.error);
        let error = stored.unwrap_or_else(|| ErrorRow {
            code: refusal.code,
            text: refusal.text,
            since: 0,
            at: 0,
            tries: tries + 1,
            next_try_at: 0,
            is_final,
        });
        let refused = OAuth2Error::Refused { owner: owner.clone(), error };
        tracing::warn!(%owner, error = %refused, "no access token");
        self.tell(owner, Priority::Error, "oauth2.refused", refused.to_string()).await;
        Ok(refused)
    }

    async fn tell_renewed(&self, subject: &Subject, error: Option<ErrorRow>, granted: &ProviderGrant) {
        let rotated = if granted.refresh_token.is_some() { ", and another refresh token" } else { "" };
        let seconds = granted.lasts.as_secs();
        let sentence = format!("The provider gave an access token for {seconds} s{rotated}.");
        if error.is_some() {
            tracing::info!(owner = %subject.owner, "the provider gives access tokens again");
        }
        self.tell(&subject.owner, Priority::Info, "oauth2.renewed", sentence).await;
    }
}

/// After a refusal: doubling from a minute to an hour, or from ten seconds to ten minutes where the provider was only
/// not there; the last quarter is left to chance.
fn until_asked_again(refusals_before: i64, is_temporary: bool) -> Duration {
    let (first, longest) = if is_temporary { (10_000, 600_000) } else { (60_000, 3_600_000_u64) };
    let doublings = u32::try_from(refusals_before).unwrap_or(0).min(16);
    let pause = longest.min(first << doublings);
    Duration::from_millis(pause - random(pause / 4))
}

#[cfg(test)]
mod pauses {
    use super::until_asked_again;
    use std::time::Duration;

    #[test]
    fn pauses_grow_and_end() {
        for (refusals, temporary, most) in
            [(0, false, 60), (1, false, 120), (3, false, 480), (99, false, 3_600), (0, true, 10), (99, true, 600)]
        {
            let pause = until_asked_again(refusals, temporary);
            let most = Duration::from_secs(most);
            assert!(pause <= most && pause >= most * 3 / 4, "{refusals} {temporary}: {pause:?}");
        }
    }
}
