//! What a table `oauth2` comes to: the provider's addresses, the flow, the scopes. Where something is missing or wrong,
//! its key is named.

use oauth2::url::Url;
use postigo_model::configured::{OAuth2, Source};
use std::time::Duration;

/// Where providers send the browser back to when `redirect_url` is empty: the daemon, at its own default address.
const REDIRECT_URL: &str = "http://localhost:8025/oauth2/callback";
/// Microsoft's refresh tokens end after so long without use.
const MICROSOFT_AGE: Duration = Duration::from_hours(90 * 24);
/// Google's end after six months without use.
const GOOGLE_AGE: Duration = Duration::from_hours(180 * 24);

/// How access tokens are come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// Authorization code with PKCE: a browser on any machine (RFC 6749 section 4.1, RFC 7636).
    Code,
    /// Device code: a browser elsewhere, and a short code to type (RFC 8628).
    Device,
    /// Client credentials: the program signs in as itself (RFC 6749 section 4.4).
    ClientCredentials,
}

impl Flow {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Device => "device",
            Self::ClientCredentials => "client-credentials",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Code, Self::Device, Self::ClientCredentials].into_iter().find(|flow| flow.name() == name)
    }
}

/// What the tokens are for; providers name scopes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Reading by IMAP.
    Imap,
    /// Reading by POP3.
    Pop3,
    /// Sending by SMTP.
    Smtp,
}

impl Purpose {
    /// What tokens are needed for to fetch from there; nothing where nothing is signed in to.
    pub fn of(source: &Source<'_>) -> Option<Self> {
        match source {
            Source::Imap(_) => Some(Self::Imap),
            Source::Pop3(_) => Some(Self::Pop3),
            Source::Listener(_) | Source::Maildir(_) | Source::Local => None,
        }
    }
}

/// A provider with everything that is known of it and was said of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Provider {
    /// How tokens are come by.
    pub flow: Flow,
    /// Authorization endpoint; there for [`Flow::Code`].
    pub authorize_url: String,
    /// Token endpoint.
    pub token_url: String,
    /// Device authorization endpoint; there for [`Flow::Device`].
    pub device_url: String,
    /// Where the browser is sent back to.
    pub redirect_url: String,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Further parameters of the authorization request.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Whether the client's secret goes into the body, as Microsoft and Google want it, not into a header (RFC 6749
    /// section 2.3.1).
    pub secret_in_body: bool,
    /// A refresh token ends after so long without use; none: never, as far as is known.
    pub refresh_token_age: Option<Duration>,
}

/// What is wrong with a key of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderMistake {
    /// The key.
    pub key: &'static str,
    /// What is wrong and what to do; the end of a sentence that begins with the key.
    pub sentence: String,
}

/// What is known of a provider by its name.
#[derive(Default)]
struct Preset {
    authorize_url: String,
    token_url: String,
    device_url: String,
    scopes: Vec<String>,
    parameters: &'static [(&'static str, &'static str)],
    age: Option<Duration>,
    /// The usual flow.
    flow: Option<Flow>,
}

impl Provider {
    /// What the table comes to; else everything that is wrong with it.
    pub fn of(oauth2: &OAuth2, purpose: Purpose) -> Result<Self, Vec<ProviderMistake>> {
        let mut mistakes = ProviderMistakes::default();
        let flow = mistakes.flow(oauth2);
        let preset = mistakes.preset(oauth2, flow, purpose);
        if mistakes.0.iter().any(|mistake| mistake.key == "provider") {
            return Err(mistakes.0);
        }
        let flow = flow.or(preset.flow).or_else(|| implied(oauth2));
        if flow.is_none() && oauth2.flow.is_empty() {
            mistakes
                .add("flow", "is missing: code (with authorize_url), device (with device_url), or client-credentials.");
        }
        let or_preset = |own: &String, known: String| if own.is_empty() { known } else { own.clone() };
        let provider = Self {
            flow: flow.unwrap_or(Flow::Code),
            authorize_url: or_preset(&oauth2.authorize_url, preset.authorize_url),
            token_url: or_preset(&oauth2.token_url, preset.token_url),
            device_url: or_preset(&oauth2.device_url, preset.device_url),
            redirect_url: or_preset(&oauth2.redirect_url, REDIRECT_URL.to_owned()),
            scopes: if oauth2.scopes.is_empty() { preset.scopes } else { oauth2.scopes.clone() },
            parameters: preset.parameters,
            secret_in_body: !oauth2.provider.is_empty(),
            refresh_token_age: oauth2
                .refresh_token_age
                .map(Duration::from_secs)
                .or(preset.age)
                .filter(|age| !age.is_zero()),
        };
        mistakes.provider(&provider, oauth2, flow);
        if mistakes.0.is_empty() { Ok(provider) } else { Err(mistakes.0) }
    }
}

/// The flow that the given addresses leave, where only one is left.
fn implied(oauth2: &OAuth2) -> Option<Flow> {
    match (oauth2.authorize_url.is_empty(), oauth2.device_url.is_empty()) {
        (false, _) => Some(Flow::Code),
        (true, false) => Some(Flow::Device),
        (true, true) => None,
    }
}

#[derive(Default)]
struct ProviderMistakes(Vec<ProviderMistake>);

impl ProviderMistakes {
    fn add(&mut self, key: &'static str, sentence: impl Into<String>) {
        self.0.push(ProviderMistake { key, sentence: sentence.into() });
    }

    fn flow(&mut self, oauth2: &OAuth2) -> Option<Flow> {
        let flow = Flow::named(&oauth2.flow);
        if flow.is_none() && !oauth2.flow.is_empty() {
            self.add("flow", format!("must be code, device or client-credentials, not \"{}\".", oauth2.flow));
        }
        flow
    }

    fn preset(&mut self, oauth2: &OAuth2, flow: Option<Flow>, purpose: Purpose) -> Preset {
        match oauth2.provider.as_str() {
            "" => Preset::default(),
            "microsoft" => {
                let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
                if !oauth2.tenant.chars().all(plain) {
                    self.add("tenant", "must be the directory's id or domain.");
                }
                if flow == Some(Flow::ClientCredentials) && oauth2.tenant.is_empty() {
                    self.add("tenant", "is missing: client-credentials need the directory's id or domain.");
                }
                microsoft(&oauth2.tenant, flow, purpose)
            }
            "google" => {
                match flow {
                    Some(Flow::Device) => {
                        self.add("flow", "must be code: Google gives no access to mail by device codes.");
                    }
                    Some(Flow::ClientCredentials) => {
                        self.add("flow", "must be code: Google gives no access to mail by client-credentials.");
                    }
                    Some(Flow::Code) | None => {}
                }
                google()
            }
            other => {
                self.add(
                    "provider",
                    format!(
                        "must be microsoft or google, or left out for any other with its addresses, not \"{other}\"."
                    ),
                );
                Preset::default()
            }
        }
    }

    fn provider(&mut self, provider: &Provider, oauth2: &OAuth2, flow: Option<Flow>) {
        if oauth2.client_id.is_empty() {
            self.add("client_id", "is missing.");
        }
        for (key, text) in [("client_id", &oauth2.client_id), ("tenant", &oauth2.tenant)] {
            if text.chars().any(char::is_control) {
                self.add(key, "must not have control characters or line breaks.");
            }
        }
        if flow == Some(Flow::ClientCredentials) && oauth2.client_secret.is_none() {
            self.add("client_secret", "is missing: client-credentials need one.");
        }
        self.url("token_url", &provider.token_url);
        match flow {
            Some(Flow::Code) => {
                self.url("authorize_url", &provider.authorize_url);
                self.url("redirect_url", &provider.redirect_url);
            }
            Some(Flow::Device) => self.url("device_url", &provider.device_url),
            Some(Flow::ClientCredentials) | None => {}
        }
        if provider.scopes.is_empty() && !matches!(oauth2.provider.as_str(), "microsoft" | "google") {
            self.add("scopes", "is missing: the provider's documentation names the scope for mail.");
        }
        let in_scope = |letter: char| matches!(letter, '!' | '#'..='[' | ']'..='~');
        if let Some(scope) = provider.scopes.iter().find(|scope| scope.is_empty() || !scope.chars().all(in_scope)) {
            self.add("scopes", format!("must be a list of scopes, one each; \"{scope}\" is none."));
        }
    }

    fn url(&mut self, key: &'static str, text: &str) {
        if text.is_empty() {
            return self.add(key, "is missing.");
        }
        let Ok(url) = Url::parse(text) else {
            return self.add(key, "must be an address such as \"https://login.example.org/token\".");
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            self.add(key, "must begin with https://; http:// only where it leads to this machine itself.");
        } else if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            self.add(key, "must hold neither user nor password nor \"#\".");
        }
    }
}

/// Whether an address leads to the machine itself.
pub fn is_loopback(url: &Url) -> bool {
    use oauth2::url::Host;
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Microsoft 365, the identity platform's version 2.0.
fn microsoft(tenant: &str, flow: Option<Flow>, purpose: Purpose) -> Preset {
    let tenant = if tenant.is_empty() { "organizations" } else { tenant };
    let endpoint = |name: &str| format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{name}");
    let resource = |scope: &str| format!("https://outlook.office365.com/{scope}");
    let scopes = match (flow, purpose) {
        (Some(Flow::ClientCredentials), _) => vec![resource(".default")],
        (_, Purpose::Imap) => vec![resource("IMAP.AccessAsUser.All"), "offline_access".to_owned()],
        (_, Purpose::Pop3) => vec![resource("POP.AccessAsUser.All"), "offline_access".to_owned()],
        (_, Purpose::Smtp) => vec![resource("SMTP.Send"), "offline_access".to_owned()],
    };
    Preset {
        authorize_url: endpoint("authorize"),
        token_url: endpoint("token"),
        device_url: endpoint("devicecode"),
        scopes,
        parameters: &[("prompt", "select_account")],
        age: Some(MICROSOFT_AGE),
        flow: Some(Flow::Code),
    }
}

/// Google: without `prompt=consent` a second sign-in gives no refresh token.
fn google() -> Preset {
    Preset {
        authorize_url: "https://accounts.google.com/o/oauth2/v2/auth".to_owned(),
        token_url: "https://oauth2.googleapis.com/token".to_owned(),
        device_url: String::new(),
        scopes: vec!["https://mail.google.com/".to_owned()],
        parameters: &[("access_type", "offline"), ("prompt", "consent")],
        age: Some(GOOGLE_AGE),
        flow: Some(Flow::Code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::Secret;

    fn wrong(oauth2: &OAuth2) -> Vec<&'static str> {
        Provider::of(oauth2, Purpose::Imap).err().unwrap_or_default().into_iter().map(|mistake| mistake.key).collect()
    }

    fn named(provider: &str) -> OAuth2 {
        OAuth2 { provider: provider.into(), client_id: "x".into(), ..OAuth2::default() }
    }

    #[test]
    fn microsoft_and_google_are_known() {
        let microsoft =
            Provider::of(&OAuth2 { tenant: "example.org".into(), ..named("microsoft") }, Purpose::Pop3).unwrap();
        assert_eq!(microsoft.token_url, "https://login.microsoftonline.com/example.org/oauth2/v2.0/token");
        assert_eq!(microsoft.scopes, ["https://outlook.office365.com/POP.AccessAsUser.All", "offline_access"]);
        let app = OAuth2 {
            tenant: "t".into(),
            flow: "client-credentials".into(),
            client_secret: Some(Secret::new("s")),
            ..named("microsoft")
        };
        assert_eq!(Provider::of(&app, Purpose::Imap).unwrap().scopes, ["https://outlook.office365.com/.default"]);
        let google = Provider::of(&named("google"), Purpose::Smtp).unwrap();
        assert_eq!(google.scopes, ["https://mail.google.com/"]);
        assert!(google.parameters.contains(&("access_type", "offline")));
    }

    #[test]
    fn own_addresses_come_before_known_ones() {
        let own =
            OAuth2 { token_url: "https://login.microsoftonline.us/t/oauth2/v2.0/token".into(), ..named("microsoft") };
        assert_eq!(Provider::of(&own, Purpose::Imap).unwrap().token_url, own.token_url);
    }

    #[test]
    fn what_is_missing_is_named_by_its_key() {
        assert_eq!(wrong(&OAuth2::default()), ["flow", "client_id", "token_url", "scopes"]);
        let custom =
            OAuth2 { token_url: "https://id.example.org/token".into(), scopes: vec!["mail".into()], ..named("") };
        assert_eq!(wrong(&custom), ["flow"]);
        assert_eq!(wrong(&OAuth2 { flow: "code".into(), ..custom.clone() }), ["authorize_url"]);
        assert_eq!(wrong(&OAuth2 { flow: "device".into(), ..custom.clone() }), ["device_url"]);
        assert_eq!(wrong(&OAuth2 { flow: "client-credentials".into(), ..custom.clone() }), ["client_secret"]);
        assert_eq!(wrong(&OAuth2 { flow: "password".into(), ..custom.clone() }), ["flow"]);
        let implied = OAuth2 { device_url: "https://id.example.org/device".into(), ..custom };
        assert_eq!(Provider::of(&implied, Purpose::Imap).unwrap().flow, Flow::Device);
        assert_eq!(wrong(&named("yahoo")), ["provider"]);
        assert_eq!(wrong(&OAuth2 { flow: "device".into(), ..named("google") }), ["flow", "device_url"]);
    }

    #[test]
    fn addresses_are_https_but_for_the_machine_itself() {
        let at = |token_url: &str| OAuth2 { token_url: token_url.into(), ..named("google") };
        for good in ["https://id.example.org/token", "http://localhost:1/t", "http://127.0.0.1:99/t", "http://[::1]:9/"]
        {
            assert!(wrong(&at(good)).is_empty(), "{good}");
        }
        for bad in [
            "http://id.example.org/",
            "ftp://localhost/",
            "token",
            "https://u:p@id.example.org/",
            "https://id.example.org/#a",
        ] {
            assert_eq!(wrong(&at(bad)), ["token_url"], "{bad}");
        }
        assert_eq!(wrong(&OAuth2 { tenant: "../evil".into(), ..named("microsoft") }), ["tenant"]);
        assert_eq!(wrong(&OAuth2 { scopes: vec!["two scopes".into()], ..named("google") }), ["scopes"]);
    }
}
