//! What a mail's ticket is looked for by, and what was found.

use super::{FollowUpCandidate, Ticket, WhyFollowUp};
use crate::configured::UnvouchedNumbers;
use crate::mailbox::Mailbox;
use serde::{Deserialize, Serialize};

/// What a mail's ticket is looked for by, and what vouches for it. Numbers follow each other, and so can be guessed by
/// anybody: a ticket that a mail names is its own only if the mail refers to a mail of that ticket, or if it is from
/// people of that ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowUpSearch {
    /// In order; the first that exists is the ticket that the mail follows up.
    pub candidates: Vec<FollowUpCandidate>,
    /// Who vouches for a ticket of theirs: all addresses of From. Nobody, where one of them is our own, or a trusted
    /// host says that they are forged.
    pub senders: Vec<Mailbox>,
    /// Whether a trusted host says that it is the sender who wrote it.
    pub authenticated: bool,
    /// The mails that it refers to.
    pub references: Vec<String>,
    /// What becomes of the mail where nobody vouches for it.
    pub unvouched: UnvouchedNumbers,
}

/// Who vouches for a mail being of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VouchedBy {
    /// Nobody.
    ByNobody,
    /// The address of its sender alone, which anybody can write: the mail is of the ticket, and brings it nobody and
    /// nothing that vouches for others.
    ByAddress,
    /// What a stranger cannot write: it refers to a mail of the ticket, or a trusted host says that its sender is who
    /// they say.
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
    pub vouched: VouchedBy,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketMatch {
    /// What the mail follows up, if anything.
    pub follow_up: Option<FoundTicket>,
    /// What it named and nobody vouches for, where such a mail becomes a new ticket.
    pub passed_over: Vec<FoundTicket>,
}

impl TicketMatch {
    /// Every ticket that was found, whatever became of it.
    pub fn tickets(&self) -> impl Iterator<Item = &Ticket> {
        self.follow_up.iter().chain(&self.passed_over).map(|found| &found.ticket)
    }
}
