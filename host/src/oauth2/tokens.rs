//! What accounts and transports sign in with, whichever way it came about.

use super::provider::{self, Granted, ProviderError};
use super::{Credentials, OAuth2Error, Owner, Subject, http};
use crate::commlog::{Communication, Kind, Priority};
use crate::config::{Account, Flow, Secret, Transport};
use crate::secret::SecretKey;
use crate::store::oauth2::{self as rows, ErrorRow, Key, NewTokens, Refusal, TokenRow};
use crate::store::{Store, communications};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A renewal ends in this time, or is taken up by others.
const CLAIM_LASTS: Duration = http::WITHIN.saturating_add(Duration::from_secs(15));
/// So often is looked whether another's renewal has ended.
const CLAIM_WATCHED: Duration = Duration::from_millis(200);
/// An access token is renewed so long before its end, at least and at most: hosts and accounts must not all ask at once.
const MARGIN: std::ops::Range<u64> = 60_000..300_000;
/// An access token that a server refuses is renewed only if it is this old: a server that refuses every token must not cost the provider
/// a request each time.
const REFUSED_AGE: Duration = Duration::from_mins(5);

/// The credentials of every account and transport. Access tokens are kept and renewed here.
#[derive(Debug)]
pub struct Tokens {
    pub(super) store: Store,
    pub(super) key: SecretKey,
    /// One renewal at a time in this process, so that others wait without asking the database.
    gates: Mutex<HashMap<Owner, Arc<tokio::sync::Mutex<()>>>>,
    /// The client's secret at the last refusal: another one is tried at once.
    refused_secrets: Mutex<HashMap<Owner, Option<Secret>>>,
}

/// What a row of tokens calls for.
enum Next {
    Use(Secret),
    Fail(OAuth2Error),
    /// `still` is an access token that has not ended yet.
    Renew {
        refresh_token: Option<Secret>,
        still: Option<Secret>,
    },
}

impl Tokens {
    /// Tokens that are kept in `store`, sealed by `key`.
    pub fn new(store: Store, key: SecretKey) -> Arc<Self> {
        Arc::new(Self { store, key, gates: Mutex::default(), refused_secrets: Mutex::default() })
    }

    /// What an account signs in with.
    pub async fn for_account(&self, account: &Account) -> Result<Credentials, OAuth2Error> {
        match Subject::account(account)? {
            Some(subject) => self.bearer(&subject, false).await,
            None => Ok(by_password(&account.user, account.password.as_ref())),
        }
    }

    /// The same, asking the provider even where a pause after its refusal is not over: somebody waits and wants to know.
    pub async fn for_account_now(&self, account: &Account) -> Result<Credentials, OAuth2Error> {
        match Subject::account(account)? {
            Some(subject) => self.bearer(&subject, true).await,
            None => Ok(by_password(&account.user, account.password.as_ref())),
        }
    }

    /// What a transport signs in with.
    pub async fn for_transport(&self, transport: &Transport) -> Result<Credentials, OAuth2Error> {
        match Subject::transport(transport)? {
            Some(subject) => self.bearer(&subject, false).await,
            None => Ok(by_password(&transport.user, transport.password.as_ref())),
        }
    }

    /// The same, asking the provider even where a pause after its refusal is not over.
    pub async fn for_transport_now(&self, transport: &Transport) -> Result<Credentials, OAuth2Error> {
        match Subject::transport(transport)? {
            Some(subject) => self.bearer(&subject, true).await,
            None => Ok(by_password(&transport.user, transport.password.as_ref())),
        }
    }

    /// A server refused the access token: it is forgotten, unless the provider has only just given it.
    pub async fn refused(&self, owner: &Owner) {
        match rows::forget_access(&self.store, &owner.key(), REFUSED_AGE).await {
            Ok(true) => tracing::info!(%owner, "the server refused the access token; it will be renewed"),
            Ok(false) => tracing::debug!(%owner, "the server refused a new access token; it is kept for now"),
            Err(error) => tracing::warn!(%owner, %error, "a refused access token could not be forgotten"),
        }
    }

    /// An access token that lasts, renewed if need be.
    pub(super) async fn bearer(&self, subject: &Subject, now: bool) -> Result<Credentials, OAuth2Error> {
        let gate = Arc::clone(locked(&self.gates).entry(subject.owner.clone()).or_default());
        let _one_at_a_time = gate.lock().await;
        let (key, settings) = (subject.owner.key(), subject.settings());
        let now = now || self.has_new_secret(subject);
        let end = tokio::time::Instant::now() + 2 * CLAIM_LASTS;
        while tokio::time::Instant::now() < end {
            let row = rows::find(&self.store, &key).await?.filter(|row| row.settings == settings);
            let still = match self.next(subject, row.as_ref(), now)? {
                Next::Use(token) => return Ok(credentials(subject, token)),
                Next::Fail(error) => return Err(error),
                Next::Renew { still, .. } => still,
            };
            let claim = uuid::Uuid::now_v7().to_string();
            if rows::claim(&self.store, &key, &settings, &claim, CLAIM_LASTS).await? {
                if let Some(token) = self.renew_claimed(subject, &claim, now).await? {
                    return Ok(credentials(subject, token));
                }
            } else if let Some(token) = still {
                return Ok(credentials(subject, token));
            } else {
                // Another process renews it, and the database is all that processes share.
                tokio::time::sleep(CLAIM_WATCHED).await;
            }
        }
        Err(OAuth2Error::Busy(subject.owner.clone()))
    }

    /// Renews under a claim; nothing where the claim was lost meanwhile, to a sign-in or another host.
    async fn renew_claimed(&self, subject: &Subject, claim: &str, now: bool) -> Result<Option<Secret>, OAuth2Error> {
        let key = subject.owner.key();
        let row = rows::find(&self.store, &key).await?;
        let next = self.next(subject, row.as_ref(), now);
        let (refresh_token, still) = match next {
            Ok(Next::Renew { refresh_token, still }) => (refresh_token, still),
            // Another was quicker.
            other => {
                rows::release(&self.store, &key, claim).await?;
                return match other? {
                    Next::Use(token) => Ok(Some(token)),
                    Next::Fail(error) => Err(error),
                    Next::Renew { .. } => Ok(None),
                };
            }
        };
        let asked = match &refresh_token {
            Some(token) => provider::refresh(subject, token).await,
            None => provider::client_credentials(subject).await,
        };
        match asked {
            Ok(granted) => {
                let sealed = self.seal(&subject.owner, &granted)?;
                // Durable before it is used: a provider that rotates has made the old refresh token void.
                if !rows::renewed(&self.store, &key, claim, sealed).await? {
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

    fn next(&self, subject: &Subject, row: Option<&TokenRow>, now: bool) -> Result<Next, OAuth2Error> {
        let owner = &subject.owner;
        let by_itself = subject.flow() == Flow::ClientCredentials;
        let refresh_token = match row.and_then(|row| row.refresh_token.as_ref()) {
            Some(sealed) if !by_itself => Some(self.open(owner, "refresh", sealed)?),
            _ => None,
        };
        let Some(row) = row.filter(|row| by_itself || row.refresh_token.is_some()) else {
            return Ok(if by_itself { Next::Renew { refresh_token, still: None } } else { not_signed_in(owner) });
        };
        let still = match (&row.access_token, row.expires_at) {
            (Some(sealed), Some(end)) if row.now < end => Some(self.open(owner, "access", sealed)?),
            _ => None,
        };
        let is_due = row.renew_at.is_none_or(|at| at <= row.now);
        let pauses = !now && row.error.as_ref().is_some_and(|error| error.is_final || row.now < error.next_try_at);
        Ok(match (still, &row.error) {
            (Some(token), _) if !is_due || pauses => Next::Use(token),
            (None, Some(error)) if pauses => Next::Fail(OAuth2Error::Refused { owner: owner.clone(), error: error.clone() }),
            (still, _) => Next::Renew { refresh_token, still },
        })
    }

    /// Stores a refusal and gives it as the error that it is.
    async fn note_refusal(
        &self,
        subject: &Subject,
        claim: &str,
        before: Option<TokenRow>,
        error: ProviderError,
    ) -> Result<OAuth2Error, OAuth2Error> {
        let owner = &subject.owner;
        let before = before.and_then(|row| row.error);
        let tries = before.as_ref().map_or(0, |before| before.tries);
        let is_final = subject.flow() != Flow::ClientCredentials && error.needs_person();
        let refusal = Refusal { pause: pause(tries, error.is_temporary), is_final, code: error.code, text: error.text };
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

    async fn tell_renewed(&self, subject: &Subject, error: Option<ErrorRow>, granted: &Granted) {
        let rotated = if granted.refresh_token.is_some() { ", and another refresh token" } else { "" };
        let seconds = granted.lasts.as_secs();
        let sentence = format!("The provider gave an access token for {seconds} s{rotated}.");
        if error.is_some() {
            tracing::info!(owner = %subject.owner, "the provider gives access tokens again");
        }
        self.tell(&subject.owner, Priority::Info, "oauth2.renewed", sentence).await;
    }

    /// Writes a communication of one entry. A log that cannot be written must not stop mail that can.
    pub(super) async fn tell(&self, owner: &Owner, priority: Priority, key: &str, sentence: String) {
        let account = if let Owner::Account(name) = owner { name.as_str() } else { "" };
        let mut log = Communication::start(Kind::Connection, account, "oauth2");
        log.searchable(owner.name());
        log.entry(priority, key, format!("For the {owner}: {sentence}"));
        let record = log.finish(priority == Priority::Error);
        let saved = self.store.write(record, |record, connection| Box::pin(communications::save(connection, record))).await;
        if let Err(error) = saved {
            tracing::warn!(%owner, %error, "the communication log could not be written");
        }
    }

    fn has_new_secret(&self, subject: &Subject) -> bool {
        locked(&self.refused_secrets).get(&subject.owner).is_some_and(|tried| *tried != subject.client_secret)
    }

    pub(super) fn seal(&self, owner: &Owner, granted: &Granted) -> Result<NewTokens, OAuth2Error> {
        let seal = |what: &str, token: &Secret| self.key.seal(&place(owner, what), token.reveal());
        let lasts = granted.lasts;
        Ok(NewTokens {
            access_token: seal("access", &granted.access_token)?,
            refresh_token: granted.refresh_token.as_ref().map(|token| seal("refresh", token)).transpose()?,
            lasts,
            // A token that lasts for minutes only is used for most of them.
            renew_after: lasts.saturating_sub(margin().min(lasts / 4)),
        })
    }

    fn open(&self, owner: &Owner, what: &str, sealed: &str) -> Result<Secret, OAuth2Error> {
        Ok(Secret::new(self.key.open(&place(owner, what), sealed)?))
    }
}

fn place(owner: &Owner, what: &str) -> String {
    format!("{} {}, oauth2 {what} token", owner.kind(), owner.name())
}

fn not_signed_in(owner: &Owner) -> Next {
    Next::Fail(OAuth2Error::NotSignedIn { owner: owner.clone() })
}

fn credentials(subject: &Subject, token: Secret) -> Credentials {
    Credentials::Bearer { user: subject.user.clone(), token }
}

fn by_password(user: &str, password: Option<&Secret>) -> Credentials {
    match password {
        None if user.is_empty() => Credentials::None,
        password => Credentials::Password { user: user.to_owned(), password: password.cloned().unwrap_or_default() },
    }
}

/// A panic while the lock was held leaves a map that is as good as before.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn margin() -> Duration {
    Duration::from_millis(MARGIN.start + random(MARGIN.end - MARGIN.start))
}

/// After a refusal: doubling from a minute to an hour, or from ten seconds to ten minutes where the provider was only not there; the
/// last quarter is left to chance.
fn pause(refusals_before: i64, is_temporary: bool) -> Duration {
    let (first, longest) = if is_temporary { (10_000, 600_000) } else { (60_000, 3_600_000_u64) };
    let doublings = u32::try_from(refusals_before).unwrap_or(0).min(16);
    let pause = longest.min(first << doublings);
    Duration::from_millis(pause - random(pause / 4))
}

/// Below `end`. Where the system gives no random bytes, the middle is as good.
fn random(end: u64) -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes) % end.max(1),
        Err(_) => end / 2,
    }
}

/// Whether a row of this key belongs to a subject of these settings.
pub(super) async fn row_of(store: &Store, subject: &Subject) -> Result<Option<TokenRow>, OAuth2Error> {
    let key: Key = subject.owner.key();
    Ok(rows::find(store, &key).await?.filter(|row| row.settings == subject.settings()))
}

#[cfg(test)]
mod pauses {
    use super::pause;
    use std::time::Duration;

    #[test]
    fn pauses_grow_and_end() {
        for (refusals, temporary, most) in
            [(0, false, 60), (1, false, 120), (3, false, 480), (99, false, 3_600), (0, true, 10), (99, true, 600)]
        {
            let pause = pause(refusals, temporary);
            let most = Duration::from_secs(most);
            assert!(pause <= most && pause >= most * 3 / 4, "{refusals} {temporary}: {pause:?}");
        }
    }
}
