//! The keys of the ways in and out for mail: accounts, transports, and how they sign in.

use super::kept_in;
use crate::configured::codecs::{
    AFTER_FETCH, CONNECTIONS, DISPATCH, FLAG, INTERVAL, NAMES, OPTIONAL_AGE, OPTIONAL_INTERVAL, PORT, TEXT, TEXTS,
    VALIDITY, word,
};
use crate::configured::form::{ConfiguredKind, HasKeys, KeyVisitor, LoadedKind, NestedTable};
use crate::configured::{About, Account, Configuration, Destination, OAuth2, Secret, Tls, Transport, Validity};
use crate::role::Role;
use std::collections::BTreeMap;

/// The secret of the client that signs in by OAuth2.
const CLIENT_SECRET: &str = "oauth2.client_secret";
/// The account that is always there.
const LOCAL: &str = "local";

const OAUTH2: NestedTable = NestedTable { schema: "OAuth2", help: "Sign-in by OAuth2; null, or left out: none." };
const ACCOUNT_TLS: NestedTable =
    NestedTable { schema: "AccountTls", help: "TLS towards the server; of a listener towards its clients." };
const TRANSPORT_TLS: NestedTable = NestedTable { schema: "TransportTls", help: "TLS towards the server." };

impl HasKeys for Account {
    fn describe<F: KeyVisitor>(&mut self, form: &mut F) {
        form.name("name", "Its name, unique.", &mut self.name);
        form.field("protocol", "How it is reached.", &mut self.protocol, &word());
        let help = "The server, or the path of a Maildir; of a listener the address to listen on (empty: 127.0.0.1), or the path of a Unix socket.";
        form.field("host", help, &mut self.host, &TEXT);
        form.field("port", "The port; null, or left out: the protocol's own.", &mut self.port, &PORT);
        let help = "The login; of a listener the address that it takes mail for (`*`: every address; empty: the valid system addresses).";
        form.field("user", help, &mut self.user, &TEXT);
        form.secret("password", "The password; left out: it stays what it is.", &mut self.password);
        oauth2(form, &mut self.oauth2);
        form.field("folder", "The IMAP folder.", &mut self.folder, &TEXT);
        form.field("trusted", "Whether its mails' own `X-OTOBO-*` headers count.", &mut self.trusted, &FLAG);
        form.field("dispatch", "`to`: by recipients; `queue:NAME`: to that queue.", &mut self.dispatch, &DISPATCH);
        let help = "What is done on the server once a mail is durable here: `delete`, `seen`, `move:FOLDER` or `keep`.";
        form.field("after_fetch", help, &mut self.after_fetch, &AFTER_FETCH);
        form.field(
            "failed_folder",
            "Where held mails go on the server; empty: nowhere.",
            &mut self.failed_folder,
            &TEXT,
        );
        let help = "Which mail is taken of a mailbox that is seen for the first time; IMAP alone.";
        form.field("start", help, &mut self.start, &word());
        let help = "How long it is between two fetches; null, or left out: the setting's.";
        form.field("interval", help, &mut self.interval, &OPTIONAL_INTERVAL);
        form.field("timeout", "How long every read may take.", &mut self.timeout, &INTERVAL);
        form.field("idle", "IMAP IDLE where the server has it.", &mut self.idle, &FLAG);
        let tls = &mut self.tls;
        form.table("tls", ACCOUNT_TLS, |form| {
            client_tls(form, tls);
            let help =
                "What a listener shows to its clients: a file with its certificate chain, PEM; empty: no STARTTLS.";
            form.field("certificate", help, &mut tls.certificate, &TEXT);
            form.field("key", "The listener's key, a file, PEM.", &mut tls.key, &TEXT);
        });
        let help = "Who may deliver to a listener over TCP: addresses and networks, `10.1.0.0/16`.";
        form.field("networks", help, &mut self.networks, &NAMES);
        form.field("valid", "Whether it is in use.", &mut self.valid, &VALIDITY);
        form.field("comment", "For admins.", &mut self.comment, &TEXT);
    }
}

impl ConfiguredKind for Account {
    const KIND: &'static str = "account";
    const ABOUT: About = About {
        heading: "Accounts that mail comes from",
        sentence: "Where mail comes from.",
        schema: "Account",
        path: "/accounts",
        command: "account",
        other_command: None,
        is_deletable: false,
        editors: Role::ADMINS,
        columns: &[
            ("ACCOUNT", "name"),
            ("PROTOCOL", "protocol"),
            ("HOST", "host"),
            ("USER", "user"),
            ("FOLDER", "folder"),
            ("TRUSTED", "trusted"),
            ("DISPATCH", "dispatch"),
            ("VALID", "valid"),
        ],
    };

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl LoadedKind for Account {
    kept_in!(accounts);

    fn secrets(&mut self) -> Vec<(&'static str, &mut Option<Secret>)> {
        secrets(&mut self.password, &mut self.oauth2)
    }

    fn destination(&self, secret: &str) -> Destination {
        Destination::of_account(self).through(self.oauth2.as_ref().filter(|_| secret == CLIENT_SECRET))
    }

    fn prune(&mut self) -> bool {
        if self.name != LOCAL && self.valid.is_valid() {
            self.valid = Validity::Invalid;
        }
        true
    }
}

impl HasKeys for Transport {
    fn describe<F: KeyVisitor>(&mut self, form: &mut F) {
        form.name("name", "Its name, unique.", &mut self.name);
        form.field("kind", "How it passes mail on.", &mut self.kind, &word());
        let help = "The server; of `sendmail` the command (empty: `/usr/sbin/sendmail`), of `file` the folder: one that `serve` was given, by \
                    name or path.";
        form.field("host", help, &mut self.host, &TEXT);
        form.field("port", "The port; null, or left out: the kind's own.", &mut self.port, &PORT);
        form.field("user", "The login.", &mut self.user, &TEXT);
        form.secret("password", "The password; left out: it stays what it is.", &mut self.password);
        oauth2(form, &mut self.oauth2);
        let help = "Whether the password may go over a connection without TLS to another machine.";
        form.field("allow_insecure_auth", help, &mut self.allow_insecure_auth, &FLAG);
        let help = "The sender addresses or queues that it serves; empty: all that no other names.";
        form.field("for", help, &mut self.senders, &NAMES);
        let tls = &mut self.tls;
        form.table("tls", TRANSPORT_TLS, |form| client_tls(form, tls));
        form.field("hello", "What the client calls itself (EHLO); empty: this machine's name.", &mut self.hello, &TEXT);
        let help = "How long every read and write may take; of `sendmail`, the command.";
        form.field("timeout", help, &mut self.timeout, &INTERVAL);
        form.field("connections", "So many mails are sent at once, at most.", &mut self.connections, &CONNECTIONS);
        form.field("valid", "Whether it is in use.", &mut self.valid, &VALIDITY);
        form.field("comment", "For admins.", &mut self.comment, &TEXT);
    }
}

impl ConfiguredKind for Transport {
    const KIND: &'static str = "transport";
    const ABOUT: About = About {
        heading: "Ways out for mail",
        sentence: "A way out for mail.",
        schema: "Transport",
        path: "/transports",
        command: "transport",
        other_command: None,
        is_deletable: true,
        editors: Role::ADMINS,
        columns: &[
            ("TRANSPORT", "name"),
            ("KIND", "kind"),
            ("HOST", "host"),
            ("PORT", "port"),
            ("USER", "user"),
            ("FOR", "for"),
            ("VALID", "valid"),
        ],
    };

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl LoadedKind for Transport {
    kept_in!(transports);

    fn secrets(&mut self) -> Vec<(&'static str, &mut Option<Secret>)> {
        secrets(&mut self.password, &mut self.oauth2)
    }

    fn destination(&self, secret: &str) -> Destination {
        Destination::of_transport(self).through(self.oauth2.as_ref().filter(|_| secret == CLIENT_SECRET))
    }
}

fn client_tls<F: KeyVisitor>(form: &mut F, tls: &mut Tls) {
    form.field("ca", "A file of further certificate authorities, PEM; empty: the system's alone.", &mut tls.ca, &TEXT);
    form.field(
        "client_certificate",
        "The client's certificate, a file, PEM; empty: none.",
        &mut tls.client_certificate,
        &TEXT,
    );
    form.field(
        "client_key",
        "The client's key, a file, PEM; empty: in the certificate's file.",
        &mut tls.client_key,
        &TEXT,
    );
    form.field("verify", "Whether the server's certificate is checked.", &mut tls.verify, &FLAG);
}

fn oauth2<F: KeyVisitor>(form: &mut F, oauth2: &mut Option<OAuth2>) {
    form.optional_table("oauth2", OAUTH2, oauth2, |form, oauth2| {
        let help = "A provider whose addresses are known (`microsoft`, `google`); empty: the addresses below.";
        form.field("provider", help, &mut oauth2.provider, &TEXT);
        form.field("client_id", "The client that the provider registered.", &mut oauth2.client_id, &TEXT);
        form.secret("client_secret", "Its secret; left out: it stays what it is.", &mut oauth2.client_secret);
        form.field("tenant", "The directory of a `microsoft` account.", &mut oauth2.tenant, &TEXT);
        form.field("authorize_url", "Authorization endpoint (RFC 6749 section 3.1).", &mut oauth2.authorize_url, &TEXT);
        form.field("token_url", "Token endpoint (RFC 6749 section 3.2).", &mut oauth2.token_url, &TEXT);
        form.field("device_url", "Device authorization endpoint (RFC 8628).", &mut oauth2.device_url, &TEXT);
        form.field("scopes", "What is asked for; empty: the provider's usual ones.", &mut oauth2.scopes, &TEXTS);
        let help = "The grant: `code`, `device`, `client-credentials`; empty: the provider's usual one.";
        form.field("flow", help, &mut oauth2.flow, &TEXT);
        let help = "Where the browser is sent back to; empty: `http://localhost:8025/oauth2/callback`.";
        form.field("redirect_url", help, &mut oauth2.redirect_url, &TEXT);
        let help = "A refresh token ends after so long without use; null, or left out: as the provider says, where it is known; 0: never.";
        form.field("refresh_token_age", help, &mut oauth2.refresh_token_age, &OPTIONAL_AGE);
    });
}

fn secrets<'a>(
    password: &'a mut Option<Secret>,
    oauth2: &'a mut Option<OAuth2>,
) -> Vec<(&'static str, &'a mut Option<Secret>)> {
    let mut secrets = vec![("password", password)];
    if let Some(oauth2) = oauth2 {
        secrets.push((CLIENT_SECRET, &mut oauth2.client_secret));
    }
    secrets
}
