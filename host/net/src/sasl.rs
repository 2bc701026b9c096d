//! The client's side of signing in by SASL: which mechanism, and the bytes of each answer. How they travel (base64, in
//! which command) is the protocol's own.
//!
//! PLAIN (RFC 4616), LOGIN (draft-murchison-sasl-login), OAUTHBEARER (RFC 7628), and XOAUTH2 as Google and Microsoft
//! describe it.

use crate::credentials::Credentials;
use crate::redaction::Redactor;

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// User and password in one answer.
    Plain,
    /// User and password in two answers.
    Login,
    /// An access token, the older form.
    XOAuth2,
    /// An access token, the standard's form.
    OAuthBearer,
}

/// Credentials that a mechanism cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// They would end early or become another field.
    #[error(
        "User, password or token holds a control character, which signing in cannot carry. Correct the account's user and password."
    )]
    ControlCharacter,
    /// A mechanism for tokens and a password, or the other way round.
    #[error("The server offers no way to sign in that fits: {0} is needed, and it does not offer it.")]
    NoMechanism(&'static str),
}

impl Mechanism {
    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    /// The first that fits the credentials among those that the server offers; `offers` is asked by name in capitals.
    pub fn choose(credentials: &Credentials, offers: impl Fn(&str) -> bool) -> Result<Self, SaslError> {
        // XOAUTH2 before OAUTHBEARER: Microsoft and Google speak both or only the older, and nobody only the newer one
        // but for its errors.
        let (fitting, needed): (&[Self], _) = match credentials {
            Credentials::Bearer { .. } => (&[Self::XOAuth2, Self::OAuthBearer], "XOAUTH2 or OAUTHBEARER"),
            Credentials::None | Credentials::Password { .. } => (&[Self::Plain, Self::Login], "PLAIN or LOGIN"),
        };
        fitting.iter().copied().find(|mechanism| offers(mechanism.name())).ok_or(SaslError::NoMechanism(needed))
    }

    /// Whether the client speaks first, so that its first answer may stand in the command (SASL-IR, RFC 4959; SMTP;
    /// POP3).
    pub fn speaks_first(self) -> bool {
        self != Self::Login
    }
}

/// One attempt to sign in.
pub struct Exchange<'c> {
    mechanism: Mechanism,
    credentials: &'c Credentials,
    host: &'c str,
    port: u16,
    answers: usize,
    refusal: Option<String>,
}

impl<'c> Exchange<'c> {
    /// Begins; `host` and `port` are the server's as they are configured (OAUTHBEARER says them).
    pub fn new(
        mechanism: Mechanism,
        credentials: &'c Credentials,
        host: &'c str,
        port: u16,
    ) -> Result<Self, SaslError> {
        let (user, secret) = parts(credentials);
        if user.chars().chain(secret.chars()).any(|letter| matches!(letter, '\0' | '\u{1}' | '\r' | '\n')) {
            return Err(SaslError::ControlCharacter);
        }
        Ok(Self { mechanism, credentials, host, port, answers: 0, refusal: None })
    }

    /// The mechanism under way.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The next answer, not encoded. The first call gives the client's first answer, whatever the challenge.
    pub fn respond(&mut self, challenge: &[u8]) -> Vec<u8> {
        self.answers += 1;
        let (user, secret) = parts(self.credentials);
        match (self.mechanism, self.answers) {
            (Mechanism::Plain, 1) => format!("\0{user}\0{secret}").into_bytes(),
            (Mechanism::Login, 1) => user.as_bytes().to_vec(),
            (Mechanism::Login, 2) => secret.as_bytes().to_vec(),
            (Mechanism::XOAuth2, 1) => format!("user={user}\u{1}auth=Bearer {secret}\u{1}\u{1}").into_bytes(),
            (Mechanism::OAuthBearer, 1) => {
                let user = user.replace('=', "=3D").replace(',', "=2C");
                format!("n,a={user},\u{1}host={}\u{1}port={}\u{1}auth=Bearer {secret}\u{1}\u{1}", self.host, self.port)
                    .into_bytes()
            }
            // A second challenge carries why the token is refused; the server then waits for an answer that says
            // nothing.
            (Mechanism::XOAuth2 | Mechanism::OAuthBearer, _) => {
                self.refusal = Some(refusal(challenge, &self.credentials.redactor()));
                if self.mechanism == Mechanism::OAuthBearer { b"\x01".to_vec() } else { Vec::new() }
            }
            (Mechanism::Plain | Mechanism::Login, _) => Vec::new(),
        }
    }

    /// Why the server refuses the token, where it said so: `status 401, scope mail`.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }
}

fn parts(credentials: &Credentials) -> (&str, &str) {
    match credentials {
        Credentials::None => ("", ""),
        Credentials::Password { user, password } => (user, password.reveal()),
        Credentials::Bearer { user, token } => (user, token.reveal()),
    }
}

/// The known fields of the error document (RFC 7628 section 3.2.2), each one line and short.
fn refusal(challenge: &[u8], redactor: &Redactor) -> String {
    let document: serde_json::Value = serde_json::from_slice(challenge).unwrap_or_default();
    let said: Vec<String> = ["status", "error", "scope"]
        .into_iter()
        .filter_map(|key| {
            let value = document.get(key)?.as_str()?;
            let value = redactor.line(&value.replace(char::is_control, ""), 100);
            (!value.is_empty()).then(|| format!("{key} {value}"))
        })
        .collect();
    if said.is_empty() { "it gave no reason".to_owned() } else { said.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::Secret;

    fn bearer() -> Credentials {
        Credentials::Bearer { user: "a,b=c@example.org".into(), token: Secret::new("vF9dft4qmT") }
    }

    #[test]
    fn tokens_are_said_as_the_standard_and_as_google_want_them() {
        let credentials = bearer();
        let mut standard = Exchange::new(Mechanism::OAuthBearer, &credentials, "server.example.com", 143).unwrap();
        let expected =
            "n,a=a=2Cb=3Dc@example.org,\u{1}host=server.example.com\u{1}port=143\u{1}auth=Bearer vF9dft4qmT\u{1}\u{1}";
        assert_eq!(String::from_utf8(standard.respond(b"")).unwrap(), expected);
        let mut older = Exchange::new(Mechanism::XOAuth2, &credentials, "server.example.com", 143).unwrap();
        assert_eq!(older.respond(b""), b"user=a,b=c@example.org\x01auth=Bearer vF9dft4qmT\x01\x01");
    }

    #[test]
    fn a_refused_token_is_answered_and_its_reason_kept() {
        let credentials = bearer();
        let mut exchange = Exchange::new(Mechanism::OAuthBearer, &credentials, "h", 1).unwrap();
        exchange.respond(b"");
        assert_eq!(exchange.respond(br#"{"status":"invalid_token","scope":"ma\u0000il"}"#), b"\x01");
        assert_eq!(exchange.refusal(), Some("status invalid_token, scope mail"));
        let mut older = Exchange::new(Mechanism::XOAuth2, &credentials, "h", 1).unwrap();
        older.respond(b"");
        assert_eq!(older.respond(b"no JSON"), b"");
        assert_eq!(older.refusal(), Some("it gave no reason"));
    }

    #[test]
    fn passwords_go_by_plain_or_login() {
        let credentials = Credentials::Password { user: "ü".into(), password: Secret::new("p w") };
        assert_eq!(Mechanism::choose(&credentials, |name| name == "LOGIN" || name == "XOAUTH2"), Ok(Mechanism::Login));
        assert!(
            Mechanism::choose(&credentials, |name| name == "XOAUTH2")
                .unwrap_err()
                .to_string()
                .contains("PLAIN or LOGIN")
        );
        let mut plain = Exchange::new(Mechanism::Plain, &credentials, "h", 1).unwrap();
        assert_eq!(plain.respond(b""), "\0ü\0p w".as_bytes());
        let mut login = Exchange::new(Mechanism::Login, &credentials, "h", 1).unwrap();
        assert_eq!((login.respond(b"User Name"), login.respond(b"Password")), ("ü".into(), b"p w".to_vec()));
    }

    #[test]
    fn nothing_slips_into_another_field() {
        let credentials = Credentials::Bearer { user: "a\u{1}auth=Bearer stolen".into(), token: Secret::new("t") };
        assert_eq!(Exchange::new(Mechanism::XOAuth2, &credentials, "h", 1).err(), Some(SaslError::ControlCharacter));
        let credentials = Credentials::Password { user: "a".into(), password: Secret::new("b\0c") };
        assert_eq!(Exchange::new(Mechanism::Plain, &credentials, "h", 1).err(), Some(SaslError::ControlCharacter));
    }
}
