//! Sign-ins by a person: begun at one place, answered by the browser or by typing a code, finished once.

use super::grant::{self, DeviceCode, ProviderError, ProviderGrant, cleaned};
use super::provider::Flow;
use super::{OAuth2Error, Owner, Subject, Tokens};
use crate::store::configuration;
use crate::store::oauth2::{self as rows, NewSignIn, SignInRow, SignInStatus};
use oauth2::url::{Url, form_urlencoded};
use postigo_model::communication::Priority;
use postigo_model::configured::{Configuration, Secret};
use postigo_model::hexadecimal::hexadecimal;
use postigo_model::timestamp::now;
use postigo_model::timestamp::rfc3339;
use postigo_net::redaction::Redactor;
use postigo_supervision::{WorkKind, caught};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use utoipa::ToSchema;

/// An answer from the browser must come in this time.
const CODE_LASTS: Duration = Duration::from_mins(10);

/// A sign-in that was begun, for the person who is to go on with it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "flow", rename_all = "kebab-case")]
#[schema(as = Begun)]
pub enum BegunSignIn {
    /// Authorization code.
    Code {
        /// To be opened in a browser.
        authorize_url: String,
        /// Where the browser is sent back to. If it cannot get there, the whole address that it shows is the answer.
        redirect_url: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        expires_at: String,
        /// Of its row.
        #[serde(skip)]
        id: String,
    },
    /// Device code.
    Device {
        /// To be opened in a browser, on any device.
        verification_uri: String,
        /// The same with the code in it, where the provider offers that.
        verification_uri_complete: Option<String>,
        /// To be typed there.
        user_code: String,
        /// RFC 3339, UTC.
        #[schema(format = DateTime)]
        expires_at: String,
        /// Of its row.
        #[serde(skip)]
        id: String,
    },
}

impl BegunSignIn {
    /// The id of its row.
    pub fn id(&self) -> &str {
        match self {
            Self::Code { id, .. } | Self::Device { id, .. } => id,
        }
    }
}

/// A device code that somebody must wait for; dropped, nobody does.
#[derive(Debug)]
pub struct DeviceWait {
    tokens: Arc<Tokens>,
    subject: Subject,
    code: DeviceCode,
    id: String,
}

/// How a sign-in stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInProgress {
    /// The person has not answered yet.
    Waiting,
    /// Signed in.
    Done,
    /// It ended otherwise, a sentence.
    Failed(String),
}

impl Tokens {
    /// Begins a sign-in of an owner; `flow` where another than the configured one is wanted. A device code is to be
    /// waited for by [`DeviceWait::run`]. `by` says who asked, for the log.
    pub async fn begin_sign_in(
        self: &Arc<Self>,
        configuration: &Configuration,
        owner: &Owner,
        flow: Option<Flow>,
        by: &str,
    ) -> Result<(BegunSignIn, Option<DeviceWait>), OAuth2Error> {
        let configured = Subject::find(configuration, owner, None)?;
        if configured.flow() == Flow::ClientCredentials {
            // A person's tokens would not be used.
            return Err(OAuth2Error::NobodySignsIn(owner.clone()));
        }
        let subject = if flow.is_some() { Subject::find(configuration, owner, flow)? } else { configured };
        let (begun, wait) = match subject.flow() {
            Flow::ClientCredentials => return Err(OAuth2Error::NobodySignsIn(owner.clone())),
            Flow::Code => (self.begin_code(&subject).await?, None),
            Flow::Device => {
                let (begun, wait) = self.begin_device(subject).await?;
                (begun, Some(wait))
            }
        };
        self.tell(owner, Priority::Notice, "oauth2.sign-in", format!("{by} began a sign-in.")).await;
        Ok((begun, wait))
    }

    async fn begin_code(&self, subject: &Subject) -> Result<BegunSignIn, OAuth2Error> {
        let authorization = grant::authorization(subject).map_err(|error| denied(&subject.owner, error))?;
        let id = hexadecimal(&Sha256::digest(&authorization.state));
        let redirect_url = subject.provider.redirect_url.clone();
        let expires_at = later(CODE_LASTS);
        let new = NewSignIn {
            key: subject.owner.key(),
            settings: subject.settings(),
            flow: Flow::Code.name().to_owned(),
            sealed: self.key.seal(&place(&id), authorization.verifier.reveal())?,
            // Not the address: whoever has it can sign in with an account of their own.
            shown: json!({ "expires_at": expires_at }).to_string(),
            lasts: CODE_LASTS,
            id: id.clone(),
        };
        rows::begin(&self.store, new).await?;
        Ok(BegunSignIn::Code { authorize_url: authorization.url, redirect_url, expires_at, id })
    }

    async fn begin_device(self: &Arc<Self>, subject: Subject) -> Result<(BegunSignIn, DeviceWait), OAuth2Error> {
        let code = grant::device_code(&subject).await.map_err(|error| denied(&subject.owner, error))?;
        let id = hexadecimal(&Sha256::digest(code.device_code().secret()));
        let lasts = code.expires_in().min(grant::LONGEST_DEVICE_CODE);
        let redactor = grant::secrets(&subject, [("device code", code.device_code().secret().as_str())]);
        let begun = BegunSignIn::Device {
            verification_uri: cleaned(code.verification_uri(), &redactor),
            verification_uri_complete: code.verification_uri_complete().map(|uri| cleaned(uri.secret(), &redactor)),
            user_code: cleaned(code.user_code().secret(), &redactor),
            expires_at: later(lasts),
            id: id.clone(),
        };
        let new = NewSignIn {
            key: subject.owner.key(),
            settings: subject.settings(),
            flow: Flow::Device.name().to_owned(),
            sealed: String::new(),
            shown: serde_json::to_string(&begun).unwrap_or_default(),
            lasts,
            id: id.clone(),
        };
        rows::begin(&self.store, new).await?;
        Ok((begun, DeviceWait { tokens: Arc::clone(self), subject, code, id }))
    }

    /// Finishes a sign-in by what the browser was sent back with: the whole address, or its query.
    pub async fn finish_sign_in(&self, answer: &str) -> Result<Owner, OAuth2Error> {
        let parameters = parameters(answer);
        let named = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let state = named("state").ok_or(OAuth2Error::Incomplete("its state"))?;
        let error = named("error");
        if error.is_none() && named("code").is_none() {
            return Err(OAuth2Error::Incomplete("its code"));
        }
        let id = hexadecimal(&Sha256::digest(state));
        // Anybody can ask for this page: what is not known costs no write.
        rows::find_sign_in(&self.store, &id).await?.ok_or(OAuth2Error::NoSignIn)?;
        let row = rows::take(&self.store, &id).await?.ok_or(OAuth2Error::NoSignIn)?;
        let owner = Owner::of(&row.key);
        let finished = match (error, named("code")) {
            (None, Some(code)) => self.exchange(&row, &owner, code).await,
            (error, _) => {
                // The provider has been told the client's secret before, and speaks through the browser.
                let redactor = self.client_secret_of(&owner).await?;
                let text = cleaned(named("error_description").unwrap_or_default(), &redactor);
                Err(OAuth2Error::Denied {
                    owner: owner.clone(),
                    code: cleaned(error.unwrap_or_default(), &redactor),
                    text,
                })
            }
        };
        self.end(&row.id, &owner, finished).await?;
        Ok(owner)
    }

    async fn exchange(&self, row: &SignInRow, owner: &Owner, code: &str) -> Result<(), OAuth2Error> {
        let configuration = configuration::load(&self.store, &self.key).await?;
        let subject = Subject::find(&configuration, owner, Some(Flow::Code))?;
        // Changed since: the answer is for other settings.
        if subject.settings() != row.settings {
            return Err(OAuth2Error::NoSignIn);
        }
        let verifier = Secret::new(self.key.open(&place(&row.id), &row.sealed)?);
        let granted = grant::exchange_code(&subject, code, &verifier).await.map_err(|error| denied(owner, error))?;
        self.keep(&subject, &granted).await
    }

    /// What takes an owner's client secret out of its provider's words.
    async fn client_secret_of(&self, owner: &Owner) -> Result<Redactor, OAuth2Error> {
        let configuration = configuration::load(&self.store, &self.key).await?;
        Ok(Subject::find(&configuration, owner, None).map(|subject| grant::secrets(&subject, None)).unwrap_or_default())
    }

    async fn keep(&self, subject: &Subject, granted: &ProviderGrant) -> Result<(), OAuth2Error> {
        let owner = &subject.owner;
        if granted.refresh_token.is_none() {
            let advice = "Ask for it by a scope (most providers: offline_access).";
            return Err(OAuth2Error::NoRefreshToken { owner: owner.clone(), advice });
        }
        let sealed = self.seal(subject, granted)?;
        rows::signed_in(&self.store, &owner.key(), &subject.settings(), sealed).await?;
        Ok(())
    }

    async fn end(&self, id: &str, owner: &Owner, finished: Result<(), OAuth2Error>) -> Result<(), OAuth2Error> {
        let error = finished.as_ref().err().map(|error| match error {
            OAuth2Error::Denied { code, text, .. } => (code.clone(), text.clone()),
            other => ("sign-in-failed".to_owned(), other.to_string()),
        });
        let (priority, sentence) = match &finished {
            Ok(()) => (Priority::Notice, "It is signed in.".to_owned()),
            Err(error) => (Priority::Error, error.to_string()),
        };
        tracing::info!(%owner, sentence, "a sign-in ended");
        rows::finish(&self.store, id, error).await?;
        self.tell(owner, priority, "oauth2.sign-in", sentence).await;
        finished
    }

    /// How a sign-in stands that may be answered to any host.
    pub async fn outcome(&self, id: &str) -> Result<SignInProgress, OAuth2Error> {
        Ok(match rows::find_sign_in(&self.store, id).await? {
            None => SignInProgress::Failed("Another sign-in was begun in its place.".to_owned()),
            Some(row) => match (row.status, row.error_code) {
                (SignInStatus::Waiting, _) => SignInProgress::Waiting,
                (SignInStatus::Done, _) => SignInProgress::Done,
                (SignInStatus::Expired, _) => {
                    SignInProgress::Failed("Nobody answered in time. Begin it again.".to_owned())
                }
                (SignInStatus::Failed, code) => {
                    let (code, text) = (code.unwrap_or_default(), row.error_text.unwrap_or_default());
                    SignInProgress::Failed(OAuth2Error::Denied { owner: Owner::of(&row.key), code, text }.to_string())
                }
            },
        })
    }

    /// Forgets an owner's tokens; false where there were none. `by` says who asked.
    pub async fn sign_out(&self, owner: &Owner, by: &str) -> Result<bool, OAuth2Error> {
        let forgotten = rows::forget(&self.store, &owner.key()).await?;
        if forgotten {
            self.tell(owner, Priority::Notice, "oauth2.sign-out", format!("{by} had its tokens forgotten.")).await;
        }
        Ok(forgotten)
    }
}

impl DeviceWait {
    /// Waits until the person has typed the code, and keeps the tokens.
    pub async fn run(self) -> Result<(), OAuth2Error> {
        let Self { tokens, subject, code, id } = self;
        let asking = caught(WorkKind::SignIn, subject.owner.name(), grant::device_tokens(&subject, &code)).await;
        // Signed out, or begun anew meanwhile: nobody wants these.
        rows::take(&tokens.store, &id).await?.ok_or(OAuth2Error::NoSignIn)?;
        let finished = match asking {
            Ok(Ok(granted)) => tokens.keep(&subject, &granted).await,
            Ok(Err(error)) => Err(denied(&subject.owner, error)),
            Err(panic) => Err(OAuth2Error::Panicked { owner: subject.owner.clone(), panic }),
        };
        tokens.end(&id, &subject.owner, finished).await
    }
}

fn denied(owner: &Owner, error: ProviderError) -> OAuth2Error {
    OAuth2Error::Denied { owner: owner.clone(), code: error.code, text: error.text }
}

fn place(id: &str) -> String {
    format!("oauth2 sign-in {id}")
}

fn later(lasts: Duration) -> String {
    rfc3339(now().saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(0)))
}

/// The parameters of an address or of its query alone.
fn parameters(answer: &str) -> Vec<(String, String)> {
    let answer = answer.trim();
    let query = Url::parse(answer).ok().and_then(|url| url.query().map(str::to_owned));
    let query = query.unwrap_or_else(|| answer.trim_start_matches('?').to_owned());
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn an_address_and_its_query_say_the_same() {
        let expected = [("code".to_owned(), "a b".to_owned()), ("state".to_owned(), "x".to_owned())];
        for answer in
            [" http://localhost:8025/oauth2/callback?code=a+b&state=x\n", "?code=a%20b&state=x", "code=a+b&state=x"]
        {
            assert_eq!(parameters(answer), expected, "{answer}");
        }
        assert!(parameters("nonsense").iter().all(|(key, _)| key != "state"));
    }
}
