//! Where a transport passes mail on to. The configuration has a transport's keys flat, and what `host` means depends on
//! `kind`; here each kind has what it needs.

use super::server::{Server, TlsMode, timeout};
use super::{Transport, TransportKind};

/// The command of a `sendmail` transport that names none.
const USUAL_SENDMAIL: &str = "/usr/sbin/sendmail";

/// Where a transport passes mail on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlet<'a> {
    /// A server.
    Smtp(SmtpServer<'a>),
    /// A command of this machine that takes a mail by its standard input: the name that the daemon was given it by, or
    /// its path.
    Sendmail(&'a str),
    /// A folder of this machine that mails are written to: the name that the daemon was given it by, or its path.
    Folder(&'a str),
}

/// An SMTP server, and how mail is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SmtpServer<'a> {
    /// The server.
    pub server: Server<'a>,
    /// What this client calls itself; none: this machine's name.
    pub hello: Option<&'a str>,
    /// Whether a password may go over a connection without TLS to another machine.
    pub allow_insecure_auth: bool,
}

impl Transport {
    /// Where it passes mail on to.
    pub fn outlet(&self) -> Outlet<'_> {
        match self.kind {
            TransportKind::Smtp => self.smtp(25, TlsMode::Clear),
            TransportKind::Smtps => self.smtp(465, TlsMode::Implicit),
            TransportKind::SmtpStartTls => self.smtp(587, TlsMode::StartTls),
            TransportKind::Sendmail => Outlet::Sendmail(if self.host.is_empty() { USUAL_SENDMAIL } else { &self.host }),
            TransportKind::File => Outlet::Folder(&self.host),
        }
    }

    fn smtp(&self, usual_port: u16, tls_mode: TlsMode) -> Outlet<'_> {
        let port = self.port.unwrap_or(usual_port);
        Outlet::Smtp(SmtpServer {
            server: Server {
                host: &self.host,
                port,
                tls_mode,
                tls: &self.tls,
                user: &self.user,
                timeout: timeout(self.timeout),
            },
            hello: Some(self.hello.as_str()).filter(|hello| !hello.is_empty()),
            allow_insecure_auth: self.allow_insecure_auth,
        })
    }
}

impl Outlet<'_> {
    /// Whether it is a server.
    pub fn is_smtp(&self) -> bool {
        matches!(self, Self::Smtp(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_usual_for_the_kind() {
        for (kind, port, tls_mode) in [
            (TransportKind::Smtp, 25, TlsMode::Clear),
            (TransportKind::Smtps, 465, TlsMode::Implicit),
            (TransportKind::SmtpStartTls, 587, TlsMode::StartTls),
        ] {
            let transport = Transport { kind, host: "mx".into(), ..Transport::default() };
            let Outlet::Smtp(smtp) = transport.outlet() else { panic!("{kind:?}") };
            assert_eq!(
                (smtp.server.host, smtp.server.port, smtp.server.tls_mode, smtp.hello),
                ("mx", port, tls_mode, None)
            );
        }
        let of = |kind| Transport { kind, ..Transport::default() };
        assert_eq!(of(TransportKind::Sendmail).outlet(), Outlet::Sendmail("/usr/sbin/sendmail"));
        assert_eq!(of(TransportKind::File).outlet(), Outlet::Folder(""));
    }
}
