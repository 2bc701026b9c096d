//! What delivery reports say of the mails that we sent: marked on each recipient, in the transaction that files the report.
//!
//! A report comes from anybody: only recipients that the mail had are marked, and nothing else of tickets follows from it.

use crate::commlog::{Entry, Priority, Record};
use crate::config::address_key;
use crate::mail::{DeliveryReport, Reported, ReportedAction};
use crate::outbound::DeliveryStatus;
use crate::store::{StoreError, outgoing};
use sqlx::AnyConnection;

/// Marks the recipients that a report is about; what it did is added to the report's communication.
pub async fn mark(connection: &mut AnyConnection, report: &DeliveryReport, record: &mut Record, now: i64) -> Result<(), StoreError> {
    let Some((outgoing_id, _)) = outgoing::find_sent(connection, &report.original).await? else {
        add(record, now, Priority::Info, format!("A delivery report about {}, which is no mail that was sent from here.", report.original));
        return Ok(());
    };
    let deliveries = outgoing::deliveries(connection, outgoing_id).await?;
    for reported in &report.recipients {
        let is_meant = |recipient: &str| reported.addresses.iter().any(|address| address_key(address) == address_key(recipient));
        let Some(delivery) = deliveries.iter().find(|delivery| is_meant(&delivery.recipient)) else {
            let named = reported.addresses.join(", ");
            add(
                record,
                now,
                Priority::Notice,
                format!("The report names {named}, to whom outgoing mail {outgoing_id} was not sent; nothing is marked."),
            );
            continue;
        };
        let status = status(reported);
        if matches!(delivery.status, DeliveryStatus::Waiting | DeliveryStatus::Delayed) {
            // No server has taken it for this recipient, so none can know: what is still to be sent goes out whatever a report says.
            let words = format!("The report is about {}, to whom outgoing mail {outgoing_id} is still to be sent.", delivery.recipient);
            add(record, now, Priority::Notice, words);
            continue;
        }
        if reported.action == ReportedAction::Delayed && delivery.status != DeliveryStatus::Sent {
            continue; // it came late
        }
        let detail = detail(reported);
        if outgoing::report(connection, outgoing_id, &delivery.recipient, status, &detail, now).await? {
            let priority = if status == DeliveryStatus::Failed { Priority::Warning } else { Priority::Info };
            add(record, now, priority, format!("Outgoing mail {outgoing_id} to {}: {}. {detail}", delivery.recipient, status.name()));
        }
    }
    Ok(())
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
