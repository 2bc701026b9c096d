//! Where an account's mail comes from. The configuration has an account's keys flat, and what `host` or `user` means
//! depends on `protocol`; here each kind of source has what it needs, and nothing else.

use super::server::{Server, TlsMode, timeout};
use super::{Account, Endpoint, Protocol, Start};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where an account's mail comes from. Borrowed from the account, and made whenever it is looked at: nothing is copied
/// but a listener's endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source<'a> {
    /// A folder of an IMAP server.
    Imap(ImapFolder<'a>),
    /// A POP3 server's only mailbox.
    Pop3(Server<'a>),
    /// Postigo listens, and others bring the mail.
    Listener(ListenerSource<'a>),
    /// The path of a Maildir on this machine.
    Maildir(&'a Path),
    /// Nothing is fetched; mail is handed in (`ingest`, REST, tests).
    Local,
}

/// A folder of an IMAP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImapFolder<'a> {
    /// The server.
    pub server: Server<'a>,
    /// The folder that mail is fetched from.
    pub folder: &'a str,
    /// The folder that held mails are put into; none: they stay where they are.
    pub failed_folder: Option<&'a str>,
    /// Which mail is taken when the folder is seen for the first time.
    pub start: Start,
    /// Whether the server is to tell of new mail by IDLE, where it can.
    pub idle: bool,
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// RFC 2033: an answer for each recipient.
    Lmtp,
    /// RFC 5321: one answer.
    Smtp,
}

/// What Postigo listens on for an account, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSource<'a> {
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it listens.
    pub endpoint: Endpoint,
    /// Who may deliver over TCP, as configured.
    pub networks: &'a [String],
    /// Whom the account takes mail for.
    pub recipients: ListenerRecipients<'a>,
}

/// Whom a listener's account takes mail for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerRecipients<'a> {
    /// Everybody (`*`).
    Everybody,
    /// One address.
    One(&'a str),
    /// The valid system addresses.
    SystemAddresses,
}

impl Dialect {
    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lmtp => Protocol::Lmtp.name(),
            Self::Smtp => Protocol::Smtp.name(),
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Lmtp => 24,
            Self::Smtp => 25,
        }
    }
}

impl Account {
    /// Where its mail comes from.
    pub fn source(&self) -> Source<'_> {
        match self.protocol {
            Protocol::Imap => self.imap(143, TlsMode::Clear),
            Protocol::ImapStartTls => self.imap(143, TlsMode::StartTls),
            Protocol::Imaps => self.imap(993, TlsMode::Implicit),
            Protocol::Pop3 => Source::Pop3(self.server(110, TlsMode::Clear)),
            Protocol::Pop3StartTls => Source::Pop3(self.server(110, TlsMode::StartTls)),
            Protocol::Pop3s => Source::Pop3(self.server(995, TlsMode::Implicit)),
            Protocol::Lmtp => Source::Listener(self.listener(Dialect::Lmtp)),
            Protocol::Smtp => Source::Listener(self.listener(Dialect::Smtp)),
            Protocol::Maildir => Source::Maildir(Path::new(&self.host)),
            Protocol::Local => Source::Local,
        }
    }

    fn server(&self, usual_port: u16, tls_mode: TlsMode) -> Server<'_> {
        let port = self.port.unwrap_or(usual_port);
        Server { host: &self.host, port, tls_mode, tls: &self.tls, user: &self.user, timeout: timeout(self.timeout) }
    }

    fn imap(&self, usual_port: u16, tls_mode: TlsMode) -> Source<'_> {
        Source::Imap(ImapFolder {
            server: self.server(usual_port, tls_mode),
            folder: &self.folder,
            failed_folder: Some(self.failed_folder.as_str()).filter(|folder| !folder.is_empty()),
            start: self.start,
            idle: self.idle,
        })
    }

    fn listener(&self, dialect: Dialect) -> ListenerSource<'_> {
        let endpoint = if self.host.starts_with('/') {
            Endpoint::Unix(PathBuf::from(&self.host))
        } else {
            let address = self.host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            Endpoint::Tcp(SocketAddr::new(address, self.port.unwrap_or(dialect.usual_port())))
        };
        let recipients = match self.user.as_str() {
            "*" => ListenerRecipients::Everybody,
            "" => ListenerRecipients::SystemAddresses,
            address => ListenerRecipients::One(address),
        };
        ListenerSource { dialect, endpoint, networks: &self.networks, recipients }
    }
}

impl<'a> Source<'a> {
    /// The server that is connected to, where there is one.
    pub fn server(&self) -> Option<Server<'a>> {
        match self {
            Self::Imap(folder) => Some(folder.server),
            Self::Pop3(server) => Some(*server),
            Self::Listener(_) | Self::Maildir(_) | Self::Local => None,
        }
    }

    /// What is listened on, where the source is a listener.
    pub fn listener(self) -> Option<ListenerSource<'a>> {
        if let Self::Listener(listener) = self { Some(listener) } else { None }
    }

    /// Whether Postigo looks for mail there at an interval.
    pub fn is_polled(&self) -> bool {
        matches!(self, Self::Imap(_) | Self::Pop3(_) | Self::Maildir(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(protocol: Protocol, host: &str) -> Account {
        Account { protocol, host: host.into(), ..Account::default() }
    }

    #[test]
    fn what_is_not_said_is_as_usual_for_the_protocol() {
        for (protocol, port, tls_mode) in [
            (Protocol::Imap, 143, TlsMode::Clear),
            (Protocol::ImapStartTls, 143, TlsMode::StartTls),
            (Protocol::Imaps, 993, TlsMode::Implicit),
            (Protocol::Pop3, 110, TlsMode::Clear),
            (Protocol::Pop3StartTls, 110, TlsMode::StartTls),
            (Protocol::Pop3s, 995, TlsMode::Implicit),
        ] {
            let account = account(protocol, "mail.example.org");
            let server = account.source().server().unwrap();
            assert_eq!(
                (server.host, server.port, server.tls_mode),
                ("mail.example.org", port, tls_mode),
                "{protocol:?}"
            );
            let elsewhere = Account { port: Some(1), ..account };
            assert_eq!(elsewhere.source().server().unwrap().port, 1);
        }
    }

    #[test]
    fn a_listener_waits_at_an_address_or_a_socket() {
        let endpoint = |protocol, host: &str| {
            account(protocol, host).source().listener().map(|listener| listener.endpoint.to_string())
        };
        assert_eq!(endpoint(Protocol::Lmtp, "").as_deref(), Some("127.0.0.1:24"));
        assert_eq!(endpoint(Protocol::Smtp, "::1").as_deref(), Some("[::1]:25"));
        assert_eq!(endpoint(Protocol::Lmtp, "/run/lmtp").as_deref(), Some("/run/lmtp"));
        assert_eq!(endpoint(Protocol::Maildir, "/var/mail"), None);
    }
}
