//! What a server's answer means, and why there is no session.

use super::response::Response;
use crate::oauth2::OAuth2Error;
use crate::outbound::RecipientReply;
use postigo_net::ConnectError;
use postigo_net::sasl::SaslError;
use postigo_net::tls::TlsError;

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NegativeReply {
    /// 4yz.
    Later {
        /// `421`
        code: u16,
        /// `421 4.3.2 Closing`
        words: String,
    },
    /// 5yz.
    Refused(String),
    /// No answer: the connection broke, was silent for too long, or what came is no SMTP.
    Broken(String),
}

impl NegativeReply {
    /// What a response says that is not positive.
    pub fn negative(response: &Response) -> Self {
        let words = response.words();
        if response.is_permanent() { Self::Refused(words) } else { Self::Later { code: response.code(), words } }
    }

    /// Whether nothing more can be said on this connection.
    pub fn ends_connection(&self) -> bool {
        match self {
            Self::Later { code, .. } => *code == 421,
            Self::Refused(_) => false,
            Self::Broken(_) => true,
        }
    }

    /// As it is for a recipient, before the content went out.
    pub fn reply(&self) -> RecipientReply {
        match self {
            Self::Later { words, .. } | Self::Broken(words) => RecipientReply::Later(words.clone()),
            Self::Refused(words) => RecipientReply::Refused(words.clone()),
        }
    }

    /// Its words.
    pub fn words(&self) -> &str {
        match self {
            Self::Later { words, .. } | Self::Refused(words) | Self::Broken(words) => words,
        }
    }
}

/// Why there is no session with a server. No sentence holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// No connection, or no TLS on it.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// TLS could not be agreed on.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server answered with an error, or not at all.
    #[error("The server {host} did not {doing}: {words}.")]
    Server {
        /// As configured.
        host: String,
        /// What was asked of it, an infinitive.
        doing: &'static str,
        /// Its answer.
        words: String,
    },
    /// STARTTLS is asked for and not offered: it may have been taken out on the way.
    #[error(
        "The server {0} offers no STARTTLS, so nothing was sent. Use kind = \"smtps\" if it speaks TLS from the start, or \"smtp\" to send in clear."
    )]
    NoStartTls(String),
    /// The password would be readable on the way.
    #[error(
        "The password is not sent to {0} in clear. Use kind = \"smtp+starttls\" or \"smtps\", or say allow_insecure_auth = true."
    )]
    Clear(String),
    /// The server offers nothing that fits.
    #[error("{0}")]
    Sasl(#[from] SaslError),
    /// The server refuses user, password or token.
    #[error("The server {host} refuses the sign-in of {user:?}: {words}.")]
    SignIn {
        /// As configured.
        host: String,
        /// Login.
        user: String,
        /// Its answer.
        words: String,
    },
    /// No access token.
    #[error(transparent)]
    OAuth2(#[from] OAuth2Error),
}
