//! What makes no sense of how an account or a transport reaches its server and signs in there. Held to what is new or
//! changed alone: what is there already keeps nobody from changing something else.

use postigo_model::configured::form::{ConfiguredKind, below};
use postigo_model::configured::{Account, Breach, Configuration, OAuth2, Outlet, Server, Tls, TlsMode, Transport};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What is wrong, and what may be meant and is worth a second look.
#[derive(Debug, Default)]
pub struct AccessReview {
    /// Nothing is saved with these.
    pub breaches: Vec<Breach>,
    /// These are told, and saved all the same.
    pub warnings: Vec<Breach>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a rule asks for")]
/// What an account or transport that is used signs in to, and with what.
struct Access<'a> {
    kind: &'static str,
    name: &'a str,
    server: Server<'a>,
    has_password: bool,
    oauth2: Option<&'a OAuth2>,
    tls: &'a Tls,
    is_used: bool,
    /// Whether it signs in at all.
    signs_in: bool,
    /// Whether it is of no use where it does not: no server gives mail to nobody.
    must_sign_in: bool,
    /// Whether the password goes over a connection without TLS, wherever the server is.
    is_content_without_tls: bool,
    /// What is written to have TLS from the first byte, and by STARTTLS.
    words: (&'static str, &'static str, &'static str),
}

/// Looks at all that is new or another than in `before`.
pub fn look(before: &Configuration, after: &Configuration) -> AccessReview {
    let mut review = AccessReview::default();
    let accounts = after.accounts.iter().filter(|(name, account)| before.accounts.get(*name) != Some(*account));
    accounts.filter_map(|(_, account)| of_account(account)).for_each(|access| review.access(&access));
    let transports =
        after.transports.iter().filter(|(name, transport)| before.transports.get(*name) != Some(*transport));
    transports.filter_map(|(_, transport)| of_transport(transport)).for_each(|access| review.access(&access));
    review
}

fn of_account(account: &Account) -> Option<Access<'_>> {
    let name = account.protocol.name();
    let (implicit, start) =
        if name.starts_with("pop3") { ("pop3s", "pop3+starttls") } else { ("imaps", "imap+starttls") };
    Some(Access {
        kind: Account::KIND,
        name: &account.name,
        server: account.source().server()?,
        has_password: account.password.is_some(),
        oauth2: account.oauth2.as_ref(),
        tls: &account.tls,
        is_used: account.valid.is_valid(),
        signs_in: true,
        must_sign_in: true,
        is_content_without_tls: false,
        words: ("protocol", implicit, start),
    })
}

fn of_transport(transport: &Transport) -> Option<Access<'_>> {
    let Outlet::Smtp(smtp) = transport.outlet() else { return None };
    Some(Access {
        kind: Transport::KIND,
        name: &transport.name,
        server: smtp.server,
        has_password: transport.password.is_some(),
        oauth2: transport.oauth2.as_ref(),
        tls: &transport.tls,
        is_used: transport.valid.is_valid(),
        signs_in: !transport.user.is_empty() || transport.password.is_some(),
        must_sign_in: false,
        is_content_without_tls: transport.allow_insecure_auth,
        words: ("kind", "smtps", "smtp+starttls"),
    })
}

impl AccessReview {
    fn access(&mut self, access: &Access<'_>) {
        let Access { server, has_password, oauth2, .. } = access;
        let has_certificate = !access.tls.client_certificate.is_empty();
        if access.is_used && access.signs_in && !has_password && oauth2.is_none() && !has_certificate {
            if access.must_sign_in {
                let sentence =
                    "must be given: there is no way to sign in without a password, oauth2 or tls.client_certificate.";
                self.breach(access, "password", sentence.to_owned());
            } else {
                let sentence = "is missing: a login is named (user), and nothing to sign in with.";
                self.warning(access, "password", sentence.to_owned());
            }
        }
        if *has_password && oauth2.is_some() {
            let sentence = "with oauth2 nothing signs in by it: leave one of them out (password = \"\" forgets it).";
            self.warning(access, "password", sentence.to_owned());
        }
        if let Some(sentence) = about_host(server.host, access.words.0) {
            self.breach(access, "host", sentence);
        }
        let (key, implicit, start) = access.words;
        match (server.tls_mode, server.port) {
            (TlsMode::StartTls, port @ (465 | 993 | 995)) => {
                let sentence = format!(
                    "servers speak TLS from the first byte on port {port}, and STARTTLS finds none there: use {key} = \"{implicit}\", or another port."
                );
                self.warning(access, "port", sentence);
            }
            (TlsMode::Implicit, port @ (25 | 110 | 143 | 587)) => {
                let sentence = format!(
                    "servers speak no TLS from the first byte on port {port}: use {key} = \"{start}\", or another port."
                );
                self.warning(access, "port", sentence);
            }
            _ => {}
        }
        let signs_in = *has_password || oauth2.is_some();
        if server.tls_mode == TlsMode::Clear
            && signs_in
            && !access.is_content_without_tls
            && !server.host.is_empty()
            && !is_this_machine(server.host)
        {
            let sentence = format!(
                "the password or token would go to {} in clear, readable for whoever is on the way: use {key} = \"{implicit}\" or \"{start}\".",
                server.host
            );
            self.warning(access, key, sentence);
        }
    }

    fn breach(&mut self, access: &Access<'_>, key: &str, sentence: String) {
        self.breaches.push(at(access, key, sentence));
    }

    fn warning(&mut self, access: &Access<'_>, key: &str, sentence: String) {
        self.warnings.push(at(access, key, sentence));
    }
}

fn at(access: &Access<'_>, key: &str, sentence: String) -> Breach {
    Breach { kind: access.kind, name: access.name.to_owned(), place: below("", key), sentence }
}

/// What is wrong with a text as the host of a server.
fn about_host(host: &str, key: &str) -> Option<String> {
    let parsed = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if host.is_empty() || parsed.is_ok() {
        return None;
    }
    if let Some((scheme, rest)) = host.split_once("://") {
        let bare = rest.split(['/', ':']).next().unwrap_or_default();
        return Some(format!(
            "must be a host name alone, such as \"{bare}\": how it is reached is said by `{key}`, and \"{scheme}://\" is no part of it."
        ));
    }
    if let Some((name, port)) = host.rsplit_once(':')
        && port.parse::<u16>().is_ok()
    {
        return Some(format!(
            "must be a host name alone, such as \"{name}\": the port has a key of its own, port = {port}."
        ));
    }
    let is_odd = |letter: char| letter.is_whitespace() || "/@:,;<>\"'".contains(letter);
    host.contains(is_odd).then(|| format!("must be a host name or an address; \"{host}\" is neither."))
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The keys of TLS that name files, with the text of each.
fn files(tls: &mut Tls) -> [(&'static str, &mut String); 5] {
    [
        ("ca", &mut tls.ca),
        ("client_certificate", &mut tls.client_certificate),
        ("client_key", &mut tls.client_key),
        ("certificate", &mut tls.certificate),
        ("key", &mut tls.key),
    ]
}

/// Makes the files that `tls` of these things names whole paths, relative to `folder`, and warns of those that cannot be
/// read here: the daemon looks for them whenever a connection is opened, on its own machine.
pub fn settle_files(
    configuration: &mut Configuration,
    folder: &Path,
    is_named: impl Fn(&'static str, &str) -> bool,
) -> Vec<Breach> {
    let accounts = configuration.accounts.values_mut().map(|account| (Account::KIND, &account.name, &mut account.tls));
    let transports =
        configuration.transports.values_mut().map(|transport| (Transport::KIND, &transport.name, &mut transport.tls));
    let mut warnings = Vec::new();
    for (kind, name, tls) in accounts.chain(transports).filter(|(kind, name, _)| is_named(kind, name)) {
        for (key, named) in files(tls).into_iter().filter(|(_, named)| !named.is_empty()) {
            let path = std::path::absolute(folder.join(&*named)).unwrap_or_else(|_| PathBuf::from(&*named));
            *named = path.display().to_string();
            if let Err(error) = std::fs::File::open(&path) {
                let sentence = format!("the file {} cannot be read: {error}.", path.display());
                warnings.push(Breach { kind, name: name.clone(), place: below("/tls", key), sentence });
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::{Protocol, Secret, TransportKind, Validity};

    fn account(change: impl Fn(&mut Account)) -> Account {
        let mut account = Account {
            name: "a".into(),
            protocol: Protocol::Imaps,
            host: "mail.example.org".into(),
            user: "u".into(),
            password: Some(Secret::new("p")),
            ..Account::default()
        };
        change(&mut account);
        account
    }

    fn told(change: impl Fn(&mut Account)) -> (Vec<String>, Vec<String>) {
        let mut after = Configuration::default();
        after.accounts.insert("a".into(), account(change));
        let places = |breaches: Vec<Breach>| breaches.into_iter().map(|breach| breach.place).collect::<Vec<_>>();
        let AccessReview { breaches, warnings } = look(&Configuration::default(), &after);
        assert!(look(&after, &after).breaches.is_empty(), "what is there already is left alone");
        (places(breaches), places(warnings))
    }

    #[test]
    fn an_account_that_cannot_sign_in_or_names_no_host_is_a_mistake() {
        let none = (Vec::new(), Vec::new());
        let wrong = |place: &str| (vec![place.to_owned()], Vec::new());
        assert_eq!(told(|_| ()), none);
        assert_eq!(told(|account| account.password = None), wrong("/password"));
        assert_eq!(told(|account| (account.password, account.valid) = (None, Validity::Invalid)), none);
        assert_eq!(told(|account| (account.password, account.oauth2) = (None, Some(OAuth2::default()))), none);
        assert_eq!(
            told(|account| account.oauth2 = Some(OAuth2::default())),
            (Vec::new(), vec!["/password".to_owned()]),
            "one of them is of no use"
        );
        assert_eq!(
            told(|account| {
                account.password = None;
                account.tls.client_certificate = "c.pem".into();
            }),
            none
        );
        for host in ["imaps://mail.example.org", "mail.example.org:993", "mail example org", "jane@mail.example.org"] {
            assert_eq!(told(|account| account.host = host.into()), wrong("/host"), "{host}");
        }
        for host in ["localhost", "127.0.0.1", "::1", "[2001:db8::1]", "mail.example.org", "Bücher.example"] {
            assert_eq!(told(|account| account.host = host.into()), none, "{host}");
        }
    }

    #[test]
    fn a_port_that_speaks_otherwise_and_a_password_in_clear_are_warned_of() {
        let warned = |place: &str| (Vec::new(), vec![place.to_owned()]);
        assert_eq!(
            told(|account| (account.protocol, account.port) = (Protocol::ImapStartTls, Some(993))),
            warned("/port")
        );
        assert_eq!(told(|account| account.port = Some(143)), warned("/port"));
        assert_eq!(told(|account| account.protocol = Protocol::Pop3), warned("/protocol"));
        assert_eq!(
            told(|account| (account.protocol, account.host) = (Protocol::Imap, "127.0.0.1".into())),
            (Vec::new(), Vec::new())
        );
    }

    #[test]
    fn a_transport_is_held_to_the_same() {
        let told = |change: fn(&mut Transport)| {
            let mut transport = Transport { name: "t".into(), host: "mail.example.org".into(), ..Transport::default() };
            change(&mut transport);
            let after = Configuration { transports: [("t".to_owned(), transport)].into(), ..Configuration::default() };
            let AccessReview { breaches, warnings } = look(&Configuration::default(), &after);
            [breaches, warnings].map(|told| told.into_iter().map(|breach| breach.place).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(told(|_| ()), ["", ""], "a server on the way may want no password");
        assert_eq!(told(|transport| transport.user = "u".into()), ["", "/password"]);
        assert_eq!(told(|transport| transport.port = Some(465)), ["", "/port"]);
        let clear = |transport: &mut Transport| {
            (transport.kind, transport.user) = (TransportKind::Smtp, "u".into());
            transport.password = Some(Secret::new("p"));
        };
        assert_eq!(told(clear), ["", "/kind"]);
    }
}
