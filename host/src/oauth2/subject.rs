//! An account or transport as a provider sees it.

use super::provider::{Flow, Provider, Purpose};
use super::{OAuth2Error, Owner};
use postigo_model::configured::{Account, Configuration, Destination, OAuth2, Secret, Transport};
use postigo_model::hexadecimal::hexadecimal;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// An account or transport that signs in by OAuth2: the provider, the client there, and whose mailbox it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub(super) owner: Owner,
    pub(super) user: String,
    pub(super) provider: Provider,
    pub(super) client_id: String,
    pub(super) client_secret: Option<Secret>,
    /// A file of further certificate authorities; empty: none.
    pub(super) ca: String,
    /// Where the access tokens go.
    destination: Destination,
}

impl Subject {
    /// Of an account; none where it does not sign in by OAuth2.
    pub fn account(account: &Account) -> Result<Option<Self>, OAuth2Error> {
        let Some(oauth2) = &account.oauth2 else { return Ok(None) };
        let owner = Owner::Account(account.name.clone());
        let (purpose, destination) =
            (Purpose::of(&account.source()).unwrap_or(Purpose::Imap), Destination::of_account(account));
        Self::new(owner, &account.user, oauth2, purpose, &account.tls.ca, destination).map(Some)
    }

    /// Of a transport; none where it does not sign in by OAuth2.
    pub fn transport(transport: &Transport) -> Result<Option<Self>, OAuth2Error> {
        let Some(oauth2) = &transport.oauth2 else { return Ok(None) };
        let (owner, destination) = (Owner::Transport(transport.name.clone()), Destination::of_transport(transport));
        Self::new(owner, &transport.user, oauth2, Purpose::Smtp, &transport.tls.ca, destination).map(Some)
    }

    /// Of an owner that is configured. `flow` is a wish for this sign-in, in place of the configured flow.
    pub fn find(configuration: &Configuration, owner: &Owner, flow: Option<Flow>) -> Result<Self, OAuth2Error> {
        let unknown = || OAuth2Error::Unknown(owner.clone());
        let wish = |oauth2: &mut Option<OAuth2>| {
            if let (Some(oauth2), Some(flow)) = (oauth2, flow) {
                flow.name().clone_into(&mut oauth2.flow);
            }
        };
        let found = match owner {
            Owner::Account(name) => {
                let mut account = configuration.accounts.get(name).ok_or_else(unknown)?.clone();
                wish(&mut account.oauth2);
                Self::account(&account)?
            }
            Owner::Transport(name) => {
                let mut transport = configuration.transports.get(name).ok_or_else(unknown)?.clone();
                wish(&mut transport.oauth2);
                Self::transport(&transport)?
            }
        };
        found.ok_or_else(|| OAuth2Error::NotConfigured(owner.clone()))
    }

    fn new(
        owner: Owner,
        user: &str,
        oauth2: &OAuth2,
        purpose: Purpose,
        ca: &str,
        destination: Destination,
    ) -> Result<Self, OAuth2Error> {
        match Provider::of(oauth2, purpose) {
            Ok(provider) => Ok(Self {
                owner,
                user: user.to_owned(),
                provider,
                client_id: oauth2.client_id.clone(),
                client_secret: oauth2.client_secret.clone(),
                ca: ca.to_owned(),
                destination,
            }),
            Err(mistakes) => {
                let (key, sentence) = mistakes
                    .into_iter()
                    .next()
                    .map_or(("flow", "is not complete.".to_owned()), |mistake| (mistake.key, mistake.sentence));
                Err(OAuth2Error::Settings { owner, key, sentence })
            }
        }
    }

    /// Whose it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// How its tokens are come by.
    pub fn flow(&self) -> Flow {
        self.provider.flow
    }

    /// A digest of what tokens are got for: client, user, addresses, scopes, and the server that they go to. Tokens got
    /// for another are not used. A new secret of the same client, and whether a person signs in by code or by
    /// device, change nothing.
    pub(super) fn settings(&self) -> String {
        let mut digest = Sha256::new();
        for part in [&self.former_settings(), &self.destination.text()] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        hexadecimal(&digest.finalize())
    }

    /// The same without the server: what earlier versions took.
    pub(super) fn former_settings(&self) -> String {
        let by_itself = if self.provider.flow == Flow::ClientCredentials { "client" } else { "person" };
        let mut digest = Sha256::new();
        let scopes = self.provider.scopes.join(" ");
        for part in [&self.user, &self.client_id, &self.provider.token_url, &scopes, by_itself] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        hexadecimal(&digest.finalize())
    }
}

/// The owners that sign in by OAuth2.
pub(super) fn subjects(configuration: &Configuration) -> BTreeMap<Owner, Subject> {
    let accounts = configuration.accounts.values().filter_map(|account| Subject::account(account).ok()?);
    let transports = configuration.transports.values().filter_map(|transport| Subject::transport(transport).ok()?);
    accounts.chain(transports).map(|subject| (subject.owner.clone(), subject)).collect()
}
