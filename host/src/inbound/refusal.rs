//! Mail that is too large to be taken in and is removed from its source: its sender is told, where that is wished
//! (`oversize = "refuse"`). Who has had all automatic answers of the day is told on another, and until then the mail
//! stays.

use super::error::FetchError;
use super::intake::{Intake, IntakeRules};
use crate::filing::{asked_for, gets_no_answers_by, why_refused};
use crate::store::outgoing::{self, IntakeRefusal, SenderNotice};
use postigo_mail::{Envelope, Message, OpenedMessage, Vocabulary, failed_authentication, why_loops, why_unanswered};
use postigo_model::communication::MailHeading;
use postigo_model::configured::Oversize;
use postigo_model::mailbox::Mailbox;
use postigo_model::timestamp::now;
use sha2::{Digest as _, Sha256};

/// What becomes of a mail that is too large. Both have whether its sender is told and which mail it is: sentences for
/// the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnedAway {
    /// It may be removed from its source.
    ToBeRemoved(String),
    /// Its sender is to be told and cannot be today: it stays where it is.
    Stays(String),
}

impl Intake {
    /// Tells the sender of a mail that is too large, where that is wished; once, even if the source does not remove it
    /// and names it again.
    pub async fn turn_away(&self, header: &[u8], size: u64) -> Result<TurnedAway, FetchError> {
        let mail = heading(header);
        if self.rules().oversize != Oversize::Refuse {
            return Ok(TurnedAway::ToBeRemoved(mail.to_string()));
        }
        let digest = digest(&self.account.name, header, size);
        let refusal = match of(header, size, self.rules(), digest) {
            Ok(refusal) => refusal,
            Err(why) => return Ok(TurnedAway::ToBeRemoved(format!("Its sender is not told: {why}. {mail}"))),
        };
        let to = refusal.to.clone();
        let told = self
            .spool()
            .store()
            .write(refusal, |refusal, connection| Box::pin(outgoing::refuse(connection, refusal)))
            .await?;
        Ok(match told {
            SenderNotice::Now => TurnedAway::ToBeRemoved(format!("{to} will be told. {mail}")),
            SenderNotice::Before => TurnedAway::ToBeRemoved(format!("{to} was told before. {mail}")),
            SenderNotice::NotThisHour => TurnedAway::Stays(format!(
                "All automatic answers of this hour have gone out (auto_responses_per_hour); {to} is told later. {mail}"
            )),
            SenderNotice::NotToday => TurnedAway::Stays(format!(
                "{to} has had all automatic answers of this day (auto_responses_per_day) and is told on another. {mail}"
            )),
        })
    }
}

fn digest(account: &str, header: &[u8], size: u64) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update((account.len() as u64).to_le_bytes());
    hash.update(account);
    hash.update(size.to_le_bytes());
    hash.update(header);
    hash.finalize().to_vec()
}

/// Whom to tell of a refused mail, and what; or why nobody is told (a sentence's second half): an answer could feed a
/// loop, or would go to a machine or to ourselves.
fn of(header: &[u8], size: u64, rules: &IntakeRules, digest: Vec<u8>) -> Result<IntakeRefusal, String> {
    let message = OpenedMessage::as_it_came(Message::parse(header.to_vec().into()));
    let mail = message.vet(Envelope::default(), &Vocabulary::default()).0.compute();
    let why = why_loops(&mail)
        .or_else(|| why_unanswered(mail.message()))
        .or_else(|| failed_authentication(mail.message(), &rules.authentication_results_from));
    if let Some(why) = why {
        return Err(why);
    }
    let is_own_mailbox = |mailbox: &Mailbox| rules.own_addresses.contains(mailbox);
    let is_own = |address: &str| gets_no_answers_by(address, &[], is_own_mailbox);
    let to = asked_for(mail.addresses("Reply-To"), &mail.addresses("From"), is_own).pop();
    let to = to.ok_or("it has no address to answer to (Reply-To, From)")?.address;
    if let Some(why) = why_refused(&to, &rules.unanswered, is_own_mailbox) {
        return Err(why);
    }
    let subject = postigo_net::words::short(mail.header("Subject").unwrap_or_default());
    let text = format!(
        "Your mail \"{subject}\" was not accepted: it has {size} bytes, and at most {} are. Please send it again without large attachments.",
        rules.greatest
    );
    Ok(IntakeRefusal {
        digest,
        to,
        queue: rules.queue.clone(),
        text,
        now: now(),
        per_day: rules.answers_per_day,
        per_hour: rules.answers_per_hour,
    })
}

/// Which mail it is, from its header.
pub fn heading(header: &[u8]) -> MailHeading {
    Message::parse(header.to_vec().into()).heading()
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::Settings;

    fn refusal(header: &str) -> Result<IntakeRefusal, String> {
        let mut unanswered = Settings::default().auto_responses_refused;
        unanswered.push("*@robots.example.com".to_owned());
        let authentication_results_from = vec!["mx.example.org".to_owned()];
        let rules = IntakeRules {
            authentication_results_from,
            own_addresses: [Mailbox::of("support@example.org")].into(),
            unanswered,
            ..IntakeRules::default()
        };
        of(header.as_bytes(), 99, &rules, Vec::new())
    }

    fn to(header: &str) -> Option<String> {
        refusal(header).map(|refusal| refusal.to).ok()
    }

    #[test]
    fn a_long_subject_is_cut_in_what_its_sender_is_told() {
        let text = refusal(&format!("From: jane@example.com\nSubject: {}\n\n", "long ".repeat(1_000))).unwrap().text;
        assert!(text.len() < 500 && text.contains("…\" was not accepted: it has 99 bytes"), "{text}");
    }

    #[test]
    fn a_person_is_told_but_no_list_no_machine_and_not_ourselves() {
        assert_eq!(to("From: Jane <jane@example.com>\nSubject: big\n\n").as_deref(), Some("jane@example.com"));
        assert_eq!(to("From: a@example.com\nReply-To: b@example.com\n\n").as_deref(), Some("b@example.com"));
        for unusable in ["none", "<>", "b@", "Support@Example.org", "b@example..com"] {
            let header = format!("From: a@example.com\nReply-To: {unusable}\n\n");
            assert_eq!(to(&header).as_deref(), Some("a@example.com"), "{unusable}");
        }
        for (header, why) in [
            ("From: a@example.com\nPrecedence: bulk\n\n", "(Precedence: bulk)"),
            ("From: a@example.com\nAuto-Submitted: auto-replied\n\n", "(Auto-Submitted: auto-replied)"),
            ("From: a@example.com\nReturn-Path: <>\n\n", "(Return-Path: <>)"),
            ("From: a@example.com\nList-Id: <x.test>\n\n", "(List-Id: <x.test>)"),
            ("From: MAILER-DAEMON@example.com\n\n", "auto_responses_refused: \"*MAILER-DAEMON@*.*\""),
            ("From: Support@Example.org\n\n", "an address of the desk"),
            ("From: support+billing@example.org\n\n", "an address of the desk"),
            ("From: \"support\"@example.org.\n\n", "an address of the desk"),
            ("Authentication-Results: mx.example.org; dmarc=fail\nFrom: a@example.com\n\n", "Authentication-Results"),
            ("From: seven@robots.example.com\n\n", "auto_responses_refused: \"*@robots.example.com\""),
            ("Subject: nobody\n\n", "it has no address to answer to"),
        ] {
            let told = refusal(header).unwrap_err();
            assert!(told.contains(why), "{header}: {told}");
        }
    }
}
