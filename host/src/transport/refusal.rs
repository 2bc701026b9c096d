//! Mail that is too large to be taken in and is removed from its source: its sender is told, where that is wished (`oversize = "refuse"`).

use super::error::FetchError;
use super::intake::{Intake, Rules};
use crate::commlog::now;
use crate::config::{Oversize, address_key};
use crate::mail::{Envelope, Mail, Message, Vocabulary, feeds_loop, why_unanswered};
use crate::store::outgoing::{self, Refusal, Told};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

impl Intake {
    /// Tells the sender of a mail that is too large, where that is wished; once, even if the source does not remove it and names it again. Gives whether it
    /// is told and which mail it is: sentences for the log.
    pub async fn turn_away(&self, header: &[u8], size: u64) -> Result<String, FetchError> {
        let mail = describe(header);
        if self.rules().oversize != Oversize::Refuse {
            return Ok(mail);
        }
        let digest = digest(&self.account.name, header, size);
        let Some(refusal) = of(header, size, self.rules(), digest) else {
            return Ok(format!("Its sender is not told: it is automatic, a list's, our own, or has no address. {mail}"));
        };
        let to = refusal.to.clone();
        let told = self.spool().store().write(refusal, |refusal, connection| Box::pin(outgoing::refuse(connection, refusal))).await?;
        let told = match told {
            Told::Now => format!("{to} will be told."),
            Told::Before => format!("{to} was told before."),
            Told::NotToday => format!("{to} has had all automatic answers of this day."),
        };
        Ok(format!("{told} {mail}"))
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

/// Whom to tell of a refused mail, and what; nobody where an answer could feed a loop, or would go to a machine or to ourselves.
fn of(header: &[u8], size: u64, rules: &Rules, digest: Vec<u8>) -> Option<Refusal> {
    let message = Arc::new(Message::parse(header.to_vec().into()));
    let (mail, _) = Mail::receive(message, Envelope::default(), &Vocabulary::default());
    if feeds_loop(&mail) || why_unanswered(&mail.message).is_some() {
        return None;
    }
    let mut addresses = mail.addresses("Reply-To");
    if addresses.is_empty() {
        addresses = mail.addresses("From");
    }
    let to = addresses.pop()?.address;
    if is_machine(&to) || rules.own_addresses.contains(&address_key(&to)) {
        return None;
    }
    let subject = mail.header("Subject").unwrap_or_default();
    let text = format!(
        "Your mail \"{subject}\" was not accepted: it has {size} bytes, and at most {} are. Please send it again without large attachments.",
        rules.greatest
    );
    Some(Refusal { digest, to, queue: rules.queue.clone(), text, now: now(), per_day: rules.answers_per_day })
}

/// Those that OTOBO does not answer by default.
fn is_machine(address: &str) -> bool {
    let name = address.split('@').next().unwrap_or_default().to_ascii_lowercase();
    ["mailer-daemon", "postmaster", "abuse"].iter().any(|machine| name.ends_with(machine))
}

/// Sender, subject and Message-ID of a mail that nobody will see otherwise.
fn describe(header: &[u8]) -> String {
    let text = String::from_utf8_lossy(header);
    let wanted = ["from", "subject", "message-id", "date"];
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.split_once(':').is_some_and(|(name, _)| wanted.contains(&name.trim().to_ascii_lowercase().as_str())))
        .collect();
    super::words::short(&lines.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(header: &str) -> Option<String> {
        let rules = Rules { own_addresses: ["support@example.org".to_owned()].into(), ..Rules::default() };
        of(header.as_bytes(), 99, &rules, Vec::new()).map(|refusal| refusal.to)
    }

    #[test]
    fn a_person_is_told_but_no_list_no_machine_and_not_ourselves() {
        assert_eq!(to("From: Jane <jane@example.com>\nSubject: big\n\n").as_deref(), Some("jane@example.com"));
        assert_eq!(to("From: a@example.com\nReply-To: b@example.com\n\n").as_deref(), Some("b@example.com"));
        for header in [
            "From: a@example.com\nPrecedence: bulk\n\n",
            "From: a@example.com\nAuto-Submitted: auto-replied\n\n",
            "From: a@example.com\nReturn-Path: <>\n\n",
            "From: a@example.com\nList-Id: <x.test>\n\n",
            "From: MAILER-DAEMON@example.com\n\n",
            "From: Support@Example.org\n\n",
            "Subject: nobody\n\n",
        ] {
            assert_eq!(to(header), None, "{header}");
        }
    }
}
