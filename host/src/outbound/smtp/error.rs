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

    /// Whether it may mean, once some recipients are taken, that there are too many for one transaction: 452, or 552 by
    /// the older standard (RFC 5321 section 4.5.3.1.10). An enhanced code that speaks of the recipient's own mailbox
    /// (RFC 3463: `x.2.z`) means that one alone.
    pub fn is_too_many(&self) -> bool {
        let words = match self {
            Self::Later { code: 452, words } => words,
            Self::Refused(words) if words.starts_with("552") => words,
            _ => return false,
        };
        let enhanced = words.get(4..).unwrap_or_default().as_bytes();
        !(enhanced.first().is_some_and(u8::is_ascii_digit) && enhanced.get(1..4) == Some(b".2."))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_recipients_are_told_from_a_full_mailbox() {
        let later = |code, words: &str| NegativeReply::Later { code, words: words.to_owned() };
        let refused = |words: &str| NegativeReply::Refused(words.to_owned());
        for many in
            [later(452, "452 4.5.3 too many"), later(452, "452"), refused("552 5.5.3 x"), refused("552 too many")]
        {
            assert!(many.is_too_many(), "{many:?}");
        }
        for own in
            [later(452, "452 4.2.2 full"), later(450, "450 x"), refused("552 5.2.2 quota"), refused("550 5.5.3 x")]
        {
            assert!(!own.is_too_many(), "{own:?}");
        }
    }
}
