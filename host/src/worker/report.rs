//! What the communication log and a message's result say of the chain.

use super::evaluate::EvaluatedMessage;
use crate::chain::{ChainPlan, ChainStep, PlannedFilter};
use crate::commlog::{Communication, entry_key};
use postigo_mail::DroppedHeader;
use postigo_model::answer_result::AnswerResult;
use postigo_model::communication::{CommunicationKind, Priority};
use postigo_model::result::{FilterOutcome, MessageResult};
use postigo_model::spool::ClaimedMessage;
use postigo_model::ticket::{Filing, FilingKind, LARGEST_BODY, WhyFollowUp};
use postigo_model::timestamp::rfc3339;
use serde_json::Value;
use std::time::Duration;

/// Screenings that take less are not told.
const WORTH_TELLING: Duration = Duration::from_millis(1);

/// Starts the communication of a message, with what was done to it before it is filed.
pub fn communication(claimed: &ClaimedMessage, evaluated: &EvaluatedMessage) -> Communication {
    let account = evaluated.setup.configuration.accounts.get(&claimed.account);
    let protocol = account.map_or("local", |account| account.protocol.name());
    let mut communication = Communication::start(CommunicationKind::Message, &claimed.account, protocol)
        .brought_by(claimed.communication.clone())
        .begun(evaluated.begun)
        .about(claimed.claim.id);
    let mail = &evaluated.run.mail;
    communication.about_mail(&mail.message().heading());
    let subject = mail.header("Subject").unwrap_or_default();
    communication.entry(
        Priority::Info,
        "worker",
        format!("Message from {}, {} bytes, subject: {subject}", claimed.source, claimed.size),
    );
    if claimed.tries > 1 {
        communication.entry(Priority::Notice, "worker", format!("This is try number {}.", claimed.tries));
    }
    for dropped in &evaluated.dropped {
        communication.entry(Priority::Notice, "mail", self::dropped(dropped));
    }
    if let Some(ticket) = &evaluated.seen {
        communication.entry(
            Priority::Debug,
            "follow-up",
            format!("Before the filters, it follows up ticket {}.", ticket.number),
        );
    }
    chain(&mut communication, &evaluated.setup.plan, evaluated);
    communication
}

fn chain(communication: &mut Communication, plan: &ChainPlan, evaluated: &EvaluatedMessage) {
    let screening = evaluated.run.screening;
    if screening >= WORTH_TELLING {
        communication.entry(Priority::Debug, "chain", format!("The screenings took {} µs.", screening.as_micros()));
    }
    let waited = evaluated.run.waited;
    if !waited.is_zero() {
        let words = format!("It waited {} ms until other filters' guests left room in memory.", waited.as_millis());
        communication.entry(Priority::Notice, "chain", words);
    }
    for note in &evaluated.run.notes {
        communication.entry(Priority::Error, "chain", note.as_str());
    }
    let kept: Vec<usize> = match evaluated.setup.plan_number() {
        Some(number) => {
            let kept = evaluated.run.kept();
            communication.entries_of_chain(number, evaluated.run.ran(), kept.clone());
            kept
        }
        // Nothing would say later which filters these were.
        None => (0..plan.filters().len()).collect(),
    };
    let mut kept = kept.into_iter().peekable();
    for (place, (filter, step)) in plan.filters().iter().zip(&evaluated.run.steps).enumerate() {
        let is_kept = kept.next_if_eq(&place).is_some();
        if !is_kept && step.log.is_empty() {
            continue;
        }
        let key = entry_key(&filter.name);
        for line in &step.log {
            communication.entry(line.priority.parse().unwrap_or_default(), &key, line.text.as_str());
        }
        if is_kept {
            let (priority, sentence) = told(step, filter);
            communication.entry(priority, &key, sentence);
            let did_nothing = matches!(step.outcome, FilterOutcome::NotMatched | FilterOutcome::NotRun);
            if !did_nothing || !step.answers.is_empty() {
                communication.touched_by(&filter.name);
            }
        }
    }
}

/// Whose time a filter took: its own, and the rest, which the host needed for it and for what it set.
fn time(step: &ChainStep) -> String {
    format!("{} µs ({} µs its own)", step.took.as_micros(), step.own.as_micros())
}

/// What a classifier answered, what followed, and what of it is not said by that: the headers that were set.
fn answered(step: &ChainStep, filter: &PlannedFilter) -> String {
    let mode = filter.answering.as_ref().map(|rules| rules.mode.name()).unwrap_or_default();
    let answers: Vec<String> = step.answers.iter().map(AnswerResult::sentences).collect();
    let set = if step.changes.is_empty() { "It sets nothing.".to_owned() } else { changes(step) };
    format!("{} Mode {mode}. {set}", answers.join(" "))
}

fn changes(step: &ChainStep) -> String {
    let changes = step.changes.iter().map(|change| format!("{}: {}", change.header, change.value));
    format!("It sets {}.", changes.collect::<Vec<_>>().join("; "))
}

fn told(step: &ChainStep, filter: &PlannedFilter) -> (Priority, String) {
    let component = filter.version.title();
    let time = time(step);
    let error = step.error.as_ref().map(|failure| failure.message.as_str()).unwrap_or_default();
    let stopped = if step.stopped { " The chain ends here." } else { "" };
    match step.outcome {
        FilterOutcome::Matched | FilterOutcome::NotMatched if !step.answers.is_empty() => {
            let matched = if step.outcome == FilterOutcome::Matched { "Matched" } else { "Not matched" };
            (Priority::Info, format!("{matched} in {time} by {component}. {}{stopped}", answered(step, filter)))
        }
        FilterOutcome::Matched => {
            let changes = if step.changes.is_empty() { "It sets nothing.".to_owned() } else { changes(step) };
            let reason = if step.reason.is_empty() { String::new() } else { format!(" ({})", step.reason) };
            (Priority::Info, format!("Matched{reason} in {time} by {component}. {changes}{stopped}"))
        }
        FilterOutcome::NotMatched => (Priority::Debug, format!("Not matched, {time}.")),
        FilterOutcome::Failed => (Priority::Error, format!("Failed after {time} in {component}: {error}.{stopped}")),
        FilterOutcome::Suspended => (Priority::Error, format!("{error}.{stopped}")),
        FilterOutcome::NotRun => (Priority::Debug, "Not run: the chain had ended.".to_owned()),
    }
}

/// Why a header of the mail has no effect.
pub fn dropped(dropped: &DroppedHeader) -> String {
    format!("Header {} has no effect: {}.", dropped.name, dropped.reason)
}

/// Why a filter's failure holds a message.
pub fn held_by(filter: &PlannedFilter) -> String {
    format!("Filter \"{}\" failed, and its on_failure is \"hold\".", filter.name)
}

/// Says what of a mail was not read, where it is not filed: else [`filing`] does.
pub fn not_read(communication: &mut Communication, result: &MessageResult) {
    for warning in &result.warnings {
        communication.entry(Priority::Warning, "mail", warning.as_str());
    }
}

/// The result as far as it is known before the message is filed.
pub fn result(source: &str, communication: Option<&Communication>, evaluated: &EvaluatedMessage) -> MessageResult {
    let mail = &evaluated.run.mail;
    MessageResult {
        source: source.to_owned(),
        message_id: mail.header("Message-ID").map(str::to_owned),
        communication: communication.map(|communication| communication.id().to_owned()),
        headers: mail.otobo_headers().map(|header| (header.name.clone(), shown(&header.values))).collect(),
        filters: evaluated.run.results(&evaluated.setup.plan),
        warnings: mail.message().cuts(),
        ..MessageResult::default()
    }
}

/// One value as a string, several as a list.
fn shown(values: &[String]) -> Value {
    match values {
        [one] => Value::from(one.as_str()),
        several => Value::from(several),
    }
}

/// Says what was decided; of an automatic answer the transaction says it, which counts what was answered before.
pub fn filing(communication: &mut Communication, filing: &Filing) {
    for warning in &filing.warnings {
        communication.entry(Priority::Warning, "ticket", warning.as_str());
    }
    if filing.article.body_truncated {
        let most = LARGEST_BODY >> 20;
        let words = format!(
            "The mail's text is longer than {most} MiB: the article has its beginning, the received message all of it."
        );
        communication.entry(Priority::Notice, "ticket", words);
    }
    let queue = &filing.ticket.queue;
    let decided = match &filing.kind {
        FilingKind::NewTicket { linked_to: None } => format!("New ticket in queue {queue} (by {}).", filing.queue_by),
        FilingKind::NewTicket { linked_to: Some(_) } => {
            format!("New ticket in queue {queue} instead of a follow-up; it is linked to that ticket.")
        }
        FilingKind::FollowUp(why) => format!("Follow-up of ticket {}, found by {}.", filing.ticket.number, name(*why)),
        FilingKind::Rejected(why) => {
            format!("Kept with ticket {}, found by {}, which stays closed.", filing.ticket.number, name(*why))
        }
    };
    communication.entry(Priority::Info, "ticket", decided);
}

/// A result with what was decided; numbers and status are filled in when it is filed.
pub fn with_filing(result: MessageResult, filing: &Filing) -> MessageResult {
    let ticket = filing.ticket.clone();
    let why = match filing.kind {
        FilingKind::NewTicket { .. } => None,
        FilingKind::FollowUp(why) | FilingKind::Rejected(why) => Some(why),
    };
    MessageResult {
        follow_up: why.is_some(),
        why_follow_up: why,
        queue: Some(ticket.queue),
        queue_by: Some(filing.queue_by.clone()),
        state: Some(ticket.state),
        priority: Some(ticket.priority),
        r#type: Some(ticket.r#type),
        service: ticket.service,
        sla: ticket.sla,
        lock: Some(ticket.lock),
        owner: ticket.owner,
        responsible: ticket.responsible,
        customer_number: ticket.customer_number,
        customer_user: ticket.customer_user,
        title: Some(ticket.title),
        sender_type: Some(filing.article.sender_type.name().to_owned()),
        visible_for_customer: Some(filing.article.visible_for_customer),
        pending_until: ticket.pending_until.map(rfc3339),
        dynamic_fields: ticket.dynamic_fields,
        warnings: filing.warnings.clone(),
        ..result
    }
}

fn name(why: WhyFollowUp) -> String {
    serde_json::to_value(why).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
