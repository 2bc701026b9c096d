//! The keys of `[settings]`.

use crate::configured::Settings;
use crate::configured::codecs::{AGE, COMPONENT_SIZE, COUNT, INTERVAL, KEPT_VERSIONS, NAMES, SIZE, TEXT, word, words};
use crate::configured::form::{HasKeys, KeyVisitor, NestedTable};

const LOG_RETENTION: NestedTable = NestedTable { schema: "LogRetention", help: "How long communications are kept." };
const OUTBOUND: NestedTable =
    NestedTable { schema: "Retries", help: "How outgoing mail is tried again after a temporary failure." };

impl HasKeys for Settings {
    fn describe<F: KeyVisitor>(&mut self, form: &mut F) {
        form.field("default_queue", "The queue where nothing else decides.", &mut self.default_queue, &TEXT);
        form.field("ticket_hook", "What stands before a ticket's number in a subject.", &mut self.ticket_hook, &TEXT);
        form.field("ticket_hook_divider", "What stands between hook and number.", &mut self.ticket_hook_divider, &TEXT);
        form.field("number_generator", "How ticket numbers are made.", &mut self.number_generator, &word());
        let help = "How long it is between two fetches of an account that names no interval.";
        form.field("poll_interval", help, &mut self.poll_interval, &INTERVAL);
        let help =
            "How follow-ups are found; the checks run in the order of this list's words, however they are written.";
        form.field("follow_up_checks", help, &mut self.follow_up_checks, &words());
        let help = "What becomes of a mail that names a ticket by its number where nobody vouches for that.";
        form.field("unvouched_numbers", help, &mut self.unvouched_numbers, &word());
        let help = "The display name of agents' mail: the system address's, the agent's via that, or the agent's.";
        form.field("define_email_from", help, &mut self.define_email_from, &word());
        form.field("types", "The ticket types that there are; the first is the default.", &mut self.types, &NAMES);
        form.field("services", "The services that there are.", &mut self.services, &NAMES);
        form.field("slas", "The service level agreements that there are.", &mut self.slas, &NAMES);
        form.field(
            "agents",
            "The logins of agents, who own tickets and are responsible for them.",
            &mut self.agents,
            &NAMES,
        );
        form.field(
            "max_message_size",
            "The largest mail that is taken; checked before it is fetched.",
            &mut self.max_message_size,
            &SIZE,
        );
        form.field("oversize", "What becomes of a larger mail.", &mut self.oversize, &word());
        let help = "So many messages may wait in the spool; beyond, listeners take no more for now; 0: no limit.";
        form.field("spool_limit", help, &mut self.spool_limit, &COUNT);
        let help = "The largest component that is taken, 128 MiB at most; checked before it is read.";
        form.field("max_component_size", help, &mut self.max_component_size, &COMPONENT_SIZE);
        let help = "A dynamic field: an open ticket with the same value there is followed up; empty: off.";
        form.field("external_number_field", help, &mut self.external_number_field, &TEXT);
        let retention = &mut self.log_retention;
        form.table("log_retention", LOG_RETENTION, |form| {
            for (outcome, help) in [("successful", "Those that were successful."), ("failed", "Those that failed.")] {
                form.field(outcome, help, retention.entry(outcome.to_owned()).or_default(), &AGE);
            }
        });
        let help = "How long received and sent bytes are kept; 0: as long as their ticket.";
        form.field("raw_retention", help, &mut self.raw_retention, &AGE);
        let help = "How long it is kept in full what became of a message; then its status and ticket are; 0: for good.";
        form.field("spool_retention", help, &mut self.spool_retention, &AGE);
        let help =
            "So many versions of each configured thing are kept, 20 at least; older ones go with its next change.";
        form.field("kept_versions", help, &mut self.kept_versions, &KEPT_VERSIONS);
        let help = "How long a job is kept after its end, with its result and its file; 0: for good.";
        form.field("job_retention", help, &mut self.job_retention, &AGE);
        let help = "So many automatic answers go to one person within a day, whatever the spelling of the address.";
        form.field("auto_responses_per_day", help, &mut self.auto_responses_per_day, &COUNT);
        let help = "So many automatic answers go to all together within an hour; 0: no limit.";
        form.field("auto_responses_per_hour", help, &mut self.auto_responses_per_hour, &COUNT);
        let help = "Addresses that get no automatic answers, case ignored; `*` stands for anything.";
        form.field("auto_responses_refused", help, &mut self.auto_responses_refused, &NAMES);
        let help = "An automatic answer that could not be composed for so long is not sent any more; 0: it always is.";
        form.field("auto_responses_max_age", help, &mut self.auto_responses_max_age, &AGE);
        let help = "Hosts (authserv-ids, RFC 8601) whose Authentication-Results are believed.";
        form.field("authentication_results_from", help, &mut self.authentication_results_from, &NAMES);
        let outbound = &mut self.outbound;
        form.table("outbound", OUTBOUND, |form| {
            form.field("retry", "How the pauses between two tries grow.", &mut outbound.retry, &word());
            form.field("retry_increment", "The first pause.", &mut outbound.retry_increment, &INTERVAL);
            form.field("retry_longest", "The longest pause.", &mut outbound.retry_longest, &INTERVAL);
            form.field("retry_for", "A mail is given up after so long.", &mut outbound.retry_for, &INTERVAL);
            form.field(
                "attempts",
                "So many tries at most; 0: as many as the time allows.",
                &mut outbound.attempts,
                &COUNT,
            );
        });
    }
}
