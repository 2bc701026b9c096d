//! Why a fetch from a POP3 server failed.

use super::answer::{Code, ErrAnswer};
use postigo_net::ConnectError;

/// Why a fetch from a POP3 server failed.
#[derive(Debug, thiserror::Error)]
pub enum Pop3Error {
    /// No stream to the server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// `pop3+starttls` on a server without it.
    #[error("The server does not start TLS ({0}). Use protocol pop3s, or pop3 where a connection in clear is meant.")]
    NoStartTls(String),
    /// Bytes came in clear after the server's consent to TLS: somebody between may have put them there.
    #[error(
        "The server sent more in clear after it agreed to start TLS, which may be an attack; nothing was fetched. Use protocol pop3s."
    )]
    ClearBeforeTls,
    /// The server takes no password on this connection.
    #[error(
        "The server takes no password on this connection; it probably wants TLS. Use protocol pop3s or pop3+starttls."
    )]
    SignInDisabled,
    /// User or password is wrong.
    #[error("The server did not let {user} in: {text}. Check user and password.")]
    SignIn {
        /// Login.
        user: String,
        /// The server's words.
        text: String,
    },
    /// `[IN-USE]` (RFC 2449 section 8.1.1).
    #[error(
        "The mailbox is in use: {0}. Another program has it open, or an earlier connection has not ended yet; it is tried again."
    )]
    InUse(String),
    /// `[LOGIN-DELAY]` (RFC 2449 section 8.1.2).
    #[error("The server wants to be asked less often: {0}. Give the account a longer interval.")]
    LoginDelay(String),
    /// `[SYS/TEMP]`, `[SYS/PERM]` (RFC 3206).
    #[error("The server has {kind} trouble of its own: {text}. {advice}")]
    System {
        /// An adjective.
        kind: &'static str,
        /// The server's words.
        text: String,
        /// A sentence.
        advice: &'static str,
    },
    /// The server answered `-ERR`.
    #[error("The server refused to {doing}: {text}")]
    Refused {
        /// An infinitive.
        doing: &'static str,
        /// The server's words.
        text: String,
    },
    /// The connection ended, or what came is no POP3.
    #[error("The connection was lost while the server was to {doing}: {text}")]
    Lost {
        /// An infinitive.
        doing: &'static str,
        /// What happened.
        text: String,
    },
}

impl Pop3Error {
    /// The server said no.
    pub fn refused(doing: &'static str, refusal: ErrAnswer) -> Self {
        Self::by_code(refusal).unwrap_or_else(|text| Self::Refused { doing, text })
    }

    /// The server said no to these credentials.
    pub fn sign_in(user: &str, refusal: ErrAnswer) -> Self {
        Self::by_code(refusal).unwrap_or_else(|text| Self::SignIn { user: user.to_owned(), text })
    }

    /// The server went away, fell silent or does not speak POP3.
    pub fn lost(doing: &'static str, text: impl std::fmt::Display) -> Self {
        Self::Lost { doing, text: text.to_string() }
    }

    /// Whether it will pass by waiting alone.
    pub fn is_wait(&self) -> bool {
        matches!(self, Self::InUse(_) | Self::LoginDelay(_))
    }

    /// What the server's code says beyond doubt; else its words.
    fn by_code(ErrAnswer { code, text }: ErrAnswer) -> Result<Self, String> {
        match code {
            Code::InUse => Ok(Self::InUse(text)),
            Code::LoginDelay => Ok(Self::LoginDelay(text)),
            Code::SystemTemporary => Ok(Self::System { kind: "temporary", text, advice: "It is tried again." }),
            Code::SystemPermanent => {
                Ok(Self::System { kind: "lasting", text, advice: "Its administrator must see to it." })
            }
            Code::Auth | Code::Other => Err(text),
        }
    }
}
