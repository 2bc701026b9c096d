//! What must hold between configured things, whoever changes them: file, command line or REST.

use crate::machine::is_name;
use crate::oauth2::{Provider, Purpose};
use postigo_model::configured::form::{ConfiguredKind, below};
use postigo_model::configured::{
    Account, AfterFetch, AutoResponse, Breach, Configuration, Dispatch, Endpoint, ListenerRecipients, ListenerSource,
    Network, OAuth2, Outlet, Queue, Source, Start, SystemAddress, Template, Transport, Validity,
};

/// Every rule that does not hold.
pub fn check(configuration: &Configuration) -> Vec<Breach> {
    let mut rules = ConfigurationRules { configuration, breaches: Vec::new() };
    rules.settings();
    configuration.queues.values().for_each(|queue| rules.queue(queue));
    configuration.system_addresses.values().for_each(|address| rules.system_address(address));
    configuration.accounts.values().for_each(|account| rules.account(account));
    configuration.auto_responses.values().for_each(|answer| rules.auto_response(answer));
    configuration.templates.values().for_each(|template| rules.template(template));
    configuration.transports.values().for_each(|transport| rules.transport(transport));
    rules.breaches.extend(super::answer_rules::check(configuration));
    rules.breaches.extend(super::binding::check(configuration));
    rules.breaches
}

struct ConfigurationRules<'c> {
    configuration: &'c Configuration,
    breaches: Vec<Breach>,
}

impl ConfigurationRules<'_> {
    fn breach(&mut self, kind: &'static str, name: &str, key: &str, sentence: String) {
        self.breaches.push(Breach { kind, name: name.to_owned(), place: below("", key), sentence });
    }

    fn queue_exists(&mut self, kind: &'static str, name: &str, key: &str, queue: &str) {
        if !queue.is_empty() && !self.configuration.queues.contains_key(queue) {
            self.breach(kind, name, key, format!("there is no queue \"{queue}\"."));
        }
    }

    fn settings(&mut self) {
        let settings = &self.configuration.settings;
        if settings.default_queue.is_empty() {
            self.breach("settings", "", "default_queue", "must name a queue.".to_owned());
        }
        self.queue_exists("settings", "", "default_queue", &settings.default_queue);
        if settings.ticket_hook.trim().is_empty() {
            self.breach("settings", "", "ticket_hook", "must not be empty.".to_owned());
        }
        if settings.types.is_empty() {
            self.breach("settings", "", "types", "must name at least one type.".to_owned());
        }
        let field = &settings.external_number_field;
        if !field.is_empty() && !self.configuration.dynamic_fields.contains_key(field) {
            self.breach("settings", "", "external_number_field", format!("there is no dynamic field \"{field}\"."));
        }
    }

    fn queue(&mut self, queue: &Queue) {
        let Some(address) = &queue.address else { return };
        match self.configuration.system_address(address) {
            None => {
                self.breach(Queue::KIND, &queue.name, "address", format!("there is no system address \"{address}\"."));
            }
            Some(found) if !found.valid.is_valid() => {
                // Told at the address: that is what was made invalid. Queues that are not in use count as well, as in
                // the peer.
                let sentence = format!(
                    "it cannot be invalid: the queue \"{}\" sends from it; give the queue another address first.",
                    queue.name
                );
                self.breach(SystemAddress::KIND, &found.name(), "valid", sentence);
            }
            Some(_) => {}
        }
    }

    fn system_address(&mut self, address: &SystemAddress) {
        if !is_address(&address.address) {
            self.breach(
                SystemAddress::KIND,
                &address.name(),
                "address",
                "must be an e-mail address: local-part@domain.".to_owned(),
            );
        }
        self.queue_exists(SystemAddress::KIND, &address.name(), "queue", &address.queue);
    }

    fn account(&mut self, account: &Account) {
        let name = &account.name;
        if let Dispatch::Queue(queue) = &account.dispatch {
            self.queue_exists(Account::KIND, name, "dispatch", queue);
        }
        let source = account.source();
        if source == Source::Local && !account.host.is_empty() {
            self.breach(
                Account::KIND,
                name,
                "protocol",
                "must be imaps, imap+starttls, …: a local account fetches nothing from a host.".to_owned(),
            );
        }
        if let Some(listener) = account.source().listener() {
            self.listener(account, &listener);
        }
        let is_maildir = matches!(source, Source::Maildir(_));
        if source.is_polled() && account.host.is_empty() {
            let what = if is_maildir { "the path of the Maildir" } else { "the server" };
            self.breach(Account::KIND, name, "host", format!("must name {what}."));
        }
        if source.server().is_some_and(|server| server.user.is_empty()) {
            self.breach(Account::KIND, name, "user", "must name the login.".to_owned());
        }
        for (key, text) in [
            ("host", &account.host),
            ("user", &account.user),
            ("folder", &account.folder),
            ("failed_folder", &account.failed_folder),
        ] {
            self.no_control(Account::KIND, name, key, text);
        }
        if let AfterFetch::Move(folder) = &account.after_fetch {
            self.no_control(Account::KIND, name, "after_fetch", folder);
            let mut parts = std::path::Path::new(folder).components();
            if is_maildir && !parts.all(|part| matches!(part, std::path::Component::Normal(_))) {
                let sentence =
                    "must name a Maildir below this one, without `/` at its beginning and without `..`.".to_owned();
                self.breach(Account::KIND, name, "after_fetch", sentence);
            }
        }
        if account.start == Start::Now && !matches!(source, Source::Imap(_)) {
            let sentence = "\"now\" is for IMAP accounts: other sources do not tell old mail from new.".to_owned();
            self.breach(Account::KIND, name, "start", sentence);
        }
        if matches!(source, Source::Pop3(_)) {
            self.pop3(account);
        }
        if account.tls.client_certificate.is_empty() != account.tls.client_key.is_empty() {
            self.breach(Account::KIND, name, "tls", "client_certificate and client_key belong together.".to_owned());
        }
        self.oauth2(Account::KIND, name, account.oauth2.as_ref(), Purpose::of(&source));
        if name == Account::LOCAL && account.valid != Validity::Valid {
            self.breach(Account::KIND, name, "valid", "the account local is always there.".to_owned());
        }
    }

    fn listener(&mut self, account: &Account, listener: &ListenerSource<'_>) {
        let name = &account.name;
        for network in listener.networks {
            if let Err(why) = network.parse::<Network>() {
                self.breach(Account::KIND, name, "networks", why);
            }
        }
        let host = &account.host;
        if !host.is_empty() && !host.starts_with('/') && host.parse::<std::net::IpAddr>().is_err() {
            let sentence =
                format!("must be an address of this machine, or the path of a Unix socket; \"{host}\" is neither.");
            self.breach(Account::KIND, name, "host", sentence);
        }
        if host.len() > Endpoint::LONGEST_PATH {
            let sentence = format!("a Unix socket's path has {} bytes at most.", Endpoint::LONGEST_PATH);
            self.breach(Account::KIND, name, "host", sentence);
        }
        if matches!(listener.recipients, ListenerRecipients::One(address) if !is_address(address)) {
            let sentence = "must be the e-mail address that it takes mail for, \"*\" for every address, or empty for the system addresses.";
            self.breach(Account::KIND, name, "user", sentence.to_owned());
        }
        if account.tls.certificate.is_empty() != account.tls.key.is_empty() {
            self.breach(Account::KIND, name, "tls", "certificate and key belong together.".to_owned());
        }
        let earlier = self.configuration.accounts.values().filter(|other| other.name < *name);
        let other = earlier
            .filter_map(|other| Some((&other.name, other.source().listener()?)))
            .find(|(_, other)| other.dialect != listener.dialect && other.endpoint == listener.endpoint);
        if let Some((other, ListenerSource { dialect, endpoint, .. })) = other {
            let sentence = format!(
                "the account \"{other}\" listens on {endpoint} for {}; one of them needs another port.",
                dialect.name()
            );
            self.breach(Account::KIND, name, "port", sentence);
        }
    }

    /// POP3 knows one mailbox without folders or flags (RFC 1939).
    fn pop3(&mut self, account: &Account) {
        let wish = match account.after_fetch {
            AfterFetch::Delete | AfterFetch::Keep => None,
            AfterFetch::Seen => Some("marked as seen"),
            AfterFetch::Move(_) => Some("moved"),
        };
        if let Some(wish) = wish {
            let sentence = format!("must be delete or keep: by POP3 mail cannot be {wish}. Use IMAP for that.");
            self.breach(Account::KIND, &account.name, "after_fetch", sentence);
        }
        if !account.failed_folder.is_empty() {
            let sentence = "must be left out: a POP3 mailbox has no folders. Use IMAP for that.".to_owned();
            self.breach(Account::KIND, &account.name, "failed_folder", sentence);
        }
    }

    fn auto_response(&mut self, answer: &AutoResponse) {
        self.queue_exists(AutoResponse::KIND, &answer.name, "queue", &answer.queue);
        self.no_control(AutoResponse::KIND, &answer.name, "subject", &answer.subject);
        if !is_language(&answer.language) {
            let sentence = "must be a language tag such as \"de\" or \"pt-BR\", or empty.".to_owned();
            self.breach(AutoResponse::KIND, &answer.name, "language", sentence);
        }
        self.sends(answer);
    }

    /// What an answer is sent from cannot be taken away from it: the last address of its queue stays valid.
    fn sends(&mut self, answer: &AutoResponse) {
        let Some(queue) = self.configuration.queues.get(&answer.queue) else { return };
        if queue.address.is_some() || self.configuration.sender_of(queue).is_some() {
            return;
        }
        let invalid = self.configuration.system_addresses.values().find(|address| address.queue == queue.name);
        if let Some(name) = invalid.map(SystemAddress::name) {
            let sentence = format!(
                "it cannot be invalid: the automatic answer \"{}\" of the queue \"{}\" is sent from it; give the queue another address first.",
                answer.name, queue.name
            );
            self.breach(SystemAddress::KIND, &name, "valid", sentence);
        }
    }

    fn template(&mut self, template: &Template) {
        for queue in &template.queues {
            self.queue_exists(Template::KIND, &template.name, "queues", queue);
        }
        self.no_control(Template::KIND, &template.name, "subject", &template.subject);
    }

    fn transport(&mut self, transport: &Transport) {
        let name = &transport.name;
        let outlet = transport.outlet();
        let missing = match outlet {
            Outlet::Smtp(smtp) if smtp.server.host.is_empty() => Some("the server"),
            Outlet::Folder("") => Some("the folder that mails are written to"),
            Outlet::Smtp(_) | Outlet::Folder(_) | Outlet::Sendmail(_) => None,
        };
        if let Some(what) = missing {
            self.breach(Transport::KIND, name, "host", format!("must name {what}."));
        }
        if let Outlet::Folder(named) | Outlet::Sendmail(named) = outlet
            && !named.is_empty()
            && !named.starts_with('/')
            && !is_name(named)
        {
            let sentence = "must be a name that `serve` was given (--allow-command, --allow-folder), or a whole path, beginning with \"/\".";
            self.breach(Transport::KIND, name, "host", sentence.to_owned());
        }
        if transport.connections == 0 {
            self.breach(
                Transport::KIND,
                name,
                "connections",
                "must be at least 1; to send nothing, set valid to false.".to_owned(),
            );
        }
        for (key, text) in [("host", &transport.host), ("user", &transport.user)] {
            self.no_control(Transport::KIND, name, key, text);
        }
        if transport.hello.chars().any(|letter| !letter.is_ascii_graphic()) {
            let sentence = "must be a host name or an address literal such as [192.0.2.1], in ASCII.".to_owned();
            self.breach(Transport::KIND, name, "hello", sentence);
        }
        if transport.tls.client_certificate.is_empty() && !transport.tls.client_key.is_empty() {
            self.breach(Transport::KIND, name, "tls", "client_key belongs to a client_certificate.".to_owned());
        }
        for sender in &transport.senders {
            if self.configuration.system_address(sender).is_none() && !self.configuration.queues.contains_key(sender) {
                self.breach(
                    Transport::KIND,
                    name,
                    "for",
                    format!("there is neither a system address nor a queue \"{sender}\"."),
                );
            }
        }
        let purpose = outlet.is_smtp().then_some(Purpose::Smtp);
        self.oauth2(Transport::KIND, name, transport.oauth2.as_ref(), purpose);
    }

    /// `purpose` is none where nothing is signed in to.
    fn oauth2(&mut self, kind: &'static str, name: &str, oauth2: Option<&OAuth2>, purpose: Option<Purpose>) {
        let Some(oauth2) = oauth2 else { return };
        let Some(purpose) = purpose else {
            return self.breach(kind, name, "oauth2", "must be left out: nothing is signed in to.".to_owned());
        };
        for mistake in Provider::of(oauth2, purpose).err().into_iter().flatten() {
            let place = below("/oauth2", mistake.key);
            self.breaches.push(Breach { kind, name: name.to_owned(), place, sentence: mistake.sentence });
        }
    }

    fn no_control(&mut self, kind: &'static str, name: &str, key: &str, text: &str) {
        if text.chars().any(char::is_control) {
            self.breach(kind, name, key, "must not have control characters or line breaks.".to_owned());
        }
    }
}

/// Whether a text is empty or has the form of a language tag (RFC 5646).
fn is_language(text: &str) -> bool {
    let subtag =
        |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.is_empty() || text.len() <= 35 && text.split('-').all(subtag)
}

/// Whether a text can stand as an address in an envelope and a header; the rest is for the mail server to say.
fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && !text
            .chars()
            .any(|character| character.is_control() || character.is_whitespace() || "<>,;()\"".contains(character))
}
