//! Sign-ins by OAuth2, of accounts and transports: begun, looked at, finished, ended. No token and no secret is in
//! anything that is given.

use super::{ServiceError, configured};
use crate::oauth2::{BegunSignIn, DeviceWait, Flow, OAuth2Error, Owner, SignInProgress, SignInState, Subject, Tokens};
use crate::secret_key::SecretKey;
use crate::store::Store;
use postigo_model::actor::Actor;
use std::sync::Arc;

/// Where sign-ins are kept.
#[derive(Clone, Copy)]
pub struct SignIns<'s> {
    /// The database.
    pub store: &'s Store,
    /// The key that secrets are sealed with.
    pub key: &'s SecretKey,
    /// The tokens.
    pub tokens: &'s Arc<Tokens>,
}

impl SignIns<'_> {
    /// Begins an owner's sign-in, by this flow or else the configured one: what is given says where a person goes on
    /// with it. One that was begun before no longer counts. A device code is to be waited for. `by` says who asked,
    /// for the log.
    pub async fn begin(
        self,
        owner: &Owner,
        flow: Option<Flow>,
        by: &Actor,
    ) -> Result<(BegunSignIn, Option<DeviceWait>), ServiceError> {
        let configuration = configured::load(self.store, self.key).await?;
        Ok(self.tokens.begin_sign_in(&configuration, owner, flow, &told(by)).await?)
    }

    /// How an owner's sign-in stands.
    pub async fn show(self, owner: &Owner) -> Result<SignInState, ServiceError> {
        let configuration = configured::load(self.store, self.key).await?;
        let subject = Subject::find(&configuration, owner, None)?;
        Ok(self.tokens.state(&subject).await?)
    }

    /// Forgets an owner's tokens; gives whether there were any. What is wrong with how it would sign in does not
    /// matter; where nothing was forgotten, an owner that is not there, or does not sign in by OAuth2, is refused.
    pub async fn end(self, owner: &Owner, by: &Actor) -> Result<bool, ServiceError> {
        if self.tokens.sign_out(owner, &told(by)).await? {
            return Ok(true);
        }
        let configuration = configured::load(self.store, self.key).await?;
        match Subject::find(&configuration, owner, None) {
            Err(error @ (OAuth2Error::Unknown(_) | OAuth2Error::NotConfigured(_))) => Err(error.into()),
            _ => Ok(false),
        }
    }

    /// Finishes a sign-in with what the provider had the browser say: the address that it was sent back to, or what
    /// that asks. Gives whose it was.
    pub async fn finish(self, answer: &str) -> Result<Owner, ServiceError> {
        Ok(self.tokens.finish_sign_in(answer).await?)
    }

    /// How a sign-in that was begun has gone on; `id` is that of [`BegunSignIn`].
    pub async fn outcome(self, id: &str) -> Result<SignInProgress, ServiceError> {
        Ok(self.tokens.outcome(id).await?)
    }
}

/// Who it was, as a sentence of the log begins.
fn told(by: &Actor) -> String {
    match by {
        Actor::Daemon => "The daemon".to_owned(),
        Actor::Token { .. } | Actor::CommandLine { .. } | Actor::File { .. } => {
            let noted = by.to_string();
            let (first, rest) = noted.split_at(noted.chars().next().map_or(0, char::len_utf8));
            format!("The {}{rest}", first.to_lowercase())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;
    use crate::store::oauth2::{NewTokens, signed_in};
    use postigo_model::configured::Account;
    use std::time::Duration;

    #[tokio::test]
    async fn tokens_are_forgotten_though_their_owner_no_longer_signs_in_and_only_then_is_it_missed() {
        let (_folder, store, key) = fresh().await;
        let tokens = Tokens::new(store.clone(), key.clone());
        let sign_ins = SignIns { store: &store, key: &key, tokens: &tokens };
        let hour = Duration::from_hours(1);
        let new = NewTokens { access_token: "sealed".into(), refresh_token: None, lasts: hour, renew_after: hour };
        // One that is not there any more, and one that signs in otherwise.
        for name in ["gone", Account::LOCAL] {
            let owner = Owner::Account(name.to_owned());
            signed_in(&store, &owner.key(), "", new.clone()).await.unwrap();
            assert!(sign_ins.end(&owner, &Actor::Daemon).await.unwrap(), "{name}");
            assert!(sign_ins.end(&owner, &Actor::Daemon).await.is_err(), "{name}");
        }
    }
}
