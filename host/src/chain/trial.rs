//! Trials: a filter that failed several times in a row, or a group's screening, is run on a mail that it handled
//! before, outside any mail's time. Only what fails there too is suspended: a stranger's mails alone switch nothing
//! off.

use super::answering::AnswerRules;
use super::breaker::{Breaker, TrialResult};
use super::guests::{Guest, Guests, with_room};
use super::planned_filter::{PlannedFilter, PlannedGroup};
use super::verdict::{self, DeclaredHeaders};
use bytes::Bytes;
use postigo_mail::{Envelope, Mail, Message, OpenedMessage, Vocabulary};
use postigo_model::configured::Account;
use postigo_sandbox::CallFailure;
use std::sync::Arc;
use std::time::Instant;

/// What is tried where nothing was handled yet.
const PLAIN_MAIL: &str = "From: Jane Doe <jane@example.com>\r\n\
    To: Support <support@example.com>\r\n\
    Subject: A plain mail\r\n\
    Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n\
    Message-ID: <plain@example.com>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    \r\n\
    Hello,\r\n\
    this is a plain mail.\r\n";

/// A trial that is due. It is for a thread that guests may occupy.
pub struct BreakerTrial {
    /// For people.
    name: String,
    guests: Arc<dyn Guests>,
    breaker: Arc<Breaker>,
    of: Of,
    ended: bool,
}

/// What is tried.
enum Of {
    /// A filter of the group, by its index, and the headers that its component declared.
    Filter(u32, Arc<DeclaredHeaders>),
    /// A classifier of the group, by its index, and what is asked of it.
    Classifier(u32, Arc<AnswerRules>),
    /// The group's screening.
    Screening,
}

impl std::fmt::Debug for BreakerTrial {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Trial").field(&self.name).finish()
    }
}

impl BreakerTrial {
    /// Of a filter, as its breaker asked for.
    pub(super) fn of_filter(filter: &PlannedFilter, group: &PlannedGroup, index: u32) -> Self {
        Self {
            name: format!("filter \"{}\"", filter.name),
            guests: Arc::clone(&group.guests),
            breaker: Arc::clone(&filter.breaker),
            of: match &filter.answering {
                None => Of::Filter(index, Arc::clone(&filter.declared)),
                Some(rules) => Of::Classifier(index, Arc::clone(rules)),
            },
            ended: false,
        }
    }

    /// Of a group's screening, as its breaker asked for.
    pub(super) fn of_screening(group: &PlannedGroup) -> Self {
        let name = format!("the screening of component {}", group.component);
        Self {
            name,
            guests: Arc::clone(&group.guests),
            breaker: Arc::clone(&group.screening),
            of: Of::Screening,
            ended: false,
        }
    }

    /// Tries it and tells the breaker and the log. Blocks for as long as the guest runs.
    pub fn run(mut self, vocabulary: &Vocabulary) {
        // Where the host had no room, nothing was tried.
        let Some(outcome) = self.outcome(vocabulary) else { return };
        let failure = outcome.as_ref().err().map(|failure| failure.message.clone()).unwrap_or_default();
        self.ended = true;
        let name = &self.name;
        match self.breaker.tried(outcome, Instant::now()) {
            TrialResult::Works { was_suspended: true } => {
                tracing::info!("{name} works again and is no longer suspended");
            }
            TrialResult::Works { was_suspended: false } => {
                tracing::warn!(
                    "{name} failed on several mails in a row, and works on a mail that it handled before: it goes on, and those mails alone \
                     get its failure policy"
                );
            }
            TrialResult::Suspended(pause) => tracing::error!(
                reason = failure,
                "{name} is suspended for {} s: it failed on several mails in a row, and on a mail that it should handle",
                pause.as_secs()
            ),
        }
    }

    fn outcome(&self, vocabulary: &Vocabulary) -> Option<Result<(), CallFailure>> {
        let mut guest = self.guests.open().ok()?;
        let mail = self.mail(vocabulary);
        match &self.of {
            Of::Filter(index, declared) => {
                let called = with_room(guest.as_mut(), mail, |guest, mail| guest.evaluate(*index, mail, None)).ok()?;
                let judged = called.result.and_then(|verdict| {
                    let changes = if verdict.matched { verdict.changes } else { Vec::new() };
                    verdict::check(changes, declared, vocabulary).map(drop)
                });
                Some(judged)
            }
            Of::Classifier(index, rules) => {
                let scope = rules.scope(false);
                let classify = |guest: &mut dyn Guest, mail: Box<Mail>| guest.classify(*index, mail, scope, None);
                Some(with_room(guest.as_mut(), mail, classify).ok()?.result.map(drop))
            }
            Of::Screening => {
                let called =
                    with_room(guest.as_mut(), mail, |guest: &mut dyn Guest, mail| guest.screen(mail, None)).ok()?;
                Some(called.result.map(drop))
            }
        }
    }

    /// The latest mail that was handled well, as it was then.
    fn mail(&self, vocabulary: &Vocabulary) -> Box<Mail> {
        let receive = |raw, envelope| {
            let message = OpenedMessage::as_it_came(Message::parse(raw));
            Box::new(message.vet(envelope, vocabulary).0.compute())
        };
        let Some(handled) = self.breaker.handled() else {
            let envelope = Envelope { account: Account::LOCAL.into(), ..Envelope::default() };
            return receive(Bytes::from_static(PLAIN_MAIL.as_bytes()), envelope);
        };
        let mut mail = receive(handled.raw.clone(), handled.envelope.clone());
        for header in &handled.headers {
            mail.set(&header.name, header.values.clone(), &header.by);
        }
        mail
    }
}

impl Drop for BreakerTrial {
    fn drop(&mut self) {
        // A trial that is lost with its thread, or that had no room, is made another time.
        if !self.ended {
            self.breaker.not_tried();
        }
    }
}
