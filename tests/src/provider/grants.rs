//! What the provider has given and what it is asked for, without the network.

use super::{CLIENT, CLIENT_SECRET, MARK};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// The user of tokens that a program gets for itself.
const NOBODY: &str = "app";

/// An authorization code.
struct Code {
    challenge: String,
    redirect_url: String,
    user: String,
}

/// A device code.
struct Device {
    user_code: String,
    user: Option<String>,
}

/// All that was given.
pub struct Grants {
    codes: HashMap<String, Code>,
    devices: HashMap<String, Device>,
    refresh: HashMap<String, String>,
    pub access: HashMap<String, (String, Instant)>,
    pub failing: Option<(String, String)>,
    pub lasts: u64,
    pub slow_downs: u32,
    pub counts: BTreeMap<String, u32>,
    /// Called once, when the next tokens were given and before they are answered.
    pub before_answer: Option<Box<dyn FnOnce() + Send>>,
    given: u32,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            codes: HashMap::new(),
            devices: HashMap::new(),
            refresh: HashMap::new(),
            access: HashMap::new(),
            failing: None,
            lasts: 3_600,
            slow_downs: 0,
            counts: BTreeMap::new(),
            before_answer: None,
            given: 0,
        }
    }
}

/// Status and body.
pub type Answer = (u16, Value);

/// Parameters of a request.
pub type Parameters = BTreeMap<String, String>;

/// Reads what a form or a query has.
pub fn parameters(encoded: &str) -> Parameters {
    let url = Url::parse(&format!("http://localhost/?{encoded}")).expect("a query");
    url.query_pairs().into_owned().collect()
}

fn refusal(code: &str, words: &str) -> Answer {
    (400, json!({ "error": code, "error_description": words }))
}

impl Grants {
    fn fresh(&mut self, kind: &str) -> String {
        self.given += 1;
        format!("{kind}-{MARK}-{}", self.given)
    }

    fn count(&mut self, kind: &str) {
        *self.counts.entry(kind.to_owned()).or_default() += 1;
    }

    /// The authorization endpoint, and the person before it.
    pub fn authorize(&mut self, url: &str, user: &str) -> String {
        let asked = parameters(url.split_once('?').expect("a query").1);
        let asked = |name: &str| asked.get(name).cloned().unwrap_or_default();
        assert_eq!((asked("response_type").as_str(), asked("client_id").as_str()), ("code", CLIENT));
        assert_eq!(asked("code_challenge_method"), "S256");
        assert!(asked("code_challenge").len() == 43 && asked("state").len() >= 32, "{url}");
        assert_eq!(asked("scope"), "mail offline_access");
        let code = self.fresh("code");
        let redirect_url = asked("redirect_uri");
        let given =
            Code { challenge: asked("code_challenge"), redirect_url: redirect_url.clone(), user: user.to_owned() };
        self.codes.insert(code.clone(), given);
        let mut back = Url::parse(&redirect_url).expect("an address");
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked("state"));
        back.into()
    }

    pub fn approve(&mut self, user_code: &str, user: &str) {
        let device = self.devices.values_mut().find(|device| device.user_code == user_code).expect("the code is ours");
        device.user = Some(user.to_owned());
    }

    /// The device authorization endpoint.
    pub fn device(&mut self, asked: &Parameters, authorization: &str) -> Answer {
        self.count("device");
        if let Some(refused) = self.refuses(asked, authorization) {
            return refused;
        }
        let code = self.fresh("device");
        let user_code = format!("WDJB-{:04}", self.given);
        self.devices.insert(code.clone(), Device { user_code: user_code.clone(), user: None });
        let uri = "https://localhost/activate";
        (
            200,
            json!({ "device_code": code, "user_code": user_code, "verification_uri": uri, "expires_in": 60, "interval": 1 }),
        )
    }

    /// The token endpoint.
    pub fn token(&mut self, asked: &Parameters, authorization: &str) -> Answer {
        let grant = asked.get("grant_type").cloned().unwrap_or_default();
        let kind = grant.rsplit(':').next().unwrap_or_default().to_owned();
        self.count(&kind);
        if let Some(refused) = self.refuses(asked, authorization) {
            return refused;
        }
        let given = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
        let user = match kind.as_str() {
            "authorization_code" => self.by_code(given("code"), given("code_verifier"), given("redirect_uri")),
            "device_code" => self.by_device(given("device_code")),
            // Used up: each refresh gives another.
            "refresh_token" => self
                .refresh
                .remove(given("refresh_token"))
                .ok_or(("invalid_grant", "The refresh token was used before.")),
            "client_credentials" => Ok(NOBODY.to_owned()),
            _ => Err(("unsupported_grant_type", "")),
        };
        match user {
            Ok(user) => {
                let answer = self.give(&user);
                if let Some(before_answer) = self.before_answer.take() {
                    before_answer();
                }
                answer
            }
            Err((code, words)) => refusal(code, words),
        }
    }

    fn give(&mut self, user: &str) -> Answer {
        let access = self.fresh("access");
        self.access.insert(access.clone(), (user.to_owned(), Instant::now() + Duration::from_secs(self.lasts)));
        let mut answer = json!({ "access_token": access, "token_type": "Bearer", "expires_in": self.lasts });
        if user != NOBODY {
            let refresh = self.fresh("refresh");
            self.refresh.insert(refresh.clone(), user.to_owned());
            answer["refresh_token"] = Value::String(refresh);
        }
        (200, answer)
    }

    fn by_code(
        &mut self,
        code: &str,
        verifier: &str,
        redirect_url: &str,
    ) -> Result<String, (&'static str, &'static str)> {
        let code = self.codes.remove(code).ok_or(("invalid_grant", "The code is not known."))?;
        if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) != code.challenge {
            return Err(("invalid_grant", "The verifier does not fit the challenge."));
        }
        if redirect_url != code.redirect_url {
            return Err(("invalid_grant", "The redirect_uri is another one."));
        }
        Ok(code.user)
    }

    fn by_device(&mut self, code: &str) -> Result<String, (&'static str, &'static str)> {
        if self.slow_downs > 0 {
            self.slow_downs -= 1;
            return Err(("slow_down", ""));
        }
        let device = self.devices.get(code).ok_or(("expired_token", ""))?;
        device.user.clone().ok_or(("authorization_pending", ""))
    }

    fn refuses(&self, asked: &Parameters, authorization: &str) -> Option<Answer> {
        if let Some((code, words)) = &self.failing {
            // Some providers repeat what they were sent.
            let sent = asked.get("refresh_token").map(String::as_str).unwrap_or_default();
            return Some(refusal(code, &format!("{words} {sent}")));
        }
        let basic = STANDARD.encode(format!("{CLIENT}:{CLIENT_SECRET}"));
        let by_body = asked.get("client_secret").is_some_and(|secret| secret == CLIENT_SECRET);
        (authorization != format!("Basic {basic}") && !by_body).then(|| (401, json!({ "error": "invalid_client" })))
    }

    /// The introspection endpoint (RFC 7662), where mail servers ask.
    pub fn introspect(&mut self, asked: &Parameters) -> Answer {
        self.count("introspect");
        let token =
            asked.get("token").and_then(|token| self.access.get(token)).filter(|(_, end)| Instant::now() < *end);
        match token {
            Some((user, _)) => (200, json!({ "active": true, "username": user, "client_id": CLIENT })),
            None => (200, json!({ "active": false })),
        }
    }
}
