//! The keys of what tickets lie in and belong to: queues, system addresses, dynamic fields, customer users.

use super::kept_in;
use crate::configured::codecs::{FLAG, NAMES, OPTIONAL_TEXT, TEXT, VALIDITY, word};
use crate::configured::form::{ConfiguredKind, HasKeys, KeyVisitor, LoadedKind};
use crate::configured::{About, Configuration, CustomerUser, DynamicField, Queue, SystemAddress, Validity};
use crate::mailbox::Mailbox;
use crate::role::Role;
use std::collections::BTreeMap;

impl HasKeys for Queue {
    fn describe<F: KeyVisitor>(&mut self, form: &mut F) {
        form.name("name", "Its name, unique.", &mut self.name);
        form.field("follow_up", "What becomes of follow-ups to its closed tickets.", &mut self.follow_up, &word());
        form.field(
            "follow_up_lock",
            "Whether a follow-up locks a ticket that was closed.",
            &mut self.follow_up_lock,
            &FLAG,
        );
        let help =
            "The system address that it sends from; null, or left out: the first valid one that names this queue.";
        form.field("address", help, &mut self.address, &OPTIONAL_TEXT);
        form.field("salutation", "What answers begin with, a text with tags.", &mut self.salutation, &TEXT);
        form.field("signature", "What answers end with, a text with tags.", &mut self.signature, &TEXT);
        let help = "What belongs here, in a sentence or a few, for people and for classifiers.";
        form.field("description", help, &mut self.description, &TEXT);
        let help = "Words that mails which belong here often have, for people and for classifiers.";
        form.field("keywords", help, &mut self.keywords, &NAMES);
        form.field("comment", "For admins.", &mut self.comment, &TEXT);
        form.field("valid", "Whether it is in use.", &mut self.valid, &VALIDITY);
    }
}

impl ConfiguredKind for Queue {
    const KIND: &'static str = "queue";
    const ABOUT: About = About {
        heading: "Queues, where tickets lie",
        sentence: "A queue.",
        schema: "Queue",
        path: "/queues",
        command: "queue",
        other_command: None,
        is_deletable: false,
        editors: Role::ADMINS,
        columns: &[("QUEUE", "name"), ("FOLLOW-UP", "follow_up"), ("ADDRESS", "address"), ("VALID", "valid")],
    };

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl LoadedKind for Queue {
    kept_in!(queues);
}

impl HasKeys for SystemAddress {
    fn describe<F: KeyVisitor>(&mut self, form: &mut F) {
        form.name("address", "The address, unique whatever its spelling.", &mut self.address);
        form.field("display_name", "The name beside it in From.", &mut self.display_name, &TEXT);
        form.name("queue", "The queue that mail to it is dispatched to.", &mut self.queue);
        form.field("valid", "Whether it is in use.", &mut self.valid, &VALIDITY);
        form.field("comment", "For admins.", &mut self.comment, &TEXT);
    }
}

impl ConfiguredKind for SystemAddress {
    const KIND: &'static str = "system_address";
    const NAME: &'static str = "address";
    const ABOUT: About = About {
        heading: "System addresses, those of the helpdesk",
        sentence: "An address of the helpdesk.",
        schema: "SystemAddress",
        path: "/system-addresses",
        command: "address",
        other_command: Some("system-address"),
        is_deletable: false,
        editors: Role::ADMINS,
        columns: &[("ADDRESS", "address"), ("DISPLAY NAME", "display_name"), ("QUEUE", "queue"), ("VALID", "valid")],
    };

    fn name(&self) -> String {
        Mailbox::of(&self.address).into()
    }
}

impl LoadedKind for SystemAddress {
    kept_in!(system_addresses);

    fn prune(&mut self) -> bool {
        if self.valid.is_valid() {
            self.valid = Validity::Invalid;
        }
        true
    }
}

impl HasKeys for DynamicField {
    fn describe<F: KeyVisitor>(&mut self, form: &mut F) {
        form.name("name", "Its name, unique.", &mut self.name);
        form.field("multiple", "Whether it takes several values.", &mut self.multiple, &FLAG);
    }
}

impl ConfiguredKind for DynamicField {
    const KIND: &'static str = "dynamic_field";
    const ABOUT: About = About {
        heading: "Dynamic fields, those of tickets beside the built-in ones",
        sentence: "A dynamic field of tickets.",
        schema: "DynamicField",
        path: "/dynamic-fields",
        command: "field",
        other_command: Some("dynamic-field"),
        is_deletable: true,
        editors: Role::ADMINS,
        columns: &[("FIELD", "name"), ("MULTIPLE", "multiple")],
    };

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl LoadedKind for DynamicField {
    kept_in!(dynamic_fields);
}

impl HasKeys for CustomerUser {
    fn describe<F: KeyVisitor>(&mut self, form: &mut F) {
        form.name("login", "The login, unique.", &mut self.login);
        form.name("email", "The address by which they are found as a sender, in any spelling.", &mut self.email);
        form.field("customer_number", "The customer's number.", &mut self.customer_number, &TEXT);
        form.field("first_name", "For templates.", &mut self.first_name, &TEXT);
        form.field("last_name", "For templates.", &mut self.last_name, &TEXT);
        let help = "The language that automatic answers are chosen by (`de`, `pt-BR`); empty: not known.";
        form.field("language", help, &mut self.language, &TEXT);
    }
}

/// There may be many, so that they are looked up in the database.
impl ConfiguredKind for CustomerUser {
    const KIND: &'static str = "customer_user";
    const NAME: &'static str = "login";
    const ABOUT: About = About {
        heading: "Customer users, who write to the helpdesk",
        sentence: "A customer user.",
        schema: "CustomerUser",
        path: "/customer-users",
        command: "customer",
        other_command: Some("customer-user"),
        is_deletable: true,
        editors: Role::AGENTS,
        columns: &[("LOGIN", "login"), ("EMAIL", "email"), ("CUSTOMER", "customer_number"), ("LANGUAGE", "language")],
    };

    fn name(&self) -> String {
        self.login.clone()
    }
}
