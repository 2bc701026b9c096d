//! The ways in and out for mail: accounts, transports, and how they sign in.

use super::{Secret, Validity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an account's mail is dispatched to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Dispatch {
    /// By its recipients (`to`).
    #[default]
    To,
    /// To a queue (`queue:NAME`).
    Queue(String),
}

/// What is done with a mail on the server once it is durable here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AfterFetch {
    /// Deleted, as by the peer.
    #[default]
    Delete,
    /// Marked as seen.
    Seen,
    /// Moved to a folder (`move:FOLDER`).
    Move(String),
    /// Left as it is.
    Keep,
}

/// Which mail an account takes of a mailbox that it sees for the first time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// All that is there.
    #[default]
    Beginning,
    /// What comes from now on; what is there is left alone.
    Now,
}

/// How an account is reached, in one word of the configuration; [`Account::source`] takes it apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Protocol {
    /// IMAP without TLS.
    #[serde(rename = "imap")]
    Imap,
    /// IMAP over TLS.
    #[serde(rename = "imaps")]
    Imaps,
    /// IMAP, then STARTTLS.
    #[serde(rename = "imap+starttls")]
    ImapStartTls,
    /// POP3 without TLS.
    #[serde(rename = "pop3")]
    Pop3,
    /// POP3 over TLS.
    #[serde(rename = "pop3s")]
    Pop3s,
    /// POP3, then STLS.
    #[serde(rename = "pop3+starttls")]
    Pop3StartTls,
    /// Postigo listens for LMTP (RFC 2033).
    #[serde(rename = "lmtp")]
    Lmtp,
    /// Postigo listens for SMTP (RFC 5321), from trusted relays alone.
    #[serde(rename = "smtp")]
    Smtp,
    /// A Maildir on this machine.
    #[serde(rename = "maildir")]
    Maildir,
    /// Fetches nothing, serves `ingest` and tests.
    #[default]
    #[serde(rename = "local")]
    Local,
}

impl Protocol {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Imaps => "imaps",
            Self::ImapStartTls => "imap+starttls",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::Pop3StartTls => "pop3+starttls",
            Self::Lmtp => "lmtp",
            Self::Smtp => "smtp",
            Self::Maildir => "maildir",
            Self::Local => "local",
        }
    }
}

/// TLS towards a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// A file of further certificate authorities, PEM; empty: the system's alone.
    pub ca: String,
    /// A file, PEM; empty: none.
    pub client_certificate: String,
    /// A file, PEM.
    pub client_key: String,
    /// Whether the server's certificate is checked.
    pub verify: bool,
    /// What a listener shows to its clients: a file with its certificate chain, PEM; empty: no STARTTLS.
    pub certificate: String,
    /// The listener's key, a file, PEM.
    pub key: String,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            ca: String::new(),
            client_certificate: String::new(),
            client_key: String::new(),
            verify: true,
            certificate: String::new(),
            key: String::new(),
        }
    }
}

/// Sign-in by OAuth2; `oauth2::Provider` is what it comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OAuth2 {
    /// A provider whose addresses are known (`microsoft`, `google`); empty: the addresses below.
    pub provider: String,
    /// The client that the provider registered.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Option<Secret>,
    /// The directory of a `microsoft` account.
    pub tenant: String,
    /// Authorization endpoint (RFC 6749 section 3.1).
    pub authorize_url: String,
    /// Token endpoint (RFC 6749 section 3.2).
    pub token_url: String,
    /// Device authorization endpoint (RFC 8628).
    pub device_url: String,
    /// Scopes.
    pub scopes: Vec<String>,
    /// The grant: `code`, `device`, `client-credentials`; empty: the provider's usual one.
    pub flow: String,
    /// Where the browser is sent back to after a sign-in by `code`, as the provider registered it; empty:
    /// `http://localhost:8025/oauth2/callback`.
    pub redirect_url: String,
    /// Seconds without use after which a refresh token ends, to warn before; none: the provider's, as far as it is
    /// known; 0: never.
    pub refresh_token_age: Option<u64>,
}

/// Where mail comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Unique.
    pub name: String,
    /// How it is reached.
    pub protocol: Protocol,
    /// Host, or the folder of a Maildir; of a listener the address to listen on (empty: 127.0.0.1), or the path of a
    /// Unix socket.
    pub host: String,
    /// None: the protocol's own.
    pub port: Option<u16>,
    /// Login; of a listener the address that it takes mail for (`*`: every address; empty: the valid system
    /// addresses).
    pub user: String,
    /// Password.
    pub password: Option<Secret>,
    /// Sign-in by OAuth2.
    pub oauth2: Option<OAuth2>,
    /// Who may deliver to a listener over TCP: addresses and networks, `10.1.0.0/16`.
    pub networks: Vec<String>,
    /// IMAP folder.
    pub folder: String,
    /// Whether its mails' own `X-OTOBO-*` headers count.
    pub trusted: bool,
    /// Where its mail goes.
    pub dispatch: Dispatch,
    /// What is done on the server.
    pub after_fetch: AfterFetch,
    /// Where held mails go on the server; empty: nowhere.
    pub failed_folder: String,
    /// Which mail is taken of a mailbox that is seen for the first time.
    pub start: Start,
    /// Seconds; none: the setting's.
    pub interval: Option<u64>,
    /// Seconds, of every read.
    pub timeout: u64,
    /// IMAP IDLE where the server has it.
    pub idle: bool,
    /// TLS.
    pub tls: Tls,
    /// In use?
    pub valid: Validity,
    /// For admins.
    pub comment: String,
}

impl Account {
    /// The account that exists from the start, for mail that nothing else brings.
    pub const LOCAL: &str = "local";
}

impl Default for Account {
    fn default() -> Self {
        Self {
            name: String::new(),
            protocol: Protocol::default(),
            host: String::new(),
            port: None,
            user: String::new(),
            password: None,
            oauth2: None,
            networks: ["127.0.0.0/8", "::1"].map(str::to_owned).into(),
            folder: "INBOX".into(),
            trusted: false,
            dispatch: Dispatch::default(),
            after_fetch: AfterFetch::default(),
            failed_folder: String::new(),
            start: Start::default(),
            interval: None,
            timeout: 60,
            idle: true,
            tls: Tls::default(),
            valid: Validity::default(),
            comment: String::new(),
        }
    }
}

/// How a transport passes mail on, in one word of the configuration; [`Transport::outlet`] takes it apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum TransportKind {
    /// SMTP without TLS (OTOBO: `Kernel::System::Email::SMTP`).
    #[serde(rename = "smtp")]
    Smtp,
    /// SMTP over TLS (OTOBO: `SMTPS`).
    #[serde(rename = "smtps")]
    Smtps,
    /// SMTP, then STARTTLS, always (OTOBO: `SMTPTLS`).
    #[default]
    #[serde(rename = "smtp+starttls")]
    SmtpStartTls,
    /// A command that takes the mail by its standard input (OTOBO: `Sendmail`).
    #[serde(rename = "sendmail")]
    Sendmail,
    /// A folder that the mails are written to: for trials.
    #[serde(rename = "file")]
    File,
}

impl TransportKind {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Smtps => "smtps",
            Self::SmtpStartTls => "smtp+starttls",
            Self::Sendmail => "sendmail",
            Self::File => "file",
        }
    }
}

/// A way out for mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transport {
    /// Unique.
    pub name: String,
    /// How it passes mail on.
    pub kind: TransportKind,
    /// Host; of `sendmail` the command (empty: `/usr/sbin/sendmail`), of `file` the folder, each by the name that
    /// `serve` was given, or by path.
    pub host: String,
    /// None: the kind's own.
    pub port: Option<u16>,
    /// Login.
    pub user: String,
    /// Password.
    pub password: Option<Secret>,
    /// Sign-in by OAuth2.
    pub oauth2: Option<OAuth2>,
    /// Whether the password may go over a connection without TLS to another machine.
    pub allow_insecure_auth: bool,
    /// Sender addresses or queues that it serves (`for`); empty: all that no other names.
    pub senders: Vec<String>,
    /// TLS.
    pub tls: Tls,
    /// What the client calls itself (EHLO); empty: this machine's name.
    pub hello: String,
    /// Seconds, of every read and write; of `sendmail`, of the command.
    pub timeout: u64,
    /// So many mails are sent at once, at most.
    pub connections: u32,
    /// In use?
    pub valid: Validity,
    /// For admins.
    pub comment: String,
}

impl Default for Transport {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: TransportKind::default(),
            host: String::new(),
            port: None,
            user: String::new(),
            password: None,
            oauth2: None,
            allow_insecure_auth: false,
            senders: Vec::new(),
            tls: Tls::default(),
            hello: String::new(),
            timeout: 300,
            connections: 4,
            valid: Validity::default(),
            comment: String::new(),
        }
    }
}
