//! One try to send a mail, and what it comes to.

use super::content::ContentParts;
use super::marker::Marker;
use super::pool::Pool;
use super::reply::{RecipientReply, Replies, Unsent, all};
use super::smtp::{DeliverError, Envelope};
use super::{file, probe, schedule, sendmail};
use crate::commlog::{Communication, ShownWait};
use crate::machine::Machine;
use crate::oauth2::Tokens;
use crate::store::outgoing::{AttemptOutcome, ClaimedMail, DeliveryUpdate};
use crate::store::{Store, StoreError, communications};
use postigo_model::communication::{CommunicationKind, CommunicationRecord, MailHeading, Priority};
use postigo_model::configured::{Outlet, Retries, SmtpServer, Transport};
use postigo_model::outgoing::MOST_UNCERTAIN;
use postigo_model::outgoing::{DeliveryFailure, DeliveryStatus};
use postigo_model::ticket::NewArticle;
use postigo_model::timestamp::now;
use postigo_supervision::{Panic, WorkKind, caught};
use std::sync::Arc;

/// What every try works with. Cheap to clone.
#[derive(Clone)]
pub struct Means {
    pub store: Store,
    pub tokens: Arc<Tokens>,
    pub pool: Arc<Pool>,
    pub machine: Arc<Machine>,
}

/// Milliseconds until a mail is tried again that could not be read from the store.
const AFTER_STORE: i64 = 2_000;

impl Means {
    pub fn new(store: Store, tokens: Arc<Tokens>, machine: Arc<Machine>) -> Self {
        Self { store, tokens, pool: Arc::default(), machine }
    }
}

/// What a try came to.
pub struct AttemptResult {
    /// For the store.
    pub outcome: AttemptOutcome,
    /// How the transport did.
    pub transport: TransportHealth,
}

/// How a transport did in a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportHealth {
    /// It carried the mail, or said why not.
    Works,
    /// It could not be used at all, a sentence.
    Unreachable(String),
    /// The try ended before that was known.
    Unknown,
}

/// Tries to send a mail.
pub async fn attempt(means: Means, transport: Transport, retries: Retries, claimed: ClaimedMail) -> AttemptResult {
    let mut log = Communication::start(CommunicationKind::Message, &transport.name, transport.kind.name()).outgoing();
    let (sender, to) = (&claimed.sender, claimed.recipients.join(", "));
    log.about_mail(&MailHeading::new(sender, &to, &claimed.subject, &claimed.message_id));
    let about = format!(
        "Outgoing mail {} ({}, {} bytes), from <{}> to {}; try {}.",
        claimed.claim.id, claimed.kind, claimed.size, sender, to, claimed.tries
    );
    log.entry(Priority::Info, "outbound", about);
    let marker = Marker::new(means.store.clone(), &claimed);
    let mut shown = ShownWait::of(&means.store, &log, "outbound");
    let sending = shown.during(send(&means, &transport, &claimed, &marker, &mut log));
    let sent = caught(WorkKind::OutgoingMail, &transport.name, sending).await;
    // A file is written without a mark.
    let may_be_out = marker.has_begun() || matches!(transport.outlet(), Outlet::Folder(_));
    let is_shown = shown.is_shown();
    let accepted = marker.accepted();
    let mut result = conclude(&retries, &claimed, sent, (may_be_out, &accepted), log.clone());
    // What is noted of them is not written once more: a report of their servers may have come meanwhile.
    result.outcome.deliveries.retain(|delivery| !is_among(&accepted, &delivery.recipient));
    if is_shown && result.outcome.communication.is_none() {
        // Whoever saw it wait is told how that ended.
        log.entry(Priority::Error, "outbound", result.outcome.error.as_str());
        result.outcome.communication = Some(log.finish(true));
    }
    result
}

fn is_among(replies: &Replies, recipient: &str) -> bool {
    replies.iter().any(|(among, _)| among == recipient)
}

/// What a try comes to, by what came of sending. Where that is a panic: whether the mail may have gone out, and who has
/// it for certain.
fn conclude(
    retries: &Retries,
    claimed: &ClaimedMail,
    sent: Result<Result<Replies, Unsent>, Panic>,
    (may_be_out, accepted): (bool, &Replies),
    mut log: Communication,
) -> AttemptResult {
    let sent = match sent {
        Ok(sent) => sent,
        Err(panic) => {
            let text = format!("The try panicked: {panic}. This is a fault of Postigo: please report it.");
            log.entry(Priority::Error, "outbound", text.as_str());
            let reply = if may_be_out { RecipientReply::Unknown(text) } else { RecipientReply::Later(text) };
            let mut replies = accepted.clone();
            let others = claimed.recipients.iter().filter(|recipient| !is_among(accepted, recipient));
            replies.extend(others.map(|recipient| (recipient.clone(), reply.clone())));
            return AttemptResult {
                outcome: answered(retries, claimed, &replies, log),
                transport: TransportHealth::Unknown,
            };
        }
    };
    match sent {
        Ok(replies) => {
            AttemptResult { outcome: answered(retries, claimed, &replies, log), transport: TransportHealth::Works }
        }
        Err(Unsent::Unreachable(why)) => AttemptResult {
            outcome: not_reached(retries, claimed, &why, log),
            transport: TransportHealth::Unreachable(why),
        },
        Err(Unsent::Store(error)) if error.is_temporary() => AttemptResult {
            outcome: put_off(claimed, error.to_string(), AFTER_STORE),
            transport: TransportHealth::Unknown,
        },
        Err(Unsent::Store(error)) => {
            // Whatever the database has against it may be mended; bytes that are gone do not come back.
            let is_lost = matches!(error, StoreError::Corrupt { .. });
            let reply = if is_lost {
                RecipientReply::Refused(error.to_string())
            } else {
                RecipientReply::Later(error.to_string())
            };
            let replies = all(&claimed.recipients, &reply);
            AttemptResult { outcome: answered(retries, claimed, &replies, log), transport: TransportHealth::Unknown }
        }
    }
}

async fn send(
    means: &Means,
    transport: &Transport,
    claimed: &ClaimedMail,
    marker: &Marker,
    log: &mut Communication,
) -> Result<Replies, Unsent> {
    if claimed.recipients.is_empty() {
        // Each of them has it, has refused it, or may have it and is not sent it again.
        return Ok(Replies::new());
    }
    let content = ContentParts::of(&means.store, claimed);
    match transport.outlet() {
        Outlet::Folder(named) => {
            let folder = means.machine.folder(named).map_err(not_given)?;
            file::send(&folder, claimed.claim.id, &claimed.recipients, content).await
        }
        Outlet::Sendmail(named) => {
            let command = means.machine.command(named).map_err(not_given)?;
            marker.begin().await?;
            sendmail::send(command, transport.timeout, &claimed.sender, &claimed.recipients, content).await
        }
        Outlet::Smtp(smtp) => {
            let mut ended = Vec::new();
            let sent = by_smtp(means, transport, smtp, claimed, marker, &mut ended, log).await;
            save(&means.store, ended).await;
            sent
        }
    }
}

/// A command or folder that the daemon was not started with.
fn not_given(sentence: String) -> Unsent {
    Unsent::Unreachable(probe::of_host(sentence))
}

/// Sends over a connection that is kept, or a new one. A kept one that the server has ended is replaced at once: that
/// is no try.
async fn by_smtp(
    means: &Means,
    transport: &Transport,
    smtp: SmtpServer<'_>,
    claimed: &ClaimedMail,
    marker: &Marker,
    ended: &mut Vec<CommunicationRecord>,
    log: &mut Communication,
) -> Result<Replies, Unsent> {
    let (mut kept, dead) = means.pool.take(transport).await;
    ended.extend(dead);
    let envelope = Envelope {
        sender: &claimed.sender,
        recipients: &claimed.recipients,
        size: usize::try_from(claimed.size).unwrap_or_default(),
        has_eight_bits: claimed.has_eight_bits,
    };
    loop {
        let mut session = match kept.take() {
            Some(session) => session,
            None => match probe::connect(transport, smtp, &means.tokens).await {
                Ok(session) => session,
                Err((error, record)) => {
                    ended.extend(record.map(|record| *record));
                    return Err(Unsent::Unreachable(error.to_string()));
                }
            },
        };
        log.goes_by(session.id());
        let delivered = session.deliver(envelope, || ContentParts::of(&means.store, claimed), marker).await;
        ended.extend(means.pool.keep(transport, session).await);
        match delivered {
            Ok(replies) => return Ok(replies),
            // Only a connection that has carried a mail before says so.
            Err(DeliverError::Left) => {}
            Err(DeliverError::Store(error)) => return Err(error.into()),
        }
    }
}

/// Writes the communications of connections. A log that cannot be written must not stop mail that can be sent.
pub async fn save(store: &Store, records: Vec<CommunicationRecord>) {
    if records.is_empty() {
        return;
    }
    let saved =
        store.write(records, |records, connection| Box::pin(communications::save_all(connection, records))).await;
    if let Err(error) = saved {
        tracing::warn!(%error, "the communication log could not be written");
    }
}

/// The transport could not be used: the mail is not to blame, and waits until the transport can be, or its time is up.
fn not_reached(retries: &Retries, claimed: &ClaimedMail, why: &str, mut log: Communication) -> AttemptOutcome {
    let now = now();
    // Tries that are not counted do not use up the allowed ones.
    let again = schedule::next(&Retries { attempts: 0, ..retries.clone() }, 1, claimed.queued_at, now);
    if again.is_some() {
        // The pause is the transport's.
        return put_off(claimed, why.to_owned(), 0);
    }
    log.entry(Priority::Error, "outbound", format!("Given up: {why}"));
    let given_up = |recipient: &String| given_up(claimed, recipient, why);
    let deliveries: Vec<_> = claimed.recipients.iter().map(given_up).collect();
    let note = note(claimed, &deliveries, true);
    AttemptOutcome {
        claim: claimed.claim,
        deliveries,
        next_try_at: None,
        uncertain: false,
        counts: false,
        error: why.to_owned(),
        note,
        communication: Some(log.finish(true)),
        now,
    }
}

/// Nothing was tried: the mail waits as it was.
fn put_off(claimed: &ClaimedMail, why: String, wait: i64) -> AttemptOutcome {
    AttemptOutcome {
        claim: claimed.claim,
        deliveries: Vec::new(),
        next_try_at: Some(now() + wait),
        uncertain: false,
        counts: false,
        error: why,
        note: None,
        // Told by the connection's communication already; one for each of many waiting mails would only bury it.
        communication: None,
        now: now(),
    }
}

/// What the replies come to.
fn answered(retries: &Retries, claimed: &ClaimedMail, replies: &Replies, mut log: Communication) -> AttemptOutcome {
    let now = now();
    let automatic = claimed.kind.is_automatic();
    let may_double = !automatic && claimed.uncertain_tries + 1 < MOST_UNCERTAIN;
    let tried_again = |reply: &RecipientReply| {
        matches!(reply, RecipientReply::Later(_)) || (matches!(reply, RecipientReply::Unknown(_)) && may_double)
    };
    let open = replies.iter().any(|(_, reply)| tried_again(reply));
    let next_try_at = if open { schedule::next(retries, claimed.tries, claimed.queued_at, now) } else { None };
    let uncertain = replies.iter().any(|(_, reply)| matches!(reply, RecipientReply::Unknown(_)));
    let mut deliveries = Vec::with_capacity(replies.len());
    for (recipient, reply) in replies {
        let words = reply.text();
        let delivered = match reply {
            RecipientReply::Accepted(_) => delivered(recipient, DeliveryStatus::Sent, words),
            RecipientReply::Later(_) if next_try_at.is_some() => delivered(recipient, DeliveryStatus::Delayed, words),
            RecipientReply::Later(_) => given_up(claimed, recipient, words),
            RecipientReply::Refused(_) => DeliveryUpdate {
                failure: Some(DeliveryFailure::Hard),
                ..delivered(recipient, DeliveryStatus::Failed, words)
            },
            RecipientReply::Unknown(_) => delivered(recipient, DeliveryStatus::Uncertain, words),
        };
        let priority = match delivered.status {
            DeliveryStatus::Failed => Priority::Error,
            DeliveryStatus::Uncertain => Priority::Warning,
            DeliveryStatus::Delayed => Priority::Notice,
            _ => Priority::Info,
        };
        log.entry(priority, "outbound", format!("{recipient}: {}: {words}", delivered.status));
        deliveries.push(delivered);
    }
    if let Some(at) = next_try_at {
        log.entry(
            Priority::Notice,
            "outbound",
            format!("The next try is at {}.", postigo_model::timestamp::rfc3339(at)),
        );
    }
    let wrong = deliveries.iter().find(|delivered| delivered.status != DeliveryStatus::Sent);
    let error = wrong.map(|delivered| format!("{}: {}", delivered.recipient, delivered.detail)).unwrap_or_default();
    let failed = deliveries.iter().any(|delivered| delivered.status == DeliveryStatus::Failed);
    let note = note(claimed, &deliveries, next_try_at.is_none() || !may_double);
    let communication = Some(log.finish(failed));
    AttemptOutcome {
        claim: claimed.claim,
        deliveries,
        next_try_at,
        uncertain,
        counts: true,
        error,
        note,
        communication,
        now,
    }
}

fn delivered(recipient: &str, status: DeliveryStatus, words: &str) -> DeliveryUpdate {
    DeliveryUpdate { recipient: recipient.to_owned(), status, failure: None, detail: words.to_owned() }
}

/// What a delivery is that is not tried again: one whose answer was lost before may have arrived.
fn given_up(claimed: &ClaimedMail, recipient: &str, words: &str) -> DeliveryUpdate {
    if claimed.uncertain_tries > 0 {
        return delivered(recipient, DeliveryStatus::Uncertain, words);
    }
    DeliveryUpdate { failure: Some(DeliveryFailure::Soft), ..delivered(recipient, DeliveryStatus::Failed, words) }
}

/// What agents are told in the ticket of a mail of theirs that did not reach somebody, or may not have and is not sent
/// again (`is_last`).
fn note(claimed: &ClaimedMail, deliveries: &[DeliveryUpdate], is_last: bool) -> Option<(i64, NewArticle)> {
    let lost = deliveries.iter().filter_map(|delivered| match delivered.status {
        DeliveryStatus::Failed => Some(format!("{}: {}", delivered.recipient, delivered.detail)),
        DeliveryStatus::Uncertain if is_last => {
            Some(format!("{}: {} (it may have arrived)", delivered.recipient, delivered.detail))
        }
        _ => None,
    });
    let lost: Vec<String> = lost.collect();
    if lost.is_empty() || claimed.ticket_id == 0 || claimed.kind.is_automatic() {
        return None;
    }
    Some((claimed.ticket_id, NewArticle::undelivered(claimed.kind.name(), &claimed.message_id, &lost, now())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::claim::Claim;
    use postigo_model::outgoing::OutgoingKind;
    use postigo_supervision::catch;

    fn claimed(kind: OutgoingKind, recipients: &[&str]) -> ClaimedMail {
        ClaimedMail {
            claim: Claim { id: 1, token: 1 },
            kind,
            ticket_id: 0,
            sender: "desk@x.test".into(),
            recipients: recipients.iter().map(|recipient| (*recipient).to_owned()).collect(),
            message_id: "<1@x.test>".into(),
            size: 1,
            has_eight_bits: false,
            transport: "relay".into(),
            tries: 1,
            uncertain_tries: 0,
            subject: "x".into(),
            queued_at: now(),
        }
    }

    #[test]
    fn a_try_that_panics_after_some_have_the_mail_says_nothing_else_of_them() {
        let claimed = claimed(OutgoingKind::Reply, &["jane@x.test", "joe@x.test"]);
        let accepted: Replies = vec![("jane@x.test".into(), RecipientReply::Accepted("250 taken".into()))];
        for (may_be_out, expected) in [(false, DeliveryStatus::Delayed), (true, DeliveryStatus::Uncertain)] {
            let panic = catch(|| panic!("on purpose")).map(|(): ()| ()).unwrap_err();
            let log = Communication::start(CommunicationKind::Message, "relay", "smtp");
            let concluded = conclude(&Retries::default(), &claimed, Err(panic), (may_be_out, &accepted), log);
            let deliveries = concluded.outcome.deliveries;
            let statuses: Vec<_> = deliveries.iter().map(|one| (one.recipient.as_str(), one.status)).collect();
            assert_eq!(statuses, [("jane@x.test", DeliveryStatus::Sent), ("joe@x.test", expected)]);
        }
    }

    #[test]
    fn a_try_that_panics_is_tried_again_unless_the_mail_may_be_out_and_must_not_go_twice() {
        for (kind, may_be_out, uncertain, again) in [
            (OutgoingKind::Reply, false, false, true),
            (OutgoingKind::Reply, true, true, true),
            (OutgoingKind::AutoResponse, false, false, true),
            (OutgoingKind::AutoResponse, true, true, false),
        ] {
            let claimed = claimed(kind, &["jane@x.test"]);
            let panic = catch(|| panic!("on purpose")).map(|(): ()| ()).unwrap_err();
            let log = Communication::start(CommunicationKind::Message, "relay", "smtp");
            let AttemptResult { outcome, transport } =
                conclude(&Retries::default(), &claimed, Err(panic), (may_be_out, &Replies::new()), log);
            let case = format!("{kind} {may_be_out}");
            assert_eq!(
                (outcome.uncertain, outcome.next_try_at.is_some(), outcome.counts),
                (uncertain, again, true),
                "{case}"
            );
            assert!(outcome.error.contains("on purpose"), "{case}: {}", outcome.error);
            assert_eq!(transport, TransportHealth::Unknown, "{case}: the server is not to blame");
            let entries = outcome.communication.unwrap().entries;
            assert!(
                entries.iter().any(|entry| entry.priority == Priority::Error && entry.value.contains("on purpose")),
                "{case}"
            );
        }
    }
}
