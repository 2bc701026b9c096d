//! What delivery reports say of the mails that we sent: marked on each recipient, in the transaction that files the report.
//!
//! A report comes from anybody: only recipients that the mail had are marked, and agents are told in the ticket of that mail.

use crate::commlog::{Entry, Priority, Record};
use crate::config::address_key;
use crate::mail::{DeliveryReport, Reported, ReportedAction};
use crate::outbound::{DeliveryStatus, Failure};
use crate::store::outgoing::{Delivered, Delivery, SentMail};
use crate::store::{StoreError, outgoing};
use crate::ticket::NewArticle;
use sqlx::AnyConnection;

/// Marks the recipients that a report is about; what it did is added to the report's communication.
pub async fn mark(connection: &mut AnyConnection, report: &DeliveryReport, record: &mut Record, now: i64) -> Result<(), StoreError> {
    let mut sent = Vec::new();
    for mail in outgoing::find_sent(connection, &report.original).await? {
        let deliveries = outgoing::deliveries(connection, mail.id).await?;
        sent.push((mail, deliveries));
    }
    if sent.is_empty() {
        add(record, now, Priority::Info, format!("A delivery report about {}, which is no mail that was sent from here.", report.original));
        return Ok(());
    }
    let mut lost: Vec<(&SentMail, String)> = Vec::new();
    for reported in &report.recipients {
        let Some((mail, delivery)) = meant(&sent, reported) else {
            let named = reported.addresses.join(", ");
            let words = format!("The report names {named}, to whom {} was not sent; nothing is marked.", report.original);
            add(record, now, Priority::Notice, words);
            continue;
        };
        if is_open(delivery) {
            // No server has taken it for this recipient, so none can know: what is still to be sent goes out whatever a report says.
            let words = format!("The report is about {}, to whom outgoing mail {} is still to be sent.", delivery.recipient, mail.id);
            add(record, now, Priority::Notice, words);
            continue;
        }
        if reported.action == ReportedAction::Delayed && delivery.status != DeliveryStatus::Sent {
            continue; // it came late
        }
        let delivered = delivered(delivery, reported);
        if outgoing::delivered(connection, mail.id, &delivered, now).await? {
            let is_failed = delivered.status == DeliveryStatus::Failed;
            let priority = if is_failed { Priority::Warning } else { Priority::Info };
            let Delivered { recipient, status, detail, .. } = delivered;
            add(record, now, priority, format!("Outgoing mail {} to {recipient}: {}. {detail}", mail.id, status.name()));
            // Whoever knows of a failure already is not told again.
            if is_failed && delivery.status != DeliveryStatus::Failed {
                lost.push((mail, format!("{recipient}: {detail}")));
            }
        }
    }
    for (mail, _) in &sent {
        let lines: Vec<String> = lost.iter().filter(|(of, _)| of.id == mail.id).map(|(_, line)| line.clone()).collect();
        if !lines.is_empty() && mail.ticket_id != 0 && !mail.kind.is_automatic() {
            let note = NewArticle::undelivered(mail.kind.name(), &report.original, &lines, now);
            outgoing::add_note(connection, mail.id, mail.ticket_id, &note, now).await?;
        }
    }
    Ok(())
}

/// The delivery that is meant: by the first spelling of the address that fits (another may be somebody else's), of the latest mail that went there,
/// sooner of one that a server has taken.
fn meant<'s>(sent: &'s [(SentMail, Vec<Delivery>)], reported: &Reported) -> Option<(&'s SentMail, &'s Delivery)> {
    reported.addresses.iter().find_map(|address| {
        let is_named = |delivery: &&Delivery| address_key(&delivery.recipient) == address_key(address);
        let to_it = |(mail, deliveries): &'s (SentMail, Vec<Delivery>)| deliveries.iter().find(is_named).map(|delivery| (mail, delivery));
        let found: Vec<_> = sent.iter().filter_map(to_it).collect();
        found.iter().find(|(_, delivery)| !is_open(delivery)).or(found.first()).copied()
    })
}

/// Whether it is still to be sent.
fn is_open(delivery: &Delivery) -> bool {
    matches!(delivery.status, DeliveryStatus::Waiting | DeliveryStatus::Delayed)
}

fn delivered(delivery: &Delivery, reported: &Reported) -> Delivered {
    let kind = if reported.is_permanent() { Failure::Hard } else { Failure::Soft };
    Delivered {
        recipient: delivery.recipient.clone(),
        status: status(reported),
        failure: (reported.action == ReportedAction::Failed).then_some(kind),
        detail: detail(reported),
    }
}

fn status(reported: &Reported) -> DeliveryStatus {
    match reported.action {
        ReportedAction::Failed => DeliveryStatus::Failed,
        // A server has it and goes on trying; we must not.
        ReportedAction::Delayed => DeliveryStatus::Sent,
        ReportedAction::Delivered => DeliveryStatus::Delivered,
    }
}

/// Whether it is for good, the status code, and the server's words.
fn detail(reported: &Reported) -> String {
    let what = match (reported.action, reported.is_permanent()) {
        (ReportedAction::Failed, true) => "Permanent failure",
        (ReportedAction::Failed, false) => "Given up after a temporary failure",
        (ReportedAction::Delayed, _) => "Delayed",
        (ReportedAction::Delivered, _) => "Delivered",
    };
    let code = if reported.status.is_empty() { String::new() } else { format!(" ({})", reported.status) };
    let words = if reported.detail.is_empty() { String::new() } else { format!(": {}", reported.detail) };
    format!("{what}{code}{words}")
}

fn add(record: &mut Record, at: i64, priority: Priority, value: String) {
    record.entries.push(Entry { at, priority, key: "delivery-report".to_owned(), value });
    record.priority = record.priority.max(priority);
    if priority >= Priority::Warning && record.status == crate::commlog::Status::Successful {
        record.status = crate::commlog::Status::Warning;
    }
}
