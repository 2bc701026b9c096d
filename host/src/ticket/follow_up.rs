//! Which tickets a mail may follow up, in the fixed order of OTOBO's follow-up checks, and who vouches for it being that ticket.

use super::number;
use postigo_mail::{Mail, authenticated_sender, failed_authentication, message_ids};
use postigo_model::configured::{Configuration, FollowUpCheck, Settings, UnvouchedNumbers};
use postigo_model::mailbox::Mailbox;
use postigo_model::ticket::{FollowUpCandidate, Ticket, WhyFollowUp};

/// Of References so many ids are looked for, from the last: mails with thousands of them are made to keep a server busy.
const MOST_REFERENCES: usize = 100;
/// A mail from more addresses is from none that vouches for anything.
const MOST_SENDERS: usize = 10;

/// What a mail's ticket is looked for by, and what vouches for it. Numbers follow each other, and so can be guessed by anybody: a ticket that a
/// mail names is its own only if the mail refers to a mail of that ticket, or if it is from people of that ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FollowUpSearch {
    /// In order; the first that exists is the ticket that the mail follows up.
    pub candidates: Vec<FollowUpCandidate>,
    /// Who vouches for a ticket of theirs: all addresses of From. Nobody, where one of them is our own, or a trusted host says that they are forged.
    pub senders: Vec<Mailbox>,
    /// Whether a trusted host says that it is the sender who wrote it.
    pub authenticated: bool,
    /// The mails that it refers to.
    pub references: Vec<String>,
    /// What becomes of the mail where nobody vouches for it.
    pub unvouched: UnvouchedNumbers,
}

impl FollowUpSearch {
    /// Of a mail. Asked before the chain and again after it, since filters set the number of another system.
    pub fn of(mail: &Mail, configuration: &Configuration) -> Self {
        let settings = &configuration.settings;
        let candidates = follow_up_candidates(mail, settings);
        if candidates.is_empty() {
            return Self::default();
        }
        let senders = senders(mail, configuration);
        let written_by = authenticated_sender(&mail.message, &settings.authentication_results_from);
        let authenticated = written_by.is_some_and(|sender| senders == [sender]);
        Self { candidates, senders, authenticated, references: references(mail), unvouched: settings.unvouched_numbers }
    }
}

/// Who vouches for a mail being of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    /// Nobody.
    ByNobody,
    /// The address of its sender alone, which anybody can write: the mail is of the ticket, and brings it nobody and nothing that vouches for others.
    ByAddress,
    /// What a stranger cannot write: it refers to a mail of the ticket, or a trusted host says that its sender is who they say.
    ByProof,
}

/// A ticket that a mail follows up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTicket {
    /// The ticket; of a merged one what it was merged into.
    pub ticket: Ticket,
    /// By which check.
    pub why: WhyFollowUp,
    /// Who vouches for it.
    pub vouched: Vouched,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What the mail follows up, if anything.
    pub follow_up: Option<FoundTicket>,
    /// What it named and nobody vouches for, where such a mail becomes a new ticket.
    pub passed_over: Vec<FoundTicket>,
}

impl Found {
    /// Every ticket that was found, whatever became of it.
    pub fn tickets(&self) -> impl Iterator<Item = &Ticket> {
        self.follow_up.iter().chain(&self.passed_over).map(|found| &found.ticket)
    }
}

/// What to look for, in order.
pub(super) fn follow_up_candidates(mail: &Mail, settings: &Settings) -> Vec<FollowUpCandidate> {
    let mut candidates = Vec::new();
    let order = [
        FollowUpCheck::Bounce,
        FollowUpCheck::Subject,
        FollowUpCheck::References,
        FollowUpCheck::Body,
        FollowUpCheck::Attachment,
        FollowUpCheck::Raw,
    ];
    for check in order.into_iter().filter(|check| settings.follow_up_checks.contains(check)) {
        let number_in = |text: &str, why| number::find(text, settings).map(|number| FollowUpCandidate::Number(why, number));
        match check {
            FollowUpCheck::Bounce => {
                let original = mail.header("X-OTOBO-Bounce-OriginalMessageID");
                candidates.extend(original.map(|id| FollowUpCandidate::MessageId(WhyFollowUp::Bounce, id.to_owned())));
            }
            FollowUpCheck::Subject => candidates.extend(number_in(mail.header("Subject").unwrap_or_default(), WhyFollowUp::Subject)),
            FollowUpCheck::References => {
                candidates.extend(references(mail).into_iter().map(|id| FollowUpCandidate::MessageId(WhyFollowUp::References, id)));
            }
            FollowUpCheck::Body => candidates.extend(number_in(mail.text(), WhyFollowUp::Body)),
            FollowUpCheck::Attachment => {
                let attached = mail.attachments().iter().enumerate().filter(|(_, attachment)| !attachment.inline);
                let contents = attached.filter_map(|(index, _)| mail.attachment_bytes(index));
                candidates.extend(contents.filter_map(|bytes| number_in(&String::from_utf8_lossy(bytes), WhyFollowUp::Attachment)));
            }
            // Comes last, whether it is named or not.
            FollowUpCheck::ExternalNumber => {}
            FollowUpCheck::Raw => candidates.extend(number_in(&String::from_utf8_lossy(mail.message.raw()), WhyFollowUp::Raw)),
        }
    }
    candidates.extend(external_number(mail, &settings.external_number_field));
    candidates
}

/// Who vouches for a ticket of theirs. Our own addresses are in every ticket.
fn senders(mail: &Mail, configuration: &Configuration) -> Vec<Mailbox> {
    let from = mail.addresses("From");
    let believed = from.len() <= MOST_SENDERS
        && !from.iter().any(|address| configuration.is_own(&address.address))
        && failed_authentication(&mail.message, &configuration.settings.authentication_results_from).is_none();
    if believed { from.iter().map(|address| Mailbox::of(&address.address)).collect() } else { Vec::new() }
}

/// The number of another system, which a filter has put into the field of the setting.
fn external_number(mail: &Mail, field: &str) -> Option<FollowUpCandidate> {
    if field.is_empty() {
        return None;
    }
    let names = [format!("X-OTOBO-DynamicField-{field}"), format!("X-OTOBO-FollowUp-DynamicField-{field}")];
    let value = names.iter().filter_map(|name| mail.header(name)).find(|value| !value.is_empty())?;
    Some(FollowUpCandidate::ExternalNumber { field: field.to_owned(), value: value.to_owned() })
}

/// The first id of In-Reply-To, then those of References from the last to the first, each once.
pub fn references(mail: &Mail) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let reply = message_ids(mail.header("In-Reply-To").unwrap_or_default()).take(1);
    let references = message_ids(mail.header("References").unwrap_or_default()).rev().take(MOST_REFERENCES);
    for id in reply.chain(references) {
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    ids
}
