//! The keys of postmaster filters.

use super::kept_in;
use crate::configured::codecs::{
    CALL_TIME, EVIDENCE, FLAG, GRANTS, MEMORY, OBJECT, TEXT, TEXTS_BY_NAME, THRESHOLDS, VALIDITY, optional_word, word,
};
use crate::configured::form::{ConfiguredKind, HasKeys, KeyVisitor, LoadedKind, NestedTable};
use crate::configured::{About, Configuration, Filter};
use crate::role::Role;
use std::collections::BTreeMap;

const LIMITS: NestedTable = NestedTable { schema: "Limits", help: "What a call may take." };
const ANSWERS: NestedTable =
    NestedTable { schema: "AnswerMapping", help: "Of a classifier: what follows from the answer to a question." };

impl HasKeys for Filter {
    fn describe<F: KeyVisitor>(&mut self, form: &mut F) {
        form.name("name", "Its name, unique; filters run in the byte order of their names.", &mut self.name);
        let help = "A shipped component by its name; an uploaded one as `name@version` or `sha256:DIGEST`; a name alone means the newest \
                    version that is activated, or the one that the filter has already.";
        form.name("component", help, &mut self.component);
        form.field("stop_after_match", "Whether a match ends the chain.", &mut self.stop_after_match, &FLAG);
        form.field("on_failure", "What a failure does.", &mut self.on_failure, &word());
        form.field("valid", "Whether it is in use.", &mut self.valid, &VALIDITY);
        form.field("comment", "For admins.", &mut self.comment, &TEXT);
        let help = "What it may read beside headers, and `final`, which lets a classifier ignore mails and close tickets; null, or left out: a shipped component has what it asks for, an uploaded one nothing.";
        form.field("grants", help, &mut self.grants, &GRANTS);
        let limits = &mut self.limits;
        form.table("limits", LIMITS, |form| {
            let help = "The filter's own time in a call, without what the host does for it, from `1ms` to `60s`.";
            form.field("time", help, &mut limits.time, &CALL_TIME);
            let help = "Memory of an instance, from `64 KiB` to `1 GiB`; what is left at the default is `256 MiB` for a filter that has a model.";
            form.field("memory", help, &mut limits.memory, &MEMORY);
        });
        let help = "Of a classifier: whether its answers set nothing, dynamic fields for people to read, or headers; left out: `suggest`.";
        form.field("mode", help, &mut self.mode, &optional_word());
        let help = "Of a classifier: whether it is asked about mails that follow up a ticket, too.";
        form.field("follow_ups", help, &mut self.follow_ups, &FLAG);
        let help = "Of a classifier: so many pieces of the mail that spoke for an answer are kept with it.";
        form.field("evidence", help, &mut self.evidence, &EVIDENCE);
        form.tables("answer", ANSWERS, &mut self.answer, |form, answer| {
            form.name("question", "The question's name, as the classifier has it.", &mut answer.question);
            form.name("header", "The header that the answer sets: `X-OTOBO-Queue`.", &mut answer.header);
            let help = "How sure the classifier must be, from 0 to 1: a number for all labels, or a table with a `default` and numbers by label.";
            form.field("threshold", help, &mut answer.threshold, &THRESHOLDS);
            let help = "What the header is set to, by label; a label that is left out stands for itself, and an empty text for nothing.";
            form.field("values", help, &mut answer.values, &TEXTS_BY_NAME);
            let help = "The dynamic field that `suggest` sets to what the header would be; empty: none.";
            form.field("guess_field", help, &mut answer.guess_field, &TEXT);
            let help = "The dynamic field that `suggest` sets to how sure the classifier is, as in `0.97`; empty: none.";
            form.field("confidence_field", help, &mut answer.confidence_field, &TEXT);
        });
        form.field("settings", "What the component's schema says.", &mut self.settings, &OBJECT);
    }
}

impl ConfiguredKind for Filter {
    const KIND: &'static str = "filter";
    const ABOUT: About = About {
        heading: "Filters, which run over every mail in the byte order of their names",
        sentence: "A postmaster filter.",
        schema: "Filter",
        path: "/filters",
        command: "filter",
        other_command: None,
        is_deletable: true,
        editors: Role::AUTHORS,
        columns: &[("FILTER", "name"), ("COMPONENT", "component"), ("VALID", "valid"), ("COMMENT", "comment")],
    };

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl LoadedKind for Filter {
    kept_in!(filters);

    fn prune(&mut self) -> bool {
        false
    }
}
