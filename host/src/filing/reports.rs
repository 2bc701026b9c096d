//! What delivery reports say of the mails that we sent: marked on each recipient, in the transaction that files the
//! report.
//!
//! A report comes from anybody: only recipients that the mail had are marked, what failed stays so, and agents are told
//! in the ticket of that mail, once for each recipient.

use crate::store::outgoing::{Delivery, DeliveryUpdate, SentMail};
use crate::store::{StoreError, outgoing};
use postigo_mail::{DeliveryReport, RecipientReport, ReportedAction};
use postigo_model::communication::{CommunicationRecord, LogEntry, Priority};
use postigo_model::mailbox::Mailbox;
use postigo_model::outgoing::{DeliveryFailure, DeliveryStatus, OutgoingStatus};
use postigo_model::ticket::NewArticle;
use sqlx::AnyConnection;
use std::collections::HashSet;

/// Marks the recipients that a report is about; what it did is added to the report's communication.
pub async fn mark(
    connection: &mut AnyConnection,
    report: &DeliveryReport,
    record: &mut CommunicationRecord,
    now: i64,
) -> Result<(), StoreError> {
    let mut sent = Vec::new();
    for mail in outgoing::find_sent(connection, &report.original).await? {
        let deliveries = outgoing::deliveries(connection, mail.id).await?;
        sent.push((mail, deliveries));
    }
    if sent.is_empty() {
        add(
            record,
            now,
            Priority::Info,
            format!("A delivery report about {}, which is no mail that was sent from here.", report.original),
        );
        return Ok(());
    }
    let mut lost: Vec<(&SentMail, String)> = Vec::new();
    let mut marked = HashSet::new();
    for reported in &report.recipients {
        let Some((mail, delivery)) = meant(&sent, reported) else {
            let named = reported.addresses.join(", ");
            let words =
                format!("The report names {named}, to whom {} was not sent; nothing is marked.", report.original);
            add(record, now, Priority::Notice, words);
            continue;
        };
        if is_open(mail, delivery) {
            // No server has taken it for this recipient, so none can know: what is still to be sent goes out whatever a
            // report says.
            let words = format!(
                "The report is about {}, to whom outgoing mail {} is still to be sent.",
                delivery.recipient, mail.id
            );
            add(record, now, Priority::Notice, words);
            continue;
        }
        if delivery.status == DeliveryStatus::Failed {
            // The server's own word, or a report's: no later one takes it back.
            let words = format!(
                "The report is about {}, to whom outgoing mail {} has failed already.",
                delivery.recipient, mail.id
            );
            add(record, now, Priority::Notice, words);
            continue;
        }
        if reported.action == ReportedAction::Delayed && delivery.status != DeliveryStatus::Sent {
            continue; // it came late
        }
        if !marked.insert((mail.id, &delivery.recipient)) {
            continue; // one report says one thing of a recipient, the first
        }
        let delivered = delivered(delivery, reported);
        if outgoing::delivered(connection, mail.id, &delivered, now).await? {
            let is_failed = delivered.status == DeliveryStatus::Failed;
            let priority = if is_failed { Priority::Warning } else { Priority::Info };
            let DeliveryUpdate { recipient, status, detail, .. } = delivered;
            add(
                record,
                now,
                priority,
                format!("Outgoing mail {} to {recipient}: {}. {detail}", mail.id, status.name()),
            );
            if is_failed {
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

/// The delivery that is meant: by the first spelling of the address that fits (another may be somebody else's), of the
/// latest mail that went there, sooner of one that a server has taken.
fn meant<'s>(
    sent: &'s [(SentMail, Vec<Delivery>)],
    reported: &RecipientReport,
) -> Option<(&'s SentMail, &'s Delivery)> {
    reported.addresses.iter().find_map(|address| {
        let is_named = |delivery: &&Delivery| Mailbox::of(&delivery.recipient) == Mailbox::of(address);
        let to_it = |(mail, deliveries): &'s (SentMail, Vec<Delivery>)| {
            deliveries.iter().find(is_named).map(|delivery| (mail, delivery))
        };
        let found: Vec<_> = sent.iter().filter_map(to_it).collect();
        found.iter().find(|(mail, delivery)| !is_open(mail, delivery)).or(found.first()).copied()
    })
}

/// Whether it is still to be sent, or again.
fn is_open(mail: &SentMail, delivery: &Delivery) -> bool {
    match delivery.status {
        DeliveryStatus::Waiting | DeliveryStatus::Delayed => true,
        DeliveryStatus::Uncertain => matches!(mail.status, OutgoingStatus::Waiting | OutgoingStatus::Sending),
        _ => false,
    }
}

fn delivered(delivery: &Delivery, reported: &RecipientReport) -> DeliveryUpdate {
    let kind = if reported.is_permanent() { DeliveryFailure::Hard } else { DeliveryFailure::Soft };
    DeliveryUpdate {
        recipient: delivery.recipient.clone(),
        status: status(reported),
        failure: (reported.action == ReportedAction::Failed).then_some(kind),
        detail: detail(reported),
    }
}

fn status(reported: &RecipientReport) -> DeliveryStatus {
    match reported.action {
        ReportedAction::Failed => DeliveryStatus::Failed,
        // A server has it and goes on trying; we must not.
        ReportedAction::Delayed => DeliveryStatus::Sent,
        ReportedAction::Delivered => DeliveryStatus::Delivered,
    }
}

/// Whether it is for good, the status code, and the server's words.
fn detail(reported: &RecipientReport) -> String {
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

fn add(record: &mut CommunicationRecord, at: i64, priority: Priority, value: String) {
    record.entries.push(LogEntry { at, priority, key: "delivery-report".to_owned(), value });
    record.priority = record.priority.max(priority);
    if priority >= Priority::Warning && record.status == postigo_model::communication::CommunicationStatus::Successful {
        record.status = postigo_model::communication::CommunicationStatus::Warning;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commlog::Communication;
    use crate::store::outgoing::{NewOutgoing, SendableMail};
    use crate::store::{Location, Store, tickets};
    use postigo_model::communication::CommunicationKind;
    use postigo_model::outgoing::OutgoingKind;

    const A: &str = "a@x.example";

    /// What a mail's delivery is after a report of these actions, and the number of notes in its ticket.
    async fn report(store: &Store, id: i64, actions: &[ReportedAction]) -> (DeliveryStatus, usize) {
        let reported = |action: &ReportedAction| RecipientReport {
            addresses: vec![A.into()],
            action: *action,
            ..RecipientReport::default()
        };
        let report =
            DeliveryReport { original: "<1@desk.example>".into(), recipients: actions.iter().map(reported).collect() };
        let record = Communication::start(CommunicationKind::Message, "m", "imap").finish(false);
        let work = store.write((report, record), |(report, record), connection| {
            Box::pin(async move { mark(connection, report, &mut record.clone(), 1).await })
        });
        work.await.unwrap();
        let mut connection = store.read().await.unwrap();
        let status = outgoing::deliveries(&mut connection, id).await.unwrap()[0].status;
        (status, tickets::articles(&mut connection, 7).await.unwrap().len())
    }

    #[tokio::test]
    async fn reports_change_a_delivery_once_and_never_what_smtp_has_said_or_will() {
        use ReportedAction::{Delivered, Failed};
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let composed = SendableMail {
            recipients: vec![A.into()],
            message_id: "<1@desk.example>".into(),
            raw: vec![b"x".to_vec().into()],
            ..SendableMail::default()
        };
        let new = NewOutgoing { kind: OutgoingKind::Reply, ticket_id: 7, article_id: 0, composed, now: 0 };
        let id = store.write(new, |new, connection| Box::pin(outgoing::queue(connection, new))).await.unwrap();
        store.execute("UPDATE delivery SET status = 'uncertain'").await;
        for open in ["UPDATE outgoing SET status = 'waiting'", "UPDATE outgoing SET status = 'sending'"] {
            store.execute(open).await;
            assert_eq!(
                report(&store, id, &[Failed]).await,
                (DeliveryStatus::Uncertain, 0),
                "it goes out again: {open}"
            );
        }
        store.execute("UPDATE outgoing SET status = 'failed'").await;
        store.execute("UPDATE delivery SET status = 'failed'").await;
        assert_eq!(report(&store, id, &[Delivered]).await, (DeliveryStatus::Failed, 0), "the server had refused it");
        store.execute("UPDATE outgoing SET status = 'sent'").await;
        store.execute("UPDATE delivery SET status = 'sent'").await;
        assert_eq!(
            report(&store, id, &[Delivered, Failed]).await,
            (DeliveryStatus::Delivered, 0),
            "a report says one thing"
        );
        for actions in [[Failed, Delivered], [Delivered, Failed], [Failed, Failed]] {
            assert_eq!(report(&store, id, &actions).await, (DeliveryStatus::Failed, 1));
        }
    }
}
