//! The keys of the texts that people are answered with: automatic answers, templates.

use super::kept_in;
use crate::configured::codecs::{NAMES, TEXT, VALIDITY, word};
use crate::configured::form::{ConfiguredKind, HasKeys, KeyVisitor, LoadedKind};
use crate::configured::{About, AutoResponse, Configuration, Template};
use crate::role::Role;
use std::collections::BTreeMap;

impl HasKeys for AutoResponse {
    fn describe<F: KeyVisitor>(&mut self, form: &mut F) {
        form.name("name", "Its name, unique.", &mut self.name);
        form.field("type", "Its occasion.", &mut self.occasion, &word());
        form.name("queue", "The queue whose answer it is.", &mut self.queue);
        let help = "The language it is written in (`de`, `pt-BR`): of several for one occasion customers get theirs; empty: for everybody else.";
        form.field("language", help, &mut self.language, &TEXT);
        form.field("subject", "Its subject, with tags.", &mut self.subject, &TEXT);
        form.field("body", "Its text, with tags.", &mut self.body, &TEXT);
    }
}

impl ConfiguredKind for AutoResponse {
    const KIND: &'static str = "auto_response";
    const ABOUT: About = About {
        heading: "Automatic answers of queues",
        sentence: "An automatic answer of a queue, sent from the queue's system address.",
        schema: "AutoResponse",
        path: "/auto-responses",
        command: "response",
        other_command: Some("auto-response"),
        is_deletable: true,
        editors: Role::ADMINS,
        columns: &[
            ("AUTO-RESPONSE", "name"),
            ("TYPE", "type"),
            ("QUEUE", "queue"),
            ("LANGUAGE", "language"),
            ("SUBJECT", "subject"),
        ],
    };

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl LoadedKind for AutoResponse {
    kept_in!(auto_responses);
}

impl HasKeys for Template {
    fn describe<F: KeyVisitor>(&mut self, form: &mut F) {
        form.name("name", "Its name, unique.", &mut self.name);
        form.field("type", "What it is for.", &mut self.purpose, &word());
        form.field("queues", "The queues that it is for; empty: all.", &mut self.queues, &NAMES);
        let help = "Its subject, with tags; empty: the subject that the mail would have without it.";
        form.field("subject", help, &mut self.subject, &TEXT);
        form.field("body", "Its text, with tags.", &mut self.body, &TEXT);
        form.field("comment", "For admins.", &mut self.comment, &TEXT);
        form.field("valid", "Whether it is in use.", &mut self.valid, &VALIDITY);
    }
}

impl ConfiguredKind for Template {
    const KIND: &'static str = "template";
    const ABOUT: About = About {
        heading: "Texts that agents write from",
        sentence: "A text that agents write from.",
        schema: "Template",
        path: "/templates",
        command: "template",
        other_command: None,
        is_deletable: true,
        editors: Role::ADMINS,
        columns: &[
            ("TEMPLATE", "name"),
            ("TYPE", "type"),
            ("QUEUES", "queues"),
            ("SUBJECT", "subject"),
            ("VALID", "valid"),
        ],
    };

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl LoadedKind for Template {
    kept_in!(templates);
}
