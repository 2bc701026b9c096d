//! The keys of every kind of configured thing, each listed once, for reading and writing alike.

use super::codecs::{
    AFTER_FETCH, AGE, CALL_TIME, COUNT, DISPATCH, FLAG, INTERVAL, MEMORY, NAMES, OBJECT, OPTIONAL_AGE, OPTIONAL_INTERVAL, OPTIONAL_TEXT,
    OPTIONAL_TEXTS, PORT, SIZE, TEXT, TEXTS, VALIDITY, word, words,
};
use super::form::{Form, Kind};
use super::{
    Account, AutoResponse, Configuration, CustomerUser, Destination, DynamicField, Filter, OAuth2, Queue, Secret, Settings, SystemAddress,
    Template, Tls, Transport,
};
use std::collections::BTreeMap;

/// The secret of the client that signs in by OAuth2.
const CLIENT_SECRET: &str = "oauth2.client_secret";

/// Gives a kind its map in the configuration.
macro_rules! kept_in {
    ($map:ident) => {
        fn all(configuration: &Configuration) -> &BTreeMap<String, Self> {
            &configuration.$map
        }

        fn all_mut(configuration: &mut Configuration) -> &mut BTreeMap<String, Self> {
            &mut configuration.$map
        }
    };
}

impl Settings {
    /// Lists the keys of `[settings]`.
    pub fn describe<F: Form>(&mut self, form: &mut F) {
        form.field("default_queue", &mut self.default_queue, &TEXT);
        form.field("ticket_hook", &mut self.ticket_hook, &TEXT);
        form.field("ticket_hook_divider", &mut self.ticket_hook_divider, &TEXT);
        form.field("number_generator", &mut self.number_generator, &word());
        form.field("poll_interval", &mut self.poll_interval, &INTERVAL);
        form.field("follow_up_checks", &mut self.follow_up_checks, &words());
        form.field("unvouched_numbers", &mut self.unvouched_numbers, &word());
        form.field("types", &mut self.types, &NAMES);
        form.field("services", &mut self.services, &NAMES);
        form.field("slas", &mut self.slas, &NAMES);
        form.field("agents", &mut self.agents, &NAMES);
        form.field("max_message_size", &mut self.max_message_size, &SIZE);
        form.field("oversize", &mut self.oversize, &word());
        form.field("spool_limit", &mut self.spool_limit, &COUNT);
        form.field("external_number_field", &mut self.external_number_field, &TEXT);
        let retention = &mut self.log_retention;
        form.table("log_retention", |form| {
            for outcome in ["successful", "failed"] {
                form.field(outcome, retention.entry(outcome.to_owned()).or_default(), &AGE);
            }
        });
        form.field("raw_retention", &mut self.raw_retention, &AGE);
        form.field("auto_responses_per_day", &mut self.auto_responses_per_day, &COUNT);
        form.field("auto_responses_per_hour", &mut self.auto_responses_per_hour, &COUNT);
        form.field("auto_responses_refused", &mut self.auto_responses_refused, &NAMES);
        form.field("auto_responses_max_age", &mut self.auto_responses_max_age, &AGE);
        form.field("authentication_results_from", &mut self.authentication_results_from, &NAMES);
        let outbound = &mut self.outbound;
        form.table("outbound", |form| {
            form.field("retry", &mut outbound.retry, &word());
            form.field("retry_increment", &mut outbound.retry_increment, &INTERVAL);
            form.field("retry_longest", &mut outbound.retry_longest, &INTERVAL);
            form.field("retry_for", &mut outbound.retry_for, &INTERVAL);
            form.field("attempts", &mut outbound.attempts, &COUNT);
        });
    }
}

impl Kind for Queue {
    const KIND: &'static str = "queue";
    kept_in!(queues);

    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe<F: Form>(&mut self, form: &mut F) {
        form.name("name", &mut self.name);
        form.field("follow_up", &mut self.follow_up, &word());
        form.field("follow_up_lock", &mut self.follow_up_lock, &FLAG);
        form.field("address", &mut self.address, &OPTIONAL_TEXT);
        form.field("salutation", &mut self.salutation, &TEXT);
        form.field("signature", &mut self.signature, &TEXT);
        form.field("comment", &mut self.comment, &TEXT);
        form.field("valid", &mut self.valid, &VALIDITY);
    }
}

impl Kind for SystemAddress {
    const KIND: &'static str = "system_address";
    const NAME: &'static str = "address";
    kept_in!(system_addresses);

    fn name(&self) -> String {
        crate::mailbox::Mailbox::of(&self.address).into()
    }

    fn describe<F: Form>(&mut self, form: &mut F) {
        form.name("address", &mut self.address);
        form.field("display_name", &mut self.display_name, &TEXT);
        form.name("queue", &mut self.queue);
        form.field("valid", &mut self.valid, &VALIDITY);
        form.field("comment", &mut self.comment, &TEXT);
    }
}

impl Kind for Account {
    const KIND: &'static str = "account";
    kept_in!(accounts);

    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe<F: Form>(&mut self, form: &mut F) {
        form.name("name", &mut self.name);
        form.field("protocol", &mut self.protocol, &word());
        form.field("host", &mut self.host, &TEXT);
        form.field("port", &mut self.port, &PORT);
        form.field("user", &mut self.user, &TEXT);
        form.secret("password", &mut self.password);
        oauth2(form, &mut self.oauth2);
        form.field("folder", &mut self.folder, &TEXT);
        form.field("trusted", &mut self.trusted, &FLAG);
        form.field("dispatch", &mut self.dispatch, &DISPATCH);
        form.field("after_fetch", &mut self.after_fetch, &AFTER_FETCH);
        form.field("failed_folder", &mut self.failed_folder, &TEXT);
        form.field("start", &mut self.start, &word());
        form.field("interval", &mut self.interval, &OPTIONAL_INTERVAL);
        form.field("timeout", &mut self.timeout, &INTERVAL);
        form.field("idle", &mut self.idle, &FLAG);
        account_tls(form, &mut self.tls);
        form.field("networks", &mut self.networks, &NAMES);
        form.field("valid", &mut self.valid, &VALIDITY);
        form.field("comment", &mut self.comment, &TEXT);
    }

    fn secrets(&mut self) -> Vec<(&'static str, &mut Option<Secret>)> {
        secrets(&mut self.password, &mut self.oauth2)
    }

    fn destination(&self, secret: &str) -> Destination {
        Destination::of_account(self).through(self.oauth2.as_ref().filter(|_| secret == CLIENT_SECRET))
    }
}

impl Kind for DynamicField {
    const KIND: &'static str = "dynamic_field";
    kept_in!(dynamic_fields);

    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe<F: Form>(&mut self, form: &mut F) {
        form.name("name", &mut self.name);
        form.field("multiple", &mut self.multiple, &FLAG);
    }
}

impl Kind for AutoResponse {
    const KIND: &'static str = "auto_response";
    kept_in!(auto_responses);

    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe<F: Form>(&mut self, form: &mut F) {
        form.name("name", &mut self.name);
        form.field("type", &mut self.occasion, &word());
        form.name("queue", &mut self.queue);
        form.field("language", &mut self.language, &TEXT);
        form.field("subject", &mut self.subject, &TEXT);
        form.field("body", &mut self.body, &TEXT);
    }
}

impl Kind for Template {
    const KIND: &'static str = "template";
    kept_in!(templates);

    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe<F: Form>(&mut self, form: &mut F) {
        form.name("name", &mut self.name);
        form.field("type", &mut self.purpose, &word());
        form.field("queues", &mut self.queues, &NAMES);
        form.field("subject", &mut self.subject, &TEXT);
        form.field("body", &mut self.body, &TEXT);
        form.field("comment", &mut self.comment, &TEXT);
        form.field("valid", &mut self.valid, &VALIDITY);
    }
}

impl Kind for Transport {
    const KIND: &'static str = "transport";
    kept_in!(transports);

    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe<F: Form>(&mut self, form: &mut F) {
        form.name("name", &mut self.name);
        form.field("kind", &mut self.kind, &word());
        form.field("host", &mut self.host, &TEXT);
        form.field("port", &mut self.port, &PORT);
        form.field("user", &mut self.user, &TEXT);
        form.secret("password", &mut self.password);
        oauth2(form, &mut self.oauth2);
        form.field("allow_insecure_auth", &mut self.allow_insecure_auth, &FLAG);
        form.field("for", &mut self.senders, &NAMES);
        let tls = &mut self.tls;
        form.table("tls", |form| client_tls(form, tls));
        form.field("hello", &mut self.hello, &TEXT);
        form.field("timeout", &mut self.timeout, &INTERVAL);
        form.field("connections", &mut self.connections, &COUNT);
        form.field("valid", &mut self.valid, &VALIDITY);
        form.field("comment", &mut self.comment, &TEXT);
    }

    fn secrets(&mut self) -> Vec<(&'static str, &mut Option<Secret>)> {
        secrets(&mut self.password, &mut self.oauth2)
    }

    fn destination(&self, secret: &str) -> Destination {
        Destination::of_transport(self).through(self.oauth2.as_ref().filter(|_| secret == CLIENT_SECRET))
    }
}

impl Kind for Filter {
    const KIND: &'static str = "filter";
    kept_in!(filters);

    fn name(&self) -> String {
        self.name.clone()
    }

    fn describe<F: Form>(&mut self, form: &mut F) {
        form.name("name", &mut self.name);
        form.name("component", &mut self.component);
        form.field("stop_after_match", &mut self.stop_after_match, &FLAG);
        form.field("on_failure", &mut self.on_failure, &word());
        form.field("valid", &mut self.valid, &VALIDITY);
        form.field("comment", &mut self.comment, &TEXT);
        form.field("grants", &mut self.grants, &OPTIONAL_TEXTS);
        let limits = &mut self.limits;
        form.table("limits", |form| {
            form.field("time", &mut limits.time, &CALL_TIME);
            form.field("memory", &mut limits.memory, &MEMORY);
        });
        form.field("settings", &mut self.settings, &OBJECT);
    }
}

impl CustomerUser {
    /// Lists the keys of a `[[customer_user]]`.
    pub fn describe<F: Form>(&mut self, form: &mut F) {
        form.name("login", &mut self.login);
        form.name("email", &mut self.email);
        form.field("customer_number", &mut self.customer_number, &TEXT);
        form.field("first_name", &mut self.first_name, &TEXT);
        form.field("last_name", &mut self.last_name, &TEXT);
        form.field("language", &mut self.language, &TEXT);
    }
}

/// Towards a server, and, where the account is a listener, towards its clients.
fn account_tls<F: Form>(form: &mut F, tls: &mut Tls) {
    form.table("tls", |form| {
        client_tls(form, tls);
        form.field("certificate", &mut tls.certificate, &TEXT);
        form.field("key", &mut tls.key, &TEXT);
    });
}

fn client_tls<F: Form>(form: &mut F, tls: &mut Tls) {
    form.field("ca", &mut tls.ca, &TEXT);
    form.field("client_certificate", &mut tls.client_certificate, &TEXT);
    form.field("client_key", &mut tls.client_key, &TEXT);
    form.field("verify", &mut tls.verify, &FLAG);
}

fn oauth2<F: Form>(form: &mut F, oauth2: &mut Option<OAuth2>) {
    if form.has_table("oauth2", oauth2.is_some()) {
        let described = oauth2.get_or_insert_default();
        form.table("oauth2", |form| {
            form.field("provider", &mut described.provider, &TEXT);
            form.field("client_id", &mut described.client_id, &TEXT);
            form.secret("client_secret", &mut described.client_secret);
            form.field("tenant", &mut described.tenant, &TEXT);
            form.field("authorize_url", &mut described.authorize_url, &TEXT);
            form.field("token_url", &mut described.token_url, &TEXT);
            form.field("device_url", &mut described.device_url, &TEXT);
            form.field("scopes", &mut described.scopes, &TEXTS);
            form.field("flow", &mut described.flow, &TEXT);
            form.field("redirect_url", &mut described.redirect_url, &TEXT);
            form.field("refresh_token_age", &mut described.refresh_token_age, &OPTIONAL_AGE);
        });
    }
}

fn secrets<'a>(password: &'a mut Option<Secret>, oauth2: &'a mut Option<OAuth2>) -> Vec<(&'static str, &'a mut Option<Secret>)> {
    let mut secrets = vec![("password", password)];
    if let Some(oauth2) = oauth2 {
        secrets.push((CLIENT_SECRET, &mut oauth2.client_secret));
    }
    secrets
}
